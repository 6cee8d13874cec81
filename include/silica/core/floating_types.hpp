#pragma once
/// The types that numbers of models and their results come in.

#include <c10/core/ScalarType.h>

#include <initializer_list>

namespace silica {

/// For `require_tensor`: any of them.
inline constexpr std::initializer_list<c10::ScalarType> floating_types{
    c10::ScalarType::Float, c10::ScalarType::BFloat16, c10::ScalarType::Half, c10::ScalarType::Double};

}  // namespace silica
