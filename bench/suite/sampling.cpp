#include "suite/sampling.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "suite/statistics.hpp"

namespace silica::bench::suite {
namespace {

double seconds(std::span<const double> ms) { return std::accumulate(ms.begin(), ms.end(), 0.0) / 1000; }

double middle_of_three(std::span<const double> x) {
    return std::max(std::min(x[0], x[1]), std::min(std::max(x[0], x[1]), x[2]));
}

std::string percent(double part) { return std::to_string(std::lround(100 * part)) + " %"; }

/// "0.4", "2.1".
std::string tenths(double x) {
    const auto n = std::lround(10 * x);
    return std::to_string(n / 10) + "." + std::to_string(n % 10);
}

}  // namespace

bool warm(std::span<const double> calls, const Sampling& s) {
    const auto n = static_cast<std::int64_t>(calls.size());
    if (s.warmup) return n >= *s.warmup;
    if (n == 0) return false;
    if (n >= s.most_warmup || seconds(calls) >= s.warmup_s) return true;
    if (n < 6) return false;
    const double now = middle_of_three(calls.last(3)), before = middle_of_three(calls.last(6).first(3));
    return std::abs(now - before) <= 0.05 * before;
}

bool enough(std::span<const double> samples, const Sampling& s) {
    const auto n = static_cast<std::int64_t>(samples.size());
    if (s.iterations) return n >= *s.iterations;
    if (n < s.least) return false;
    if (n >= s.most || seconds(samples) >= s.measure_s) return true;
    if (n < s.usual || (n - s.usual) % std::max<std::int64_t>(1, n / 16) != 0) return false;
    return median_interval(samples).relative_width() <= s.within;
}

std::vector<std::string> noise(std::span<const double> samples, const Sampling& s, const Disturbance& seen) {
    std::vector<std::string> all;
    // Of fewer than 6 the interval is all of them, and says too little to be held to the bound.
    const double width = median_interval(samples).relative_width();
    const double bound = samples.size() < 6 ? 0.2 : s.iterations ? std::max(0.1, s.within) : s.within;
    if (samples.size() > 1 && width > bound) {
        all.push_back(samples.size() < 6 ? "the calls differ by " + percent(width)
                                         : "the median's interval is " + percent(width) + " wide");
    }
    if (seen.others >= 0.25) all.push_back("other programs used " + tenths(seen.others) + " processors");
    if (seen.mhz_before > 0 && seen.mhz_after < 0.9 * seen.mhz_before) {
        all.push_back("the clock fell from " + std::to_string(std::lround(seen.mhz_before)) + " to " +
                      std::to_string(std::lround(seen.mhz_after)) + " MHz");
    }
    if (seen.throttled) all.emplace_back("the processor was too hot and slowed down");
    return all;
}

}  // namespace silica::bench::suite
