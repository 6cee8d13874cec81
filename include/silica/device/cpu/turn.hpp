#pragma once
/// Rotary embedding: what the kernels of rotary and rotary_store share.

#include "silica/core/compiled.hpp"
#include "silica/core/tensor.hpp"

namespace silica::device::cpu {

/// x (batch, heads, tokens, d), cos and sin (batch or 1, tokens, d / 2) -> (batch, heads, tokens, d).
Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin);

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/turn.ipp"
#endif
