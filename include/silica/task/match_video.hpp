#pragma once
/// A video to the texts that say what happens in it: X-CLIP, zero-shot.

#include "silica/model.hpp"
#include "silica/task/image_batches.hpp"
#include "silica/task/match_texts.hpp"
#include "silica/task/read_frames.hpp"

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::task {

/// Says which text goes with a video:
///
///     const auto match = task::VideoMatcher<Model<arch::XClip, device::Cpu>>::open("microsoft/xclip-base-patch32");
///     const auto texts = match.texts({"playing the guitar", "washing a car"});
///     for (const auto& [label, score] : match(std::filesystem::path("clip.mp4"), texts)) ...
template <class M>
class VideoMatcher {
public:
    using Labels = std::vector<ScoredLabel>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer and processor.
    [[nodiscard]] static VideoMatcher open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        auto processor = image::Processor::open(place);
        auto tokenizer = text::Tokenizer::open(place);
        return {std::move(processor), std::move(tokenizer), M::open(place, options)};
    }

    VideoMatcher(image::Processor processor, text::Tokenizer tokenizer, M model)
        : processor_(std::move(processor)), tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}

    /// What is said of each label, put where {} stands in `sentence`, with the vectors that no video has changed yet.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels, std::string_view sentence = "{}") const {
        const auto& config = model_.config().text_config;
        auto made = match_texts(tokenizer_, labels, sentence, config.max_position_embeddings);
        made.embeds = model_.on_device([&] {
            const auto in =
                here(prepare_clip_text(config, {.input_ids = made.input_ids, .attention_mask = made.attention_mask}));
            return model_.network().text_vectors(in).to(c10::Device(c10::DeviceType::CPU));
        });
        return made;
    }
    [[nodiscard]] MatchTexts texts(std::initializer_list<std::string> labels, std::string_view sentence = "{}") const {
        return texts(std::span(labels.begin(), labels.size()), sentence);
    }

    /// All labels, the best first; their scores sum to 1. Of a video frames are taken evenly: number
    /// floor(i * total / num_frames). InputError for a file that is no video, or has fewer frames than the model wants.
    [[nodiscard]] Labels operator()(const std::filesystem::path& video, const MatchTexts& texts) const {
        return (*this)(std::span(&video, 1), texts);
    }
    /// The same for a video, or for the pictures that are its frames: as many as the model wants.
    [[nodiscard]] Labels operator()(std::span<const std::filesystem::path> files, const MatchTexts& texts) const {
        const auto frames = read_frames(files, frame_count());
        return (*this)(frames, texts);
    }
    /// The same for frames in memory.
    [[nodiscard]] Labels operator()(std::span<const image::Image> frames, const MatchTexts& texts) const {
        auto pixels = processor_(frames);
        if (processor_.frames_of_video()) pixels.shape.erase(pixels.shape.begin());
        require_frames(pixels.shape.front());
        const Tensor logits = model_.on_device([&] {
            const auto in = prepare_xclip_frames(model_.config().vision_config,
                                                 {.pixel_values = tensors_of(std::move(pixels)).pixel_values});
            return model_.network()
                .logits_per_video(here(in), texts.embeds.to(model_.device()))
                .to(c10::Device(c10::DeviceType::CPU))
                .to(c10::ScalarType::Float)
                .contiguous();
        });
        return ranked(texts.labels, std::span(logits.template const_data_ptr<float>(), texts.labels.size()));
    }

    /// How many frames the model looks at.
    [[nodiscard]] std::int64_t frame_count() const { return model_.config().vision_config.num_frames; }
    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    [[nodiscard]] const M& model() const noexcept { return model_; }

private:
    template <class Inputs>
    Inputs here(Inputs in) const {
        std::uint64_t bytes = 0;
        return moved_to(std::move(in), model_.device(), bytes);
    }

    void require_frames(std::int64_t n) const {
        if (n == frame_count()) return;
        throw InputError(
            "There are " + std::to_string(n) + " frames, the model looks at " + std::to_string(frame_count()) + ".",
            "give as many frames as num_frames of config.json says, or a video file.");
    }

    image::Processor processor_;
    text::Tokenizer tokenizer_;
    M model_;
};

}  // namespace silica::task
