#pragma once
/// Linear and its fused forms on MPS with weights that are codes: an own kernel for few rows where it proved itself;
/// for many the weights become numbers again, some rows of W at a time, for LibTorch's product. For few rows without
/// that kernel the next device of the chain is quicker than numbers made for each token.

#include "silica/device/aten/codes.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/mps/products.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/op/rms_norm_linear.hpp"
#include "silica/op/rms_norm_linear_gated.hpp"
#include "silica/precision/weight_only.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace silica {
namespace device::mps {

using aten::Codes;

/// Rows of x from which on it is worth to make numbers of all codes.
inline constexpr std::int64_t decoded_rows = 16;

/// Whether products with codes stay on the device.
inline bool stays(const Tensor& x, const Codes& w, bool norm = false) {
    return w.matrix.plain() || x.numel() >= decoded_rows * x.size(-1) || x.numel() == 0 || rows_serve(x, w, norm);
}

/// op::Linear.
inline Tensor linear(const Tensor& x, const Codes& w) {
    const auto& m = w.matrix;
    if (m.plain()) return linear(x, w.plain());
    if (rows_serve(x, w)) return metal::rows(x, w);
    const std::int64_t step = std::max<std::int64_t>(256, (std::int64_t{1} << 24) / m.columns);
    std::vector<Tensor> parts;
    for (std::int64_t n = 0; n < m.rows; n += step) {
        const std::int64_t count = std::min(step, m.rows - n);
        const auto bias = m.bias ? std::optional(m.bias->narrow(0, n, count).contiguous()) : std::nullopt;
        parts.push_back(linear_by_libtorch(x, {w.decoded(n, count, x.scalar_type()), bias}));
    }
    return parts.size() == 1 ? parts[0] : at::cat(parts, -1);
}

}  // namespace device::mps

template <class C, int Bits, class A>
struct Kernel<op::Linear, device::Mps, precision::WeightOnly<C, Bits, A>> {
    using Source = op::Coded;
    using Packed = device::aten::Codes;
    static Packed pack(Source s) {
        if (s.plain()) s.weight = s.weight.contiguous();
        if (s.bias) s.bias = s.bias->contiguous();
        return Packed::pack(std::move(s));
    }
    static bool accepts(const Tensor& x, const Packed& w) { return device::mps::stays(x, w); }
    static bool failed(const Tensor& x, const Packed& w) { return device::mps::rows_failed(x, w); }
    static Tensor run(const Tensor& x, const Packed& w) { return device::mps::linear(x, w); }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearActivation, device::Mps, precision::WeightOnly<C, Bits, A>> {
    using Codes = device::aten::Codes;
    static bool accepts(const Tensor& x, const Codes& w, Activation) { return device::mps::stays(x, w); }
    static bool failed(const Tensor& x, const Codes& w, Activation) { return device::mps::rows_failed(x, w); }
    static Tensor run(const Tensor& x, const Codes& w, Activation act) {
        return device::mps::linear_activation(x, w, act, [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearAdd, device::Mps, precision::WeightOnly<C, Bits, A>> {
    using Codes = device::aten::Codes;
    static bool accepts(const Tensor& x, const Codes& w, const Tensor&) { return device::mps::stays(x, w); }
    static bool failed(const Tensor& x, const Codes& w, const Tensor&) { return device::mps::rows_failed(x, w); }
    static Tensor run(const Tensor& x, const Codes& w, const Tensor& residual) {
        return device::mps::linear_add(x, w, residual, [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

template <class C, int Bits, class A>
struct Kernel<op::LinearGated, device::Mps, precision::WeightOnly<C, Bits, A>> {
    using Codes = device::aten::Codes;
    static bool accepts(const Tensor& x, const Codes& w, Activation) { return device::mps::stays(x, w); }
    static bool failed(const Tensor& x, const Codes& w, Activation) { return device::mps::rows_failed(x, w); }
    static Tensor run(const Tensor& x, const Codes& w, Activation act) {
        return device::mps::linear_gated(x, w, act, [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

template <class C, int Bits, class A>
struct Kernel<op::RmsNormLinear, device::Mps, precision::WeightOnly<C, Bits, A>> {
    using Codes = device::aten::Codes;
    static bool accepts(const Tensor& x, const Tensor&, double, const Codes& w) {
        return device::mps::stays(x, w, true);
    }
    static bool failed(const Tensor& x, const Tensor&, double, const Codes& w) {
        return device::mps::rows_failed(x, w, true);
    }
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const Codes& w) {
        return device::mps::rms_norm_linear(x, scale, eps, w,
                                            [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

template <class C, int Bits, class A>
struct Kernel<op::RmsNormLinearGated, device::Mps, precision::WeightOnly<C, Bits, A>> {
    using Codes = device::aten::Codes;
    static bool accepts(const Tensor& x, const Tensor&, double, const Codes& w, Activation) {
        return device::mps::stays(x, w, true);
    }
    static bool failed(const Tensor& x, const Tensor&, double, const Codes& w, Activation) {
        return device::mps::rows_failed(x, w, true);
    }
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const Codes& w, Activation act) {
        return device::mps::rms_norm_linear_gated(x, scale, eps, w, act,
                                                  [&](const Tensor& in) { return device::mps::linear(in, w); });
    }
};

}  // namespace silica
