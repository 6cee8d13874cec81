#pragma once
/// Attention to a cache on MPS, through its kernel of op::Attention and so around the same faults. The whole capacity,
/// so that no graph is compiled anew from step to step (pytorch#181213).

#include "silica/device/aten/decode_attention.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/mps/attend.hpp"

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Mps> {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        const Tensor attend = device::aten::DecodeAttention::mask_of(keys, filled, mask);
        return device::mps::Attend::run(q, keys, values, std::optional(attend), scale);
    }
};

}  // namespace silica
