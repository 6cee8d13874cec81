#pragma once
/// JSON documents kept as values: configurations. Built on the reader that checkpoint headers use.

#include "silica/core/compiled.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica {

/// An integer that 64 bits do not hold: its digits, as the file has them.
struct LongInteger {
    std::string digits;  ///< a '-' comes first where it is negative
};

/// A parsed value. Objects keep the order of the file; a name that stands twice in one object has its last value, as in
/// Python.
class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<std::pair<std::string, Json>>;

    Json() = default;
    template <class T>
        requires(!std::is_same_v<std::remove_cvref_t<T>, Json>)
    explicit Json(T value) : value_(std::move(value)) {}

    /// Parses a whole text (RFC 8259, and the NaN and Infinity that Python writes). `source` names it in errors:
    /// ConfigError with line and column.
    [[nodiscard]] static Json parse(std::string_view text, const std::string& source);

    [[nodiscard]] bool is_null() const { return holds<std::monostate>(); }
    [[nodiscard]] bool is_bool() const { return holds<bool>(); }
    [[nodiscard]] bool is_integer() const { return holds<std::int64_t>(); }
    [[nodiscard]] bool is_long_integer() const { return holds<LongInteger>(); }
    [[nodiscard]] bool is_number() const { return is_integer() || is_long_integer() || holds<double>(); }
    [[nodiscard]] bool is_string() const { return holds<std::string>(); }
    [[nodiscard]] bool is_array() const { return holds<Array>(); }
    [[nodiscard]] bool is_object() const { return holds<Object>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
    [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(value_); }
    [[nodiscard]] const std::string& digits() const { return std::get<LongInteger>(value_).digits; }
    /// Any number as the nearest double.
    [[nodiscard]] double number() const;
    [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
    [[nodiscard]] const Array& array() const { return std::get<Array>(value_); }
    [[nodiscard]] const Object& object() const { return std::get<Object>(value_); }

    /// The value of a name; null when this is no object or has no such name.
    [[nodiscard]] const Json* find(std::string_view name) const;

    /// The value as short text for an error: `true`, `-3`, `"gelu"`, `a list`.
    [[nodiscard]] std::string brief() const;

private:
    template <class T>
    [[nodiscard]] bool holds() const {
        return std::holds_alternative<T>(value_);
    }
    std::variant<std::monostate, bool, std::int64_t, double, LongInteger, std::string, Array, Object> value_;
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/json.ipp"
#endif
