#pragma once
/// Linear on the CPU: our own product, on weights as they lie.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear.hpp"

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    using Packed = device::cpu::PackedLinear;

    static Packed pack(const Tensor& weight, std::optional<Tensor> bias) {
        return {weight.contiguous(), std::move(bias)};
    }

    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
