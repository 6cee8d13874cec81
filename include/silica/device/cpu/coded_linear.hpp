#pragma once
/// The product with weights that are codes on the CPU: what the kernels of linear and its fused forms share under a
/// quantised precision.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu/coded_matrix.hpp"
#include "silica/device/cpu/packed_linear.hpp"

#include <optional>

namespace silica::device::cpu {

/// A matrix of codes, or one that stays plain.
struct CodedLinear : CodedMatrix {
    std::optional<PackedLinear> plain = {};

    [[nodiscard]] static CodedLinear pack(op::Coded s);
    /// For weights that another op reads as well: a plain matrix stays as it lies.
    [[nodiscard]] static CodedLinear keep(op::Coded s);
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
