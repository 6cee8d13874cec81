#pragma once
/// Files that a download left in the place of another: their first bytes tell.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace silica {

/// What stands in a file's place, and what to do about it.
struct Impostor {
    std::string_view what;    ///< "a Git LFS pointer"
    std::string_view remedy;  ///< a sentence
};

/// How many bytes of a file `impostor` wants to see.
inline constexpr std::size_t impostor_bytes = 64;

/// What a file that begins with `start` is, when it can be neither weights nor a configuration; nothing otherwise.
[[nodiscard]] inline std::optional<Impostor> impostor(std::string_view start) {
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
