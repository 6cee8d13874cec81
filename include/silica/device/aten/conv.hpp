#pragma once
/// Convolutions by ATen on weights that are kept as they are.

#include "silica/device/aten/activate.hpp"
#include "silica/op/conv.hpp"

#include <ATen/ops/convolution.h>

#include <array>
#include <cstdint>

namespace silica::device::aten {

/// Output padding is for transposed convolutions.
inline c10::IntArrayRef no_output_padding(const op::ConvSteps& steps) {
    static constexpr std::array<std::int64_t, 3> zeros{};
    return c10::IntArrayRef(zeros).slice(0, steps.stride.size());
}

/// A convolution of one dimension as one of images of one row; others as they are.
inline op::PlainConv as_image(op::PlainConv s) {
    if (s.weight.dim() != 3) return s;
    s.weight = s.weight.unsqueeze(2);
    s.steps.stride.insert(s.steps.stride.begin(), 1);
    s.steps.padding.insert(s.steps.padding.begin(), 0);
    s.steps.dilation.insert(s.steps.dilation.begin(), 1);
    return s;
}

struct Conv {
    using Packed = op::PlainConv;
    static Packed pack(op::Conv::Source s) { return s; }
    static Tensor run(const Tensor& x, const Packed& w) {
        const auto& s = w.steps;
        return at::convolution(x, w.weight, w.bias, s.stride, s.padding, s.dilation, false, no_output_padding(s),
                               s.groups);
    }
};

/// act(y) of a y that nobody else has: in place where that is enough.
inline Tensor activated(Tensor y, Activation act) {
    switch (act) {
        case Activation::relu:
            return at::relu_(y);
        case Activation::gelu:
            return at::gelu_(y);
        case Activation::silu:
            return at::silu_(y);
        default:
            return Activate::run(y, act);
    }
}

}  // namespace silica::device::aten
