#pragma once
/// How the product of few rows is launched, and how it proves itself.

#include "silica/core/compiled.hpp"
#include "silica/device/aten/activate.hpp"
#include "silica/device/aten/rms_norm.hpp"
#include "silica/device/mps/metal/rows.hpp"
#include "silica/device/mps/metal/rows.metal.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <array>

namespace silica::device::mps::metal {
namespace rows_detail {

/// Of x, up to which the kernel is worth it: numbers are LibTorch's for more; codes are made numbers for more.
inline constexpr std::int64_t most_rows = 4, most_rows_of_codes = 15;

/// Rows of rows.metal.hpp.
struct Constants {
    std::uint32_t k, n, rows, group, terms, words, epilogue, act, biased;
    float eps;
};

/// What tells kernels apart.
struct Variant {
    at::ScalarType type = at::kFloat;
    int bits = 0;
    bool small_terms = false;  ///< scale and bias of a group in bfloat16
    bool several = false;      ///< rows of x
    bool norm = false;
    std::int64_t group = 0;  ///< 0: one for a row, or no codes

    [[nodiscard]] std::uint64_t key() const {
        return static_cast<std::uint64_t>(type_number(type)) | static_cast<std::uint64_t>(bits) << 2U |
               (small_terms ? 1U << 6U : 0U) | (several ? 1U << 7U : 0U) | (norm ? 1U << 8U : 0U) |
               static_cast<std::uint64_t>(group) << 9U;
    }
    [[nodiscard]] std::int64_t columns_at_a_time() const {  // PER of the text
        return bits == 4 ? (several ? 8 : 16) : bits == 8 ? (several ? 4 : 8) : 4;
    }
    [[nodiscard]] Source source() const {
        return {{"rows"},
                rows_text,
                {{"TYPE", type_number(type)},
                 {"BITS", bits},
                 {"SCALES", small_terms},
                 {"ROWS", several ? 4 : 1},
                 {"NORM", norm}}};
    }
};

inline Variant variant_of(const Tensor& x, const Matrix& w, bool norm) {
    Variant v{x.scalar_type(), 0, false, x.numel() > w.columns, norm, 0};
    if (w.codes == nullptr) return v;
    v.bits = w.codes->matrix.bits;
    v.small_terms = w.codes->scales.scalar_type() == at::kBFloat16;
    v.group = w.codes->matrix.group >= w.columns ? 0 : w.codes->matrix.group;
    return v;
}

inline Tensor launch(Function& f, const Tensor& x, const Matrix& w, const After& after) {
    const bool gated = after.epilogue == Epilogue::gated;
    const std::int64_t n = w.rows / (gated ? 2 : 1), rows = x.numel() / w.columns;
    auto sizes = x.sizes().vec();
    sizes.back() = n;
    const Tensor y = at::empty(sizes, x.options()), in = x.contiguous();
    const Tensor residual = after.residual.defined() ? after.residual.contiguous() : in;
    const bool biased = w.bias != nullptr && w.bias->has_value();
    Constants c{static_cast<std::uint32_t>(w.columns),
                static_cast<std::uint32_t>(n),
                static_cast<std::uint32_t>(rows),
                1,
                1,
                1,
                static_cast<std::uint32_t>(after.epilogue),
                static_cast<std::uint32_t>(after.act),
                biased ? 1U : 0U,
                static_cast<float>(after.eps)};
    const Tensor *weight = w.weight, *terms = w.weight;
    if (w.codes != nullptr) {
        weight = &w.codes->codes, terms = &w.codes->scales;
        c.group = static_cast<std::uint32_t>(std::min(w.codes->matrix.group, w.columns));
        c.terms = static_cast<std::uint32_t>(terms->size(1));
        c.words = static_cast<std::uint32_t>(weight->size(1));
    }
    // With a norm each threadgroup reads all of x first, so that fewer of them are better.
    const std::uint64_t threads = threads_of(f, after.scale.defined() ? 256 : 64);
    const auto outputs = static_cast<std::int64_t>(threads / 32) * (gated ? 2 : 4);
    const Tensor bias = biased ? **w.bias : in, scale = after.scale.defined() ? after.scale : in;
    const std::array<Argument, 8> arguments{in, *weight, *terms, bias, residual, scale, y, c};
    const auto blocks = rows == 1 ? 1 : static_cast<std::uint64_t>((rows + 3) / 4);
    f.run(arguments, {{static_cast<std::uint64_t>((n + outputs - 1) / outputs), blocks, 1}, threads});
    return y;
}

/// Two and a bit groups of columns, an odd number of outputs; all epilogues.
inline double prove(const Variant& v, const Functions& functions) {
    const c10::Device device(c10::DeviceType::MPS, 0);
    const std::int64_t k = v.bits == 0 ? 203 : v.group == 0 ? 75 : 2 * v.group + 11, n = 13;
    const std::int64_t rows = v.several ? 6 : 1;
    op::Plain plain{noise({2 * n, k}, 1, v.type, device), noise({2 * n}, 2, v.type, device)};
    aten::Codes codes;
    if (v.bits != 0) {
        auto& m = codes.matrix;
        m.bits = v.bits, m.rows = 2 * n, m.columns = k, m.group = v.group == 0 ? k : v.group, m.type = v.type;
        m.bias = plain.bias;
        const std::int64_t per_word = 32 / v.bits, words = (k + per_word - 1) / per_word;
        codes.codes = (noise({2 * n, words}, 3, at::kFloat, at::kCPU) * 2147483000.0).to(at::kInt).to(device);
        codes.scales =
            (noise({2 * n, (k + m.group - 1) / m.group, 2}, 4, at::kFloat, at::kCPU) / (v.bits == 4 ? 8 : 128))
                .to(device, v.small_terms ? at::kBFloat16 : at::kFloat);
        plain.weight = codes.decoded(0, 2 * n, at::kFloat);
    }
    const Matrix w = v.bits == 0 ? Matrix(plain) : Matrix(codes);
    const Tensor x = noise({rows, k}, 5, v.type, device);
    After after;
    if (v.norm) after.scale = noise({k}, 6, v.type, device), after.eps = 1e-5;
    const Tensor in = v.norm ? aten::RmsNorm::run(x, after.scale, after.eps) : x;
    const Tensor product =
        at::matmul(in.to(at::kFloat), plain.weight.to(at::kFloat).t().contiguous()) + plain.bias->to(at::kFloat);
    const double e = rounding(v.type), near = 2e-4 + (v.norm ? 24 * e : 0);
    const auto error = [&](Epilogue epilogue, Activation act, const Tensor& want, double allowed) {
        after.epilogue = epilogue, after.act = act;
        return difference(launch(*functions[0], x, w, after), want, allowed, 2 * e + 1e-5);
    };
    double most = error(Epilogue::none, Activation::linear, product, near);
    after.residual = noise({rows, 2 * n}, 7, v.type, device);
    most = std::max(most, error(Epilogue::add, Activation::linear, product + after.residual.to(at::kFloat), near));
    after.residual = Tensor();
    for (const Activation act : {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
        const Tensor acted = aten::Activate::run(product, act);
        most = std::max(most, error(Epilogue::activation, act, acted, 2 * near));
        most = std::max(
            most,
            error(Epilogue::gated, act,
                  aten::Activate::run(product.narrow(1, 0, n).contiguous(), act) * product.narrow(1, n, n), 20 * near));
    }
    return most;
}

inline const Own& kernel_of(const Variant& v) {
    return own(Family::rows, v.key(), [&]() -> Described {
        const Source source = v.source();
        std::string name = "rows " + source.variant();
        if (v.bits != 0) name += v.group == 0 ? ", one group for a row" : ", groups of " + std::to_string(v.group);
        return {source, name, [v](const Functions& f) { return prove(v, f); }};
    });
}

}  // namespace rows_detail

SILICA_INLINE Matrix::Matrix(const op::Plain& w)
    : weight(&w.weight), bias(&w.bias), rows(w.weight.size(0)), columns(w.weight.size(1)) {}

SILICA_INLINE Matrix::Matrix(const aten::Codes& w) : rows(w.matrix.rows), columns(w.matrix.columns) {
    bias = &w.matrix.bias;
    if (w.matrix.plain())
        weight = &w.matrix.weight;
    else
        codes = &w;
}

SILICA_INLINE Serves rows_serve(const Tensor& x, const Matrix& w, bool norm) {
    const auto fits = [&](const Tensor& t) { return t.scalar_type() == x.scalar_type() && t.is_contiguous(); };
    if (x.numel() == 0 || w.columns <= 0 ||
        x.numel() / w.columns > (w.codes == nullptr ? rows_detail::most_rows : rows_detail::most_rows_of_codes) ||
        !has_own() || type_number(x.scalar_type()) < 0 || w.columns >= std::int64_t{1} << 24 ||
        w.rows >= std::int64_t{1} << 30 || w.rows == 0 || (w.weight != nullptr && !fits(*w.weight)) ||
        (*w.bias && !fits(**w.bias)))
        return Serves::no;
    const auto v = rows_detail::variant_of(x, w, norm);
    if (v.bits != 0 && v.group % v.columns_at_a_time() != 0) return Serves::no;
    return rows_detail::kernel_of(v).serves() ? Serves::yes : Serves::failed;
}

SILICA_INLINE Tensor rows(const Tensor& x, const Matrix& w, const After& after) {
    return rows_detail::launch(
        *rows_detail::kernel_of(rows_detail::variant_of(x, w, after.scale.defined())).functions[0], x, w, after);
}

}  // namespace silica::device::mps::metal
