#pragma once
/// Quantised weights on the host: what every reader of a format makes, and every kernel packs.

#include "silica/core/tensor.hpp"

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// A matrix (rows, columns) of w = code * scale + bias, a scale and a bias for each `group` columns of a row.
struct Quantised {
    int bits = 4;  ///< of a code, which is unsigned: 4 or 8
    std::int64_t rows = 0, columns = 0;
    std::int64_t group = 0;           ///< the last one of a row may be shorter; `columns`: one for the row
    Tensor codes = {};                ///< (rows, words) int32, the first code in the lowest bits; zeros after the last
    Tensor scales = {}, biases = {};  ///< (rows, groups) float32

    [[nodiscard]] std::int64_t words() const noexcept { return words(columns, bits); }
    [[nodiscard]] std::int64_t groups() const noexcept { return (columns + group - 1) / group; }

    /// The int32 that hold the codes of a row.
    [[nodiscard]] static constexpr std::int64_t words(std::int64_t columns, int bits) noexcept {
        return columns / 32 * bits + (columns % 32 * bits + 31) / 32;
    }
    /// A group as flags name it: 0 is one for the row.
    [[nodiscard]] static constexpr std::int64_t group_of(std::int64_t group, std::int64_t columns) noexcept {
        return group == 0 || group > columns ? columns : group;
    }
};

/// How the weights of products are read under a precision that quantises them.
struct Quantising {
    bool reads = false;  ///< whether weights are codes; else all of them are plain
    int bits = 4;        ///< in which plain ones are quantised, and by groups of what
    std::int64_t group = 64;
    bool integers = false;  ///< whether products take their inputs in 8 bits
};

/// Throws InputError unless weights can be quantised so: 4 or 8 bits, groups of 32, 64 or 128, or 0 of 8 bits.
void require_quantising(int bits, std::int64_t group);

/// A precision whose weights are codes of `P::bits`; 0: as they are asked for.
template <class P>
concept HasCodes = P::quantised && requires {
    { P::bits } -> std::convertible_to<int>;
};

/// How `Precision` reads weights, where `options.bits` and `options.group` are asked for. InputError as
/// require_quantising.
template <class Precision>
Quantising quantising(const auto& options) {
    if constexpr (HasCodes<Precision>) {
        const int bits = Precision::bits == 0 ? options.bits : Precision::bits;
        require_quantising(bits, options.group);
        return {true, bits, options.group, Precision::integers || options.int8_activations};
    } else {
        return {};
    }
}

/// Throws CheckpointError, which begins with `where`, unless the members fit each other and lie on the host,
/// contiguous.
void check(const Quantised& q, const std::string& where);

/// `weight` (rows, columns) in float32, float16, bfloat16 or float64 on the host, in `bits` (4 or 8) by groups of
/// `group` columns (0: one for the row): from the least to the largest of a group, in equal steps, of which one is the
/// end that is further from zero and zero is another, as MLX's `quantize` does it. Scales and biases are rounded to the
/// type of the weight. CheckpointError, which begins with `where`, for NaN and infinities; InputError for other
/// arguments that are wrong.
[[nodiscard]] Quantised quantise(const Tensor& weight, int bits, std::int64_t group, const std::string& where);

/// code * scale + bias, (rows, columns), rounded from float32 to `type`.
[[nodiscard]] Tensor dequantised(const Quantised& q, c10::ScalarType type);

/// The rows of `parts` one after another, which agree in columns. Where bits or groups differ all take the most bits
/// and the greatest group that divides theirs: nothing is lost.
[[nodiscard]] Quantised joined_rows(std::span<const Quantised> parts);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/quantised.ipp"
#endif
