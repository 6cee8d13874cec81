#pragma once
/// How text is chosen: what is read and merged.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/generate/config.hpp"

#include <string>
#include <string_view>
#include <type_traits>

namespace silica::generate {

SILICA_INLINE void read_json(EarlyStopping& value, const Json& json, const std::string& path) {
    if (json.is_bool())
        value = json.boolean() ? EarlyStopping::yes : EarlyStopping::no;
    else if (json.is_string() && json.string() == "never")
        value = EarlyStopping::never;
    else
        throw ConfigError(path + " is " + json.brief() + ".", "write true, false or \"never\".");
}

namespace detail {

/// [a, b]. ConfigError for anything else.
inline const Json::Array& pair_of(const Json& json, const std::string& path, const char* what) {
    if (!json.is_array() || json.array().size() != 2)
        throw ConfigError(path + " is " + json.brief() + ".", std::string("write ") + what + ".");
    return json.array();
}

}  // namespace detail

SILICA_INLINE void read_json(SequenceBias& value, const Json& json, const std::string& path) {
    const auto& both = detail::pair_of(json, path, "[[token ids], bias]");
    silica::read_json(value.tokens, both[0], path + "[0]");
    silica::read_json(value.bias, both[1], path + "[1]");
}

SILICA_INLINE void read_json(LengthDecay& value, const Json& json, const std::string& path) {
    const auto& both = detail::pair_of(json, path, "[start, factor]");
    silica::read_json(value.start, both[0], path + "[0]");
    silica::read_json(value.factor, both[1], path + "[1]");
}

SILICA_INLINE GenerationConfig merged(GenerationConfig first, const GenerationConfig& then) {
    for_each_member(then, [&](std::string_view name, const auto& value) {
        for_each_member(first, [&](std::string_view same, auto& mine) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(mine)>, std::remove_cvref_t<decltype(value)>>) {
                if (name == same && !mine.has_value()) mine = value;
            }
        });
    });
    if (!first.seed) first.seed = then.seed;
    first.beyond_context = first.beyond_context || then.beyond_context;
    return first;
}

}  // namespace silica::generate
