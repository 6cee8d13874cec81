#pragma once
/// Calls of ops that LibTorch has no header for, through its dispatcher.

#include "silica/device/cpu/isa.hpp"
#include "silica/device/cpu/onednn_conv.hpp"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <string>
#include <utility>
#include <vector>

namespace silica::device::cpu {
namespace onednn {

using Op = std::optional<c10::OperatorHandle>;

SILICA_INLINE Op find(const char* name, const char* overload) {
    auto op = c10::Dispatcher::singleton().findSchema({name, overload});
    return op && op->hasKernelForDispatchKey(c10::DispatchKey::CPU) ? op : std::nullopt;
}
SILICA_INLINE const Op& conv() {
    static const Op op = find("mkldnn::_convolution_pointwise", "");
    return op;
}
SILICA_INLINE const Op& conv_add() {
    static const Op op = find("mkldnn::_convolution_pointwise", "binary");
    return op;
}

inline Tensor call(const Op& op, std::vector<c10::IValue> arguments) {
    torch::jit::Stack stack(std::move(arguments));
    op->callBoxed(stack);
    return std::move(stack.at(0)).toTensor();
}

}  // namespace onednn

SILICA_INLINE bool has_onednn_conv(c10::ScalarType type) {
#if defined(__x86_64__)
    const bool runs = type == c10::ScalarType::Float
                          ? isa::best() >= isa::Isa::avx2
                          : type == c10::ScalarType::BFloat16 && isa::best() >= isa::Isa::avx512;
    return runs && onednn::conv() && onednn::conv_add();
#else
    static_cast<void>(type);
    return false;
#endif
}

SILICA_INLINE Tensor onednn_conv(const Tensor& x, const op::PlainConv& w, bool relu, const Tensor* residual) {
    const auto& s = w.steps;
    const c10::List<std::optional<c10::Scalar>> none;
    const c10::IValue unary = relu ? c10::IValue(std::string("relu")) : c10::IValue();
    if (residual == nullptr) {
        return onednn::call(onednn::conv(), {x, w.weight, w.bias, s.padding, s.stride, s.dilation, s.groups,
                                             std::string(relu ? "relu" : "none"), none, c10::IValue()});
    }
    return onednn::call(onednn::conv_add(), {x, *residual, w.weight, w.bias, s.padding, s.stride, s.dilation, s.groups,
                                             std::string("add"), c10::Scalar(1.0), unary, none, c10::IValue()});
}

}  // namespace silica::device::cpu
