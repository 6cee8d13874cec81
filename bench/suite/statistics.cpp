#include "suite/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "silica/core/error.hpp"

namespace silica::bench::suite {
namespace {

using Values = std::vector<double>;

/// Above this size of either sample its distribution is taken as normal.
constexpr std::size_t most_exact = 25;

Values checked(std::span<const double> samples, bool positive) {
    if (samples.empty()) throw InputError("There are no samples.", "measure at least once.");
    for (const double x : samples) {
        if (!std::isfinite(x) || (positive && x <= 0))
            throw InputError("A sample is not a " + std::string(positive ? "positive time." : "number."),
                             "measure again; or mend the file that it was read from.");
    }
    Values sorted(samples.begin(), samples.end());
    std::ranges::sort(sorted);
    return sorted;
}

void check_confidence(double confidence) {
    if (!(confidence > 0 && confidence < 1)) throw InputError("A confidence is outside (0, 1).", "0.95 is usual.");
}

double middle(const Values& sorted) {
    const auto n = sorted.size();
    return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/// The x that a standard normal value exceeds with probability `tail` <= 1/2, by bisection of erfc.
double normal_quantile(double tail) {
    double low = 0, high = 40;
    for (int i = 0; i < 200; ++i) {
        const double x = (low + high) / 2;
        (std::erfc(x / std::sqrt(2.0)) / 2 > tail ? low : high) = x;
    }
    return low;
}

/// P(X <= 0), P(X <= 1), ... of U = #{(i, j): b_j < a_i} where both samples are from one distribution without ties.
/// How many of the arrangements of n and m give u: c(u; n, m) = c(u - m; n - 1, m) + c(u; n, m - 1).
std::vector<double> distribution_of_u(std::size_t n, std::size_t m) {
    // probabilities rather than counts: the last of n + m values is an a with n / (n + m), and then adds m to u
    std::vector<std::vector<double>> row(m + 1, std::vector<double>(n * m + 1, 0));  // of i a's so far, by j
    for (std::size_t j = 0; j <= m; ++j) row[j][0] = 1;
    for (std::size_t i = 1; i <= n; ++i) {
        std::vector<std::vector<double>> next(m + 1, std::vector<double>(n * m + 1, 0));
        next[0][0] = 1;
        for (std::size_t j = 1; j <= m; ++j) {
            const double of_a = static_cast<double>(i) / static_cast<double>(i + j);
            for (std::size_t u = 0; u <= i * j; ++u) {
                next[j][u] = (u >= j ? of_a * row[j][u - j] : 0) + (1 - of_a) * next[j - 1][u];
            }
        }
        row = std::move(next);
    }
    std::vector<double> below = row[m];
    for (std::size_t u = 1; u < below.size(); ++u) below[u] += below[u - 1];
    return below;
}

/// How many pairs have b_j <= t a_i.
std::size_t pairs_up_to(const Values& a, const Values& b, double t) {
    std::size_t count = 0, j = 0;
    for (const double x : a) {
        while (j < b.size() && b[j] <= t * x) ++j;
        count += j;
    }
    return count;
}

/// The k-th smallest (from 1) of all b_j / a_i, without making them: bisection over the values between the extremes.
double kth_ratio(const Values& a, const Values& b, std::size_t k) {
    double low = b.front() / a.back() * (1 - 1e-12), high = b.back() / a.front() * (1 + 1e-12);
    for (int i = 0; i < 200 && low < high; ++i) {
        const double t = low + (high - low) / 2;
        if (t <= low || t >= high) break;
        (pairs_up_to(a, b, t) >= k ? high : low) = t;
    }
    return high;
}

struct Ranks {
    double u = 0;     ///< pairs with b_j < a_i, ties as halves
    double ties = 0;  ///< sum of t^3 - t over groups of t equal values
};

Ranks ranks(const Values& a, const Values& b) {
    Ranks r;
    std::size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
        const double x = i == a.size() ? b[j] : j == b.size() ? a[i] : std::min(a[i], b[j]);
        const std::size_t first_i = i, first_j = j;
        while (i < a.size() && a[i] == x) ++i;
        while (j < b.size() && b[j] == x) ++j;
        const auto of_a = static_cast<double>(i - first_i), of_b = static_cast<double>(j - first_j);
        r.u += of_a * (static_cast<double>(first_j) + of_b / 2);
        const double t = of_a + of_b;
        r.ties += t * t * t - t;
    }
    return r;
}

}  // namespace

Interval median_interval(std::span<const double> samples, double confidence) {
    check_confidence(confidence);
    const Values x = checked(samples, false);
    const auto n = x.size();
    // P(at most k - 1 of n values lie below the median), summed until both tails would be more than is left
    double log_term = -static_cast<double>(n) * std::log(2.0), tail = 0;
    std::size_t k = 0;
    while (k < n / 2) {
        tail += std::exp(log_term);
        if (2 * tail > 1 - confidence) break;
        log_term += std::log(static_cast<double>(n - k)) - std::log(static_cast<double>(k + 1));
        ++k;
    }
    const std::size_t place = k == 0 ? 0 : k - 1;
    return {x[place], middle(x), x[n - 1 - place]};
}

Comparison compared(std::span<const double> samples_a, std::span<const double> samples_b, double confidence) {
    check_confidence(confidence);
    const Values a = checked(samples_a, true), b = checked(samples_b, true);
    const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
    const auto [u, ties] = ranks(a, b);
    const double mean = n * m / 2;
    const bool small = a.size() <= most_exact && b.size() <= most_exact;
    std::vector<double> below;
    if (small) below = distribution_of_u(a.size(), b.size());

    Comparison result;
    result.ratio = middle(b) / middle(a);
    if (small && ties == 0) {
        const auto least = static_cast<std::size_t>(std::min(u, n * m - u));
        result.p = std::min(1.0, 2 * below[least]);
    } else {
        const double all = n + m;
        const double variance = n * m / 12 * (all + 1 - ties / (all * (all - 1)));
        const double distance = std::max(0.0, std::abs(u - mean) - 0.5);
        result.p = variance > 0 ? std::min(1.0, std::erfc(distance / std::sqrt(2 * variance))) : 1.0;
    }

    // The k-th smallest and the k-th largest of n m ratios, k the least with P(U <= k) > half of what is left to chance
    const double tail = (1 - confidence) / 2;
    std::size_t k = 0;
    if (small) {
        while (k < below.size() && below[k] <= tail) ++k;
    } else {
        const double most = mean - normal_quantile(tail) * std::sqrt(n * m * (n + m + 1) / 12);
        k = most > 0 ? static_cast<std::size_t>(most) : 0;
    }
    k = std::max<std::size_t>(k, 1);
    result.low = std::min(result.ratio, kth_ratio(a, b, k));
    result.high = std::max(result.ratio, kth_ratio(a, b, a.size() * b.size() + 1 - k));
    return result;
}

}  // namespace silica::bench::suite
