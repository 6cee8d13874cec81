#pragma once
/// What the steps of a processor can work with, whether a file or a program says it.

#include "silica/core/error.hpp"
#include "silica/input/image/filter.hpp"
#include "silica/input/image/processor_config.hpp"
#include "silica/input/image/processor_keys.hpp"
#include "silica/input/image/size_rule.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace silica::image::detail {

[[noreturn]] inline void refuse_step(const std::string& problem) {
    throw ConfigError("The processor has " + problem + ".",
                      "Take the numbers of the model's preprocessor_config.json.");
}

/// Whether it is a height and a width.
[[nodiscard]] inline bool is_exact(const SizeRule& rule) {
    return rule.height >= 1 && rule.height <= largest_side && rule.width >= 1 && rule.width <= largest_side;
}
/// Whether it says how large a picture becomes.
[[nodiscard]] inline bool says_a_size(const SizeRule& rule) {
    const auto none = [](std::int64_t a, std::int64_t b = 0) { return a == 0 && b == 0; };
    const auto side = [](std::int64_t n, std::int64_t least) { return n >= least && n <= largest_side; };
    const bool exact = is_exact(rule) || none(rule.height, rule.width);
    const bool edges =
        none(rule.shortest_edge, rule.longest_edge) || (side(rule.shortest_edge, 1) && side(rule.longest_edge, 0));
    const bool most = none(rule.max_height, rule.max_width) || (side(rule.max_height, 1) && side(rule.max_width, 1));
    return exact && edges && most && (rule.height > 0 || rule.shortest_edge > 0 || rule.max_height > 0);
}

/// Throws ConfigError where a step that is on lacks what it works with.
inline void check_steps(const ProcessorConfig& config) {
    if (config.family < ProcessorConfig::Family::vit || config.family > ProcessorConfig::Family::llava_next)
        refuse_step("a family that is none");
    const bool tiles = config.family == ProcessorConfig::Family::llava_next;
    if ((config.do_resize || tiles) && !says_a_size(config.size)) refuse_step("a size that is none");
    if (config.do_center_crop && !(config.crop_size && is_exact(*config.crop_size)))
        refuse_step("do_center_crop and no crop_size with height and width");
    if (config.do_pad && config.pad_size && !is_exact(*config.pad_size))
        refuse_step("a pad_size without height and width");
    const auto filter = static_cast<int>(config.resample);
    if (filter < 0 || filter > static_cast<int>(Filter::hamming)) refuse_step("a resample that is no filter");
    if (config.do_rescale && !std::isfinite(config.rescale_factor)) refuse_step("a rescale_factor that is not finite");
    for (std::size_t c = 0; c < 3; ++c) {
        const double mean = config.image_mean[c], deviation = config.image_std[c];
        if (config.do_normalize && !std::isfinite(mean)) refuse_step("an image_mean that is not finite");
        if (config.do_normalize && (static_cast<float>(deviation) == 0 || !std::isfinite(deviation)))
            refuse_step("an image_std that nothing can be divided by");
        if (config.pad_to_square && !(mean > -1.0 / 255 && mean < 256.0 / 255))
            refuse_step("pad_to_square and an image_mean that is no colour");
    }
    if (!tiles) return;
    const auto side = config.tile_side();
    if (side < 1 || side > largest_side || config.image_grid_pinpoints.empty()) refuse_step("no tiles to cut");
    for (const auto& grid : config.image_grid_pinpoints) {
        if (grid.height < 1 || grid.width < 1 || grid.height > largest_side || grid.width > largest_side)
            refuse_step("image_grid_pinpoints that are no sizes");
        const auto rows = (grid.height + side - 1) / side, columns = (grid.width + side - 1) / side;
        if (rows * columns > most_tiles)
            refuse_step("image_grid_pinpoints of more than " + std::to_string(most_tiles) + " tiles");
    }
}

}  // namespace silica::image::detail
