#pragma once
/// From tensors to attention by addresses.

#include "silica/core/error.hpp"
#include "silica/device/aten/attention.hpp"
#include "silica/device/cpu/attend.hpp"
#include "silica/device/cpu/attention.hpp"
#include "silica/device/cpu/flash_attention.hpp"
#include "silica/device/cpu/rows.hpp"

#include <limits>
#include <string>

namespace silica {
namespace device::cpu::detail {

SILICA_INLINE Tensor rows_in_place(const Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); }

/// What is added to the scores, contiguous over keys, with a stride of 0 where it broadcasts.
SILICA_INLINE std::optional<Tensor> added_to_scores(const op::Attends& attends, c10::IntArrayRef scores) {
    const auto bias = attends.masked_bias();
    if (!bias) return std::nullopt;
    const Tensor all = bias->expand(scores);
    if (all.stride(3) == 1 || scores[3] == 1) return all;
    Tensor once = all;  // one number for all keys, or a strided bias; what broadcasts, the caller's too, once
    for (std::int64_t dim = 0; dim < 3; ++dim) {
        if (all.stride(dim) == 0 && scores[static_cast<std::size_t>(dim)] > 0) once = once.narrow(dim, 0, 1);
    }
    return once.contiguous().expand(scores);
}

/// InputError unless each row has from none to all of the keys.
SILICA_INLINE void require_lengths(const Tensor& lengths, std::int64_t keys) {
    const Tensor each = lengths.contiguous();
    const auto* const n = each.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < each.numel(); ++i) {
        if (n[i] >= 0 && n[i] <= keys) continue;
        throw InputError(
            "Attention is told that " + std::to_string(n[i]) + " of " + std::to_string(keys) + " keys are there.",
            "pass lengths from 0 to the number of keys.");
    }
}

template <class T>
void attend_in_blocks(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale,
                      const Tensor& y) {
    using Flash = FlashAttention<T>;
    const auto strides = [](const Tensor& t) { return typename Flash::Strides{t.stride(0), t.stride(1), t.stride(2)}; };
    const auto keys = k.size(2);
    const auto bias = added_to_scores(attends, {q.size(0), q.size(1), q.size(2), keys});
    const auto lengths = attends.lengths ? std::optional(attends.lengths->contiguous()) : std::nullopt;
    const Flash problem{.q = q.const_data_ptr<T>(),
                        .k = k.const_data_ptr<T>(),
                        .v = v.const_data_ptr<T>(),
                        .of_q = strides(q),
                        .of_k = strides(k),
                        .of_v = strides(v),
                        .batch = q.size(0),
                        .heads = q.size(1),
                        .kv_heads = k.size(1),
                        .queries = q.size(2),
                        .keys = keys,
                        .d = q.size(3),
                        .dv = v.size(3),
                        .scale = static_cast<float>(scale),
                        .offset = attends.offset.value_or(keys),
                        .window = attends.window ? *attends.window : std::numeric_limits<std::int64_t>::max() / 2,
                        .lengths = lengths ? lengths->template const_data_ptr<std::int64_t>() : nullptr,
                        .mask = bias ? bias->template const_data_ptr<float>() : nullptr,
                        .of_mask = bias ? strides(*bias) : typename Flash::Strides{},
                        .y = y.mutable_data_ptr<T>(),
                        .of_y = strides(y)};
    problem.run(isa::best());
}

}  // namespace device::cpu::detail

SILICA_INLINE Tensor Kernel<op::Attention, device::Cpu>::run(const Tensor& q, const Tensor& k, const Tensor& v,
                                                             const op::Attends& attends, double scale) {
    namespace cpu = device::cpu;
    if (attends.lengths) cpu::detail::require_lengths(*attends.lengths, k.size(2));
    if (!cpu::is_floating(q) || q.numel() == 0 || k.numel() == 0 || v.numel() == 0)
        return device::aten::Attention::run(q, k, v, attends, scale);
    const bool alone = q.size(2) == 1 && !attends.hides_later(k.size(2)) && !attends.hides_earlier(1) &&
                       !attends.lengths && k.stride(3) == 1 && v.stride(3) == 1;
    if (alone)
        return cpu::AttendOne::run(q, k, v, k.size(2), attends.bias ? attends.masked_bias() : attends.mask, scale);
    const bool whole = q.scalar_type() == c10::ScalarType::Float;
    if (const auto set = cpu::isa::best();
        !(whole ? cpu::isa::takes_many<float>(set) : cpu::isa::takes_many<c10::BFloat16>(set)))
        return device::aten::Attention::run(q, k, v, attends, scale);
    // (batch, tokens, heads, d), so that joining the heads again costs nothing
    const Tensor y = at::empty({q.size(0), q.size(2), q.size(1), v.size(3)}, q.options()).transpose(1, 2);
    cpu::with_type(q, [&]<class T>() {
        using cpu::detail::rows_in_place;
        cpu::detail::attend_in_blocks<T>(rows_in_place(q), rows_in_place(k), rows_in_place(v), attends, scale, y);
    });
    return y;
}

}  // namespace silica
