#pragma once
/// How many tokens stand for a picture.

#include "silica/core/compiled.hpp"
#include "silica/input/image/extent.hpp"
#include "silica/input/image_text/processor_config.hpp"

#include <cstdint>
#include <span>

namespace silica::image_text {

/// LLaVA: one for each patch of a picture processed to `size`. ConfigError where that is none, or more than any model
/// takes.
[[nodiscard]] std::int64_t llava_tokens(const ProcessorConfig& config, image::Extent size);

/// LLaVA-NeXT: one for each patch of the tiles of `size` that shows a part of the `picture`, one for the end of each
/// row of them, and those of the whole picture squeezed into a tile. `grids`: the sizes it may be cut from.
/// ConfigError as above.
[[nodiscard]] std::int64_t llava_next_tokens(const ProcessorConfig& config, image::Extent picture, image::Extent size,
                                             std::span<const image::Extent> grids);

}  // namespace silica::image_text

#ifndef SILICA_COMPILED
#include "silica/input/image_text/token_count.ipp"
#endif
