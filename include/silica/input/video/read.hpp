#pragma once
/// Frames of videos, by FFmpeg's libraries.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"
#include "silica/input/video/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace silica::video {

/// `frames` frames of the first video stream of a file, spread evenly: number floor(i * total / frames) in the order
/// in which they are shown, i from 0. Total is how many can be decoded, whatever the file's header says. They are not
/// rotated, and keep their own size. The content of the file decides what it is, not its name, and it is the only file
/// that is opened, whatever it refers to. InputError, which names the file, where it cannot be read, is no video, has
/// no video stream (a cover picture is none) or fewer frames, is damaged or cut short, or is too large (`most_pixels`,
/// `most_bytes`).
///
/// The first call in a process turns FFmpeg's log off, if it is at its default level.
[[nodiscard]] std::vector<image::Image> read(const std::filesystem::path& path, std::int64_t frames);

/// The same for a file whose bytes are in memory. `name` stands for it in errors.
[[nodiscard]] std::vector<image::Image> decode(std::span<const std::byte> file, std::string_view name,
                                               std::int64_t frames);

}  // namespace silica::video

#ifndef SILICA_COMPILED
#include "silica/input/video/read.ipp"
#endif
