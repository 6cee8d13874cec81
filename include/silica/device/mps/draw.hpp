#pragma once
/// A token drawn on MPS by own kernels, where they proved themselves.

#include "silica/device/mps.hpp"
#include "silica/device/mps/metal/choose.hpp"
#include "silica/op/draw.hpp"

#include <ATen/ops/full.h>

namespace silica {

template <>
struct Kernel<op::Draw, device::Mps> {
    /// Whether it is worth asking.
    static bool serves(const Tensor& scores) {
        return device::mps::metal::draw_serves(scores) == device::mps::metal::Serves::yes;
    }
    static bool failed(const Tensor& scores, const Tensor&, double) {
        return device::mps::metal::draw_serves(scores) == device::mps::metal::Serves::failed;
    }
    static Tensor run(const Tensor& scores, const Tensor& uniform, double temperature) {
        if (serves(scores)) return device::mps::metal::draw(scores, uniform, temperature);
        return at::full({scores.size(0)}, -1, scores.options().dtype(at::kLong));
    }
};

}  // namespace silica
