#pragma once
/// Linear on the CPU: our own product on weights as they lie, oneDNN's on packed float32 ones.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear.hpp"

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    using Packed = device::cpu::PackedLinear;

    static Packed pack(Tensor weight, std::optional<Tensor> bias) {
        if (weight.scalar_type() != c10::ScalarType::Float || !device::onednn::packs(weight.scalar_type()) ||
            weight.numel() == 0) {
            return keep(weight.contiguous(), std::move(bias));
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
