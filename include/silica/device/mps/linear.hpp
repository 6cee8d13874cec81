#pragma once
/// Linear on MPS: an own kernel for few rows where it proved itself, else around three faults of `at::linear` there.

#include "silica/device/mps.hpp"
#include "silica/device/mps/faults.hpp"
#include "silica/device/mps/metal/rows.hpp"
#include "silica/op/linear.hpp"

#include <ATen/ops/linear.h>

namespace silica {

template <>
struct Kernel<op::Linear, device::Mps> {
    using Packed = op::Plain;

    /// A strided weight gives wrong products (pytorch#161641, LibTorch 2.8): contiguous at load time, always.
    static Packed pack(op::Linear::Source s) {
        if (s.bias) s.bias = s.bias->contiguous();
        return {s.weight.contiguous(), std::move(s.bias)};
    }

    static bool failed(const Tensor& x, const Packed& w) {
        return device::mps::metal::rows_serve(x, w) == device::mps::metal::Serves::failed;
    }

    static Tensor run(const Tensor& x, const Packed& w) {
        namespace metal = device::mps::metal;
        return metal::rows_serve(x, w) == metal::Serves::yes ? metal::rows(x, w) : by_libtorch(x, w);
    }

    static Tensor by_libtorch(const Tensor& x, const Packed& w) {
        const Tensor rows = x.contiguous();
        if (flattens(rows, w)) {
            auto shape = rows.sizes().vec();
            shape.back() = w.weight.size(0);
            return at::linear(rows.view({-1, rows.size(-1)}), w.weight, w.bias).view(shape);
        }
        if (adds_bias(rows, w)) return at::linear(rows, w.weight) + *w.bias;
        return at::linear(rows, w.weight, w.bias);
    }

    /// Half precision without bias is not deterministic above two dimensions on M5: LibTorch before 2.13
    /// (pytorch#180776).
    static bool flattens(const Tensor& x, const Packed& w) {
        using device::mps::Fault;
        return !w.bias && x.dim() > 2 && x.scalar_type() != at::kFloat &&
               device::mps::has(Fault::linear_not_stable, device::mps::libtorch_before(2, 13));
    }
    /// The bias is lost for a single row on M1 with macOS 26: LibTorch before 2.14 (pytorch#188438).
    static bool adds_bias(const Tensor& x, const Packed& w) {
        using device::mps::Fault;
        return w.bias && x.numel() == x.size(-1) &&
               device::mps::has(Fault::linear_loses_bias,
                                device::mps::libtorch_before(2, 14) && !device::mps::macos_before(26));
    }
};

}  // namespace silica
