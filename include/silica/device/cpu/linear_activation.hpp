#pragma once
/// Linear and activation on the CPU, in one pass over y.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear_activation.hpp"

namespace silica {

template <>
struct Kernel<op::LinearActivation, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, Activation act) {
        if (w.blocked) {
            namespace onednn = device::onednn;
            switch (act) {
                case Activation::gelu:
                    return onednn::linear(x, w.weight, w.bias, "gelu", "none");
                case Activation::gelu_tanh:
                    return onednn::linear(x, w.weight, w.bias, "gelu", "tanh");
                case Activation::relu:
                    return onednn::linear(x, w.weight, w.bias, "relu");
                case Activation::silu:
                    return onednn::linear(x, w.weight, w.bias, "swish");
                default:
                    break;
            }
        }
        if (const Tensor y = w.product(x, {.act = act}); y.defined()) return y;
        return device::aten::Activate::run(w(x), act);
    }
};

}  // namespace silica
