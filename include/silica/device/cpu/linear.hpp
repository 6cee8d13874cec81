#pragma once
/// Linear on the CPU: oneDNN on packed weights where this LibTorch and processor have it, else ATen on plain ones.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/onednn.hpp"
#include "silica/op/linear.hpp"

#include <ATen/ops/linear.h>

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    /// W (out, in), plain or in oneDNN's blocks.
    struct Packed {
        Tensor weight;
        std::optional<Tensor> bias;
        bool blocked = false;

        [[nodiscard]] op::Plain unpack() const { return {blocked ? weight.to_dense() : weight, bias}; }
    };

    static Packed pack(Tensor weight, std::optional<Tensor> bias) {
        if (!device::onednn::packs(weight.scalar_type()) || weight.numel() == 0)
            return keep(std::move(weight), std::move(bias));
        return {device::onednn::pack(weight), std::move(bias), true};
    }
    /// For weights that another op reads as well.
    static Packed keep(Tensor weight, std::optional<Tensor> bias) {
        return {std::move(weight), std::move(bias), false};
    }

    static Tensor run(const Tensor& x, const Packed& w) {
        return w.blocked ? device::onednn::linear(x, w.weight, w.bias) : at::linear(x, w.weight, w.bias);
    }
};

}  // namespace silica
