#pragma once
/// The size of a picture.

#include <cstdint>

namespace silica::image {

/// A height and a width, in pixels.
struct Extent {
    std::int64_t height = 0, width = 0;

    bool operator==(const Extent&) const = default;
};

}  // namespace silica::image
