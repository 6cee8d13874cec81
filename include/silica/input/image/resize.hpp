#pragma once
/// Resizing as Pillow does it, byte for byte.

#include "silica/core/compiled.hpp"
#include "silica/input/image/filter.hpp"
#include "silica/input/image/image.hpp"
#include "silica/input/image/passes.hpp"
#include "silica/input/image/region.hpp"

#include <cstdint>

namespace silica::image {

/// The picture in another size. Each side is filtered on its own, in integers (`Weights`), and rounded to bytes between
/// the two passes; a side that has its size already is left alone. InputError where the size is refused (`check_size`),
/// or the filter is none.
[[nodiscard]] Image resize(const Image& image, std::int64_t height, std::int64_t width, Filter filter);

/// A part of the resized picture, without the work for the rest. InputError where it is not inside of the picture. Any
/// `passes` give the same bytes.
[[nodiscard]] Image resize(const Image& image, std::int64_t height, std::int64_t width, Filter filter, Region part,
                           const Passes& passes = best_passes());

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/resize.ipp"
#endif
