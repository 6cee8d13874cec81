#pragma once
/// Definitions of checked_product.hpp.

#include "silica/core/checked_product.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <string>

namespace silica {

SILICA_INLINE std::int64_t checked_product(std::string_view what, std::span<const std::int64_t> factors) {
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

}  // namespace silica
