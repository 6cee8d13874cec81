#pragma once
/// Pictures without their transparent colour.

#include "silica/core/compiled.hpp"
#include "silica/input/image/image.hpp"

#include <span>
#include <vector>

namespace silica::image {

/// The pictures with white where each has its transparent colour; others share their pixels with what is given.
/// InputError where the memory is not there.
[[nodiscard]] std::vector<Image> on_white(std::span<const Image> images);

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/on_white.ipp"
#endif
