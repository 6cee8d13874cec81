#pragma once
/// Products of numbers that come from a file.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace silica {

/// The product of `factors`; ConfigError that names `what` ("num_attention_heads x head_dim") where 64 bits do not hold
/// it.
[[nodiscard]] std::int64_t checked_product(std::string_view what, std::span<const std::int64_t> factors);
[[nodiscard]] inline std::int64_t checked_product(std::string_view what, std::initializer_list<std::int64_t> factors) {
    return checked_product(what, std::span(factors.begin(), factors.size()));
}

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/checked_product.ipp"
#endif
