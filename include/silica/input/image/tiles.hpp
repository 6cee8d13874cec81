#pragma once
/// Pictures of any resolution as tiles of one size (LLaVA-NeXT), and pictures in squares (LLaVA).

#include "silica/core/compiled.hpp"
#include "silica/input/image/extent.hpp"
#include "silica/input/image/image.hpp"
#include "silica/input/image/processor_config.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace silica::image {

/// The picture as a whole, squeezed to the size of a tile, then its tiles, row by row: resized into its best
/// resolution with its ratio kept, black around it. InputError where a size is refused (`check_size`).
[[nodiscard]] std::vector<Image> tiles_of(const Image& image, const ProcessorConfig& config);

/// The picture in the middle of a square of its longer side, the rest in one colour; an odd row or column is after it.
[[nodiscard]] Image in_square(const Image& image, std::array<std::uint8_t, 3> colour);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/tiles.ipp"
#endif
