#pragma once
/// cuDNN's convolution through ATen: what the kernels of conv and its fused forms share.

#include "silica/device/aten/conv.hpp"

#include <ATen/Context.h>
#include <ATen/ops/_convolution.h>

namespace silica::device::cuda {

/// op::Conv, without TF32, which LibTorch has cuDNN use for float32 unless it is told otherwise: eleven bits of 24.
inline Tensor convolve(const Tensor& x, const op::PlainConv& w) {
    const auto& s = w.steps;
    const auto& set = at::globalContext();
    return at::_convolution(x, w.weight, w.bias, s.stride, s.padding, s.dilation, false, aten::no_output_padding(s),
                            s.groups, set.benchmarkCuDNN(), set.deterministicCuDNN() || set.deterministicAlgorithms(),
                            set.userEnabledCuDNN(), false);
}

}  // namespace silica::device::cuda
