#pragma once
/// Convolutions on CUDA: cuDNN's through ATen.

#include "silica/device/aten/conv.hpp"
#include "silica/device/cuda.hpp"

#include <ATen/Context.h>
#include <ATen/ops/_convolution.h>

namespace silica {

template <>
struct Kernel<op::Conv, device::Cuda> {
    using Packed = op::PlainConv;
    static Packed pack(op::Conv::Source s) { return s; }

    /// Without TF32, which LibTorch has cuDNN use for float32 unless it is told otherwise: eleven bits of 24.
    static Tensor run(const Tensor& x, const Packed& w) {
        const auto& s = w.steps;
        const auto& set = at::globalContext();
        return at::_convolution(x, w.weight, w.bias, s.stride, s.padding, s.dilation, false,
                                device::aten::no_output_padding(s), s.groups, set.benchmarkCuDNN(),
                                set.deterministicCuDNN() || set.deterministicAlgorithms(), set.userEnabledCuDNN(),
                                false);
    }
};

}  // namespace silica
