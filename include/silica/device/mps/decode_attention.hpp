#pragma once
/// Attention to a cache on MPS: an own kernel where it proved itself. Else through its kernel of op::Attention and so
/// around the same faults; the whole capacity, so that no graph is compiled anew from step to step (pytorch#181213).

#include "silica/device/aten/decode_attention.hpp"
#include "silica/device/mps.hpp"
#include "silica/device/mps/attend.hpp"
#include "silica/device/mps/metal/decode_attention.hpp"

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Mps> {
    static bool failed(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor&,
                       const std::optional<Tensor>& mask, double) {
        namespace metal = device::mps::metal;
        return metal::decode_attention_serves(q, keys, values, mask) == metal::Serves::failed;
    }
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        namespace metal = device::mps::metal;
        if (metal::decode_attention_serves(q, keys, values, mask) == metal::Serves::yes)
            return metal::decode_attention(q, keys, values, filled, mask, scale);
        const Tensor attend = device::aten::DecodeAttention::mask_of(keys, filled, mask);
        return device::mps::Attend::run(q, keys, values, std::optional(attend), scale);
    }
};

}  // namespace silica
