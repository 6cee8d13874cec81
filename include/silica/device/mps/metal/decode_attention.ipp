#pragma once
/// How attention to a cache is launched, and how it proves itself.

#include "silica/core/compiled.hpp"
#include "silica/device/mps/metal/decode_attention.hpp"
#include "silica/device/mps/metal/decode_attention.metal.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <array>
#include <limits>

namespace silica::device::mps::metal {
namespace attention_detail {

/// DecodeAttention of the text.
struct Constants {
    std::int64_t key_batch, key_head, key_slot, value_batch, value_head, value_slot, mask_batch, mask_head, mask_slot;
    std::uint32_t heads, shared;
    float scale;
    std::uint32_t capacity;
};
struct JoinConstants {
    std::uint32_t split;
};

/// What tells kernels apart.
struct Variant {
    at::ScalarType type = at::kFloat;
    std::int64_t d = 0;
    int mask = 0;  ///< MASK of the text
    bool parts = false;

    [[nodiscard]] std::uint64_t key() const {
        return static_cast<std::uint64_t>(type_number(type)) | static_cast<std::uint64_t>(mask) << 2U |
               (parts ? 1U << 4U : 0U) | static_cast<std::uint64_t>(d) << 5U;
    }
    [[nodiscard]] Source source() const {
        Source s{{"decode_attention"},
                 decode_attention_text,
                 {{"TYPE", type_number(type)}, {"D", static_cast<int>(d)}, {"MASK", mask}, {"PARTS", parts}}};
        if (parts) s.names.emplace_back("join_parts");
        return s;
    }
};

/// A threadgroup has at least 512 slots, where there are more than one.
inline std::int64_t split_of(std::int64_t capacity) { return std::clamp<std::int64_t>((capacity + 511) / 512, 1, 32); }

inline Variant variant_of(const Tensor& q, std::int64_t split, const std::optional<Tensor>& mask) {
    const int number = !mask                                    ? 0
                       : mask->scalar_type() == at::kBool       ? 1
                       : mask->scalar_type() == q.scalar_type() ? 2
                                                                : 3;
    return {q.scalar_type(), q.size(3), number, split > 1};
}

inline Tensor launch(const Functions& f, const Tensor& q, const Tensor& keys, const Tensor& values,
                     const Tensor& filled, const std::optional<Tensor>& mask, double scale, std::int64_t split) {
    const auto rows = q.size(0) * q.size(1), d = q.size(3);
    const Tensor in = q.contiguous(), y = at::empty(q.sizes(), q.options());
    const Tensor parts = split > 1 ? at::empty({rows, split, d + 2}, q.options().dtype(at::kFloat)) : in;
    const Tensor shown = mask ? mask->expand({q.size(0), q.size(1), 1, keys.size(2)}) : in;
    Constants c{keys.stride(0),
                keys.stride(1),
                keys.stride(2),
                values.stride(0),
                values.stride(1),
                values.stride(2),
                0,
                0,
                0,
                static_cast<std::uint32_t>(q.size(1)),
                static_cast<std::uint32_t>(q.size(1) / keys.size(1)),
                static_cast<float>(scale),
                static_cast<std::uint32_t>(keys.size(2))};
    if (mask) c.mask_batch = shown.stride(0), c.mask_head = shown.stride(1), c.mask_slot = shown.stride(3);
    const std::array<Argument, 8> arguments{in, keys, values, filled, shown, y, parts, c};
    const Grid grid{{static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(split), 1}, threads_of(*f[0], 512)};
    f[0]->run(arguments, grid);
    if (split > 1) {
        const JoinConstants number{static_cast<std::uint32_t>(split)};
        const std::array<Argument, 3> joined{parts, y, number};
        f[1]->run(joined, {{static_cast<std::uint64_t>(rows), 1, 1}, threads_of(*f[1], 128)});
    }
    return y;
}

/// Two rows, four heads on two key heads, some slots filled: softmax of the products, in float32.
inline double prove(const Variant& v, const Functions& functions) {
    const c10::Device device(c10::DeviceType::MPS, 0);
    const std::int64_t batch = 2, heads = 4, kv_heads = 2, capacity = 45, filled = 37;
    const Tensor q = noise({batch, heads, 1, v.d}, 1, v.type, device) * 2;
    const Tensor keys = noise({batch, kv_heads, capacity, v.d}, 2, v.type, device);
    const Tensor values = noise({batch, kv_heads, capacity, v.d}, 3, v.type, device);
    const Tensor count = at::full({1}, filled, at::TensorOptions().dtype(at::kLong).device(device));
    const auto shared = [&](const Tensor& t) {  // each key head for its two heads
        return at::cat({t.narrow(1, 0, 1), t.narrow(1, 0, 1), t.narrow(1, 1, 1), t.narrow(1, 1, 1)}, 1)
            .narrow(2, 0, filled)
            .to(at::kFloat)
            .contiguous();
    };
    const double scale = 0.3;
    Tensor scores = at::matmul(q.to(at::kFloat), shared(keys).transpose(2, 3).contiguous()) * scale;
    std::optional<Tensor> mask;
    if (v.mask != 0) {
        const Tensor random = noise({batch, 1, 1, capacity}, 4, at::kFloat, at::kCPU);
        const Tensor shown = random > -0.3;
        const float none = -std::numeric_limits<float>::infinity();
        const Tensor added = at::where(
            shown, v.mask == 1 ? at::zeros_like(random) : random.to(v.mask == 2 ? v.type : at::kFloat).to(at::kFloat),
            at::full_like(random, none));
        mask = v.mask == 1 ? shown.to(device) : added.to(device, v.mask == 2 ? v.type : at::kFloat);
        scores = scores + added.to(device).narrow(3, 0, filled);
    }
    const Tensor want = at::matmul(at::softmax(scores, -1), shared(values));
    return difference(launch(functions, q, keys, values, count, mask, scale, v.parts ? 3 : 1), want, 1e-4,
                      2 * rounding(v.type));
}

inline const Own& kernel_of(const Variant& v) {
    return own(Family::decode_attention, v.key(), [&]() -> Described {
        const Source source = v.source();
        return {source, "decode_attention " + source.variant(), [v](const Functions& f) { return prove(v, f); }};
    });
}

}  // namespace attention_detail

SILICA_INLINE Serves decode_attention_serves(const Tensor& q, const Tensor& keys, const Tensor& values,
                                             const std::optional<Tensor>& mask) {
    const auto d = q.size(3), capacity = keys.size(2);
    const bool masks = !mask || mask->scalar_type() == at::kBool || mask->scalar_type() == q.scalar_type() ||
                       mask->scalar_type() == at::kFloat;
    if (q.numel() == 0 || d > 256 || values.size(3) != d || capacity == 0 || capacity >= std::int64_t{1} << 31 ||
        keys.stride(3) != 1 || values.stride(3) != 1 || !masks || !has_own() || type_number(q.scalar_type()) < 0)
        return Serves::no;
    const auto v = attention_detail::variant_of(q, attention_detail::split_of(capacity), mask);
    return attention_detail::kernel_of(v).serves() ? Serves::yes : Serves::failed;
}

SILICA_INLINE Tensor decode_attention(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                                      const std::optional<Tensor>& mask, double scale) {
    const auto split = attention_detail::split_of(keys.size(2));
    const auto variant = attention_detail::variant_of(q, split, mask);
    const Own& own = attention_detail::kernel_of(variant);
    return attention_detail::launch(own.functions, q, keys, values, filled, mask, scale, split);
}

}  // namespace silica::device::mps::metal
