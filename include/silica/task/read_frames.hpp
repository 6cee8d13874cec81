#pragma once
/// The frames of one video, from pictures or from a video file.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace silica::task {

/// Whether a file begins as a picture does that is read (JPEG, PNG, WebP). False where it cannot be read.
[[nodiscard]] bool is_picture(const std::filesystem::path& file);

/// The frames of one video: where `files` is a single file that is no picture, `frames` of it, spread evenly (see
/// video::read); else each file is one frame, in this order. Pictures are read on several threads. InputError, which
/// names the file, for what is not read, and where there are no files.
[[nodiscard]] std::vector<image::Image> read_frames(std::span<const std::filesystem::path> files, std::int64_t frames);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/read_frames.ipp"
#endif
