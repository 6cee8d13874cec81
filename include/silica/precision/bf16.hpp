#pragma once
/// bfloat16: float32 exponent, 8 bits of mantissa; norms and softmax accumulate in float32.

#include "silica/precision/concept.hpp"

namespace silica::precision {

struct Bf16 {
    static constexpr std::string_view name = "bfloat16";
    static constexpr c10::ScalarType storage = c10::ScalarType::BFloat16, compute = c10::ScalarType::BFloat16,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = false;
    using plain = Bf16;
};
static_assert(PrecisionPolicy<Bf16>);

}  // namespace silica::precision
