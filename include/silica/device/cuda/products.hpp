#pragma once
/// Products with weights: the own kernel for few rows, else cuBLASLt through ATen.

#include "silica/device/aten/activate.hpp"
#include "silica/device/aten/linear.hpp"
#include "silica/device/cuda/gate.hpp"
#include "silica/device/cuda/gemv.hpp"
#include "silica/device/cuda/normalise.hpp"

namespace silica::device::cuda {

/// op::Linear.
inline Tensor linear(const Tensor& x, const op::Plain& w) {
    return takes_gemv(x, w) ? gemv(x, w, Epilogue::none) : aten::Linear::run(x, w);
}

/// op::LinearActivation.
inline Tensor linear_activation(const Tensor& x, const op::Plain& w, Activation act) {
    if (takes_gemv(x, w)) return gemv(x, w, Epilogue::activation, act);
    return aten::Activate::run(aten::Linear::run(x, w), act);
}

/// op::LinearAdd.
inline Tensor linear_add(const Tensor& x, const op::Plain& w, const Tensor& residual) {
    const bool fits =
        residual.scalar_type() == x.scalar_type() && residual.numel() / w.weight.size(0) * x.size(-1) == x.numel();
    if (fits && takes_gemv(x, w)) return gemv(x, w, Epilogue::add, Activation::linear, residual);
    return aten::Linear::run(x, w) + residual;
}

/// op::LinearGated.
inline Tensor linear_gated(const Tensor& x, const op::Plain& w, Activation act) {
    if (takes_gemv(x, w)) return gemv(x, w, Epilogue::gated, act);
    return gated(aten::Linear::run(x, w), act);
}

/// op::RmsNormLinear: every block of the kernel normalises x for itself.
inline Tensor rms_norm_linear(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w) {
    if (takes_gemv(x, w, scale)) return gemv(x, w, Epilogue::none, Activation::linear, {}, {scale, eps});
    return linear(rms_norm(x, scale, eps), w);
}

/// op::RmsNormLinearGated, in the same way.
inline Tensor rms_norm_linear_gated(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w,
                                    Activation act) {
    if (takes_gemv(x, w, scale)) return gemv(x, w, Epilogue::gated, act, {}, {scale, eps});
    return linear_gated(rms_norm(x, scale, eps), w, act);
}

}  // namespace silica::device::cuda
