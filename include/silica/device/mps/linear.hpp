#pragma once
/// Linear on MPS: an own kernel for few rows where it proved itself, else around three faults of `at::linear` there.

#include "silica/device/mps.hpp"
#include "silica/device/mps/products.hpp"
#include "silica/op/linear.hpp"

namespace silica {

template <>
struct Kernel<op::Linear, device::Mps> {
    using Packed = op::Plain;

    /// A strided weight gives wrong products (pytorch#161641, LibTorch 2.8): contiguous at load time, always.
    static Packed pack(op::Linear::Source s) {
        if (s.bias) s.bias = s.bias->contiguous();
        return {s.weight.contiguous(), std::move(s.bias)};
    }

    static bool failed(const Tensor& x, const Packed& w) { return device::mps::rows_failed(x, w); }
    static Tensor run(const Tensor& x, const Packed& w) { return device::mps::linear(x, w); }
};

}  // namespace silica
