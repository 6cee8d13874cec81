#pragma once
/// The weights of Linear on the CPU, and the product with them: what the kernels of linear and its fused forms share.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu/panels.hpp"
#include "silica/op/activation.hpp"
#include "silica/op/prepared.hpp"

#include <optional>
#include <utility>

namespace silica::device::cpu {

/// What is done to x W^T + b before it is rounded.
struct After {
    Activation act = Activation::linear;
    bool gated = false;                ///< W holds the rows of the gate, then those of what it multiplies
    const Tensor* residual = nullptr;  ///< added last; (..., out)
};

/// W (out, in), contiguous: as it lies in the file where it was mapped, and one copy where two ops share it. Or, of
/// float32, in panels.
struct PackedLinear {
    Tensor weight;
    std::optional<Tensor> bias;
    std::int64_t out = weight.size(0);
    bool panels = false;

    /// Packed in panels where that is worth it.
    [[nodiscard]] static PackedLinear pack(op::Plain s);
    /// As it lies: for weights that another op reads as well.
    [[nodiscard]] static PackedLinear keep(op::Plain s) { return {s.weight.contiguous(), std::move(s.bias)}; }
    [[nodiscard]] op::Plain unpack() const;

    /// x W^T + b.
    [[nodiscard]] Tensor operator()(const Tensor& x) const;

    /// The product by our own kernels; undefined where they do not serve this type, layout or number of rows.
    [[nodiscard]] Tensor product(const Tensor& x, const After& after) const;
};

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/packed_linear.ipp"
#endif
