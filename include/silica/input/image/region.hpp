#pragma once
/// A rectangle of a picture.

#include <cstdint>

namespace silica::image {

/// Rows from `top` and columns from `left` on, in pixels.
struct Region {
    std::int64_t top = 0, left = 0, height = 0, width = 0;

    bool operator==(const Region&) const = default;
};

}  // namespace silica::image
