#pragma once
/// Gate and up of a feed-forward layer on MPS: one kernel for few rows, else their own.

#include "silica/device/mps.hpp"
#include "silica/device/mps/products.hpp"
#include "silica/op/linear_gated.hpp"

namespace silica {

template <>
struct Kernel<op::LinearGated, device::Mps> {
    static bool failed(const Tensor& x, const op::Plain& w, Activation) { return device::mps::rows_failed(x, w); }
    static Tensor run(const Tensor& x, const op::Plain& w, Activation act) {
        return device::mps::linear_gated(x, w, act, [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

}  // namespace silica
