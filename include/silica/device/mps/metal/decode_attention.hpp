#pragma once
/// Attention of one new token by an own Metal kernel (decode_attention.metal.hpp), which reads the filled slots only.

#include "silica/core/compiled.hpp"
#include "silica/device/mps/metal/own.hpp"
#include "silica/device/mps/metal/rows.hpp"

#include <optional>

namespace silica::device::mps::metal {

/// Whether the kernel serves for these arguments of op::DecodeAttention: heads of up to 256 values.
[[nodiscard]] Serves decode_attention_serves(const Tensor& q, const Tensor& keys, const Tensor& values,
                                             const std::optional<Tensor>& mask);

/// op::DecodeAttention. `decode_attention_serves` has said yes.
[[nodiscard]] Tensor decode_attention(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                                      const std::optional<Tensor>& mask, double scale);

}  // namespace silica::device::mps::metal

#ifndef SILICA_COMPILED
#include "silica/device/mps/metal/decode_attention.ipp"
#endif
