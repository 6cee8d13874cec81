#pragma once
/// Filter banks on the mel scale: `audio_utils.mel_filter_bank` of transformers.

#include "silica/core/compiled.hpp"

#include <cstdint>
#include <vector>

namespace silica::audio {

/// Triangles over the bins of a spectrum. Each is stored without the zeros around it.
struct MelFilters {
    /// Which mel scale, and whether each triangle has the same area (Slaney's norm) or the same height.
    enum class Scale { htk, slaney_normed };

    struct Triangle {
        std::int64_t first = 0;       ///< the bin of weights[0]
        std::vector<double> weights;  ///< empty where the triangle lies between two bins
    };

    std::vector<Triangle> triangles;

    /// `mels` triangles between two frequencies in Hz, over `bins` bins from 0 to half of `rate`.
    [[nodiscard]] static MelFilters make(Scale scale, std::int64_t mels, std::int64_t bins, std::int64_t rate,
                                         double frequency_min, double frequency_max);
};

}  // namespace silica::audio

#ifndef SILICA_COMPILED
#include "silica/input/audio/mel_filters.ipp"
#endif
