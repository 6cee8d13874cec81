#pragma once
/// IEEE half precision; norms and softmax accumulate in float32.

#include "silica/precision/concept.hpp"

namespace silica::precision {

struct Fp16 {
    static constexpr std::string_view name = "float16";
    static constexpr c10::ScalarType storage = c10::ScalarType::Half, compute = c10::ScalarType::Half,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = false;
    using plain = Fp16;
};
static_assert(PrecisionPolicy<Fp16>);

}  // namespace silica::precision
