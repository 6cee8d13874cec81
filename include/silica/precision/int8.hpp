#pragma once
/// Weights of products in 8 bits, the rest in C.

#include "silica/precision/weight_only.hpp"

namespace silica::precision {

/// `Int8<Bf16>`, `Int8<Fp32, activations::Int8>`.
template <class C = Fp32, class Activations = activations::Exact>
using Int8 = WeightOnly<C, 8, Activations>;
static_assert(PrecisionPolicy<Int8<>>);

}  // namespace silica::precision
