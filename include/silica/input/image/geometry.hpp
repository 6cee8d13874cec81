#pragma once
/// How large a picture becomes, and which part of it a crop takes.

#include "silica/core/compiled.hpp"
#include "silica/input/image/extent.hpp"
#include "silica/input/image/processor_config.hpp"
#include "silica/input/image/region.hpp"

#include <cstdint>

namespace silica::image {

/// The size that a picture is resized to. A side may come out as 0, which cannot be.
[[nodiscard]] Extent resized(const SizeRule& rule, Extent picture);

/// A crop about the middle: `part` of the picture stands in the crop from (top, left) on, with zeros around it.
struct Crop {
    Region part = {};
    std::int64_t top = 0, left = 0;
};
[[nodiscard]] Crop cropped(Extent crop, Extent picture);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/geometry.ipp"
#endif
