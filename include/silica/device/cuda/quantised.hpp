#pragma once
/// Linear and its fused forms on CUDA with weights that are codes: one kernel for few rows, else the weights become
/// numbers again, some rows of W at a time, for cuBLASLt.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/gemv_codes.hpp"
#include "silica/device/cuda/products.hpp"
#include "silica/op/linear.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/op/rms_norm_linear.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"
#include "silica/precision/weight_only.hpp"

#include <algorithm>
#include <utility>

namespace silica {
namespace device::cuda {

/// op::Linear.
inline Tensor linear(const Tensor& x, const Codes& w) {
    if (w.matrix.plain()) return linear(x, w.plain());
    if (takes_gemv(x, w)) return gemv(x, w, Epilogue::none);
    const auto& m = w.matrix;
    const std::int64_t step = std::max<std::int64_t>(256, (std::int64_t{1} << 26) / m.columns / 256 * 256);
    if (m.rows <= step) return aten::Linear::run(x, {decoded(w, 0, m.rows, x.scalar_type()), m.bias});
    auto sizes = x.sizes().vec();
    sizes.back() = m.rows;
    const Tensor y = at::empty(sizes, x.options());
    for (std::int64_t n = 0; n < m.rows; n += step) {
        const std::int64_t count = std::min(step, m.rows - n);
        const op::Plain some{decoded(w, n, count, x.scalar_type()),
                             m.bias ? std::optional(m.bias->narrow(0, n, count)) : std::nullopt};
        y.narrow(-1, n, count).copy_(aten::Linear::run(x, some));
    }
    return y;
}

/// op::LinearActivation.
inline Tensor linear_activation(const Tensor& x, const Codes& w, Activation act) {
    if (w.matrix.plain()) return linear_activation(x, w.plain(), act);
    if (takes_gemv(x, w)) return gemv(x, w, Epilogue::activation, act);
    return aten::Activate::run(linear(x, w), act);
}

/// op::LinearAdd.
inline Tensor linear_add(const Tensor& x, const Codes& w, const Tensor& residual) {
    if (w.matrix.plain()) return linear_add(x, w.plain(), residual);
    if (residual.scalar_type() == x.scalar_type() && takes_gemv(x, w))
        return gemv(x, w, Epilogue::add, Activation::linear, residual);
    return linear(x, w) + residual;
}

/// op::LinearGated.
inline Tensor linear_gated(const Tensor& x, const Codes& w, Activation act) {
    if (w.matrix.plain()) return linear_gated(x, w.plain(), act);
    if (takes_gemv(x, w)) return gemv(x, w, Epilogue::gated, act);
    return gated(linear(x, w), act);
}

/// op::RmsNormLinear.
inline Tensor rms_norm_linear(const Tensor& x, const Tensor& scale, double eps, const Codes& w) {
    if (w.matrix.plain()) return rms_norm_linear(x, scale, eps, w.plain());
    if (takes_gemv(x, w, scale)) return gemv(x, w, Epilogue::none, Activation::linear, {}, {scale, eps});
    return linear(rms_norm(x, scale, eps), w);
}

/// op::RmsNormLinearGated.
inline Tensor rms_norm_linear_gated(const Tensor& x, const Tensor& scale, double eps, const Codes& w, Activation act) {
    if (w.matrix.plain()) return rms_norm_linear_gated(x, scale, eps, w.plain(), act);
    if (takes_gemv(x, w, scale)) return gemv(x, w, Epilogue::gated, act, {}, {scale, eps});
    return linear_gated(rms_norm(x, scale, eps), w, act);
}

}  // namespace device::cuda

template <class C, int Bits, class A>
struct Kernel<op::Linear, device::Cuda, precision::WeightOnly<C, Bits, A>> {
    using Source = op::Coded;
    using Packed = device::cuda::Codes;
    static Packed pack(Source s) { return Packed::pack(std::move(s)); }
    static Tensor run(const Tensor& x, const Packed& w) { return device::cuda::linear(x, w); }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearActivation, device::Cuda, precision::WeightOnly<C, Bits, A>> {
    static Tensor run(const Tensor& x, const device::cuda::Codes& w, Activation act) {
        return device::cuda::linear_activation(x, w, act);
    }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearAdd, device::Cuda, precision::WeightOnly<C, Bits, A>> {
    static Tensor run(const Tensor& x, const device::cuda::Codes& w, const Tensor& residual) {
        return device::cuda::linear_add(x, w, residual);
    }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearGated, device::Cuda, precision::WeightOnly<C, Bits, A>> {
    static Tensor run(const Tensor& x, const device::cuda::Codes& w, Activation act) {
        return device::cuda::linear_gated(x, w, act);
    }
};

template <class C, int Bits, class A>
struct Kernel<op::RmsNormLinear, device::Cuda, precision::WeightOnly<C, Bits, A>> {
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const device::cuda::Codes& w) {
        return device::cuda::rms_norm_linear(x, scale, eps, w);
    }
};

template <class C, int Bits, class A>
struct Kernel<op::RmsNormLinearGated, device::Cuda, precision::WeightOnly<C, Bits, A>> {
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const device::cuda::Codes& w, Activation act) {
        return device::cuda::rms_norm_linear_gated(x, scale, eps, w, act);
    }
};

}  // namespace silica
