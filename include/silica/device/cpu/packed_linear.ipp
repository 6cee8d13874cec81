#pragma once
/// From tensors to products by addresses.

#include "silica/device/cpu/isa/math.hpp"
#include "silica/device/cpu/multiply.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/device/cpu/panels.hpp"

#include <ATen/ops/linear.h>

#include <type_traits>
#include <vector>

namespace silica::device::cpu {
namespace detail {

template <class T>
Tensor product_of(const PackedLinear& w, const Tensor& x, const After& after) {
    const std::int64_t k = w.weight.size(1), n = w.out / (after.gated ? 2 : 1);
    if (x.size(-1) != k || k == 0 || !w.weight.is_contiguous()) return {};
    if (w.bias && (w.bias->scalar_type() != x.scalar_type() || !w.bias->is_contiguous())) return {};
    const std::int64_t m = x.numel() / k;
    const isa::Isa set = isa::best();
    if (w.panels ? !fits_panels(set, n, after.gated) : !computes<T>(set, m)) return {};
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
    shape.back() = n;
    Tensor residual;
    if (after.residual) {
        if (after.residual->scalar_type() != x.scalar_type() || after.residual->sizes() != shape) return {};
        residual = after.residual->contiguous();
    }
    const Tensor rows = x.is_contiguous() ? x : x.dim() == 2 && x.stride(1) == 1 ? x : x.contiguous();
    const Tensor y = at::empty(shape, x.options());
    const Product<T> p{.x = rows.const_data_ptr<T>(),
                       .ldx = rows.is_contiguous() ? k : rows.stride(0),
                       .m = m,
                       .w = w.weight.const_data_ptr<T>(),
                       .k = k,
                       .n = n,
                       .gated = after.gated,
                       .bias = w.bias ? w.bias->const_data_ptr<T>() : nullptr,
                       .residual = residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                       .act = after.act,
                       .y = y.mutable_data_ptr<T>()};
    if constexpr (std::is_same_v<T, float>) {
        if (w.panels) {
            multiply_panels(set, p);
            return y;
        }
    }
    cpu::multiply(set, p);
    return y;
}

}  // namespace detail

SILICA_INLINE op::Plain PackedLinear::unpack() const { return {panels ? unpack_panels(weight, out) : weight, bias}; }

SILICA_INLINE Tensor PackedLinear::operator()(const Tensor& x) const {
    const Tensor y = product(x, {});
    return y.defined() ? y : at::linear(x, panels ? unpack().weight : weight, bias);
}

SILICA_INLINE Tensor PackedLinear::product(const Tensor& x, const After& after) const {
    if (x.scalar_type() != weight.scalar_type() || x.dim() == 0 || !isa::has(after.act)) return {};
    switch (x.scalar_type()) {
        case c10::ScalarType::Float:
            return detail::product_of<float>(*this, x, after);
        case c10::ScalarType::BFloat16:
            return detail::product_of<c10::BFloat16>(*this, x, after);
        case c10::ScalarType::Half:
            return detail::product_of<c10::Half>(*this, x, after);
        default:
            return {};
    }
}

SILICA_INLINE PackedLinear PackedLinear::pack(op::Plain s) {
    const Tensor& weight = s.weight;
    const std::int64_t n = weight.size(0), width = isa::takes_many<float>(isa::best()) ? panel_width(isa::best()) : 0;
    // A panel that is filled up with more than an eighth of zeros is not worth it.
    const bool panels = weight.scalar_type() == c10::ScalarType::Float && weight.numel() > 0 && width > 0 &&
                        (n + width - 1) / width * width - n <= n / 8;
    if (!panels) return keep(std::move(s));
    return {pack_panels(isa::best(), weight.contiguous()), std::move(s.bias), n, true};
}

}  // namespace silica::device::cpu
