#pragma once
/// Whole numbers of GGUF's metadata.

#include "silica/core/json.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace silica {

/// A list of so many numbers may have one for each layer.
inline constexpr std::uint64_t gguf_most_layers = 4096;

/// A whole number; a list that holds one and the same for each layer is one too.
[[nodiscard]] inline std::optional<std::int64_t> gguf_integer(const Json& value) {
    if (value.is_integer()) return value.integer();
    if (!value.is_array() || value.array().empty() || !value.array().front().is_integer()) return std::nullopt;
    const auto first = value.array().front().integer();
    const auto same = [&](const Json& item) { return item.is_integer() && item.integer() == first; };
    if (!std::all_of(value.array().begin(), value.array().end(), same)) return std::nullopt;
    return first;
}

}  // namespace silica
