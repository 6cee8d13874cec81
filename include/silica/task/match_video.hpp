#pragma once
/// A video to the texts that say what happens in it: X-CLIP, zero-shot.

#include "silica/arch/xclip/config.hpp"
#include "silica/model.hpp"
#include "silica/task/halves.hpp"
#include "silica/task/image_batches.hpp"
#include "silica/task/match_texts.hpp"
#include "silica/task/read_frames.hpp"
#include "silica/task/rows.hpp"

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::task {

/// The half of X-CLIP that is of texts.
struct XClipTexts {
    using Inputs = arch::ClipTextInputs;
    static Inputs prepare(const auto& config, Inputs in) {
        return arch::prepare_clip_text(config.text_config, std::move(in));
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.text_vectors(in); }
    static std::int64_t most_tokens(const auto& text_config) { return text_config.max_position_embeddings; }
};

/// The half that is of videos, and how well texts go with them that are told what they show.
struct XClipVideos {
    struct Inputs {
        arch::ClipVisionInputs frames;
        Tensor texts;  ///< (texts, projection)
    };
    static Inputs prepare(const auto& config, Inputs in) {
        in.frames = arch::prepare_xclip_frames(config.vision_config, std::move(in.frames));
        require_embeds(in.texts, config.projection_dim);
        return in;
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.logits_per_video(in.frames, in.texts); }
};

/// A `Model<arch::XClip, ...>`, whose halves run apart.
template <class M>
class XClipHalves : public Halves<M, XClipTexts, XClipVideos> {
public:
    using Halves<M, XClipTexts, XClipVideos>::Halves;

    [[nodiscard]] Tensor logits(const Tensor& frames, const Tensor& texts) const {
        return this->logits_of({{.pixel_values = frames}, texts});
    }
};

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
        return {image::Processor::open(place), text::Tokenizer::open(place), M::open(place, options)};
    }

    VideoMatcher(image::Processor processor, text::Tokenizer tokenizer, M model)
        : processor_(std::move(processor)), tokenizer_(std::move(tokenizer)), halves_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    VideoMatcher(const VideoMatcher&) = default;
    VideoMatcher& operator=(const VideoMatcher&) = default;

    /// What is said of each label, put where {} stands in `sentence`, with the vectors that no video has changed yet.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels, std::string_view sentence = "{}") const {
        return embedded(match_texts(tokenizer_, labels, sentence, halves_.most_tokens()), halves_);
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
        const Tensor logits = halves_.logits(tensors_of(std::move(pixels)).pixel_values, texts.embeds);
        return ranked(texts.labels, rows_of(logits).front());
    }

    /// How many frames the model looks at.
    [[nodiscard]] std::int64_t frame_count() const { return model().config().vision_config.num_frames; }
    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    [[nodiscard]] const M& model() const noexcept { return halves_.model(); }

private:
    void require_frames(std::int64_t n) const {
        if (n == frame_count()) return;
        throw InputError(
            "There are " + std::to_string(n) + " frames, the model looks at " + std::to_string(frame_count()) + ".",
            "give as many frames as num_frames of config.json says, or a video file.");
    }

    image::Processor processor_;
    text::Tokenizer tokenizer_;
    XClipHalves<M> halves_;
};

}  // namespace silica::task

BOOST_HANA_ADAPT_STRUCT(silica::task::XClipVideos::Inputs, frames, texts);
