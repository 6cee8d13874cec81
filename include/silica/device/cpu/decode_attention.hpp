#pragma once
/// Attention to a cache on the CPU: only the filled slots are read.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu.hpp"
#include "silica/op/decode_attention.hpp"

#include <optional>

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Cpu> {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale);
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/device/cpu/decode_attention.ipp"
#endif
