#pragma once
/// Names from files and users, made fit to print in an error.

#include <cstddef>
#include <string>
#include <string_view>

namespace silica {

/// `name` in single quotes, fit to print: cut after 120 bytes, control bytes shown as '?'.
[[nodiscard]] inline std::string quote(std::string_view name) {
    constexpr std::size_t longest = 120;
    std::string out = "'";
    for (const char c : name.substr(0, longest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (name.size() > longest) {
        while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
        if (static_cast<unsigned char>(out.back()) >= 0xc0U) out.pop_back();
        out += "...";
    }
    return out + "'";
}

}  // namespace silica
