#pragma once
/// Attention on MPS, around the faults of `scaled_dot_product_attention` there.

#include "silica/device/aten/attention.hpp"
#include "silica/device/mps/faults.hpp"
#include "silica/device/mps/version.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace silica::device::mps {

/// Attention as the kernels of op::Attention and op::DecodeAttention on MPS compute it.
struct Attend {
    /// One NDArray of MPSGraph holds 2^32 bytes; a larger one aborts the process on macOS 14 (pytorch#149261).
    static constexpr std::int64_t max_score_bytes = std::int64_t{1} << 32;

    /// The kernels read v with the head size of q: wrong results where they differ before LibTorch 2.12
    /// (pytorch#176843).
    static bool accepts(const Tensor& q, const Tensor&, const Tensor& v, const op::Attends&, double) {
        return q.size(-1) == v.size(-1) || !has(Fault::value_head_size, libtorch_before(2, 12));
    }

    /// op::Attention; `limit` is the most that a score matrix may have, which tests make small.
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale,
                      std::int64_t limit = max_score_bytes) {
        const bool causal = attends.offset == 0 && !attends.mask && !attends.bias && !attends.lengths &&
                            !attends.hides_earlier(q.size(2)) && attends.hides_later(k.size(2));
        if (causal && !masks_explicitly(q) && rows_per_chunk(q, k, limit) >= q.size(2))
            return aten::Attention::run(q.contiguous(), k.contiguous(), v.contiguous(), std::nullopt, true, scale);
        return run(q, k, v, aten::Attention::mask_of(attends, q, k), scale, limit);
    }

    /// With a mask for ATen. q, k and v contiguous: permuted ones give wrong results for head sizes from 64 on
    /// (pytorch#163597, #181133).
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, std::optional<Tensor> mask, double scale,
                      std::int64_t limit = max_score_bytes) {
        const Tensor qc = q.contiguous(), kc = k.contiguous(), vc = v.contiguous();
        const auto rows = rows_per_chunk(qc, kc, limit);
        if (mask) {
            if (expands_mask()) mask = mask->expand({q.size(0), q.size(1), q.size(2), k.size(2)});
            mask = mask->contiguous();
        }
        if (rows >= q.size(-2)) return aten::Attention::run(qc, kc, vc, mask, false, scale);
        std::vector<Tensor> parts;
        for (std::int64_t begin = 0; begin < q.size(-2); begin += rows) {
            const auto end = std::min(begin + rows, q.size(-2));
            auto part_mask = mask;
            if (part_mask && part_mask->dim() > 1 && part_mask->size(-2) > 1)
                part_mask = part_mask->slice(-2, begin, end).contiguous();
            parts.push_back(
                aten::Attention::run(qc.slice(-2, begin, end).contiguous(), kc, vc, part_mask, false, scale));
        }
        return at::cat(parts, -2);
    }

    /// In half precision `is_causal` lets later tokens through, in LibTorch from 2.10 on (pytorch#195910). (And a score
    /// matrix that is cut into chunks needs its mask written out.)
    static bool masks_explicitly(const Tensor& q) {
        return q.scalar_type() != at::kFloat && has(Fault::causal_leaks, !libtorch_before(2, 10));
    }
    /// A mask that broadcasts gives wrong results before LibTorch 2.13 (pytorch#184180).
    static bool expands_mask() { return has(Fault::mask_broadcasts, libtorch_before(2, 13)); }

    /// How many queries keep the float32 score matrix (batch, heads, queries, keys) within one NDArray.
    static std::int64_t rows_per_chunk(const Tensor& q, const Tensor& k, std::int64_t limit) {
        const std::int64_t row = std::max<std::int64_t>(1, q.size(0) * q.size(1) * k.size(2) * 4);
        return std::max<std::int64_t>(1, limit / row);
    }
};

}  // namespace silica::device::mps
