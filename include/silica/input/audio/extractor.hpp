#pragma once
/// Sounds to the tensors of a model, by the files that stand beside its weights.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/clap_extractor.hpp"
#include "silica/input/audio/features.hpp"
#include "silica/input/audio/numpy_random.hpp"
#include "silica/input/audio/samples.hpp"
#include "silica/input/audio/wav2vec2_extractor.hpp"
#include "silica/input/audio/whisper_extractor.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>
#include <variant>

namespace silica::audio {

/// The feature extractor of a checkpoint, as AutoFeatureExtractor finds it:
///
///     const auto extractor = audio::Extractor::open(directory);
///     const audio::Samples speech = audio::read("speech.flac", extractor.rate());
///     const audio::Features features = extractor({&speech, 1});              // (1, 80, 3000) for Whisper
///
/// Several threads may call one extractor.
class Extractor {
public:
    using Kind = std::variant<WhisperExtractor, Wav2Vec2Extractor, ClapExtractor>;

    /// Reads processor_config.json or preprocessor_config.json of a directory. ConfigError where there is neither,
    /// where it is of another kind than the three, or where a key is wrong.
    [[nodiscard]] static Extractor open(const std::filesystem::path& directory);

    /// Whether `open` would find one of the three in a directory: false where there is none, or one of another kind,
    /// such as the processor of pictures. ConfigError where a file cannot be read.
    [[nodiscard]] static bool is_in(const std::filesystem::path& directory);

    explicit Extractor(Kind kind) : kind_(std::move(kind)) {}

    /// The tensors of a batch. InputError where there is no sound, or one has another rate than `rate()`.
    /// What CLAP draws it draws from numpy.random.seed(0).
    [[nodiscard]] Features operator()(std::span<const Samples> sounds) const;
    /// The same with random numbers that go on from call to call.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds, NumpyRandom& random) const;

    /// How many samples in a second sounds must have.
    [[nodiscard]] int rate() const noexcept;
    /// Of a sound this many samples decide; what comes after is not looked at.
    [[nodiscard]] std::int64_t most_samples() const noexcept;
    [[nodiscard]] const Kind& kind() const noexcept { return kind_; }

private:
    Kind kind_;
};

}  // namespace silica::audio

#ifndef SILICA_COMPILED
#include "silica/input/audio/extractor.ipp"
#endif
