#pragma once
/// A bound on JSON of others, before it is parsed: copies and printing of its values go as deep on the stack as it does.

#include <cstddef>
#include <string_view>

namespace silica::bench::suite {

/// Whether the JSON is nested deeper than any of ours. What is no JSON may get either answer.
[[nodiscard]] inline bool nested_too_deep(std::string_view text) {
    constexpr int levels = 100;
    int depth = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_text && c == '\\') {
            ++i;
        } else if (c == '"') {
            in_text = !in_text;
        } else if (!in_text) {
            if ((c == '[' || c == '{') && ++depth > levels) return true;
            if (c == ']' || c == '}') --depth;
        }
    }
    return false;
}

}  // namespace silica::bench::suite
