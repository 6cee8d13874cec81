#pragma once
/// From a file's bytes to the decoder of its kind.

#include "silica/core/error.hpp"
#include "silica/input/image/jpeg.hpp"
#include "silica/input/image/kind.hpp"
#include "silica/input/image/png.hpp"
#include "silica/input/image/read.hpp"
#include "silica/input/image/webp.hpp"

#include <cstdint>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <system_error>

namespace silica::image {

namespace detail {

/// Files larger than this are refused: a picture of as many pixels as are allowed is smaller.
inline constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 29U;

[[noreturn]] inline void unreadable(const std::string& name, const std::string& why) {
    throw InputError(name + " cannot be read: " + why + ".", "Check that the file exists and that you may read it.");
}

}  // namespace detail

SILICA_INLINE Image decode(std::span<const std::byte> file, std::string_view name) {
    switch (kind_of(file, name)) {
        case Kind::jpeg:
            return decode_jpeg(file, name);
        case Kind::png:
            return decode_png(file, name);
        case Kind::webp:
            break;
    }
    return decode_webp(file, name);
}

SILICA_INLINE Image read(const std::filesystem::path& path) {
    const std::string name = path.string();
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) detail::unreadable(name, "there is no such file");
    if (!std::filesystem::is_regular_file(status)) detail::unreadable(name, "it is no file");
    const auto size = std::filesystem::file_size(path, error);
    if (error) detail::unreadable(name, error.message());
    std::ifstream in(path, std::ios::binary);
    if (!in) detail::unreadable(name, "it does not open");
    constexpr std::uintmax_t head_size = 4096;
    std::byte head[head_size];
    const auto read_into = [&](std::byte* to, std::uintmax_t count) {
        if (!in.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(count)))
            detail::unreadable(name, "it ends early");
    };
    // What is no picture is not read to its end.
    const auto first = size < head_size ? size : head_size;
    read_into(head, first);
    (void)kind_of({head, static_cast<std::size_t>(first)}, name);
    if (size > detail::largest_file) {
        throw InputError(name + " has " + std::to_string(size) + " bytes, more than any picture that is read.",
                         "Give a smaller picture.");
    }
    const std::unique_ptr<std::byte[]> bytes(new (std::nothrow) std::byte[static_cast<std::size_t>(size)]);
    if (!bytes) throw InputError(name + " is larger than the memory there is.", "Give a smaller picture.");
    in.seekg(0);
    read_into(bytes.get(), size);
    return decode({bytes.get(), static_cast<std::size_t>(size)}, name);
}

}  // namespace silica::image
