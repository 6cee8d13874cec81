#pragma once
/// JSON documents kept as values: configurations. Built on the reader that checkpoint headers use; small, since every
/// program that opens a model compiles it.

#include "silica/core/json_reader.hpp"
#include <silica/core/error.hpp>

#include <cstdint>
#include <limits>
#include <locale>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica {

/// A parsed value. Objects keep the order of the file; a name that stands twice in one object is an error of parsing.
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
    [[nodiscard]] bool is_number() const { return holds<std::int64_t>() || holds<double>(); }
    [[nodiscard]] bool is_string() const { return holds<std::string>(); }
    [[nodiscard]] bool is_array() const { return holds<Array>(); }
    [[nodiscard]] bool is_object() const { return holds<Object>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
    [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(value_); }
    [[nodiscard]] double number() const {
        return holds<double>() ? std::get<double>(value_) : static_cast<double>(integer());
    }
    [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
    [[nodiscard]] const Array& array() const { return std::get<Array>(value_); }
    [[nodiscard]] const Object& object() const { return std::get<Object>(value_); }

    /// The value of a name; null when this is no object or has no such name.
    [[nodiscard]] const Json* find(std::string_view name) const {
        if (!is_object()) return nullptr;
        for (const auto& [key, value] : object()) {
            if (key == name) return &value;
        }
        return nullptr;
    }

    /// The value as short text for an error: `true`, `-3`, `"gelu"`, `a list`.
    [[nodiscard]] std::string brief() const {
        if (is_null()) return "null";
        if (is_bool()) return boolean() ? "true" : "false";
        if (is_integer()) return std::to_string(integer());
        if (is_string()) return quote(string());
        if (is_array()) return "a list";
        if (is_object()) return "an object";
        std::ostringstream text;
        text.imbue(std::locale::classic());
        text << number();
        return text.str();
    }

private:
    template <class T>
    [[nodiscard]] bool holds() const {
        return std::holds_alternative<T>(value_);
    }
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

namespace detail {

/// The value of a JSON number: an integer where it is one and fits, else the nearest double.
inline Json json_number(std::string_view literal) {
    std::istringstream in{std::string(literal)};
    in.imbue(std::locale::classic());
    if (literal.find_first_of(".eE") == std::string_view::npos) {
        std::int64_t whole = 0;
        if (in >> whole) return Json(whole);
        in.clear();
        in.str(std::string(literal));
    }
    double value = 0;
    if (!(in >> value) && value != 0)
        value = value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return Json(value);
}

inline Json json_value(JsonReader& in) {
    switch (in.peek()) {
        case '{': {
            Json::Object members;
            std::set<std::string> seen;
            in.object([&](std::string name) {
                if (!seen.insert(name).second) in.fail("has the name " + quote(name) + " twice in one object");
                members.emplace_back(std::move(name), json_value(in));
            });
            return Json(std::move(members));
        }
        case '[': {
            Json::Array items;
            in.array([&] { items.push_back(json_value(in)); });
            return Json(std::move(items));
        }
        case '"':
            return Json(in.string());
        case 't':
            in.literal("true");
            return Json(true);
        case 'f':
            in.literal("false");
            return Json(false);
        case 'n':
            in.literal("null");
            return {};
        case 'N':
            in.literal("NaN");
            return Json(std::numeric_limits<double>::quiet_NaN());
        case 'I':
            in.literal("Infinity");
            return Json(std::numeric_limits<double>::infinity());
        default:
            break;
    }
    if (in.starts_with("-I")) {
        in.literal("-Infinity");
        return Json(-std::numeric_limits<double>::infinity());
    }
    return json_number(in.number_literal());
}

}  // namespace detail

inline Json Json::parse(std::string_view text, const std::string& source) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    try {
        JsonReader in(text, source, "Correct the file, or download it again.");
        Json value = detail::json_value(in);
        in.end();
        return value;
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
}

}  // namespace silica
