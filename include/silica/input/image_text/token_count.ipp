#pragma once
/// Counts of tokens. Followed: transformers 5.23, models/llava/processing_llava.py,
/// models/llava_next/processing_llava_next.py.

#include "silica/core/error.hpp"
#include "silica/input/image/tiles.hpp"
#include "silica/input/image_text/token_count.hpp"

#include <cstdio>
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

/// Python's int(round(x, 7)): a number that is below the next whole one by less than half of 1e-7 is that one.
[[nodiscard]] inline std::int64_t rounded_down(double x) {
    char digits[352];  // any double, with seven places
    std::snprintf(digits, sizeof digits, "%.7f", x);
    std::int64_t whole = 0;
    for (const char* at = digits; *at >= '0' && *at <= '9'; ++at) whole = 10 * whole + (*at - '0');
    return whole;
}

}  // namespace count_detail

SILICA_INLINE std::int64_t llava_tokens(const ProcessorConfig& config, image::Extent size) {
    const auto patches = (size.height / config.patch_size) * (size.width / config.patch_size);
    const auto tokens = patches + config.num_additional_image_tokens - (config.drops_first ? 1 : 0);
    return count_detail::checked(config, size, tokens);
}

SILICA_INLINE std::int64_t llava_next_tokens(const ProcessorConfig& config, image::Extent picture, image::Extent size,
                                             std::span<const image::Extent> grids) {
    using namespace count_detail;
    const auto base = llava_tokens(config, size);
    const auto grid = image::best_resolution(picture, grids);
    auto rows = size.height / config.patch_size * (grid.height / size.height);
    auto columns = size.width / config.patch_size * (grid.width / size.width);
    if (rows < 1 || columns < 1) (void)checked(config, size, 0);
    const auto h = static_cast<double>(picture.height), w = static_cast<double>(picture.width);
    const auto r = static_cast<double>(rows), c = static_cast<double>(columns);
    if (w / h > c / r)
        rows -= (rows - rounded_down(h * (c / w))) / 2 * 2;
    else
        columns -= (columns - rounded_down(w * (r / h))) / 2 * 2;
    return checked(config, size, rows * columns + rows + base);
}

}  // namespace silica::image_text
