#pragma once
/// How LLaVA-NeXT looks at an image of any size: resized into one of a list of resolutions, which is cut into tiles.
/// Liu et al. 2024, https://llava-vl.github.io/blog/2024-01-30-llava-next. Followed: transformers,
/// models/llava_next/modeling_llava_next.py and image_processing_utils.py, whose arithmetic this is to the last bit.

#include "silica/core/compiled.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace silica::anyres {

/// Height and width, in pixels or in patches.
struct Extent {
    std::int64_t height = 0, width = 0;
    friend bool operator==(const Extent&, const Extent&) = default;
};

/// The resolution that shows most of an image, and of several the one that leaves least empty; the first of equals.
/// Absent where there is none to choose from. All sizes are at least 1 and at most 2^31 - 1.
[[nodiscard]] std::optional<Extent> best_resolution(Extent image, std::span<const Extent> resolutions);

/// What of a grid shows the image, the rest being padding.
struct Shown {
    std::int64_t top = 0, left = 0;  ///< rows and columns before it
    Extent grid;                     ///< its rows and columns
    friend bool operator==(const Shown&, const Shown&) = default;
};

/// What of `grid` (rows and columns of patches) shows an image that was resized into it with its aspect kept. Padding
/// is taken off in pairs: of an odd number one row or column stays.
[[nodiscard]] Shown shown(Extent image, Extent grid);

/// How many features an image has: the patches of the whole image in one tile (`side` x `side`), then those that show
/// it in `tiles` (rows and columns of tiles), with a newline after each row.
[[nodiscard]] inline std::int64_t features(Extent image, Extent tiles, std::int64_t side) {
    const auto grid = shown(image, {tiles.height * side, tiles.width * side}).grid;
    return side * side + grid.height * (grid.width + 1);
}

}  // namespace silica::anyres

#ifndef SILICA_COMPILED
#include "silica/core/anyres.ipp"
#endif
