#pragma once
/// Definitions of reflect.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/reflect.hpp"

namespace silica {

namespace detail {

SILICA_INLINE void fail_wanted(const std::string& path, const Json& json, std::string_view what) {
    std::string problem = path;
    problem.append(" is ").append(json.brief()).append(", ").append(what).append(" is wanted.");
    throw ConfigError(std::move(problem), "correct the key, or download the file again.");
}

/// The most that the integer at `path` ("config.json: num_hidden_layers") may be.
SILICA_INLINE std::int64_t config_bound(std::string_view path) {
    const auto key = path.substr(path.find_last_of(". ") + 1);
    return key.ends_with("layers") && !key.starts_with("max_") ? most_layers : largest_config_integer;
}

SILICA_INLINE std::int64_t config_integer(const Json& json, const std::string& path) {
    const auto most = config_bound(path);
    const double size = json.is_number() ? json.number() : 0;
    if (size > static_cast<double>(most)) fail_wanted(path, json, "at most " + std::to_string(most));
    if (size < static_cast<double>(-largest_config_integer))
        fail_wanted(path, json, "at least " + std::to_string(-largest_config_integer));
    if (!json.is_integer()) fail_wanted(path, json, "an integer");
    return json.integer();
}

}  // namespace detail

SILICA_INLINE void require_at_least(const std::string& file, std::string_view key, std::int64_t value,
                                    std::int64_t least) {
    if (value >= least) return;
    throw ConfigError(file + ": " + std::string(key) + " is " + std::to_string(value) + ", " + std::to_string(least) +
                          " or more is needed.",
                      "correct the key, or download the file again.");
}

SILICA_INLINE void refuse_config(const std::string& file, std::string_view key, const std::string& value,
                                 const std::string& remedy) {
    throw ConfigError(file + ": " + std::string(key) + " = " + value + " is not supported.", remedy);
}

}  // namespace silica
