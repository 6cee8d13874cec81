#pragma once
/// Which kind of picture a file is. The content decides, not the name.

#include "silica/core/compiled.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace silica::image {

/// The kinds of file that are read.
enum class Kind { jpeg, png, webp };

/// The kind of a file, from its first bytes. `name` stands in errors. InputError where it is another kind of picture,
/// or none; the error names what it is where that is known.
[[nodiscard]] Kind kind_of(std::span<const std::byte> file, std::string_view name);

namespace detail {

/// `size` bytes from `offset` on as characters; fewer where the file ends.
[[nodiscard]] inline std::string_view text_at(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) {
    if (offset >= bytes.size()) return {};
    const auto rest = bytes.subspan(offset);
    return {reinterpret_cast<const char*>(rest.data()), size < rest.size() ? size : rest.size()};
}

/// Throws InputError: the picture `name` is damaged; `what` says how.
[[noreturn]] void damaged(std::string_view name, const std::string& what);

}  // namespace detail
}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/kind.ipp"
#endif
