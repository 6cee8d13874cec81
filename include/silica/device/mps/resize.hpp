#pragma once
/// Resizing on MPS. Contiguous input: MPSGraph kernels ignore strides.

#include "silica/device/aten/resize.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Resize, device::Mps> {
    static Tensor run(const Tensor& x, std::int64_t height, std::int64_t width, Resampling how, bool align_corners) {
        return device::aten::Resize::run(x.contiguous(), height, width, how, align_corners);
    }
};

}  // namespace silica
