#pragma once
/// Structs as lists of named members: how configurations are read from JSON.

#include "silica/core/error.hpp"
#include "silica/core/json.hpp"

#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica {

/// A struct that Hana was told about with BOOST_HANA_ADAPT_STRUCT.
template <class T>
concept Reflected = boost::hana::Struct<std::remove_cvref_t<T>>::value;

/// Calls `f(name, member)` for each member in order; `name` is a std::string_view.
template <Reflected T, class F>
void for_each_member(T&& object, F&& f) {
    boost::hana::for_each(boost::hana::accessors<std::remove_cvref_t<T>>(), [&](auto member) {
        f(std::string_view(boost::hana::to<const char*>(boost::hana::first(member))),
          boost::hana::second(member)(object));
    });
}

/// No integer of a configuration is larger than this, or smaller than its negative: sizes, ids, lengths.
inline constexpr std::int64_t largest_config_integer = 2'147'483'647;
/// No network has more layers than this: they are counted before the first weight is missed.
inline constexpr std::int64_t most_layers = 100'000;

namespace detail {

[[noreturn]] void fail_wanted(const std::string& path, const Json& json, std::string_view what);

/// The integer in `json`, within its bounds.
[[nodiscard]] std::int64_t config_integer(const Json& json, const std::string& path);

}  // namespace detail

/// Reads the members of `value` from the object `json`, as `read_json` says; for a type that reads itself, and has
/// members that are read as ever.
template <Reflected T>
void read_members(T& value, const Json& json, const std::string& path);

/// Reads `json` into `value`: booleans, integers, numbers, strings, enums by name (`enum_names`), optionals (null is
/// absent), vectors (a single value is a list of one), maps, nested structs. A key that is missing keeps its default;
/// `T::aliases()` lists other spellings of keys. A type that reads itself has `read(json, path)`. `path` is
/// "config.json: key" so far. Integers have bounds
/// (`largest_config_integer`; `most_layers` where the key ends with "layers"); numbers may be infinite or NaN.
/// Throws ConfigError with the file, the key, what was found and what is wanted.
template <class T>
void read_json(T& value, const Json& json, const std::string& path) {
    const auto wants = [&](std::string_view what) { detail::fail_wanted(path, json, what); };
    if constexpr (std::is_same_v<T, Json>) {
        value = json;
    } else if constexpr (std::is_same_v<T, bool>) {
        if (!json.is_bool()) wants("true or false");
        value = json.boolean();
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
        value = detail::config_integer(json, path);
    } else if constexpr (std::is_same_v<T, double>) {
        if (!json.is_number()) wants("a number");
        value = json.number();
    } else if constexpr (std::is_same_v<T, std::string>) {
        if (!json.is_string()) wants("a string");
        value = json.string();
    } else if constexpr (std::is_enum_v<T>) {
        if (!json.is_string()) wants("a name");
        std::string known;
        for (const auto& [name, meaning] : enum_names(T{})) {
            if (name == json.string()) {
                value = meaning;
                return;
            }
            known += (known.empty() ? "" : ", ") + std::string(name);
        }
        throw ConfigError(path + " is " + json.brief() + ", which is not supported.", "known are " + known + ".");
    } else if constexpr (requires {
                             typename T::value_type;
                             value.has_value();
                         }) {
        if (json.is_null()) return value.reset();
        read_json(value.emplace(), json, path);
    } else if constexpr (requires { typename T::mapped_type; }) {
        if (!json.is_object()) wants("an object");
        for (const auto& [key, item] : json.object()) read_json(value[key], item, path + "." + key);
    } else if constexpr (requires { value.read(json, path); }) {
        value.read(json, path);
    } else if constexpr (Reflected<T>) {
        read_members(value, json, path);
    } else {  // a vector
        value.clear();
        if (!json.is_array()) return read_json(value.emplace_back(), json, path);
        for (const auto& item : json.array()) read_json(value.emplace_back(), item, path);
    }
}

template <Reflected T>
void read_members(T& value, const Json& json, const std::string& path) {
    if (!json.is_object()) detail::fail_wanted(path, json, "an object");
    const std::string inside = path + (path.ends_with(':') ? " " : ".");
    for_each_member(value, [&](std::string_view name, auto& member) {
        std::string_view key = name;
        if constexpr (requires { T::aliases(); }) {
            for (const auto& [main, other] : T::aliases()) {
                if (main == name && json.find(key) == nullptr && json.find(other) != nullptr) key = other;
            }
        }
        if (const Json* found = json.find(key)) {
            // null stands for "the default" in configurations that transformers writes
            if (!found->is_null() || requires { member.has_value(); })
                read_json(member, *found, inside + std::string(key));
        }
    });
}

/// Throws ConfigError where a number among `value`'s members is infinite or NaN; `path` is "config.json:".
template <class T>
void require_finite(const T& value, const std::string& path) {
    if constexpr (std::is_same_v<T, double>) {
        if (!std::isfinite(value)) detail::fail_wanted(path, Json(value), "a finite number");
    } else if constexpr (Reflected<T>) {
        const std::string inside = path + (path.ends_with(':') ? " " : ".");
        for_each_member(value, [&](std::string_view name, const auto& member) {
            require_finite(member, inside + std::string(name));
        });
    } else if constexpr (requires {
                             typename T::value_type;
                             value.has_value();
                         }) {
        if (value) require_finite(*value, path);
    } else if constexpr (requires { typename T::mapped_type; }) {
        for (const auto& [key, item] : value) require_finite(item, path + "." + key);
    } else if constexpr (requires { typename T::allocator_type; } && !std::is_same_v<T, std::string>) {
        for (const auto& item : value) {
            if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(item)>, bool>) require_finite(item, path);
        }
    }
}

/// Throws ConfigError unless `value` is at least `least`: for sizes, which must not be zero or negative.
void require_at_least(const std::string& file, std::string_view key, std::int64_t value, std::int64_t least = 1);

/// Throws ConfigError that says a key has a value whose meaning is not implemented.
[[noreturn]] void refuse_config(const std::string& file, std::string_view key, const std::string& value,
                                const std::string& remedy);

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/reflect.ipp"
#endif
