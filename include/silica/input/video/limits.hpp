#pragma once
/// How large videos may be.

#include "silica/core/error.hpp"
#include "silica/input/image/image.hpp"

#include <cstdint>
#include <string>

namespace silica::video {

/// Frames of more pixels are refused.
inline constexpr std::int64_t most_pixels = std::int64_t{8192} * 4352;
/// What is read at once takes no more memory.
inline constexpr std::int64_t most_bytes = std::int64_t{1} << 30;

namespace detail {

/// InputError unless `frames` frames of the video `name` may have this size.
inline void require_size(const std::string& name, std::int64_t width, std::int64_t height, std::int64_t frames) {
    const std::string size =
        name + " has frames of " + std::to_string(height) + " rows and " + std::to_string(width) + " columns";
    if (width < 1 || height < 1) throw InputError(size + ".", "Give a video with pixels; the file is damaged.");
    if (width > most_pixels / height) {
        throw InputError(size + ", more than " + std::to_string(most_pixels) + " pixels.",
                         "Give a smaller video; one as large as this exhausts memory.");
    }
    if (width * height * image::Image::channels > most_bytes / frames) {
        throw InputError(size + ", and " + std::to_string(frames) + " of them take more than " +
                             std::to_string(most_bytes) + " bytes.",
                         "Ask for fewer frames, or give a smaller video.");
    }
}

}  // namespace detail
}  // namespace silica::video
