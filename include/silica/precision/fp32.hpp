#pragma once
/// IEEE single precision.

#include "silica/precision/concept.hpp"

namespace silica::precision {

struct Fp32 {
    static constexpr std::string_view name = "float32";
    static constexpr c10::ScalarType storage = c10::ScalarType::Float, compute = c10::ScalarType::Float,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = false;
    using plain = Fp32;
};
static_assert(PrecisionPolicy<Fp32>);

}  // namespace silica::precision
