#pragma once
/// Clips of one length: repeated, cut or shrunk.

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/audio/batch.hpp"
#include "silica/input/audio/clap_extractor.hpp"
#include "silica/input/audio/sizes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::audio {

namespace detail {

inline ClapExtractorConfig checked(ClapExtractorConfig c) {
    check_size("feature_size", c.feature_size, 1, most_mels);
    check_size("sampling_rate", c.sampling_rate, 1, largest_rate);
    check_size("hop_length", c.hop_length, 1, largest_window);
    check_window("fft_window_size", c.fft_window_size);
    check_length("max_length_s", c.max_length_s, c.sampling_rate, 0);
    check_finite("frequency_max", c.frequency_max);
    if (!(c.frequency_min >= 0 && c.frequency_min < c.frequency_max))
        refuse_size("frequency_min", "is below 0 or not below frequency_max");
    return c;
}

/// The clip of `length` samples that a shorter sound becomes.
inline std::vector<float> repeated(std::span<const float> sound, std::size_t length, std::string_view padding) {
    std::vector<float> clip(length);
    const std::size_t times = length / sound.size();
    const std::size_t filled = padding == "repeat" ? length : (padding == "repeatpad" ? times : 1) * sound.size();
    for (std::size_t i = 0; i < filled; ++i) clip[i] = sound[i % sound.size()];
    return clip;
}

/// `frames` rows of `mels` numbers from `total`: torch's bilinear interpolation without align_corners, in
/// float32 and with its one rounding of scale * (t + 0.5) - 0.5: far into a long sound it moves the weights.
inline void shrink(const std::vector<float>& mel, std::int64_t total, std::int64_t frames, std::int64_t mels,
                   float* to) {
    const float scale = static_cast<float>(total) / static_cast<float>(frames);
    for (std::int64_t t = 0; t < frames; ++t) {
        const float source = std::max(std::fma(scale, static_cast<float>(t) + 0.5F, -0.5F), 0.0F);
        const auto first = std::min(static_cast<std::int64_t>(source), total - 1);
        const auto second = std::min(first + 1, total - 1);
        const float weight = std::clamp(source - static_cast<float>(first), 0.0F, 1.0F);
        for (std::int64_t m = 0; m < mels; ++m) {
            to[t * mels + m] = (1 - weight) * mel[static_cast<std::size_t>(first * mels + m)] +
                               weight * mel[static_cast<std::size_t>(second * mels + m)];
        }
    }
}

/// Where three parts begin, one of each third of numpy.array_split(range(count), 3); an empty third means 0.
inline std::array<std::int64_t, 3> random_starts(std::int64_t count, NumpyRandom& random) {
    std::array<std::int64_t, 3> starts{};
    std::int64_t begin = 0;
    for (std::int64_t third = 0; third < 3; ++third) {
        const auto size = count / 3 + (third < count % 3 ? 1 : 0);
        if (size > 0) starts[static_cast<std::size_t>(third)] = begin + random.below(static_cast<std::uint64_t>(size));
        begin += size;
    }
    return starts;
}

}  // namespace detail

SILICA_INLINE ClapExtractor::ClapExtractor(ClapExtractorConfig config)
    : config_(detail::checked(std::move(config))),
      spectrogram_(std::make_shared<const MelSpectrogram<double>>(
          config_.fft_window_size, config_.hop_length,
          MelFilters::make(config_.truncation == "fusion" ? MelFilters::Scale::htk : MelFilters::Scale::slaney_normed,
                           config_.feature_size, config_.fft_window_size / 2 + 1, config_.sampling_rate,
                           config_.frequency_min, config_.frequency_max))) {}

/// (frames, mels) in decibels.
SILICA_INLINE std::vector<float> ClapExtractor::decibels(std::span<const float> sound) const {
    const auto padded = reflected(sound, spectrogram_->padding());
    const auto frames = spectrogram_->frames_of(static_cast<std::int64_t>(sound.size())), mels = spectrogram_->mels();
    std::vector<float> made(static_cast<std::size_t>(frames * mels));
    spectrogram_->each(padded.data(), frames, [&](std::int64_t t, std::int64_t count, const double* logs) {
        for (std::int64_t i = 0; i < count; ++i) {
            for (std::int64_t m = 0; m < mels; ++m) {
                made[static_cast<std::size_t>((t + i) * mels + m)] =
                    static_cast<float>(10 * logs[m * MelSpectrogram<double>::lanes + i]);
            }
        }
    });
    return made;
}

/// Writes the planes of a longer sound with `fusion` -> whether it is marked as longer.
SILICA_INLINE bool ClapExtractor::fuse(std::span<const float> sound, NumpyRandom& random, float* to) const {
    const auto mels = config_.feature_size, frames = spectrogram_->frames_of(most_samples()), plane = frames * mels;
    const auto mel = decibels(sound);
    const auto total = static_cast<std::int64_t>(mel.size()) / mels;
    if (total == frames) {
        for (int copy = 0; copy < 4; ++copy) to = std::ranges::copy(mel, to).out;
        return false;
    }
    constexpr std::int64_t shrunk_mels = 64;  // transformers shrinks to 64 mels whatever there are
    if (mels != shrunk_mels) {
        throw InputError("A sound longer than " + std::to_string(config_.max_length_s) + " s is fused with " +
                             std::to_string(shrunk_mels) + " mels only, and the model has " + std::to_string(mels) +
                             ".",
                         "Give a shorter sound.");
    }
    detail::shrink(mel, total, frames, mels, to);
    for (const auto start : detail::random_starts(total - frames + 1, random)) {
        to += plane;
        std::copy_n(mel.begin() + start * mels, plane, to);
    }
    return true;
}

SILICA_INLINE Features ClapExtractor::operator()(std::span<const Samples> sounds, NumpyRandom& random) const {
    check_batch(sounds, config_.sampling_rate);
    return within_memory(sounds.size(), [&] {
        const bool fusion = config_.truncation == "fusion";
        const auto length = static_cast<std::size_t>(most_samples());
        const auto mels = config_.feature_size, frames = spectrogram_->frames_of(most_samples());
        const std::int64_t planes = fusion ? 4 : 1;
        const auto count = static_cast<std::int64_t>(sounds.size());
        Features made{.name = "input_features",
                      .shape = {count, planes, frames, mels},
                      .values = std::vector<float>(sounds.size() * static_cast<std::size_t>(planes * frames * mels)),
                      .mask = std::nullopt,
                      .is_longer = std::vector<std::uint8_t>(sounds.size())};
        auto& is_longer = *made.is_longer;
        for (std::size_t r = 0; r < sounds.size(); ++r) {
            const auto sound = sounds[r].mono();
            float* to = made.values.data() + r * static_cast<std::size_t>(planes * frames * mels);
            if (sound.size() > length && fusion) {
                is_longer[r] = fuse(sound, random, to) ? 1 : 0;
                continue;
            }
            std::vector<float> mel;
            if (sound.size() <= length) {
                mel = decibels(detail::repeated(sound, length, config_.padding));
            } else {
                if (config_.truncation != "rand_trunc") {
                    throw InputError("How a sound longer than " + std::to_string(config_.max_length_s) +
                                         " s is truncated is not known: preprocessor_config.json says " +
                                         quote(config_.truncation) + ".",
                                     "Set truncation to rand_trunc or fusion, or give a shorter sound.");
                }
                mel = decibels(sound.subspan(random.below(sound.size() - length + 1), length));
                is_longer[r] = 1;
            }
            for (std::int64_t plane = 0; plane < planes; ++plane) to = std::ranges::copy(mel, to).out;
        }
        if (fusion && std::ranges::count(is_longer, 1) == 0) is_longer[random.below(sounds.size())] = 1;
        return made;
    });
}

}  // namespace silica::audio
