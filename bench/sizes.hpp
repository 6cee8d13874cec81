#pragma once
/// How large the inputs of a measurement are: each family says in what it measures them.

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::bench {

/// One way to measure an input. A family that reads something else than text adds a line to `size_kinds`.
struct SizeKind {
    std::string_view name;    ///< in JSON, and where families name it
    std::string_view flag;    ///< of the command line, a list of numbers
    std::string_view column;  ///< of tables
    std::string_view help;
};

inline constexpr std::array size_kinds{
    SizeKind{"prompt_tokens", "--prompt-tokens", "tokens", "length of text inputs; a list"},
    SizeKind{"image_size", "--image-size", "image", "height of image inputs, in pixels; a list"},
    SizeKind{"frames", "--frames", "frames", "frames of video inputs; a list"},
};

/// Sizes by the names of their kinds, in the family's order.
using NamedSizes = std::vector<std::pair<std::string_view, std::int64_t>>;

struct Sizes {
    std::int64_t batch = 1;
    std::int64_t new_tokens = 0;  ///< to generate; 0 for a task that does not
    NamedSizes named = {};

    /// The size of a kind; 0 where the family does not measure in it.
    [[nodiscard]] std::int64_t of(std::string_view name) const {
        for (const auto& [kind, n] : named)
            if (kind == name) return n;
        return 0;
    }
    [[nodiscard]] std::int64_t tokens() const { return of("prompt_tokens"); }

    friend bool operator==(const Sizes&, const Sizes&) = default;
};

}  // namespace silica::bench
