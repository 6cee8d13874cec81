#pragma once
/// Linear on the CPU: oneDNN on packed weights where this LibTorch and processor have it, else ATen on plain ones.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear.hpp"

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    using Packed = device::cpu::PackedLinear;

    static Packed pack(Tensor weight, std::optional<Tensor> bias) {
        if (!device::onednn::packs(weight.scalar_type()) || weight.numel() == 0) {
            return keep(std::move(weight), std::move(bias));
        }
        return {device::onednn::pack(weight), std::move(bias), true};
    }
    /// For weights that another op reads as well.
    static Packed keep(Tensor weight, std::optional<Tensor> bias) {
        return {std::move(weight), std::move(bias), false};
    }

    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
