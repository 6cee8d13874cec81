#pragma once
/// Sounds to vectors that can be compared, with each other and with those of texts: CLAP.

#include "silica/arch/clap/inputs.hpp"
#include "silica/input/audio/extractor.hpp"
#include "silica/input/audio/read.hpp"
#include "silica/model.hpp"
#include "silica/task/features.hpp"
#include "silica/task/halves.hpp"
#include "silica/task/in_batches.hpp"
#include "silica/task/sentence_module.hpp"

#include <ATen/ops/cat.h>

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// What a caller may choose when embedding sounds.
struct EmbedSoundsOptions {
    std::int64_t batch_size = 8;  ///< so many sounds run together
    bool normalize = true;        ///< to length 1
    std::uint32_t seed = 0;       ///< what the extractor draws it draws from numpy.random.seed(seed), sound by sound
    Progress progress = {};       ///< told after each file
};

/// The vector that an audio model gives of a whole sound, (sounds, d): `audio_embeds`, which lies in the space of the
/// texts, else `pooler_output`.
template <class Outputs>
[[nodiscard]] Tensor sound_vector(const Outputs& out) {
    if constexpr (requires { out.audio_embeds; }) {
        return out.audio_embeds;
    } else {
        static_assert(
            requires { out.pooler_output; },
            "this architecture gives no vector of a sound. Remedy: name one such as "
            "arch::ClapAudioModelWithProjection.");
        return out.pooler_output;
    }
}

/// The half of CLAP that makes vectors of sounds.
struct ClapSoundVectors {
    using Inputs = arch::ClapAudioInputs;
    static Inputs prepare(const auto& config, Inputs in) {
        return arch::prepare_clap_audio(config.audio_config, std::move(in));
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.audio_embeds(in); }
};

/// Whether a model has texts too, and its half of sounds can run apart.
template <class M>
concept HasSoundHalf =
    requires { typename M::Network; } && requires(const typename M::Network& network, const arch::ClapAudioInputs& in) {
        { network.audio_embeds(in) } -> std::same_as<Tensor>;
    };

/// Turns sounds into vectors, with an audio model (see sound_vector) or the half of `Model<arch::Clap, ...>`:
///
///     using Clap = Model<arch::ClapAudioModelWithProjection, device::Cpu>;
///     const auto embed = task::AudioEmbedder<Clap>::open("laion/clap-htsat-unfused");
///     Tensor vector = embed(embed.read("bark.flac"));                      // (512), float32, on the CPU
///
/// Each sound is extracted alone, as transformers' pipeline does it, so that its vector is the same in any batch.
template <class M>
class AudioEmbedder {
public:
    using Tower = std::conditional_t<HasSoundHalf<M>, PartOf<M, ClapSoundVectors>, M>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its extractor.
    [[nodiscard]] static AudioEmbedder open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {audio::Extractor::open(place), M::open(place, options)};
    }

    AudioEmbedder(audio::Extractor extractor, M model)
        : extractor_(std::move(extractor)), forward_(Tower(std::move(model))) {}
    /// What is moved from stays as it was: copies share all that is large.
    AudioEmbedder(const AudioEmbedder&) = default;
    AudioEmbedder& operator=(const AudioEmbedder&) = default;

    /// (d) float32 on the CPU. InputError for a sound of another rate than the extractor's.
    [[nodiscard]] Tensor operator()(const audio::Samples& sound, const EmbedSoundsOptions& options = {}) const {
        return (*this)(std::span(&sound, 1), options).front();
    }
    /// One for each sound, in the order given.
    [[nodiscard]] std::vector<Tensor> operator()(std::span<const audio::Samples> sounds,
                                                 const EmbedSoundsOptions& options = {}) const {
        audio::NumpyRandom random(options.seed);
        return over_items(
            [](const audio::Samples& sound) { return sound; }, any, sounds, options.batch_size,
            [&](std::span<const audio::Samples> batch) { return of_sounds(batch, random, options.normalize); });
    }
    /// One for each file, in the order given, or the error that says why there is none. Files are read ahead on
    /// threads while the model runs.
    [[nodiscard]] std::vector<FileResult<Tensor>> operator()(std::span<const std::filesystem::path> files,
                                                             const EmbedSoundsOptions& options = {}) const {
        audio::NumpyRandom random(options.seed);
        return over_paths(
            [this](const std::filesystem::path& file) { return read(file); }, any, files, options.batch_size,
            [&](std::span<const audio::Samples> batch) { return of_sounds(batch, random, options.normalize); },
            options.progress);
    }

    /// Those of sounds that run together, one or more. What is drawn for them is drawn from `random`, which stays as it
    /// was where a sound is refused.
    [[nodiscard]] std::vector<Tensor> of_sounds(std::span<const audio::Samples> batch, audio::NumpyRandom& random,
                                                bool normalize = true) const {
        if (batch.empty()) throw InputError("There is no sound to embed.", "give one or more.");
        auto drawn = random;
        std::vector<Tensor> features, longer;
        for (const auto& sound : batch) {
            auto made = tensors_of(extractor_(std::span(&sound, 1), drawn));
            features.push_back(std::move(made.features));
            if (made.is_longer) longer.push_back(std::move(*made.is_longer));
        }
        typename Tower::Inputs in;
        in.input_features = at::cat(features);
        if (!longer.empty()) in.is_longer = at::cat(longer);
        Tensor vectors = forward_(in, [](const auto& out) {
            if constexpr (HasSoundHalf<M>)
                return out;
            else
                return sound_vector(out);
        });
        random = drawn;
        if (normalize) vectors = normalized(vectors);
        std::vector<Tensor> rows;
        for (std::int64_t i = 0; i < vectors.size(0); ++i) rows.push_back(vectors.select(0, i));
        return rows;
    }
    /// The sound of a file at the rate of the extractor, as far as it looks at it. InputError where it is no sound.
    [[nodiscard]] audio::Samples read(const std::filesystem::path& file) const {
        return audio::read(file, extractor_.rate(), extractor_.most_samples());
    }

    [[nodiscard]] const audio::Extractor& extractor() const noexcept { return extractor_; }
    [[nodiscard]] const M& model() const noexcept {
        if constexpr (HasSoundHalf<M>)
            return forward_.model().whole();
        else
            return forward_.model();
    }

private:
    static bool any(const audio::Samples&, const audio::Samples&) { return true; }

    audio::Extractor extractor_;
    Forward<Tower> forward_;
};

}  // namespace silica::task
