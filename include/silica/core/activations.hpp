#pragma once
/// How many numbers a call of a network needs at once beside its weights, at most: the arithmetic. No LibTorch.

#include <algorithm>
#include <cstdint>
#include <span>

namespace silica {

/// Layers of a transformer, one after another, for `rows` vectors in all.
struct TransformerSize {
    std::int64_t rows = 0, hidden = 0, inner = 0;  ///< `inner`: of the feed-forward network
    std::int64_t queries = 0, keys = 0;            ///< width of all heads of queries; of those of keys
    bool gated = false;                            ///< two products of `inner`, of which one gates the other

    /// What the first layer was given, which the caller keeps, the residual and its norm, beside the most that one of
    /// these holds:
    /// - attention: queries, keys and values as one product, again head by head, what was attended to, again by rows,
    ///   and the output;
    /// - feed-forward: what attention gave and its norm, the product (both where it is gated), what is left of it, and
    ///   the output.
    [[nodiscard]] std::int64_t numbers() const {
        const std::int64_t q = queries == 0 ? hidden : queries, k = keys == 0 ? q : keys;
        return rows * (3 * hidden + std::max(2 * (q + 2 * k) + 2 * q + hidden, (gated ? 3 : 1) * inner + 3 * hidden));
    }
};

/// A convolution over `places` outputs of `channels`, of an input of `in` numbers: input, output, and once more the
/// output while it is normed or activated.
[[nodiscard]] constexpr std::int64_t convolution_numbers(std::int64_t in, std::int64_t channels, std::int64_t places) {
    return in + 2 * channels * places;
}

/// The outputs of a kernel of that length and stride along `n` inputs, without padding.
[[nodiscard]] constexpr std::int64_t places_of(std::int64_t n, std::int64_t kernel, std::int64_t stride) {
    return n < kernel ? 0 : (n - kernel) / std::max<std::int64_t>(stride, 1) + 1;
}

}  // namespace silica
