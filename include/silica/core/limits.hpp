#pragma once
/// The numbers that floating types can hold.

#include <c10/core/ScalarType.h>

namespace silica {

/// The least finite number of float16, bfloat16 or float32: what transformers adds to scores to hide a key.
constexpr double least_of(c10::ScalarType type) {
    return type == c10::ScalarType::Half ? -65504.0 : type == c10::ScalarType::BFloat16 ? -0x1.FEp127 : -0x1.FFFFFEp127;
}

}  // namespace silica
