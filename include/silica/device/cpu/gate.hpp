#pragma once
/// act(g) * u, in one pass: what the kernels of gated and linear_gated share.

#include "silica/core/compiled.hpp"
#include "silica/core/tensor.hpp"
#include "silica/op/activation.hpp"

namespace silica::device::cpu {

/// x (..., 2 n), the gate before what it multiplies -> (..., n).
Tensor gate(const Tensor& x, Activation act);

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/gate.ipp"
#endif
