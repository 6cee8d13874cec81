#pragma once
/// The arithmetic of mel spectrograms, sixteen frames side by side, for the instructions that this processor has.
///
/// Frames l and l + 8 are the real and the imaginary part of one complex signal, whose spectrum Z gives both:
/// 2 X = Z[k] + Z*[n - k] and 2i Y = Z[k] - Z*[n - k]. The transform is Stockham's, of mixed radix.

#include "silica/core/compiled.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace silica::audio {

/// How many frames are taken at once.
inline constexpr std::int64_t mel_lanes = 16;

/// What is known before the sound.
template <class T>
struct MelPlan {
    /// A step of the transform: s interleaved transforms of size m * radix become s * radix ones of size m.
    struct Stage {
        std::int64_t radix, m, s;
        std::vector<T> twiddles;  ///< exp(-2 pi i j p / (m radix)) for p < m, 1 <= j < radix: its two parts
        std::vector<T> roots;     ///< exp(-2 pi i j / radix) for j < radix: its two parts
    };
    struct Filter {
        std::int64_t first;  ///< the bin of weights[0]
        std::vector<T> weights;
    };

    std::int64_t size = 0;  ///< of the window and the transform
    std::vector<T> window;
    std::vector<Stage> stages;
    std::vector<Filter> filters;
};

/// How many numbers of working memory a kernel needs: the signals twice, the energies, then the result.
template <class T>
[[nodiscard]] std::size_t mel_scratch_size(const MelPlan<T>& plan) {
    return static_cast<std::size_t>(mel_lanes * (3 * plan.size + 2 + static_cast<std::int64_t>(plan.filters.size())));
}

template <class T>
struct MelArguments {
    const MelPlan<T>& plan;
    const float* from;         ///< frame t begins at from + t * hop
    std::int64_t hop, frames;  ///< 1 to mel_lanes frames; the rest of the result is that of the last frame
    T* scratch;
    T* to;  ///< (filters, mel_lanes): log10 of the energies, which are 1e-10 at least
};

template <class T>
using MelKernel = void (*)(const MelArguments<T>&);

/// For the instructions that the program is compiled for, and for the best that this processor has. The argument tells
/// the type.
[[nodiscard]] MelKernel<float> baseline_mel_kernel(float);
[[nodiscard]] MelKernel<double> baseline_mel_kernel(double);
[[nodiscard]] MelKernel<float> best_mel_kernel(float);
[[nodiscard]] MelKernel<double> best_mel_kernel(double);

}  // namespace silica::audio

#ifndef SILICA_COMPILED
#include "silica/input/audio/mel_kernel.ipp"
#endif
