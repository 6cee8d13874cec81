#pragma once
/// Energies in mel bands, frame by frame.

#include "silica/input/audio/mel_filters.hpp"
#include "silica/input/audio/mel_kernel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

namespace silica::audio {

/// log10 max(M |F(w x)|^2, 1e-10) over frames x of a sound: w the periodic Hann window, F the Fourier transform, M the
/// filters. T is what it is computed in, float or double.
template <class T>
class MelSpectrogram {
public:
    /// How many frames are taken at once.
    static constexpr std::int64_t lanes = mel_lanes;

    /// `window` samples each `hop` samples; the filters are over window / 2 + 1 bins.
    MelSpectrogram(std::int64_t window, std::int64_t hop, const MelFilters& filters)
        : kernel_(best_mel_kernel(T{})), hop_(hop) {
        plan_.size = window;
        for (std::int64_t i = 0; i < window; ++i)
            plan_.window.push_back(static_cast<T>(0.5 - 0.5 * part(i, window, 0)));
        add_stages();
        for (const auto& triangle : filters.triangles)
            plan_.filters.push_back({triangle.first, {triangle.weights.begin(), triangle.weights.end()}});
    }

    [[nodiscard]] std::int64_t window() const noexcept { return plan_.size; }
    [[nodiscard]] std::int64_t hop() const noexcept { return hop_; }
    [[nodiscard]] std::int64_t mels() const noexcept { return static_cast<std::int64_t>(plan_.filters.size()); }
    /// How much stands before the first sample and after the last one, reflected, so that frame t is centred on sample
    /// t * hop.
    [[nodiscard]] std::int64_t padding() const noexcept { return window() / 2; }
    /// How many frames n samples are, 1 or more.
    [[nodiscard]] std::int64_t frames_of(std::int64_t n) const noexcept {
        return (n + 2 * padding() - window()) / hop_ + 1;
    }

    /// Calls to(first, count, logs) for all frames from 0 to `frames` of a padded sound, `lanes` at a time at most:
    /// `logs` has them as (mels, lanes).
    template <class F>
    void each(const float* padded, std::int64_t frames, F&& to) const {
        const auto size = mel_scratch_size(plan_);
        std::vector<T> scratch(size);
        T* const logs = scratch.data() + size - static_cast<std::size_t>(lanes * mels());
        for (std::int64_t t = 0; t < frames; t += lanes) {
            const auto count = frames - t < lanes ? frames - t : lanes;
            kernel_({plan_, padded + t * hop_, hop_, count, scratch.data(), logs});
            to(t, count, static_cast<const T*>(logs));
        }
    }

    /// The greatest of the numbers that `each` gives at once.
    [[nodiscard]] T most_of(const T* logs, std::int64_t count) const {
        std::array<T, lanes> most;
        std::copy_n(logs, lanes, most.begin());
        for (std::int64_t m = 1; m < mels(); ++m) {
            for (std::size_t l = 0; l < lanes; ++l) {
                const T value = logs[m * lanes + static_cast<std::int64_t>(l)];
                most[l] = value > most[l] ? value : most[l];
            }
        }
        return *std::max_element(most.begin(), most.begin() + count);
    }

private:
    /// The real (0) or imaginary (1) part of exp(-2 pi i j / n).
    [[nodiscard]] static double part(std::int64_t j, std::int64_t n, int which) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(j % n) / static_cast<double>(n);
        return which == 0 ? std::cos(angle) : -std::sin(angle);
    }

    void add_stages() {
        std::int64_t rest = plan_.size, s = 1;
        while (rest > 1) {
            std::int64_t radix = 4;
            if (rest % 4 != 0) {
                for (radix = 2; rest % radix != 0;) radix = radix * radix > rest ? rest : radix + 1;
            }
            typename MelPlan<T>::Stage stage{radix, rest / radix, s, {}, {}};
            for (std::int64_t j = 0; j < radix; ++j) {
                for (const int which : {0, 1}) stage.roots.push_back(static_cast<T>(part(j, radix, which)));
            }
            for (std::int64_t p = 0; p < stage.m; ++p) {
                for (std::int64_t j = 1; j < radix; ++j) {
                    for (const int which : {0, 1}) stage.twiddles.push_back(static_cast<T>(part(j * p, rest, which)));
                }
            }
            plan_.stages.push_back(std::move(stage));
            rest /= radix, s *= radix;
        }
    }

    MelPlan<T> plan_;
    MelKernel<T> kernel_;
    std::int64_t hop_;
};

/// A sound with `padding` more on each side, reflected about its first and last sample, as often as is needed.
[[nodiscard]] inline std::vector<float> reflected(std::span<const float> sound, std::int64_t padding) {
    const auto n = static_cast<std::int64_t>(sound.size()), period = n > 1 ? 2 * n - 2 : 1;
    std::vector<float> made(static_cast<std::size_t>(n + 2 * padding));
    for (std::int64_t i = 0; i < n + 2 * padding; ++i) {
        auto at = i - padding;
        if (at < 0 || at >= n) {
            at = (at % period + period) % period;
            if (at >= n) at = period - at;
        }
        made[static_cast<std::size_t>(i)] = sound[static_cast<std::size_t>(at)];
    }
    return made;
}

}  // namespace silica::audio
