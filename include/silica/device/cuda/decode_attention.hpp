#pragma once
/// Attention of one new token on CUDA: reads the filled slots only, which are split over a grid of fixed size, so that
/// a captured step serves every length (Dao et al. 2023, "Flash-Decoding for long-context inference").

#include "silica/device/aten/decode_attention.hpp"
#include "silica/device/cuda.hpp"
#include "silica/device/cuda/attend.hpp"
#include "silica/device/cuda/decode_attention_text.hpp"
#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/cuda/source.hpp"

#include <algorithm>

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Cuda> {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        namespace cuda = device::cuda;
        if (!takes(q, keys, values, mask)) {
            return cuda::attend(q, keys, values,
                                std::optional(device::aten::DecodeAttention::mask_of(keys, filled, mask)), scale);
        }
        const auto batch = q.size(0), heads = q.size(1), d = q.size(3), kv_heads = keys.size(1);
        const auto capacity = keys.size(2), group = heads / kv_heads;
        const auto type = q.scalar_type();
        // Heads that share keys read them together where the cache is long; a block has at least 512 slots.
        const std::int64_t together = capacity <= 4096 ? 1 : group % 4 == 0 ? 4 : group % 2 == 0 ? 2 : 1;
        const auto blocks = batch * heads / together;
        const auto split = std::clamp<std::int64_t>(
            std::min((capacity + 511) / 512, 2 * cuda::multiprocessors(q.device().index()) / blocks), 1, 64);

        const Tensor in = q.contiguous(), out = at::empty(q.sizes(), q.options());
        Tensor parts;
        if (split > 1) parts = at::empty({batch * heads, split, d + 2}, q.options().dtype(at::kFloat));
        const int masked = !mask ? 0 : mask->scalar_type() == at::kBool ? 1 : mask->scalar_type() == type ? 2 : 3;
        const Tensor m = mask ? mask->expand({batch, heads, 1, capacity}) : Tensor();
        const auto stride = [&](std::int64_t dim) { return static_cast<long long>(mask ? m.stride(dim) : 0); };
        const std::int64_t per_lane = values_per_lane(q);
        std::int64_t lanes = 1;
        while (lanes * per_lane < d) lanes *= 2;

        const std::uint64_t key = static_cast<std::uint64_t>(type) | static_cast<std::uint64_t>(d) << 8 |
                                  static_cast<std::uint64_t>(together) << 24 |
                                  static_cast<std::uint64_t>(masked) << 28 | (split > 1 ? std::uint64_t{1} << 32 : 0);
        static const std::string text = std::string(cuda::prelude) + std::string(cuda::detail::decode_attention_text);
        const auto source = [&](std::string_view name) {
            return cuda::KernelSource{name,
                                      text,
                                      {{"D", d},
                                       {"PER_LANE", per_lane},
                                       {"LANES", lanes},
                                       {"HEADS", together},
                                       {"MASK", masked},
                                       {"PARTS", split > 1}},
                                      type};
        };
        const auto device = q.device();
        const auto& f = cuda::function<cuda::detail::DecodeAttention>(device.index(), key,
                                                                      [&] { return source("decode_attention"); });
        using Long = long long;
        cuda::launch(f, {{static_cast<unsigned>(blocks), static_cast<unsigned>(split), 1}, 256}, device,
                     cuda::address(in), cuda::address(keys), cuda::address(values), cuda::address(filled),
                     cuda::address(m), cuda::address(out), cuda::address(parts), static_cast<int>(heads),
                     static_cast<int>(group), static_cast<float>(scale), Long{keys.stride(0)}, Long{keys.stride(1)},
                     Long{keys.stride(2)}, Long{values.stride(0)}, Long{values.stride(1)}, Long{values.stride(2)},
                     stride(0), stride(1), stride(3));
        if (split > 1) {
            const auto& joined = cuda::function<cuda::detail::DecodeAttention>(
                device.index(), key | std::uint64_t{1} << 33, [&] { return source("join_parts"); });
            cuda::launch(joined, {{static_cast<unsigned>(batch * heads), 1, 1}, 128}, device, cuda::address(parts),
                         cuda::address(out), static_cast<int>(split));
        }
        return out;
    }

private:
    /// Whole loads, and at most 32 lanes for a head.
    static std::int64_t values_per_lane(const Tensor& q) {
        const auto load = 16 / static_cast<std::int64_t>(q.element_size());
        return ((q.size(3) + 31) / 32 + load - 1) / load * load;
    }

    static bool takes(const Tensor& q, const Tensor& keys, const Tensor& values, const std::optional<Tensor>& mask) {
        namespace cuda = device::cuda;
        const auto whole = [&](const Tensor& t) {  // 16-byte loads of every slot
            const auto n = 16 / static_cast<std::int64_t>(t.element_size());
            return t.stride(3) == 1 && t.stride(0) % n == 0 && t.stride(1) % n == 0 && t.stride(2) % n == 0 &&
                   cuda::aligned(t);
        };
        const auto type = q.scalar_type();
        const auto d = q.size(3);
        return cuda::has_nvrtc() && cuda::takes_type(type) && keys.scalar_type() == type &&
               values.scalar_type() == type && d > 0 && d <= 256 && d % values_per_lane(q) == 0 && q.numel() > 0 &&
               keys.size(2) > 0 && whole(keys) && whole(values) &&
               (!mask || mask->scalar_type() == at::kBool || mask->scalar_type() == type ||
                mask->scalar_type() == at::kFloat);
    }
};

}  // namespace silica
