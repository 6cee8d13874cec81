#pragma once
/// The weights of Linear on the CPU as codes, and the product with them: what the kernels of linear and its fused forms
/// share under a quantised precision.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu/isa.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/quantised.hpp"

#include <optional>

namespace silica::device::cpu {

/// Codes in blocks of rows side by side (isa/codes.hpp), in as many blocks as fill panels; or a matrix that stays
/// plain.
struct CodedLinear {
    std::optional<PackedLinear> plain = {};
    op::Coded matrix = {};  ///< all but its tensors
    Tensor codes = {};      ///< (blocks, words, lanes) int32
    Tensor scales = {};     ///< (blocks, groups, 2, lanes), in bfloat16 where that loses nothing, else float32
    std::int64_t lanes = 0, group_words = 0, words = 0, groups = 0;
    bool integers = false;  ///< whether inputs are taken in 8 bits

    [[nodiscard]] static CodedLinear pack(op::Coded s, bool integers);
    /// For weights that another op reads as well: a plain matrix stays as it lies.
    [[nodiscard]] static CodedLinear keep(op::Coded s, bool integers);
    [[nodiscard]] op::Coded unpack() const;

    /// x W^T + b.
    [[nodiscard]] Tensor operator()(const Tensor& x) const;

    /// The product by our own kernels; undefined where they do not serve this type, layout or number of rows.
    [[nodiscard]] Tensor product(const Tensor& x, const After& after) const;
};

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/coded_linear.ipp"
#endif
