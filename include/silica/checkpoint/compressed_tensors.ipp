#pragma once
/// Reads compressed-tensors.

#include "silica/checkpoint/compressed_tensors.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace silica::checkpoint {

namespace compressed_detail {

struct Parts {
    std::string where;
    TensorEntry codes = {}, scales = {};
    std::optional<TensorEntry> zeros = {}, g_idx = {};
    int bits = 8;
    std::int64_t rows = 0, columns = 0, groups = 1, group = 0;
};

/// The scales, (rows, groups) or one number for all.
inline Tensor scales_of(const Parts& p, TensorSource& source) {
    const Tensor scales = on_host(source, p.scales, at::kFloat);
    if (scales.numel() == p.rows * p.groups) return scales.reshape({p.rows, p.groups});
    return scales.reshape({1, 1}).expand({p.rows, p.groups}).contiguous();
}

/// The zeros as codes, that is with 2^(bits - 1) added.
inline Tensor zeros_of(const Parts& p, TensorSource& source) {
    const auto middle = static_cast<float>(1 << (p.bits - 1));
    if (!p.zeros) return at::full({p.rows, p.groups}, middle, at::kFloat);
    const Tensor stored = on_host(source, *p.zeros);
    Tensor zeros = at::empty({p.rows, p.groups}, at::kFloat);
    auto* to = zeros.mutable_data_ptr<float>();
    if (stored.scalar_type() == at::kChar) {
        const auto* from = stored.const_data_ptr<std::int8_t>();
        const bool one = stored.numel() != zeros.numel();
        for (std::int64_t i = 0; i < zeros.numel(); ++i) to[i] = static_cast<float>(from[one ? 0 : i]) + middle;
        return zeros;
    }
    const auto* from = stored.const_data_ptr<std::int32_t>();
    const auto in_word = 32 / p.bits;
    const std::uint32_t mask = (1U << static_cast<unsigned>(p.bits)) - 1;
    for (std::int64_t n = 0; n < p.rows; ++n)
        for (std::int64_t g = 0; g < p.groups; ++g) {
            const auto word = static_cast<std::uint32_t>(from[n / in_word * p.groups + g]);
            to[n * p.groups + g] = static_cast<float>(word >> static_cast<unsigned>(n % in_word * p.bits) & mask);
        }
    return zeros;
}

inline std::unique_ptr<Rows> open(const Parts& p, TensorSource& source) {
    Affine a;
    a.q = {.bits = p.bits, .rows = p.rows, .columns = p.columns, .group = p.group};
    const Tensor codes = on_host(source, p.codes);
    a.q.codes = codes.scalar_type() == at::kChar ? words_of_int8(codes) : codes;
    a.q.scales = scales_of(p, source);
    a.zeros = zeros_of(p, source);
    if (!p.g_idx) return rows_of(std::move(a));
    Tensor order = on_host(source, *p.g_idx);
    const auto* at = order.const_data_ptr<std::int32_t>();
    bool trivial = true;
    const bool unused = std::all_of(at, at + p.columns, [](std::int32_t group) { return group == -1; });
    for (std::int64_t i = 0; i < p.columns && !unused; ++i) {
        trivial = trivial && at[i] == i / p.group;
        if (at[i] < 0 || at[i] >= p.groups)
            fail_part(p.where, p.g_idx->name,
                      "names group " + std::to_string(at[i]) + " of " + std::to_string(p.groups) + " groups");
    }
    if (!trivial) a.group_of = std::move(order);
    return rows_of(std::move(a));
}

/// Takes the scales and the order of columns, and says how many groups there are.
inline void need_scales(const std::string& module, const Modules::Parts& parts, Modules& modules, Parts& p) {
    const auto* scales = Modules::find(parts, "weight_scale");
    if (scales == nullptr) modules.fail(module + ".weight_scale", "is missing");
    std::int64_t count = 1;
    for (const auto size : scales->shape) count *= size;
    const bool one = count == 1;
    p.groups = scales->shape.size() == 2 && !one ? scales->shape[1] : 1;
    if (one)
        modules.need_real(module, parts, "weight_scale", scales->shape);
    else
        modules.need_real(module, parts, "weight_scale",
                          scales->shape.size() == 1 ? std::vector{p.rows} : std::vector{p.rows, p.groups});
    p.scales = *scales;
    p.group = modules.need_group(*scales, p.groups, p.columns);
    if (const auto* g_idx = Modules::find(parts, "weight_g_idx"); g_idx != nullptr)
        p.g_idx = modules.need(module, parts, "weight_g_idx", at::kInt, {p.columns});
}

/// Takes the zeros, where there are some.
inline void need_zeros(const std::string& module, const Modules::Parts& parts, Modules& modules, bool packed,
                       Parts& p) {
    const auto* zeros = Modules::find(parts, "weight_zero_point");
    if (zeros == nullptr) return;
    std::vector<std::int64_t> shape{p.rows, p.groups};
    const bool words = packed && zeros->dtype == at::kInt;
    if (words)
        shape[0] = Quantised::words(p.rows, p.bits);
    else if (zeros->numel() == 1 || zeros->shape.size() == 1)
        shape = zeros->shape;
    if (shape.size() == 1 && zeros->numel() != 1) shape[0] = p.rows;
    if (shape.size() == 1 && shape[0] == p.rows && p.groups != 1 && p.rows != 1)
        modules.fail(zeros->name, "has one zero for each row, the scales beside it one for each group");
    p.zeros = modules.need(module, parts, "weight_zero_point", words ? at::kInt : at::kChar, shape);
}

/// `weight_shape` is int64, or int32 in some files.
inline at::ScalarType shape_type(const Modules::Parts& parts) {
    const auto* shape = Modules::find(parts, "weight_shape");
    return shape != nullptr && shape->dtype == at::kInt ? at::kInt : at::kLong;
}

}  // namespace compressed_detail

SILICA_INLINE void find_compressed_tensors(Modules& modules, const Scheme& scheme, std::vector<PackedMatrix>& found) {
    for (const auto& [module, parts] : modules.all()) {
        for (const char* name :
             {"input_scale", "input_zero_point", "input_g_idx", "input_global_scale", "output_scale",
              "output_zero_point", "k_scale", "k_zero_point", "v_scale", "v_zero_point", "q_scale", "q_zero_point"})
            if (const auto* part = Modules::find(parts, name)) modules.take(*part);
        compressed_detail::Parts p{.where = modules.where()};
        const auto* codes = Modules::find(parts, "weight_packed");
        const bool packed = codes != nullptr;
        if (!packed) codes = Modules::find(parts, "weight");
        if (codes == nullptr || (!packed && codes->dtype != at::kChar)) continue;
        if (codes->shape.size() != 2 || codes->shape[1] == 0)
            modules.fail(codes->name, "is no matrix: its shape is " + tuple_text(codes->shape));
        p.rows = codes->shape[0], p.columns = codes->shape[1];
        if (packed) {
            const Tensor shape = on_host(
                modules.source(),
                modules.need(module, parts, "weight_shape", compressed_detail::shape_type(parts), {2}), at::kLong);
            const auto* size = shape.const_data_ptr<std::int64_t>();
            const auto fits = [&](int bits) {
                return size[1] > 0 && size[1] / 8 <= codes->shape[1] &&
                       Quantised::words(size[1], bits) == codes->shape[1];
            };
            p.bits = fits(4) && !(fits(8) && scheme.bits == 8) ? 4 : 8;
            if (size[0] != p.rows || !fits(p.bits))
                modules.fail(module + ".weight_shape", "says (" + std::to_string(size[0]) + ", " +
                                                           std::to_string(size[1]) + "), but " + quote(codes->name) +
                                                           " of shape " + tuple_text(codes->shape) +
                                                           " makes no such matrix");
            p.columns = size[1];
        }
        p.codes = modules.need(module, parts, packed ? "weight_packed" : "weight", packed ? at::kInt : at::kChar,
                               codes->shape);
        compressed_detail::need_scales(module, parts, modules, p);
        compressed_detail::need_zeros(module, parts, modules, packed, p);
        found.push_back({plain_entry(module, *codes, p.rows, p.columns),
                         "compressed-tensors, " + std::to_string(p.bits) + " bits",
                         [p](TensorSource& source) { return compressed_detail::open(p, source); }});
    }
}

}  // namespace silica::checkpoint
