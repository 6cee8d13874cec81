#pragma once
/// Products and what comes before and after them on MPS: an own kernel for few rows where it proved itself, else
/// LibTorch's ops one after another.

#include "silica/device/aten/activate.hpp"
#include "silica/device/aten/rms_norm.hpp"
#include "silica/device/mps/faults.hpp"
#include "silica/device/mps/metal/rows.hpp"
#include "silica/device/mps/version.hpp"

#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>

namespace silica::device::mps {

/// act(x) by LibTorch.
inline Tensor activated(const Tensor& x, Activation act) {
    return act == Activation::gelu ? at::gelu(x.contiguous()) : aten::Activate::run(x.contiguous(), act);
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

/// Half precision without bias is not deterministic above two dimensions on M5: LibTorch before 2.13 (pytorch#180776).
inline bool flattens(const Tensor& x, const op::Plain& w) {
    return !w.bias && x.dim() > 2 && x.scalar_type() != at::kFloat &&
           has(Fault::linear_not_stable, libtorch_before(2, 13));
}
/// The bias is lost for a single row on M1 with macOS 26: LibTorch before 2.14 (pytorch#188438).
inline bool adds_bias(const Tensor& x, const op::Plain& w) {
    return w.bias && x.numel() == x.size(-1) &&
           has(Fault::linear_loses_bias, libtorch_before(2, 14) && !macos_before(26));
}

/// x W^T + b by LibTorch, around its faults.
inline Tensor linear_by_libtorch(const Tensor& x, const op::Plain& w) {
    const Tensor rows = x.contiguous();
    if (flattens(rows, w)) {
        auto shape = rows.sizes().vec();
        shape.back() = w.weight.size(0);
        return at::linear(rows.view({-1, rows.size(-1)}), w.weight, w.bias).view(shape);
    }
    if (adds_bias(rows, w)) return at::linear(rows, w.weight) + *w.bias;
    return at::linear(rows, w.weight, w.bias);
}

/// op::Linear.
inline Tensor linear(const Tensor& x, const op::Plain& w) {
    return rows_serve(x, w) ? metal::rows(x, w) : linear_by_libtorch(x, w);
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
    return linear(aten::RmsNorm::run(x.contiguous(), scale, eps));
}

/// op::RmsNormLinearGated.
template <class Weights>
Tensor rms_norm_linear_gated(const Tensor& x, const Tensor& scale, double eps, const Weights& w, Activation act,
                             auto&& linear) {
    if (scale.is_contiguous() && rows_serve(x, w, true))
        return metal::rows(x, w, {metal::Epilogue::gated, act, {}, scale, eps});
    return gated(linear(aten::RmsNorm::run(x.contiguous(), scale, eps)), act);
}

}  // namespace silica::device::mps
