#pragma once
/// Products and what comes before and after them on MPS: an own kernel for few rows where it proved itself, else
/// LibTorch's ops one after another.

#include "silica/device/mps.hpp"
#include "silica/device/mps/activate.hpp"
#include "silica/device/mps/gelu.hpp"
#include "silica/device/mps/linear.hpp"
#include "silica/device/mps/metal/rows.hpp"
#include "silica/device/mps/rms_norm.hpp"

namespace silica::device::mps {

/// act(x) by LibTorch.
inline Tensor activated(const Tensor& x, Activation act) {
    return act == Activation::gelu ? Kernel<op::Gelu, Mps>::run(x) : Kernel<op::Activate, Mps>::run(x, act);
}

/// act(g) * u of x (..., 2 n) by LibTorch.
inline Tensor gated(const Tensor& x, Activation act) {
    const auto n = x.size(-1) / 2;
    return activated(x.narrow(-1, 0, n), act) * x.narrow(-1, n, n);
}

/// Whether the own kernel takes these and failed its check.
inline bool rows_failed(const Tensor& x, const metal::Matrix& w, bool norm = false) {
    return metal::rows_serve(x, w, norm) == metal::Serves::failed;
}
inline bool rows_serve(const Tensor& x, const metal::Matrix& w, bool norm = false) {
    return metal::rows_serve(x, w, norm) == metal::Serves::yes;
}

/// op::LinearActivation; `linear` is what computes the product where the own kernel does not.
template <class Weights>
Tensor linear_activation(const Tensor& x, const Weights& w, Activation act, auto&& linear) {
    if (rows_serve(x, w)) return metal::rows(x, w, {metal::Epilogue::activation, act});
    return activated(linear(x), act);
}

/// op::LinearAdd.
template <class Weights>
Tensor linear_add(const Tensor& x, const Weights& w, const Tensor& residual, auto&& linear) {
    if (rows_serve(x, w)) return metal::rows(x, w, {metal::Epilogue::add, Activation::linear, residual});
    return linear(x) + residual;
}

/// op::LinearGated.
template <class Weights>
Tensor linear_gated(const Tensor& x, const Weights& w, Activation act, auto&& linear) {
    if (rows_serve(x, w)) return metal::rows(x, w, {metal::Epilogue::gated, act});
    return gated(linear(x), act);
}

/// op::RmsNormLinear.
template <class Weights>
Tensor rms_norm_linear(const Tensor& x, const Tensor& scale, double eps, const Weights& w, auto&& linear) {
    if (scale.is_contiguous() && rows_serve(x, w, true))
        return metal::rows(x, w, {metal::Epilogue::none, Activation::linear, {}, scale, eps});
    return linear(Kernel<op::RmsNorm, Mps>::run(x, scale, eps));
}

/// op::RmsNormLinearGated.
template <class Weights>
Tensor rms_norm_linear_gated(const Tensor& x, const Tensor& scale, double eps, const Weights& w, Activation act,
                             auto&& linear) {
    if (scale.is_contiguous() && rows_serve(x, w, true))
        return metal::rows(x, w, {metal::Epilogue::gated, act, {}, scale, eps});
    return gated(linear(Kernel<op::RmsNorm, Mps>::run(x, scale, eps)), act);
}

}  // namespace silica::device::mps
