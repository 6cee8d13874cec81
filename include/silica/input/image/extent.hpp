#pragma once
/// The size of a picture: `Extent`, a height and a width in pixels.

#include "silica/core/anyres.hpp"

namespace silica::image {

using anyres::Extent;

}  // namespace silica::image
