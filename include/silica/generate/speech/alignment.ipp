#pragma once
/// When each token was said.

#include "silica/core/error.hpp"
#include "silica/generate/speech/alignment.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

namespace silica::generate {
namespace detail {

/// Throws InputError unless `n` is the product of `shape`, in which 0 is one number like others.
inline void require_elements(const char* what, std::size_t n, std::initializer_list<std::size_t> shape) {
    std::size_t left = n;
    bool fits = true, none = false;
    for (const auto d : shape) {
        none = none || d == 0;
        fits = fits && d != 0 && left % d == 0;
        if (fits) left /= d;
    }
    if (none ? n == 0 : fits && left == 1) return;
    throw InputError(std::string(what) + " have " + std::to_string(n) + " numbers, which is not what their sizes say.",
                     "give as many as the product of the sizes.");
}

inline void require_odd(std::size_t width) {
    if (width % 2 == 0) throw InputError("The width of a median is " + std::to_string(width) + ".", "give an odd one.");
}

}  // namespace detail

SILICA_INLINE void median_filter(std::span<float> rows, std::size_t n, std::size_t width) {
    detail::require_odd(width);
    detail::require_elements("Rows", rows.size(), {n, n == 0 ? 0 : rows.size() / n});
    const auto half = static_cast<std::ptrdiff_t>(width / 2), size = static_cast<std::ptrdiff_t>(n);
    if (size <= half) return;
    // As torch sorts: NaN behind all numbers.
    const auto before = [](float a, float b) { return a < b || (b != b && a == a); };
    std::vector<float> row, window(width);
    for (std::size_t begin = 0; begin < rows.size(); begin += n) {
        row.assign(rows.begin() + static_cast<std::ptrdiff_t>(begin),
                   rows.begin() + static_cast<std::ptrdiff_t>(begin + n));
        for (std::ptrdiff_t t = 0; t < size; ++t) {
            for (std::ptrdiff_t k = -half; k <= half; ++k) {
                auto at = std::abs(t + k);
                if (at >= size) at = 2 * (size - 1) - at;
                window[static_cast<std::size_t>(k + half)] = row[static_cast<std::size_t>(at)];
            }
            std::nth_element(window.begin(), window.begin() + half, window.end(), before);
            rows[begin + static_cast<std::size_t>(t)] = window[static_cast<std::size_t>(half)];
        }
    }
}

SILICA_INLINE std::vector<std::int64_t> time_warping(std::span<const double> matrix, std::size_t rows,
                                                     std::size_t columns) {
    detail::require_elements("A matrix and its costs", matrix.size(), {rows, columns});
    enum Step : unsigned char { both, up, left };
    constexpr float far = std::numeric_limits<float>::infinity();
    // Row by row; `before` is the row above, at columns 0 (nothing taken) to `columns`.
    std::vector<float> before(columns + 1, far), now(columns + 1, far);
    std::vector<Step> steps(rows * columns);
    before[0] = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        now[0] = far;
        for (std::size_t j = 0; j < columns; ++j) {
            const float diagonal = before[j], above = before[j + 1], beside = now[j];
            Step step = left;
            float cost = beside;
            if (diagonal < above && diagonal < beside)
                step = both, cost = diagonal;
            else if (above < diagonal && above < beside)
                step = up, cost = above;
            now[j + 1] = static_cast<float>(matrix[i * columns + j] + static_cast<double>(cost));
            steps[i * columns + j] = step;
        }
        std::swap(before, now);
    }
    std::vector<std::int64_t> first(rows, -1);
    for (std::size_t i = rows, j = columns; i > 0;) {
        first[i - 1] = static_cast<std::int64_t>(j) - 1;
        const Step step = j == 0 ? up : steps[(i - 1) * columns + j - 1];
        if (step != up) --j;
        if (step != left) --i;
    }
    return first;
}

SILICA_INLINE std::vector<std::int64_t> token_positions(const Attention& attention, std::size_t positions,
                                                        std::size_t median_width) {
    detail::require_odd(median_width);
    if (attention.heads == 0) throw InputError("There is no head to look at.", "name one of alignment_heads at least.");
    detail::require_elements("Weights", attention.weights.size(),
                             {attention.heads, attention.tokens, attention.positions});
    const auto n = std::min(positions, attention.positions), tokens = attention.tokens;
    std::vector<double> sum(tokens * n);
    std::vector<float> head(tokens * n);
    for (std::size_t h = 0; h < attention.heads; ++h) {
        const float* const weights = attention.weights.data() + h * tokens * attention.positions;
        std::vector<double> mean(n), square(n);
        for (std::size_t t = 0; t < tokens; ++t) {
            for (std::size_t p = 0; p < n; ++p) mean[p] += static_cast<double>(weights[t * attention.positions + p]);
        }
        for (double& m : mean) m /= static_cast<double>(tokens);
        for (std::size_t t = 0; t < tokens; ++t) {
            for (std::size_t p = 0; p < n; ++p) {
                const double d = static_cast<double>(weights[t * attention.positions + p]) - mean[p];
                square[p] += d * d;
            }
        }
        for (std::size_t t = 0; t < tokens; ++t) {
            for (std::size_t p = 0; p < n; ++p) {
                const auto deviation = static_cast<float>(std::sqrt(square[p] / static_cast<double>(tokens)));
                head[t * n + p] = (weights[t * attention.positions + p] - static_cast<float>(mean[p])) / deviation;
            }
        }
        if (n > 0) median_filter(head, n, median_width);
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(head[i]);
    }
    // transformers averages in float32.
    for (double& s : sum) s = -static_cast<double>(static_cast<float>(s / static_cast<double>(attention.heads)));
    return time_warping(sum, tokens, n);
}

}  // namespace silica::generate
