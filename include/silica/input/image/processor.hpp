#pragma once
/// Pictures to the tensors of a model, by the files that stand beside its weights.

#include "silica/core/compiled.hpp"
#include "silica/input/image/extent.hpp"
#include "silica/input/image/image.hpp"
#include "silica/input/image/pixels.hpp"
#include "silica/input/image/processor_config.hpp"

#include <filesystem>
#include <span>
#include <utility>
#include <vector>

namespace silica::image {

/// Resizes, crops, rescales, normalises and pads pictures as the PIL processors of transformers 5.23 do, value for
/// value:
///
///     const auto processor = image::Processor::open(directory);
///     const image::Image cat = image::read("cat.jpg");
///     const image::Pixels pixels = processor({&cat, 1});                     // (1, 3, 224, 224), float32
///
/// Several threads may call one processor.
class Processor {
public:
    /// Reads processor_config.json or preprocessor_config.json of a directory. ConfigError where there is neither, or
    /// where a key is wrong.
    [[nodiscard]] static Processor open(const std::filesystem::path& directory) {
        return Processor(ProcessorConfig::open(directory));
    }

    /// ConfigError for a configuration that no step can work with.
    explicit Processor(ProcessorConfig config);

    /// The tensors of a batch. InputError where there is no picture, where pictures come out in different sizes and
    /// nothing pads them, or where one is too narrow to be resized.
    [[nodiscard]] Pixels operator()(std::span<const Image> images) const;

    /// The size that a picture comes out in, a batch's padding apart; of LLaVA-NeXT's the size of each tile.
    /// InputError as above.
    [[nodiscard]] Extent size_of(Extent picture) const;

    /// Whether the pictures of a call are the frames of one video (VideoMAE's processor, which X-CLIP uses).
    [[nodiscard]] bool frames_of_video() const noexcept { return config_.family == ProcessorConfig::Family::videomae; }
    [[nodiscard]] const ProcessorConfig& config() const noexcept { return config_; }

private:
    [[nodiscard]] Pixels process_shown(std::span<const Image> images) const;
    [[nodiscard]] Pixels process(std::span<const Image> images) const;
    [[nodiscard]] Pixels process_tiles(std::span<const Image> images) const;
    [[nodiscard]] std::vector<Image> in_squares(std::span<const Image> images) const;

    ProcessorConfig config_;
};

}  // namespace silica::image

#ifndef SILICA_COMPILED
#include "silica/input/image/processor.ipp"
#endif
