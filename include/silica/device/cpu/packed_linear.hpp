#pragma once
/// The weights of Linear on the CPU, and the product with them: what the kernels of linear and its fused forms share.

#include "silica/device/cpu/onednn.hpp"
#include "silica/op/prepared.hpp"

#include <ATen/ops/linear.h>

#include <optional>
#include <utility>

namespace silica::device::cpu {

/// W (out, in), plain or in oneDNN's blocks.
struct PackedLinear {
    Tensor weight;
    std::optional<Tensor> bias;
    bool blocked = false;

    [[nodiscard]] op::Plain unpack() const { return {blocked ? weight.to_dense() : weight, bias}; }

    /// x W^T + b.
    [[nodiscard]] Tensor operator()(const Tensor& x) const {
        return blocked ? onednn::linear(x, weight, bias) : at::linear(x, weight, bias);
    }
};

}  // namespace silica::device::cpu
