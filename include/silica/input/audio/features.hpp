#pragma once
/// What a model of sounds is given.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace silica::audio {

/// A batch, by the names that transformers has for its parts.
struct Features {
    std::string name;                 ///< "input_features" (a spectrogram) or "input_values" (a waveform)
    std::vector<std::int64_t> shape;  ///< of `values`, the batch first
    std::vector<float> values;        ///< without gaps
    /// (batch, frames) for a spectrogram, (batch, samples) for a waveform: 1 where there is sound, 0 where padding is.
    std::optional<std::vector<std::int64_t>> mask;
    std::optional<std::vector<std::uint8_t>> is_longer;  ///< (batch, 1), 1 or 0: CLAP's alone
};

}  // namespace silica::audio
