#pragma once
/// Definitions of impostor.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/impostor.hpp"

#include <algorithm>

namespace silica {

SILICA_INLINE std::optional<Impostor> impostor(std::string_view start) {
    constexpr std::string_view again = "Download the file again, signed in where its repository asks for that.";
    if (start.starts_with("version https://git-lfs"))
        return Impostor{"a Git LFS pointer", "Run `git lfs pull` in its directory."};
    for (const std::string_view message : {"Entry not found", "Repository not found", "Invalid username or password",
                                           "Invalid credentials", "Access to model"})
        if (start.starts_with(message)) return Impostor{"the error message of a download", again};
    start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n\xEF\xBB\xBF"), start.size()));
    for (const std::string_view tag : {"<!doctype", "<html", "<head", "<?xml"}) {
        const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
        if (start.size() >= tag.size() && std::equal(tag.begin(), tag.end(), start.begin(),
                                                     [&](char letter, char found) { return same(found, letter); }))
            return Impostor{"a web page", again};
    }
    return std::nullopt;
}

}  // namespace silica
