#pragma once
/// Resizing by ATen.

#include "silica/op/resize.hpp"

#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <cstdint>

namespace silica::device::aten {

struct Resize {
    static Tensor run(const Tensor& x, std::int64_t height, std::int64_t width, Resampling how, bool align_corners) {
        switch (how) {
            case Resampling::nearest:
                return at::upsample_nearest2d(x, {height, width});
            case Resampling::bilinear:
                return at::upsample_bilinear2d(x, {height, width}, align_corners);
            case Resampling::bicubic:
                return at::upsample_bicubic2d(x, {height, width}, align_corners);
        }
        return x;
    }
};

}  // namespace silica::device::aten
