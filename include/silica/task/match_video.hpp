#pragma once
/// A video to the texts that say what happens in it: X-CLIP, zero-shot.

#include "silica/input/video/read.hpp"
#include "silica/model.hpp"
#include "silica/task/image_batches.hpp"
#include "silica/task/match_texts.hpp"

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
    /// ConfigError where the processor is not one for videos.
    [[nodiscard]] static VideoMatcher open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        auto processor = image::Processor::open(place);
        auto tokenizer = text::Tokenizer::open(place);
        return {std::move(processor), std::move(tokenizer), M::open(place, options)};
    }

    VideoMatcher(image::Processor processor, text::Tokenizer tokenizer, M model)
        : processor_(std::move(processor)), tokenizer_(std::move(tokenizer)), model_(std::move(model)) {
        if (processor_.frames_of_video()) return;
        throw ConfigError("The processor of this checkpoint is for single pictures, the model wants videos.",
                          "set image_processor_type to VideoMAEImageProcessor in preprocessor_config.json.");
    }

    /// What is said of each label, put where {} stands in `sentence`. The video changes its vector, so that there is
    /// none yet. InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels, std::string_view sentence = "{}") const {
        return match_texts(tokenizer_, labels, sentence, model_.config().text_config.max_position_embeddings);
    }
    [[nodiscard]] MatchTexts texts(std::initializer_list<std::string> labels, std::string_view sentence = "{}") const {
        return texts(std::span(labels.begin(), labels.size()), sentence);
    }

    /// All labels, the best first; their scores sum to 1. Frames are spread evenly over the video: number
    /// floor(i * total / num_frames). InputError for a file that is no video, or has fewer frames than the model wants.
    [[nodiscard]] Labels operator()(const std::filesystem::path& video, const MatchTexts& texts) const {
        const auto frames = video::read(video, frame_count());
        return (*this)(frames, texts);
    }
    /// The same for the frames themselves, as many as the model wants.
    [[nodiscard]] Labels operator()(std::span<const image::Image> frames, const MatchTexts& texts) const {
        return of_pixels(processor_(frames), texts);
    }
    /// The same for frames that are processed already.
    [[nodiscard]] Labels of_pixels(image::Pixels frames, const MatchTexts& texts) const {
        typename M::Inputs in;
        in.pixel_values = tensors_of(std::move(frames)).pixel_values;
        in.input_ids = texts.input_ids;
        in.attention_mask = texts.attention_mask;
        const Tensor logits = model_.on_device([&] {
            return model_(in)
                .logits_per_video.to(c10::Device(c10::DeviceType::CPU))
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
    image::Processor processor_;
    text::Tokenizer tokenizer_;
    M model_;
};

}  // namespace silica::task
