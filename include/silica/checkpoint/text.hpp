#pragma once
/// Words for error messages: quoted names, numbers of bytes, shapes.

#include "silica/core/quote.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace silica::checkpoint {

using silica::quote;

/// "1 byte", "4096 bytes".
[[nodiscard]] inline std::string bytes(std::uint64_t n) { return std::to_string(n) + (n == 1 ? " byte" : " bytes"); }

/// "(2, 3)" for a shape or strides; at most 16 numbers are written out.
template <class Numbers>
[[nodiscard]] std::string tuple_text(const Numbers& numbers) {
    std::string out = "(";
    std::size_t n = 0;
    for (const auto x : numbers) {
        if (n++ != 0) out += ", ";
        if (n > 16) return out + "...)";
        out += std::to_string(x);
    }
    return out + ")";
}

}  // namespace silica::checkpoint
