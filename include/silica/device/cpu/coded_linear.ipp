#pragma once
/// Packing codes, and products with them.

#include "silica/core/narrowed.hpp"
#include "silica/device/cpu/coded_linear.hpp"
#include "silica/device/cpu/isa/coded_product.hpp"
#include "silica/device/cpu/isa/math.hpp"
#include "silica/device/cpu/isa/on_panels.hpp"
#include "silica/device/cpu/isa/product.hpp"
#include "silica/device/cpu/panels.hpp"
#include "silica/device/cpu/rows.hpp"

#include <ATen/ops/linear.h>

#include <algorithm>
#include <type_traits>
#include <vector>

namespace silica::device::cpu {
namespace coded {

/// Calls f.operator()<S>(scales) for the type of the scales.
template <class F>
auto with_scales(const CodedMatrix& w, const F& f) {
    return with_type(w.scales, [&]<class S>() { return f.template operator()<S>(w.scales.const_data_ptr<S>()); });
}

template <class S>
void decode(isa::Isa set, int bits, const isa::DecodeArguments<S>& a) {
    bits == 4 ? isa::on<isa::Decode<4>>(set, &a) : isa::on<isa::Decode<8>>(set, &a);
}

/// Panels that are made where they are used.
template <class S>
struct CodedPanels {
    static constexpr bool in_memory = false;
    isa::Isa set;
    const CodedMatrix& w;
    const S* scales;
    std::int64_t n, width;

    [[nodiscard]] const float* at(std::int64_t part, std::int64_t panel, std::int64_t u, std::int64_t units,
                                  float* room) const {
        const std::int64_t each = width / w.lanes;
        for (std::int64_t i = 0; i < each; ++i)
            decode<S>(set, w.matrix.bits,
                      {blocks(w, scales, (part * (n / width) + panel) * each + i), w.matrix.group, w.matrix.columns, u,
                       units, room + i * w.lanes, width});
        return room;
    }
};

/// Rows [first, first + count) of W, plain.
inline Tensor decoded(const CodedMatrix& w, std::int64_t first, std::int64_t count, c10::ScalarType type) {
    const Tensor rows = at::empty({count, w.matrix.columns}, at::TensorOptions().dtype(type));
    const isa::Isa set = isa::best();
    const std::int64_t k = w.matrix.columns, lanes = w.lanes, begin = first / lanes,
                       end = (first + count - 1) / lanes + 1;
    with_scales(w, [&]<class S>(const S* scales) {
        with_type(rows, [&]<class T>() {
            T* const out = rows.template mutable_data_ptr<T>();
            parallel_for(begin, end, (std::int64_t{1} << 14) / (k * lanes) + 1,
                         [&](std::int64_t from, std::int64_t to) {
                             const Scratch<6> room(static_cast<std::size_t>(k * lanes));
                             for (std::int64_t b = from; b < to; ++b) {
                                 decode<S>(set, w.matrix.bits,
                                           {blocks(w, scales, b), w.matrix.group, k, 0, k, room.data(), lanes});
                                 for (std::int64_t r = std::max(b * lanes, first);
                                      r < std::min((b + 1) * lanes, first + count); ++r)
                                     for (std::int64_t i = 0; i < k; ++i)
                                         out[(r - first) * k + i] = narrowed<T>(room.data()[i * lanes + r % lanes]);
                             }
                         });
        });
    });
    return rows;
}

/// By our own kernels; undefined where they do not serve.
template <class T>
Tensor product_of(const CodedMatrix& w, const Tensor& x, const After& after) {
    const std::int64_t k = w.matrix.columns, n = w.matrix.rows / (after.gated ? 2 : 1), m = x.numel() / k;
    const isa::Isa set = isa::best();
    const bool integers = w.matrix.integers && isa::multiplies_bytes(set), few = integers || m <= few_rows;
    const bool panels = isa::takes_many<float>(set) && fits_panels(set, n, after.gated);
    if (few ? after.gated && n % w.lanes != 0 : !panels) return {};
    if (!few && (!std::is_same_v<T, float>)) return {};
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
    shape.back() = n;
    Tensor residual;
    if (after.residual) {
        if (after.residual->scalar_type() != x.scalar_type() || after.residual->sizes() != shape) return {};
        residual = after.residual->contiguous();
    }
    const Tensor rows = x.contiguous(), y = at::empty(shape, x.options());
    const auto& bias = w.matrix.bias;
    const Product<T> p{.x = rows.const_data_ptr<T>(),
                       .ldx = k,
                       .m = m,
                       .w = nullptr,
                       .k = k,
                       .n = n,
                       .gated = after.gated,
                       .bias = bias ? bias->const_data_ptr<T>() : nullptr,
                       .residual = residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                       .act = after.act,
                       .y = y.mutable_data_ptr<T>()};
    if (m == 0 || n == 0) return y;
    with_scales(w, [&]<class S>(const S* scales) {
        if (integers) {
            product_in_integers(set, w, scales, p);
        } else if (few) {
            product_of_few(set, w, scales, p);
        } else if constexpr (std::is_same_v<T, float>) {
            const CodedPanels<S> made{set, w, scales, n, panel_width(set)};
            detail::ProductOnPanels(set, p, made).run();
        }
    });
    return y;
}

}  // namespace coded

SILICA_INLINE CodedLinear CodedLinear::pack(op::Coded s) {
    CodedLinear w;
    if (s.plain())
        w.plain = PackedLinear::pack({std::move(s.weight), std::move(s.bias)});
    else
        static_cast<CodedMatrix&>(w) = CodedMatrix::pack(std::move(s));
    return w;
}

SILICA_INLINE CodedLinear CodedLinear::keep(op::Coded s) {
    if (!s.plain()) return pack(std::move(s));
    CodedLinear w;
    w.plain = PackedLinear::keep({std::move(s.weight), std::move(s.bias)});
    return w;
}

SILICA_INLINE op::Coded CodedLinear::unpack() const {
    if (plain) return plain->unpack();
    return CodedMatrix::unpack();
}

SILICA_INLINE Tensor CodedLinear::operator()(const Tensor& x) const {
    if (plain) return (*plain)(x);
    if (const Tensor y = product(x, {}); y.defined()) return y;
    // Rows of W as many as the caches hold.
    const std::int64_t k = matrix.columns, step = std::max<std::int64_t>(64, (std::int64_t{1} << 20) / k / 64 * 64);
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
    shape.back() = matrix.rows;
    const Tensor y = at::empty(shape, x.options());
    for (std::int64_t n = 0; n < matrix.rows; n += step) {
        const std::int64_t count = std::min(step, matrix.rows - n);
        const Tensor rows = coded::decoded(*this, n, count, x.scalar_type());
        y.narrow(-1, n, count)
            .copy_(at::linear(x, rows, matrix.bias ? std::optional(matrix.bias->narrow(0, n, count)) : std::nullopt));
    }
    return y;
}

SILICA_INLINE Tensor CodedLinear::product(const Tensor& x, const After& after) const {
    if (plain) return plain->product(x, after);
    if (x.scalar_type() != matrix.type || x.dim() == 0 || x.size(-1) != matrix.columns || !isa::has(after.act))
        return {};
    switch (x.scalar_type()) {
        case c10::ScalarType::Float:
            return coded::product_of<float>(*this, x, after);
        case c10::ScalarType::BFloat16:
            return coded::product_of<c10::BFloat16>(*this, x, after);
        case c10::ScalarType::Half:
            return coded::product_of<c10::Half>(*this, x, after);
        default:
            return {};
    }
}

}  // namespace silica::device::cpu
