#pragma once
/// What the files of a checkpoint say about pictures among text: processor_config.json, else config.json.

#include "silica/core/compiled.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace silica::image_text {

/// How many tokens stand for a picture, by the names of the keys.
struct ProcessorConfig {
    /// Whose processor: LlavaProcessor, LlavaNextProcessor.
    enum class Family { llava, llava_next };

    Family family = Family::llava;
    std::string image_token = "<image>";           ///< where a prompt has a picture; the tokenizer's goes before it
    std::int64_t patch_size = 14;                  ///< pixels of a side of a patch of the vision tower
    bool drops_first = true;                       ///< vision_feature_select_strategy is "default"
    std::int64_t num_additional_image_tokens = 1;  ///< of the tower, besides patches: a class token

    /// Reads the files of a directory. Where they have no patch_size, as those of before 2025, what is missing is as
    /// config.json says: its patch size and strategy, and one additional token for a CLIP tower. ConfigError where a
    /// file is damaged or is of another processor.
    [[nodiscard]] static ProcessorConfig open(const std::filesystem::path& directory);

    /// Whether a directory is of one of these families: what names its processor, or else config.json, says so.
    [[nodiscard]] static bool is_in(const std::filesystem::path& directory);
};

}  // namespace silica::image_text

#ifndef SILICA_COMPILED
#include "silica/input/image_text/processor_config.ipp"
#endif
