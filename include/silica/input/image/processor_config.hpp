#pragma once
/// What the files of a checkpoint say about its pictures: preprocessor_config.json, processor_config.json.

#include "silica/core/compiled.hpp"
#include "silica/input/image/extent.hpp"
#include "silica/input/image/filter.hpp"
#include "silica/input/image/size_rule.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace silica::image {

/// The steps of a processor, by the names of the keys. docs/images.md has the table of keys.
struct ProcessorConfig {
    /// Whose processor: ViTImageProcessor, DeiTImageProcessor, CLIPImageProcessor, VideoMAEImageProcessor,
    /// DetrImageProcessor, SiglipImageProcessor, LlavaImageProcessor, LlavaNextImageProcessor.
    enum class Family { vit, deit, clip, videomae, detr, siglip, llava, llava_next };

    Family family = Family::vit;
    bool do_convert_rgb = false;  ///< before all else, a picture's transparent colour becomes white
    bool do_resize = true;
    SizeRule size = {.height = 224, .width = 224};
    Filter resample = Filter::bilinear;
    bool do_center_crop = false;
    std::optional<SizeRule> crop_size = {};
    bool do_rescale = true;
    double rescale_factor = 1.0 / 255;
    bool do_normalize = true;
    std::array<double, 3> image_mean = {0.5, 0.5, 0.5}, image_std = {0.5, 0.5, 0.5};
    bool do_pad = false;
    std::optional<SizeRule> pad_size = {};  ///< absent: the largest of the batch
    bool pad_to_square = false;             ///< before it is resized, with the colour image_mean: LLaVA's do_pad
    std::vector<Extent> image_grid_pinpoints = {};  ///< LLaVA-NeXT: what pictures may become before they are cut

    /// The side of the squares that LLaVA-NeXT cuts a resized picture into.
    [[nodiscard]] std::int64_t tile_side() const;

    /// What a family's processor does where a file says nothing.
    [[nodiscard]] static ProcessorConfig of(Family family);
    /// Reads the files of a directory. ConfigError where there is none, where it names a processor that is not known,
    /// or where a key has a value that the processor cannot work with.
    [[nodiscard]] static ProcessorConfig open(const std::filesystem::path& directory);
};

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/processor_config.ipp"
#endif
