#pragma once
/// Decimal numbers, read as the nearest double whatever the locale.

#include <charconv>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica {

namespace detail {

/// For standard libraries whose from_chars knows no floating point, and for what from_chars calls out of range.
[[nodiscard]] inline double slow_real(std::string_view decimal) {
    std::istringstream in{std::string(decimal)};
    in.imbue(std::locale::classic());
    double value = 0;
    if (in >> value || value == 0) return value;
    return value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}

}  // namespace detail

/// The nearest double of `-12.5e+3` and its like, as Python's float() reads it: infinite beyond the largest, zero
/// below the smallest.
[[nodiscard]] inline double read_real(std::string_view decimal) {
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    double value = 0;
    if (std::from_chars(decimal.data(), decimal.data() + decimal.size(), value).ec == std::errc()) return value;
#endif
    return detail::slow_real(decimal);
}

}  // namespace silica
