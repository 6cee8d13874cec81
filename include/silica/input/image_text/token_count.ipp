#pragma once
/// Counts of tokens. Followed: transformers 5.23, models/llava/processing_llava.py,
/// models/llava_next/processing_llava_next.py.

#include "silica/core/anyres.hpp"
#include "silica/core/error.hpp"
#include "silica/input/image_text/token_count.hpp"

#include <string>

namespace silica::image_text {

namespace count_detail {

/// More tokens of one picture are refused.
inline constexpr std::int64_t most_tokens = 1 << 20;

[[nodiscard]] inline std::int64_t checked(const ProcessorConfig& config, image::Extent size, std::int64_t tokens) {
    if (tokens >= 1 && tokens <= most_tokens) return tokens;
    throw ConfigError("A picture processed to " + std::to_string(size.height) + " x " + std::to_string(size.width) +
                          " pixels has " + std::to_string(tokens) + " tokens with a patch_size of " +
                          std::to_string(config.patch_size) + ".",
                      "Take processor_config.json and preprocessor_config.json from the model's repository again.");
}

}  // namespace count_detail

SILICA_INLINE std::int64_t llava_tokens(const ProcessorConfig& config, image::Extent size) {
    if (config.patch_size < 1 || size.height < 1 || size.width < 1) return count_detail::checked(config, size, 0);
    const auto patches = (size.height / config.patch_size) * (size.width / config.patch_size);
    const auto tokens = patches + config.num_additional_image_tokens - (config.drops_first ? 1 : 0);
    return count_detail::checked(config, size, tokens);
}

SILICA_INLINE std::int64_t llava_next_tokens(const ProcessorConfig& config, image::Extent picture, image::Extent size,
                                             std::span<const image::Extent> grids) {
    using namespace count_detail;
    const auto base = llava_tokens(config, size);
    const auto grid = anyres::best_resolution(picture, grids);
    if (!grid) return checked(config, size, 0);
    const image::Extent patches{size.height / config.patch_size * (grid->height / size.height),
                                size.width / config.patch_size * (grid->width / size.width)};
    if (patches.height < 1 || patches.width < 1) return checked(config, size, 0);
    const auto shown = anyres::shown(picture, patches).grid;
    return checked(config, size, shown.height * (shown.width + 1) + base);
}

}  // namespace silica::image_text
