#pragma once
/// How rotary embedding with the cache write is launched, and how it proves itself.

#include "silica/core/compiled.hpp"
#include "silica/device/aten/rotary.hpp"
#include "silica/device/mps/metal/rotary_store.hpp"
#include "silica/device/mps/metal/rotary_store.metal.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>

namespace silica::device::mps::metal {
namespace rotary_detail {

/// RotaryStore of the text.
struct Constants {
    std::int64_t key_batch, key_head, key_slot, value_batch, value_head, value_slot;
    std::uint32_t heads, kv_heads, d, capacity, angles;
};

inline Tensor launch(Function& f, const Tensor& qkv, const Tensor& cos, const Tensor& sin, const Tensor& k,
                     const Tensor& v, const Tensor& slot) {
    const auto batch = qkv.size(0), kv_heads = k.size(1), d = k.size(3), heads = qkv.size(2) / d - 2 * kv_heads;
    const Tensor in = qkv.contiguous(), c = cos.contiguous(), s = sin.contiguous();
    const Tensor q = at::empty({batch, heads, 1, d}, qkv.options());
    const auto narrow = [](std::int64_t n) { return static_cast<std::uint32_t>(n); };
    const Constants constants{k.stride(0),
                              k.stride(1),
                              k.stride(2),
                              v.stride(0),
                              v.stride(1),
                              v.stride(2),
                              narrow(heads),
                              narrow(kv_heads),
                              narrow(d),
                              narrow(k.size(2)),
                              narrow(c.size(0) == 1 ? 0 : d / 2)};
    const std::array<Argument, 8> arguments{in, c, s, q, k, v, slot, constants};
    f.run(arguments, {{static_cast<std::uint64_t>(heads + 2 * kv_heads), static_cast<std::uint64_t>(batch), 1},
                      threads_of(f, d > 64 ? 64 : 32)});
    return q;
}

/// Caches of 5 slots, of which one is written.
inline double prove(at::ScalarType type, const Functions& functions) {
    const c10::Device device(c10::DeviceType::MPS, 0);
    const std::int64_t batch = 2, heads = 4, kv_heads = 2, d = 20, slot = 3;
    const Tensor qkv = noise({batch, 1, (heads + 2 * kv_heads) * d}, 1, type, device);
    const Tensor cos = noise({batch, 1, d / 2}, 2, type, device), sin = noise({batch, 1, d / 2}, 3, type, device);
    const Tensor keys = noise({batch, kv_heads, 5, d}, 4, type, device),
                 values = noise({batch, kv_heads, 5, d}, 5, type, device);
    const Tensor by_head = qkv.to(at::kFloat).view({batch, heads + 2 * kv_heads, 1, d});
    const Tensor turned =
        aten::Rotary::run(by_head.narrow(1, 0, heads + kv_heads).contiguous(), cos.to(at::kFloat), sin.to(at::kFloat));
    const auto with = [&](const Tensor& cache, const Tensor& t) {
        const Tensor wide = cache.to(at::kFloat);
        return at::cat({wide.narrow(2, 0, slot), t, wide.narrow(2, slot + 1, 4 - slot)}, 2);
    };
    const Tensor want_k = with(keys, turned.narrow(1, heads, kv_heads)),
                 want_v = with(values, by_head.narrow(1, heads + kv_heads, kv_heads));
    const Tensor place = at::full({1}, slot, at::TensorOptions().dtype(at::kLong).device(device));
    const Tensor q = launch(*functions[0], qkv, cos, sin, keys, values, place);
    const double e = 2 * rounding(type);
    return std::max({difference(q, turned.narrow(1, 0, heads), 1e-5, e), difference(keys, want_k, 1e-5, e),
                     difference(values, want_v, 1e-5, e)});
}

inline const Own& kernel_of(at::ScalarType type) {
    return own(Family::rotary_store, static_cast<std::uint64_t>(type_number(type)), [&]() -> Described {
        const Source source{{"rotary_store"}, rotary_store_text, {{"TYPE", type_number(type)}}};
        return {source, "rotary_store " + source.variant(), [type](const Functions& f) { return prove(type, f); }};
    });
}

}  // namespace rotary_detail

SILICA_INLINE Serves rotary_store_serves(const Tensor& qkv, const Tensor& keys, const Tensor& values) {
    if (qkv.numel() == 0 || keys.stride(3) != 1 || values.stride(3) != 1 || keys.size(2) >= std::int64_t{1} << 31 ||
        qkv.size(2) >= std::int64_t{1} << 30 || type_number(qkv.scalar_type()) < 0 || !has_own())
        return Serves::no;
    return rotary_detail::kernel_of(qkv.scalar_type()).serves() ? Serves::yes : Serves::failed;
}

SILICA_INLINE Tensor rotary_store(const Tensor& qkv, const Tensor& cos, const Tensor& sin, const Tensor& keys,
                                  const Tensor& values, const Tensor& slot) {
    return rotary_detail::launch(*rotary_detail::kernel_of(qkv.scalar_type()).functions[0], qkv, cos, sin, keys, values,
                                 slot);
}

}  // namespace silica::device::mps::metal
