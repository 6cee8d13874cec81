#pragma once
/// Products of numbers that come from a file.

#include "silica/core/error.hpp"

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace silica {

/// The product of `factors`; ConfigError that names `what` ("num_attention_heads x head_dim") where 64 bits do not hold
/// it.
[[nodiscard]] inline std::int64_t checked_product(std::string_view what, std::span<const std::int64_t> factors) {
    std::int64_t product = 1;
    bool zero = false, fits = true;
    for (const auto factor : factors) {
        zero = zero || factor == 0;
        fits = fits && !__builtin_mul_overflow(product, factor, &product);
    }
    if (zero) return 0;
    if (fits) return product;
    std::string numbers;
    for (const auto factor : factors) numbers.append(numbers.empty() ? "" : " x ").append(std::to_string(factor));
    throw ConfigError(std::string(what).append(" is ").append(numbers).append(", more than any memory holds."),
                      "correct the sizes, or download the file again.");
}
[[nodiscard]] inline std::int64_t checked_product(std::string_view what, std::initializer_list<std::int64_t> factors) {
    return checked_product(what, std::span(factors.begin(), factors.size()));
}

}  // namespace silica
