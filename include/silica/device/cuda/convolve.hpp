#pragma once
/// cuDNN's convolutions through ATen: what the kernels of conv and its fused forms share. Images of half precision have
/// their channels last, as tensor cores read them; what comes out has them last too, so a network turns its input once.

#include "silica/device/aten/conv.hpp"

#include <ATen/Context.h>
#include <ATen/ops/_convolution.h>
#include <ATen/ops/cudnn_convolution_add_relu.h>
#include <ATen/ops/cudnn_convolution_relu.h>

namespace silica::device::cuda {

/// The layout of an image, or of the kernel for it.
inline at::MemoryFormat conv_layout(const Tensor& image) {
    const bool half = image.scalar_type() == at::kHalf || image.scalar_type() == at::kBFloat16;
    return half && image.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

inline op::PlainConv pack_conv(op::PlainConv s) {
    s.weight = s.weight.contiguous(conv_layout(s.weight));
    return s;
}

/// act(W * x + b + residual); without a residual where there is none. Without TF32, which LibTorch has cuDNN use for
/// float32 unless it is told otherwise: eleven bits of 24.
inline Tensor convolve(const Tensor& x, const op::PlainConv& w, Activation act = Activation::linear,
                       const Tensor* residual = nullptr) {
    const auto& s = w.steps;
    const auto& set = at::globalContext();
    const auto layout = conv_layout(x);
    const Tensor in = x.contiguous(layout);
    if (layout == at::MemoryFormat::ChannelsLast && act == Activation::relu && set.userEnabledCuDNN() &&
        at::Context::hasCuDNN()) {
        if (residual == nullptr)
            return at::cudnn_convolution_relu(in, w.weight, w.bias, s.stride, s.padding, s.dilation, s.groups);
        return at::cudnn_convolution_add_relu(in, w.weight, residual->contiguous(layout), 1, w.bias, s.stride,
                                              s.padding, s.dilation, s.groups);
    }
    Tensor y = at::_convolution(
        in, w.weight, w.bias, s.stride, s.padding, s.dilation, false, aten::no_output_padding(s), s.groups,
        set.benchmarkCuDNN(), set.deterministicCuDNN() || set.deterministicAlgorithms(), set.userEnabledCuDNN(), false);
    return aten::activated(residual == nullptr ? y : y.add_(*residual), act);
}

}  // namespace silica::device::cuda
