#pragma once
/// Files that a download left in the place of another: their first bytes tell.

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
[[nodiscard]] std::optional<Impostor> impostor(std::string_view start);

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/impostor.ipp"
#endif
