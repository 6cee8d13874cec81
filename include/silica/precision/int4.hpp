#pragma once
/// Weights of products in 4 bits, the rest in C.

#include "silica/precision/weight_only.hpp"

namespace silica::precision {

/// `Int4<Bf16>`, `Int4<Fp32, activations::Int8>`.
template <class C = Fp32, class Activations = activations::Exact>
using Int4 = WeightOnly<C, 4, Activations>;
static_assert(PrecisionPolicy<Int4<>>);

}  // namespace silica::precision
