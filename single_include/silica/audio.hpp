// Silica 0.1.0: sounds to features. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif

// ---- silica/input/audio/batch.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_BATCH_HPP
#define SILICA_SINGLE_INPUT_AUDIO_BATCH_HPP
/// What every extractor asks of its sounds.

// ---- silica/core/error.hpp
#ifndef SILICA_SINGLE_CORE_ERROR_HPP
#define SILICA_SINGLE_CORE_ERROR_HPP
/// What Silica throws: one sentence that says what is wrong, then what to do about it.

#include <stdexcept>
#include <string>
#include <utility>

namespace silica {

/// Base of every exception thrown on purpose. `what()` reads "<problem> Remedy: <remedy>".
class Error : public std::runtime_error {
public:
    /// Both arguments are whole sentences: "config.json has heads 0." and "Set num_attention_heads to 1 or more."
    Error(std::string problem, std::string remedy)
        : std::runtime_error(remedy.empty() ? problem : problem + " Remedy: " + remedy),
          problem_(std::move(problem)),
          remedy_(std::move(remedy)) {}

    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }

private:
    std::string problem_, remedy_;
};

/// An argument, an input tensor or an input text is wrong (rank, dtype, range, option value).
class InputError : public Error {
    using Error::Error;
};

/// A configuration (config.json, tokenizer.json, ...) is missing a key, has a wrong value or an unsupported one.
class ConfigError : public Error {
    using Error::Error;
};

/// A file of weights, or the directory that should hold it, is missing, damaged or does not fit the model.
class CheckpointError : public Error {
    using Error::Error;
};

/// A device is absent, out of memory, or refuses an operation and nothing else may take it.
class DeviceError : public Error {
    using Error::Error;
};

/// A kernel of Silica's own cannot be made on this machine; LibTorch's serves instead.
class KernelUnavailable : public DeviceError {
    using DeviceError::DeviceError;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_ERROR_HPP
// ---- silica/input/audio/samples.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_SAMPLES_HPP
#define SILICA_SINGLE_INPUT_AUDIO_SAMPLES_HPP
/// Sound in memory.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::audio {

/// One channel of finite numbers, full scale being from -1 to 1, `rate` of them in a second. Copies share the numbers,
/// which nobody writes to.
class Samples {
public:
    /// Samples that lie elsewhere, not copied: `owner` keeps them alive, or, where it is null, the caller does.
    /// InputError unless there are some, all of them finite, and the rate is 1 or more.
    Samples(std::span<const float> mono, std::int64_t rate, std::shared_ptr<const void> owner)
        : mono_(checked(mono, rate)), rate_(rate), owner_(std::move(owner)) {}

    /// Samples that become the object's own.
    Samples(std::vector<float> mono, std::int64_t rate)
        : Samples(std::make_shared<const std::vector<float>>(std::move(mono)), rate) {}
    /// What is moved from stays as it was: it would else name samples that it no longer keeps.
    Samples(const Samples&) = default;
    Samples& operator=(const Samples&) = default;

    [[nodiscard]] std::span<const float> mono() const noexcept { return mono_; }
    /// Samples in a second.
    [[nodiscard]] std::int64_t rate() const noexcept { return rate_; }
    [[nodiscard]] double seconds() const noexcept {
        return static_cast<double>(mono_.size()) / static_cast<double>(rate_);
    }

private:
    Samples(std::shared_ptr<const std::vector<float>> own, std::int64_t rate)
        : Samples(std::span(own->data(), own->size()), rate, own) {}

    static std::span<const float> checked(std::span<const float> mono, std::int64_t rate) {
        if (mono.empty()) throw InputError("There are no samples of sound.", "give at least one.");
        if (rate < 1) {
            throw InputError("A rate of " + std::to_string(rate) + " samples in a second cannot be.",
                             "give the rate at which the sound was sampled: 16000, 44100, 48000.");
        }
        // By its bits: under -ffast-math every number counts as finite.
        const auto finite = [](float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7F800000U) != 0x7F800000U; };
        if (const auto bad = std::ranges::find_if_not(mono, finite); bad != mono.end()) {
            throw InputError("Sample " + std::to_string(bad - mono.begin()) + " of the sound is not a finite number.",
                             "repair the sound, or cut it there.");
        }
        return mono;
    }

    std::span<const float> mono_;
    std::int64_t rate_;
    std::shared_ptr<const void> owner_;
};

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_SAMPLES_HPP

#include <cstdint>
#include <new>
#include <span>
#include <stdexcept>
#include <string>

namespace silica::audio {

/// Throws InputError unless there are sounds and all have this rate.
inline void check_batch(std::span<const Samples> sounds, std::int64_t rate) {
    if (sounds.empty()) throw InputError("There is no sound to process.", "Give one or more.");
    for (const auto& sound : sounds) {
        if (sound.rate() == rate) continue;
        throw InputError("A sound has " + std::to_string(sound.rate()) + " samples in a second, and the model takes " +
                             std::to_string(rate) + ".",
                         "Resample it: audio::read and audio::Stream take the rate that is wanted.");
    }
}

/// Calls f(); where memory is short, an InputError says so of `count` sounds.
template <class F>
auto within_memory(std::size_t count, F&& f) try {
    return f();
} catch (const std::bad_alloc&) {
    throw InputError("A batch of " + std::to_string(count) + " sounds needs more memory than there is.",
                     "Give fewer at a time, or shorter ones.");
} catch (const std::length_error&) {
    throw InputError("A batch of " + std::to_string(count) + " sounds is larger than any memory.",
                     "Give fewer at a time, or shorter ones.");
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_BATCH_HPP
// ---- silica/input/audio/clap_extractor.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_CLAP_EXTRACTOR_HPP
#define SILICA_SINGLE_INPUT_AUDIO_CLAP_EXTRACTOR_HPP
/// CLAP's log-mel spectrograms.

// ---- silica/core/compiled.hpp
#ifndef SILICA_SINGLE_CORE_COMPILED_HPP
#define SILICA_SINGLE_CORE_COMPILED_HPP
/// Header-only, or compiled once.
///
/// What depends on no policy is declared in a header and defined in the `.ipp` beside it. By default the header
/// includes that file, and all of Silica is in headers. A program that links `silica::compiled` takes the definitions
/// from there instead: the target defines SILICA_COMPILED for its users and for itself.

#ifdef SILICA_COMPILED
#define SILICA_INLINE
#else
#define SILICA_INLINE inline
#endif

/// Marks what a process has once, whichever of its shared objects asks: one symbol under -fvisibility=hidden too.
#if defined(_WIN32)
#define SILICA_API
#else
#define SILICA_API __attribute__((visibility("default")))
#endif
#endif  // SILICA_SINGLE_CORE_COMPILED_HPP
// ---- silica/input/audio/features.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_FEATURES_HPP
#define SILICA_SINGLE_INPUT_AUDIO_FEATURES_HPP
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
#endif  // SILICA_SINGLE_INPUT_AUDIO_FEATURES_HPP
// ---- silica/input/audio/mel_spectrogram.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_MEL_SPECTROGRAM_HPP
#define SILICA_SINGLE_INPUT_AUDIO_MEL_SPECTROGRAM_HPP
/// Energies in mel bands, frame by frame.

// ---- silica/input/audio/mel_filters.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_MEL_FILTERS_HPP
#define SILICA_SINGLE_INPUT_AUDIO_MEL_FILTERS_HPP
/// Filter banks on the mel scale: `audio_utils.mel_filter_bank` of transformers.

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

// ---- silica/input/audio/mel_filters.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_MEL_FILTERS_IPP
#define SILICA_SINGLE_INPUT_AUDIO_MEL_FILTERS_IPP
/// Mel scales and their triangles.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace silica::audio {

namespace detail {

/// Slaney's scale is linear up to 1000 Hz, which are 15 mel, and logarithmic above: 27 mel for a factor of 6.4.
inline double mel_of(double hertz, bool slaney) {
    if (!slaney) return 2595 * std::log10(1 + hertz / 700);
    return hertz < 1000 ? 3 * hertz / 200 : 15 + std::log(hertz / 1000) * (27 / std::log(6.4));
}

inline double hertz_of(double mel, bool slaney) {
    if (!slaney) return 700 * (std::pow(10.0, mel / 2595) - 1);
    return mel < 15 ? 200 * mel / 3 : 1000 * std::exp(std::log(6.4) / 27 * (mel - 15));
}

}  // namespace detail

SILICA_INLINE MelFilters MelFilters::make(Scale scale, std::int64_t mels, std::int64_t bins, std::int64_t rate,
                                          double frequency_min, double frequency_max) {
    const bool slaney = scale == Scale::slaney_normed;
    const double low = detail::mel_of(frequency_min, slaney), high = detail::mel_of(frequency_max, slaney);
    std::vector<double> corners;
    const double step = (high - low) / static_cast<double>(mels + 1);
    for (std::int64_t i = 0; i <= mels; ++i)
        corners.push_back(detail::hertz_of(low + static_cast<double>(i) * step, slaney));
    corners.push_back(detail::hertz_of(high, slaney));
    const double width = static_cast<double>(rate / 2) / static_cast<double>(bins - 1);
    MelFilters made;
    for (std::size_t m = 0; m + 2 < corners.size(); ++m) {
        const double left = corners[m], middle = corners[m + 1], right = corners[m + 2];
        const double height = slaney ? 2 / (right - left) : 1;
        Triangle triangle;
        for (std::int64_t bin = 0; bin < bins; ++bin) {
            const double hertz = static_cast<double>(bin) * width;
            const double weight = std::min((hertz - left) / (middle - left), (right - hertz) / (right - middle));
            if (!(weight > 0)) continue;
            if (triangle.weights.empty()) triangle.first = bin;
            triangle.weights.push_back(weight * height);
        }
        made.triangles.push_back(std::move(triangle));
    }
    return made;
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_MEL_FILTERS_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_MEL_FILTERS_HPP
// ---- silica/input/audio/mel_kernel.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_MEL_KERNEL_HPP
#define SILICA_SINGLE_INPUT_AUDIO_MEL_KERNEL_HPP
/// The arithmetic of mel spectrograms, sixteen frames side by side, for the instructions that this processor has.
///
/// Frames l and l + 8 are the real and the imaginary part of one complex signal, whose spectrum Z gives both:
/// 2 X = Z[k] + Z*[n - k] and 2i Y = Z[k] - Z*[n - k]. The transform is Stockham's, of mixed radix.

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

// ---- silica/input/audio/mel_kernel.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_MEL_KERNEL_IPP
#define SILICA_SINGLE_INPUT_AUDIO_MEL_KERNEL_IPP
/// Mel spectrograms on vectors, the types that g++ and clang have for them.

#include <cmath>

namespace silica::audio {

namespace detail {

/// `W` numbers side by side, in a register and at any address.
template <class T, int W>
struct MelVector;
template <>
struct MelVector<float, 4> {
    typedef float V __attribute__((vector_size(16)));
    typedef std::int32_t Bits __attribute__((vector_size(16)));
    typedef float Anywhere __attribute__((vector_size(16), aligned(4), may_alias));
};
template <>
struct MelVector<float, 8> {
    typedef float V __attribute__((vector_size(32)));
    typedef std::int32_t Bits __attribute__((vector_size(32)));
    typedef float Anywhere __attribute__((vector_size(32), aligned(4), may_alias));
};
template <>
struct MelVector<double, 2> {
    typedef double V __attribute__((vector_size(16)));
    typedef double Anywhere __attribute__((vector_size(16), aligned(8), may_alias));
};
template <>
struct MelVector<double, 4> {
    typedef double V __attribute__((vector_size(32)));
    typedef double Anywhere __attribute__((vector_size(32), aligned(8), may_alias));
};

/// The kernel for vectors of W numbers. Everything in it is inlined into one function, whose instructions it takes.
template <class T, int W>
struct MelCode {
    using V = typename MelVector<T, W>::V;
    using Anywhere = typename MelVector<T, W>::Anywhere;
    static constexpr std::int64_t half_lanes = mel_lanes / 2;

    [[gnu::always_inline]] static inline void load(V& to, const T* p) {
        to = (V) * reinterpret_cast<const Anywhere*>(p);
    }
    [[gnu::always_inline]] static inline void store(T* p, const V& v) { *reinterpret_cast<Anywhere*>(p) = (Anywhere)v; }

    /// The transform of R numbers; `roots` are exp(-2 pi i j / R).
    template <int R>
    [[gnu::always_inline]] static inline void transform(V (&re)[R], V (&im)[R], const T* roots) {
        if constexpr (R == 2) {
            const V r = re[0] - re[1], i = im[0] - im[1];
            re[0] += re[1], im[0] += im[1];
            re[1] = r, im[1] = i;
        } else if constexpr (R == 4) {
            const V r02 = re[0] + re[2], i02 = im[0] + im[2], s02 = re[0] - re[2], t02 = im[0] - im[2];
            const V r13 = re[1] + re[3], i13 = im[1] + im[3], s13 = re[1] - re[3], t13 = im[1] - im[3];
            re[0] = r02 + r13, im[0] = i02 + i13;
            re[1] = s02 + t13, im[1] = t02 - s13;
            re[2] = r02 - r13, im[2] = i02 - i13;
            re[3] = s02 - t13, im[3] = t02 + s13;
        } else {
            // Odd: the pairs k and R - k, with roots that are conjugate.
            constexpr int half = (R - 1) / 2;
            V sr[half], si[half], dr[half], di[half];
#pragma GCC unroll 8
            for (int k = 0; k < half; ++k) {
                sr[k] = re[k + 1] + re[R - 1 - k], si[k] = im[k + 1] + im[R - 1 - k];
                dr[k] = re[k + 1] - re[R - 1 - k], di[k] = im[k + 1] - im[R - 1 - k];
            }
            const V r0 = re[0], i0 = im[0];
#pragma GCC unroll 8
            for (int k = 0; k < half; ++k) re[0] += sr[k], im[0] += si[k];
#pragma GCC unroll 8
            for (int j = 1; j <= half; ++j) {
                V ar = r0, ai = i0, br = r0 - r0, bi = br;
#pragma GCC unroll 8
                for (int k = 0; k < half; ++k) {
                    const T c = roots[2 * (j * (k + 1) % R)], s = roots[2 * (j * (k + 1) % R) + 1];
                    ar += c * sr[k], ai += c * si[k];
                    br -= s * di[k], bi += s * dr[k];
                }
                re[j] = ar + br, im[j] = ai + bi;
                re[R - j] = ar - br, im[R - j] = ai - bi;
            }
        }
    }

    template <int R>
    [[gnu::always_inline]] static inline void stage(const typename MelPlan<T>::Stage& stage, const T* from, T* to) {
        constexpr std::int64_t pair = 2 * W;  // real parts, then imaginary ones
        const auto m = stage.m, s = stage.s;
        const T* const twiddles = stage.twiddles.data();
        const T* const roots = stage.roots.data();
        for (std::int64_t p = 0; p < m; ++p) {
            const T* const w = twiddles + p * 2 * (R - 1);
            for (std::int64_t q = 0; q < s; ++q) {
                V re[R], im[R];
#pragma GCC unroll 8
                for (int k = 0; k < R; ++k) {
                    const T* const at = from + (q + s * (p + m * k)) * pair;
                    load(re[k], at), load(im[k], at + W);
                }
                transform<R>(re, im, roots);
                T* const out = to + (q + s * R * p) * pair;
                store(out, re[0]), store(out + W, im[0]);
#pragma GCC unroll 8
                for (int j = 1; j < R; ++j) {
                    const T c = w[2 * j - 2], d = w[2 * j - 1];
                    store(out + s * j * pair, c * re[j] - d * im[j]);
                    store(out + s * j * pair + W, d * re[j] + c * im[j]);
                }
            }
        }
    }

    /// The same for any radix, by the definition.
    [[gnu::always_inline]] static inline void any_stage(const typename MelPlan<T>::Stage& stage, const T* from, T* to) {
        constexpr std::int64_t pair = 2 * W;
        const auto radix = stage.radix, m = stage.m, s = stage.s;
        for (std::int64_t p = 0; p < m; ++p) {
            for (std::int64_t q = 0; q < s; ++q) {
                for (std::int64_t j = 0; j < radix; ++j) {
                    V re = {}, im = {};
                    for (std::int64_t k = 0; k < radix; ++k) {
                        const T* const at = from + (q + s * (p + m * k)) * pair;
                        const auto root = static_cast<std::size_t>(2 * (j * k % radix));
                        const T c = stage.roots[root], d = stage.roots[root + 1];
                        V r, i;
                        load(r, at), load(i, at + W);
                        re += c * r - d * i, im += d * r + c * i;
                    }
                    const auto twiddle = static_cast<std::size_t>(2 * (p * (radix - 1) + j - 1));
                    const T c = j == 0 ? T{1} : stage.twiddles[twiddle],
                            d = j == 0 ? T{0} : stage.twiddles[twiddle + 1];
                    T* const out = to + (q + s * (radix * p + j)) * pair;
                    store(out, c * re - d * im), store(out + W, d * re + c * im);
                }
            }
        }
    }

    /// log10 of a number, -10 where it is 1e-10 or less.
    [[gnu::always_inline]] static inline void log10_of(V& x) {
        constexpr T least = static_cast<T>(1e-10);
        const auto above = x > least;
        x = above ? x : V{} + least;
        if constexpr (sizeof(T) == sizeof(double)) {
            for (int l = 0; l < W; ++l) x[l] = std::log10(x[l]);
        } else {
            // x = 2^e (1 + f), 1 + f from sqrt(1/2) to sqrt(2). The polynomial is that of Cephes' logf.
            using Bits = typename MelVector<T, W>::Bits;
            constexpr std::int32_t sqrt_half = 0x3f3504f3;
            const Bits bits = (Bits)x, e = (bits - sqrt_half) >> 23;
            const V f = (V)(bits - (e << 23)) - 1.0F, z = f * f;
            V y = 7.0376836292e-2F * f - 1.1514610310e-1F;
            y = y * f + 1.1676998740e-1F;
            y = y * f - 1.2420140846e-1F;
            y = y * f + 1.4249322787e-1F;
            y = y * f - 1.6668057665e-1F;
            y = y * f + 2.0000714765e-1F;
            y = y * f - 2.4999993993e-1F;
            y = y * f + 3.3333331174e-1F;
            const V ln = f + (y * f * z - 0.5F * z);
            x = ln * 0.4342944819F + __builtin_convertvector(e, V) * 0.3010299957F;
        }
        x = above ? x : V{} - 10;
    }

    [[gnu::always_inline]] static inline void run(const MelArguments<T>& a) {
        const auto& plan = a.plan;
        const auto n = plan.size;
        T* signal = a.scratch;
        T* other = signal + n * 2 * W;
        T* const energies = other + n * 2 * W;
        const auto start = [&](std::int64_t lane) { return a.from + (lane < a.frames ? lane : a.frames - 1) * a.hop; };
        for (std::int64_t lane = 0; lane < half_lanes; lane += W) {
            const float* from[2 * W];
            for (int l = 0; l < W; ++l) from[l] = start(lane + l), from[W + l] = start(half_lanes + lane + l);
            for (std::int64_t i = 0; i < n; ++i) {
                const T w = plan.window[static_cast<std::size_t>(i)];
#pragma GCC unroll 16
                for (int l = 0; l < 2 * W; ++l) signal[i * 2 * W + l] = w * static_cast<T>(from[l][i]);
            }
            for (const auto& each : plan.stages) {
                if (each.radix == 4)
                    stage<4>(each, signal, other);
                else if (each.radix == 5)
                    stage<5>(each, signal, other);
                else if (each.radix == 3)
                    stage<3>(each, signal, other);
                else if (each.radix == 2)
                    stage<2>(each, signal, other);
                else
                    any_stage(each, signal, other);
                T* const turned = signal;
                signal = other, other = turned;
            }
            for (std::int64_t k = 0; k <= n / 2; ++k) {
                const T* const one = signal + k * 2 * W;
                const T* const two = signal + (k == 0 ? 0 : n - k) * 2 * W;
                V r, i, s, t;
                load(r, one), load(i, one + W), load(s, two), load(t, two + W);
                const V xr = r + s, xi = i - t, yr = i + t, yi = r - s;
                store(energies + k * 2 * W, T{0.25} * (xr * xr + xi * xi));
                store(energies + k * 2 * W + W, T{0.25} * (yr * yr + yi * yi));
            }
            T* out = a.to + lane;
            for (const auto& filter : plan.filters) {
                V x = {}, y = {};
                const T* at = energies + filter.first * 2 * W;
                for (const T weight : filter.weights) {
                    V ex, ey;
                    load(ex, at), load(ey, at + W);
                    x += weight * ex, y += weight * ey;
                    at += 2 * W;
                }
                log10_of(x), log10_of(y);
                store(out, x), store(out + half_lanes, y);
                out += mel_lanes;
            }
        }
    }
};

inline void mel_baseline_float(const MelArguments<float>& a) { MelCode<float, 4>::run(a); }
inline void mel_baseline_double(const MelArguments<double>& a) { MelCode<double, 2>::run(a); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] inline void mel_avx2_float(const MelArguments<float>& a) { MelCode<float, 8>::run(a); }
[[gnu::target("avx2,fma")]] inline void mel_avx2_double(const MelArguments<double>& a) { MelCode<double, 4>::run(a); }

inline bool has_avx2_fma() {
    static const bool has = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    return has;
}
#endif

}  // namespace detail

SILICA_INLINE MelKernel<float> baseline_mel_kernel(float) { return detail::mel_baseline_float; }
SILICA_INLINE MelKernel<double> baseline_mel_kernel(double) { return detail::mel_baseline_double; }

SILICA_INLINE MelKernel<float> best_mel_kernel(float) {
#if defined(__x86_64__)
    if (detail::has_avx2_fma()) return detail::mel_avx2_float;
#endif
    return detail::mel_baseline_float;
}

SILICA_INLINE MelKernel<double> best_mel_kernel(double) {
#if defined(__x86_64__)
    if (detail::has_avx2_fma()) return detail::mel_avx2_double;
#endif
    return detail::mel_baseline_double;
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_MEL_KERNEL_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_MEL_KERNEL_HPP

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
#endif  // SILICA_SINGLE_INPUT_AUDIO_MEL_SPECTROGRAM_HPP
// ---- silica/input/audio/numpy_random.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_NUMPY_RANDOM_HPP
#define SILICA_SINGLE_INPUT_AUDIO_NUMPY_RANDOM_HPP
/// The random numbers of numpy.random.seed(s).

#include <bit>
#include <cstdint>
#include <random>

namespace silica::audio {

/// numpy's legacy generator: the Mersenne twister, and its way from 32 bits to a range (masked rejection).
class NumpyRandom {
public:
    explicit NumpyRandom(std::uint32_t seed = 0) : bits_(seed) {}

    /// numpy.random.randint(0, n) for 1 <= n <= 2^32; also the index that numpy.random.choice takes of n. Nothing is
    /// drawn where n is 1.
    [[nodiscard]] std::uint32_t below(std::uint64_t n) {
        const auto most = static_cast<std::uint32_t>(n - 1);
        if (most == 0) return 0;
        const auto mask = ~std::uint32_t{0} >> static_cast<unsigned>(std::countl_zero(most));
        while (true) {
            const auto drawn = static_cast<std::uint32_t>(bits_()) & mask;
            if (drawn <= most) return drawn;
        }
    }

private:
    std::mt19937 bits_;
};

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_NUMPY_RANDOM_HPP

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace silica::audio {

/// The keys of a ClapFeatureExtractor.
struct ClapExtractorConfig {
    std::int64_t feature_size = 64;  ///< mels
    std::int64_t sampling_rate = 48000, hop_length = 480, max_length_s = 10, fft_window_size = 1024;
    double frequency_min = 0, frequency_max = 14000;
    std::string truncation = "fusion";  ///< of longer sounds: fusion or rand_trunc
    std::string padding = "repeatpad";  ///< of shorter sounds: repeatpad, repeat; another word: zeros alone
};

/// 10 log10 of mel spectrograms of max_length_s seconds, as ClapFeatureExtractor computes them.
/// Several threads may call one extractor, each with random numbers of its own.
class ClapExtractor {
public:
    /// ConfigError for sizes that cannot be.
    explicit ClapExtractor(ClapExtractorConfig config);

    /// input_features (batch, 1, frames, mels), with `fusion` (batch, 4, frames, mels), and is_longer. Of longer sounds
    /// random parts are taken; with `fusion` and no longer one, a random sound is marked as longer.
    /// InputError where there is no sound, one has another rate, or a longer one meets an unknown `truncation`.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds, NumpyRandom& random) const;

    [[nodiscard]] const ClapExtractorConfig& config() const noexcept { return config_; }
    /// max_length_s seconds in samples: 480000.
    [[nodiscard]] std::int64_t most_samples() const noexcept { return config_.max_length_s * config_.sampling_rate; }

private:
    [[nodiscard]] std::vector<float> decibels(std::span<const float> sound) const;
    bool fuse(std::span<const float> sound, NumpyRandom& random, float* to) const;

    ClapExtractorConfig config_;
    std::shared_ptr<const MelSpectrogram<double>> spectrogram_;
};

}  // namespace silica::audio

// ---- silica/input/audio/clap_extractor.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_CLAP_EXTRACTOR_IPP
#define SILICA_SINGLE_INPUT_AUDIO_CLAP_EXTRACTOR_IPP
/// Clips of one length: repeated, cut or shrunk.

// ---- silica/core/quote.hpp
#ifndef SILICA_SINGLE_CORE_QUOTE_HPP
#define SILICA_SINGLE_CORE_QUOTE_HPP
/// Names from files and users, made fit to print in an error.

#include <cstddef>
#include <string>
#include <string_view>

namespace silica {

/// `name` in single quotes, fit to print: cut after 120 bytes, control bytes shown as '?'.
[[nodiscard]] inline std::string quote(std::string_view name) {
    constexpr std::size_t longest = 120;
    std::string out = "'";
    for (const char c : name.substr(0, longest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (name.size() > longest) {
        while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
        if (static_cast<unsigned char>(out.back()) >= 0xc0U) out.pop_back();
        out += "...";
    }
    return out + "'";
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_QUOTE_HPP
// ---- silica/input/audio/sizes.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_SIZES_HPP
#define SILICA_SINGLE_INPUT_AUDIO_SIZES_HPP
/// What the numbers of an extractor may be, whether a file or a program gives them.

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::audio::detail {

/// The largest numbers that an extractor works with.
inline constexpr std::int64_t largest_rate = 1 << 20, largest_window = 1 << 14, most_mels = 1 << 10;
inline constexpr std::int64_t longest_chunk = std::int64_t{1} << 28U;  ///< in samples

[[noreturn]] inline void refuse_size(std::string_view key, const std::string& problem) {
    throw ConfigError("The extractor's " + std::string(key) + " " + problem + ".",
                      "Take the numbers of the model's preprocessor_config.json.");
}

/// Throws ConfigError unless low <= value <= high.
inline void check_size(std::string_view key, std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value >= low && value <= high) return;
    refuse_size(key,
                "is " + std::to_string(value) + ", not from " + std::to_string(low) + " to " + std::to_string(high));
}

/// Throws ConfigError unless so many samples can be a window, an even number.
inline void check_window(std::string_view key, std::int64_t samples) {
    check_size(key, samples, 2, largest_window);
    if (samples % 2 != 0) refuse_size(key, "is " + std::to_string(samples) + ", which is odd");
}

/// Throws ConfigError unless `seconds` are longer than half a window, and not too long. The rate is a checked one.
inline void check_length(std::string_view key, std::int64_t seconds, std::int64_t rate, std::int64_t window) {
    check_size(key, seconds, 1, longest_chunk / rate);
    if (seconds * rate <= window / 2) refuse_size(key, "is shorter than half a window");
}

/// Throws ConfigError for NaN and infinities.
inline void check_finite(std::string_view key, double value) {
    if (!std::isfinite(value)) refuse_size(key, "is no finite number");
}

}  // namespace silica::audio::detail
#endif  // SILICA_SINGLE_INPUT_AUDIO_SIZES_HPP

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
#endif  // SILICA_SINGLE_INPUT_AUDIO_CLAP_EXTRACTOR_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_CLAP_EXTRACTOR_HPP
// ---- silica/input/audio/decoder.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_DECODER_HPP
#define SILICA_SINGLE_INPUT_AUDIO_DECODER_HPP
/// What every decoder of sound gives.

// ---- silica/input/media/source.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_SOURCE_HPP
#define SILICA_SINGLE_INPUT_MEDIA_SOURCE_HPP
/// The bytes of a sound or a video, on a disk or in memory.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::media {

/// What its files are called in errors, and which of them FFmpeg opens.
struct Medium {
    std::string_view kind;      ///< "sound": of a sound file
    std::string_view content;   ///< "a video": what is in one
    std::string_view unread;    ///< "is no video that is read": of a file that is something else
    std::string_view examples;  ///< "WAV or FLAC": what may be given instead of it
    std::string_view recoded;   ///< the remedy where nothing decodes the content
    const char* containers;     ///< FFmpeg's names of those that hold it themselves, with commas between
};

/// Throws InputError: the file `name` is damaged or cut short; `why` says how.
[[noreturn]] inline void damaged(const std::string& name, const std::string& why) {
    throw InputError(name + " is damaged or cut short: " + why + ".", "Give the whole file, copied or made anew.");
}

/// Bytes at any place, and a place where C libraries read on. One caller at a time.
class Source {
public:
    /// A regular file. InputError where there is none, or it may not be read.
    Source(const std::filesystem::path& path, const Medium& medium) : name_(path.string()), medium_(&medium) {
        std::error_code error;
        const auto status = std::filesystem::status(path, error);
        if (!std::filesystem::exists(status)) unreadable("there is no such file");
        if (std::filesystem::is_directory(status)) unreadable("it is a directory");
        if (!std::filesystem::is_regular_file(status)) unreadable("it is no file");
        size_ = std::filesystem::file_size(path, error);
        if (error) unreadable(error.message());
        file_.open(path, std::ios::binary);
        if (!file_) unreadable("it does not open");
        require_bytes();
    }

    /// Bytes that the caller keeps. `name` stands for them in errors.
    Source(std::span<const std::byte> bytes, std::string_view name, const Medium& medium)
        : name_(name), medium_(&medium), bytes_(bytes), size_(bytes.size()), in_memory_(true) {
        require_bytes();
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const Medium& medium() const noexcept { return *medium_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Fills `out` with what stands at `offset` -> how much there was; less than was wanted at the end of the file, or
    /// where the disk fails.
    std::size_t read(std::uint64_t offset, std::span<std::byte> out) noexcept {
        if (offset >= size_) return 0;
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
        if (n == 0) return 0;
        if (in_memory_) {
            std::memcpy(out.data(), bytes_.data() + offset, n);
            return n;
        }
        file_.clear();  // no exceptions are asked for, so none come
        file_.seekg(static_cast<std::streamoff>(offset));
        file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(n));
        return static_cast<std::size_t>(std::max<std::streamsize>(file_.gcount(), 0));
    }

    /// Reads from where the last reading or seeking ended.
    std::size_t read_on(void* to, std::size_t size) noexcept {
        const auto n = read(at_, {static_cast<std::byte*>(to), size});
        at_ += n;
        return n;
    }
    /// fseek -> the new place, or -1.
    std::int64_t seek(std::int64_t offset, int whence) noexcept {
        const auto base = whence == SEEK_CUR ? at_ : whence == SEEK_END ? size_ : 0;
        const auto place = static_cast<std::int64_t>(static_cast<std::uint64_t>(offset) + base);
        if (place < 0) return -1;
        at_ = static_cast<std::uint64_t>(place);
        return place;
    }
    [[nodiscard]] std::uint64_t at() const noexcept { return at_; }

private:
    [[noreturn]] void unreadable(const std::string& why) const {
        throw InputError(name_ + " cannot be read: " + why + ".",
                         "Name a " + std::string(medium_->kind) + " file that you may read.");
    }
    void require_bytes() const {
        if (size_ == 0)
            throw InputError(name_ + " is empty.", "Name a file with " + std::string(medium_->content) + " in it.");
    }

    std::string name_;
    const Medium* medium_;
    std::span<const std::byte> bytes_;
    std::ifstream file_;
    std::uint64_t size_ = 0, at_ = 0;
    bool in_memory_ = false;
};

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_SOURCE_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace silica::audio::detail {

/// The samples of a sound, front to back. It reads from a Source that outlives it.
class Decoder {
public:
    Decoder() = default;
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    virtual ~Decoder() = default;

    /// Samples in a second, and how many channels there are.
    [[nodiscard]] std::int64_t rate() const noexcept { return rate_; }
    [[nodiscard]] std::int64_t channels() const noexcept { return channels_; }
    /// How many samples each channel has, where the file tells.
    [[nodiscard]] std::optional<std::int64_t> frames() const noexcept { return frames_; }

    /// Fills `to` with whole frames, one number for each channel in turn -> how many frames; 0 at the end.
    /// InputError where the file is damaged.
    virtual std::size_t read(std::span<float> to) = 0;

protected:
    /// InputError where such a sound cannot be.
    void set_form(const std::string& name, std::int64_t rate, std::int64_t channels) {
        constexpr std::int64_t lowest = 100, highest = 3072000, most_channels = 64;
        if (rate < lowest || rate > highest) {
            throw InputError(name + " says that it has " + std::to_string(rate) + " samples in a second.",
                             "Give a sound of " + std::to_string(lowest) + " to " + std::to_string(highest) +
                                 " samples in a second.");
        }
        if (channels < 1 || channels > most_channels) {
            throw InputError(name + " says that it has " + std::to_string(channels) + " channels.",
                             "Give a sound of 1 to " + std::to_string(most_channels) + " channels.");
        }
        rate_ = rate, channels_ = channels;
    }
    void set_frames(std::int64_t frames) { frames_ = frames; }

private:
    std::int64_t rate_ = 0, channels_ = 0;
    std::optional<std::int64_t> frames_;
};

}  // namespace silica::audio::detail
#endif  // SILICA_SINGLE_INPUT_AUDIO_DECODER_HPP
// ---- silica/input/audio/extractor.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_EXTRACTOR_HPP
#define SILICA_SINGLE_INPUT_AUDIO_EXTRACTOR_HPP
/// Sounds to the tensors of a model, by the files that stand beside its weights.

// ---- silica/input/audio/wav2vec2_extractor.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_WAV2VEC2_EXTRACTOR_HPP
#define SILICA_SINGLE_INPUT_AUDIO_WAV2VEC2_EXTRACTOR_HPP
/// Waveforms as Wav2Vec2 takes them.

#include <cstdint>
#include <span>

namespace silica::audio {

/// The keys of a Wav2Vec2FeatureExtractor.
struct Wav2Vec2ExtractorConfig {
    std::int64_t sampling_rate = 16000;
    float padding_value = 0;
    bool pads_left = false;  ///< padding_side
    bool return_attention_mask = false;
    bool do_normalize = true;
};

/// Pads to the longest sound of a batch and normalises, (x - mean) / sqrt(variance + 1e-7), as Wav2Vec2FeatureExtractor
/// does with `padding=True`: with return_attention_mask over the sound, without over the padded row.
/// Several threads may call one extractor.
class Wav2Vec2Extractor {
public:
    /// ConfigError for a rate or a padding value that cannot be.
    explicit Wav2Vec2Extractor(const Wav2Vec2ExtractorConfig& config);

    /// input_values (batch, samples), and attention_mask with return_attention_mask.
    /// InputError where there is no sound or one has another rate.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds) const {
        return (*this)(sounds, config_.return_attention_mask);
    }
    /// The same with or without a mask, whatever the file says.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds, bool mask) const;

    [[nodiscard]] const Wav2Vec2ExtractorConfig& config() const noexcept { return config_; }

private:
    Wav2Vec2ExtractorConfig config_;
};

}  // namespace silica::audio

// ---- silica/input/audio/wav2vec2_extractor.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_WAV2VEC2_EXTRACTOR_IPP
#define SILICA_SINGLE_INPUT_AUDIO_WAV2VEC2_EXTRACTOR_IPP
/// Waveforms of zero mean and unit variance.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace silica::audio {

namespace detail {

/// numpy's sum of float32: pairs of halves down to 128 numbers, eight sums side by side in these. The rounding is part
/// of what a constant sound becomes, since it is divided by sqrt(1e-7).
template <class F>
[[nodiscard]] float pairwise_sum(std::size_t begin, std::size_t n, const F& value) {
    if (n < 8) {
        float sum = 0;
        for (std::size_t i = 0; i < n; ++i) sum += value(begin + i);
        return sum;
    }
    if (n > 128) {
        const std::size_t half = n / 2 - n / 2 % 8;
        return pairwise_sum(begin, half, value) + pairwise_sum(begin + half, n - half, value);
    }
    std::array<float, 8> sums;
    for (std::size_t j = 0; j < 8; ++j) sums[j] = value(begin + j);
    std::size_t i = 8;
    for (; i + 8 <= n; i += 8) {
        for (std::size_t j = 0; j < 8; ++j) sums[j] += value(begin + i + j);
    }
    float sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    for (; i < n; ++i) sum += value(begin + i);
    return sum;
}

/// Normalises all of a row by the mean and the variance of its first n samples.
inline void normalize(std::span<float> row, std::size_t n) {
    const auto count = static_cast<float>(n);
    const float mean = pairwise_sum(0, n, [&](std::size_t i) { return row[i]; }) / count;
    const auto square = [&](std::size_t i) {
        const float x = row[i] - mean;
        return x * x;
    };
    const float scale = std::sqrt(pairwise_sum(0, n, square) / count + 1e-7F);
    for (float& x : row) x = (x - mean) / scale;
}

}  // namespace detail

SILICA_INLINE Wav2Vec2Extractor::Wav2Vec2Extractor(const Wav2Vec2ExtractorConfig& config) : config_(config) {
    detail::check_size("sampling_rate", config.sampling_rate, 1, detail::largest_rate);
    detail::check_finite("padding_value", static_cast<double>(config.padding_value));
}

SILICA_INLINE Features Wav2Vec2Extractor::operator()(std::span<const Samples> sounds, bool mask) const {
    check_batch(sounds, config_.sampling_rate);
    return within_memory(sounds.size(), [&] {
        std::size_t length = 0;
        for (const auto& sound : sounds) length = std::max(length, sound.mono().size());
        Features made{.name = "input_values",
                      .shape = {static_cast<std::int64_t>(sounds.size()), static_cast<std::int64_t>(length)},
                      .values = std::vector<float>(sounds.size() * length, config_.padding_value),
                      .mask = std::nullopt,
                      .is_longer = std::nullopt};
        if (mask) made.mask.emplace(made.values.size(), 0);
        for (std::size_t r = 0; r < sounds.size(); ++r) {
            const auto sound = sounds[r].mono();
            const auto n = sound.size(), begin = config_.pads_left ? length - n : 0;
            const auto row = std::span(made.values).subspan(r * length, length);
            std::ranges::copy(sound, row.begin() + static_cast<std::ptrdiff_t>(begin));
            if (mask) std::fill_n(made.mask->begin() + static_cast<std::ptrdiff_t>(r * length + begin), n, 1);
            if (!config_.do_normalize) continue;
            detail::normalize(row, mask ? n : length);
            if (mask)
                std::ranges::fill(row.subspan(n), config_.padding_value);  // on the right, whatever side is padded
        }
        return made;
    });
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_WAV2VEC2_EXTRACTOR_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_WAV2VEC2_EXTRACTOR_HPP
// ---- silica/input/audio/whisper_extractor.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_WHISPER_EXTRACTOR_HPP
#define SILICA_SINGLE_INPUT_AUDIO_WHISPER_EXTRACTOR_HPP
/// Whisper's log-mel spectrograms.

#include <cstdint>
#include <memory>
#include <span>

namespace silica::audio {

/// The keys of a WhisperFeatureExtractor.
struct WhisperExtractorConfig {
    std::int64_t feature_size = 80;  ///< mels
    std::int64_t sampling_rate = 16000, hop_length = 160, chunk_length = 30, n_fft = 400;
    float padding_value = 0;
    bool pads_left = false;  ///< padding_side
    bool return_attention_mask = false;
};

/// max(log10 of the mel spectrogram, its maximum - 8), then (x + 4) / 4, as WhisperFeatureExtractor computes it.
/// Several threads may call one extractor.
class WhisperExtractor {
public:
    /// ConfigError for sizes that cannot be.
    explicit WhisperExtractor(const WhisperExtractorConfig& config);

    /// input_features (batch, mels, frames) of the first chunk_length seconds of each sound, padded to that length.
    /// InputError where there is no sound or one has another rate.
    [[nodiscard]] Features operator()(std::span<const Samples> sounds) const;

    /// How many of the frames of a chunk begin in a sound of n samples: the ones of its attention mask.
    [[nodiscard]] std::int64_t frames_of(std::int64_t samples) const noexcept;

    [[nodiscard]] const WhisperExtractorConfig& config() const noexcept { return config_; }
    /// chunk_length seconds in samples, and in frames: 480000 and 3000.
    [[nodiscard]] std::int64_t chunk_samples() const noexcept { return config_.chunk_length * config_.sampling_rate; }
    [[nodiscard]] std::int64_t chunk_frames() const noexcept { return spectrogram_->frames_of(chunk_samples()) - 1; }
    /// log10 of the energies, before the floor. Shared by copies.
    [[nodiscard]] const std::shared_ptr<const MelSpectrogram<float>>& spectrogram() const noexcept {
        return spectrogram_;
    }

private:
    WhisperExtractorConfig config_;
    std::shared_ptr<const MelSpectrogram<float>> spectrogram_;
};

}  // namespace silica::audio

// ---- silica/input/audio/whisper_extractor.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_WHISPER_EXTRACTOR_IPP
#define SILICA_SINGLE_INPUT_AUDIO_WHISPER_EXTRACTOR_IPP
/// Chunks to spectrograms.

#include <algorithm>
#include <cstddef>

namespace silica::audio {

namespace detail {

inline const WhisperExtractorConfig& checked(const WhisperExtractorConfig& c) {
    check_size("feature_size", c.feature_size, 1, most_mels);
    check_size("sampling_rate", c.sampling_rate, 1, largest_rate);
    check_size("hop_length", c.hop_length, 1, largest_window);
    check_window("n_fft", c.n_fft);
    check_length("chunk_length", c.chunk_length, c.sampling_rate, c.n_fft);
    check_finite("padding_value", static_cast<double>(c.padding_value));
    if (c.chunk_length * c.sampling_rate < c.hop_length) refuse_size("hop_length", "is longer than a chunk");
    return c;
}

}  // namespace detail

SILICA_INLINE WhisperExtractor::WhisperExtractor(const WhisperExtractorConfig& config)
    : config_(detail::checked(config)),
      spectrogram_(std::make_shared<const MelSpectrogram<float>>(
          config.n_fft, config.hop_length,
          // Up to 8000 Hz whatever the rate.
          MelFilters::make(MelFilters::Scale::slaney_normed, config.feature_size, config.n_fft / 2 + 1,
                           config.sampling_rate, 0, 8000))) {}

SILICA_INLINE std::int64_t WhisperExtractor::frames_of(std::int64_t samples) const noexcept {
    const auto n = std::clamp<std::int64_t>(samples, 0, chunk_samples());
    return std::min((n + config_.hop_length - 1) / config_.hop_length, chunk_frames());
}

SILICA_INLINE Features WhisperExtractor::operator()(std::span<const Samples> sounds) const {
    check_batch(sounds, config_.sampling_rate);
    return within_memory(sounds.size(), [&] {
        const auto mels = config_.feature_size, frames = chunk_frames(), length = chunk_samples();
        Features made{.name = "input_features",
                      .shape = {static_cast<std::int64_t>(sounds.size()), mels, frames},
                      .values = {},
                      .mask = std::nullopt,
                      .is_longer = std::nullopt};
        made.values.resize(sounds.size() * static_cast<std::size_t>(mels * frames));
        if (config_.return_attention_mask) made.mask.emplace();
        float* row = made.values.data();
        std::vector<float> chunk(static_cast<std::size_t>(length));
        for (const auto& sound : sounds) {
            const auto n = std::min<std::int64_t>(static_cast<std::int64_t>(sound.mono().size()), length);
            const auto begin = config_.pads_left ? length - n : 0;
            std::ranges::fill(chunk, config_.padding_value);
            std::copy_n(sound.mono().begin(), n, chunk.begin() + begin);
            float most = -10;
            const auto padded = reflected(chunk, spectrogram_->padding());
            spectrogram_->each(padded.data(), frames, [&](std::int64_t t, std::int64_t count, const float* logs) {
                most = std::max(most, spectrogram_->most_of(logs, count));
                for (std::int64_t m = 0; m < mels; ++m)
                    std::copy_n(logs + m * MelSpectrogram<float>::lanes, count, row + m * frames + t);
            });
            // The frame that is dropped counts for nothing.
            for (float* value = row; value != row + mels * frames; ++value)
                *value = (std::max(*value, most - 8) + 4) / 4;
            row += mels * frames;
            for (std::int64_t t = 0; made.mask && t < frames; ++t) {
                const auto at = t * config_.hop_length;
                made.mask->push_back(at >= begin && at < begin + n ? 1 : 0);
            }
        }
        return made;
    });
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_WHISPER_EXTRACTOR_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_WHISPER_EXTRACTOR_HPP

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

// ---- silica/input/audio/extractor.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_EXTRACTOR_IPP
#define SILICA_SINGLE_INPUT_AUDIO_EXTRACTOR_IPP
/// The reading of preprocessor_config.json and its kin, as AutoFeatureExtractor of transformers 5.23 does.

// ---- silica/core/json.hpp
#ifndef SILICA_SINGLE_CORE_JSON_HPP
#define SILICA_SINGLE_CORE_JSON_HPP
/// JSON documents kept as values: configurations. Built on the reader that checkpoint headers use.

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica {

/// An integer that 64 bits do not hold: its digits, as the file has them.
struct LongInteger {
    std::string digits;  ///< a '-' comes first where it is negative
};

/// A parsed value. Objects keep the order of the file; a name that stands twice in one object has its last value, as in
/// Python.
class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<std::pair<std::string, Json>>;

    Json() = default;
    template <class T>
        requires(!std::is_same_v<std::remove_cvref_t<T>, Json>)
    explicit Json(T value) : value_(std::move(value)) {}

    /// Parses a whole text (RFC 8259, and the NaN and Infinity that Python writes). `source` names it in errors:
    /// ConfigError with line and column.
    [[nodiscard]] static Json parse(std::string_view text, const std::string& source);

    [[nodiscard]] bool is_null() const { return holds<std::monostate>(); }
    [[nodiscard]] bool is_bool() const { return holds<bool>(); }
    [[nodiscard]] bool is_integer() const { return holds<std::int64_t>(); }
    [[nodiscard]] bool is_long_integer() const { return holds<LongInteger>(); }
    [[nodiscard]] bool is_number() const { return is_integer() || is_long_integer() || holds<double>(); }
    [[nodiscard]] bool is_string() const { return holds<std::string>(); }
    [[nodiscard]] bool is_array() const { return holds<Array>(); }
    [[nodiscard]] bool is_object() const { return holds<Object>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
    [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(value_); }
    [[nodiscard]] const std::string& digits() const { return std::get<LongInteger>(value_).digits; }
    /// Any number as the nearest double.
    [[nodiscard]] double number() const;
    [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
    [[nodiscard]] const Array& array() const { return std::get<Array>(value_); }
    [[nodiscard]] const Object& object() const { return std::get<Object>(value_); }

    /// The value of a name; null when this is no object or has no such name.
    [[nodiscard]] const Json* find(std::string_view name) const;

    /// The value as short text for an error: `true`, `-3`, `"gelu"`, `a list`.
    [[nodiscard]] std::string brief() const;

private:
    template <class T>
    [[nodiscard]] bool holds() const {
        return std::holds_alternative<T>(value_);
    }
    std::variant<std::monostate, bool, std::int64_t, double, LongInteger, std::string, Array, Object> value_;
};

}  // namespace silica

// ---- silica/core/json.ipp
#ifndef SILICA_SINGLE_CORE_JSON_IPP
#define SILICA_SINGLE_CORE_JSON_IPP
/// Definitions of json.hpp.

// ---- silica/core/json_reader.hpp
#ifndef SILICA_SINGLE_CORE_JSON_READER_HPP
#define SILICA_SINGLE_CORE_JSON_READER_HPP
/// Reads JSON front to back without keeping it: the headers and indexes of checkpoints, which come from strangers and
/// may be 100 MB. One pass, memory only for the string at hand, nesting bounded. (`core/json.hpp` keeps whole
/// documents.)

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace silica {

/// A cursor over JSON text. Every function reads one thing or throws a CheckpointError that says where and why.
class JsonReader {
public:
    /// `source` names the text in errors ("model.safetensors: header"); `remedy` is their second half.
    JsonReader(std::string_view text, std::string source, std::string remedy);

    /// Throws: the text, at this line and column, `problem` ("has no member 'dtype'").
    [[noreturn]] void fail(std::string_view problem) const;

    /// The next byte that is not white space, not consumed; 0 at the end.
    [[nodiscard]] char peek() noexcept {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
            ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    /// Reads an object; `member(key)` must read the value that follows.
    template <class Member>
    void object(Member&& member) {
        sequence('{', '}', "an object", [&] {
            std::string key = string();
            expect(':');
            member(std::move(key));
        });
    }

    /// Reads an array; `item()` must read one value.
    template <class Item>
    void array(Item&& item) {
        sequence('[', ']', "an array", item);
    }

    /// Reads a string, with its escapes replaced.
    [[nodiscard]] std::string string();

    /// Reads a whole number from 0 to 2^64 - 1; `what()` names it in errors.
    template <class What>
    [[nodiscard]] std::uint64_t number(What&& what) {
        const char first = peek();
        if (first < '0' || first > '9') fail(what() + " should be a whole number, 0 or more");
        const std::size_t begin = at_;
        std::uint64_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
            if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) fail(what() + " is 2^64 or more");
            value = value * 10 + digit;
        }
        if (first == '0' && at_ - begin > 1) fail(what() + " has a leading zero");
        if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
            fail(what() + " should be a whole number");
        return value;
    }

    /// Reads `null` if that comes next.
    [[nodiscard]] bool null();

    /// Reads `word`: true, false or null.
    void literal(std::string_view word);

    /// Reads a number of any kind and returns its text: that of JSON, or NaN, Infinity, -Infinity, as Python writes
    /// them.
    [[nodiscard]] std::string_view number_literal();

    /// Reads any value and forgets it.
    void skip();

    /// Throws unless nothing but white space is left.
    void end();

private:
    template <class Item>
    void sequence(char open, char close, std::string_view what, Item&& item) {
        constexpr int deepest = 64;
        if (peek() != open) fail("should have " + std::string(what) + " here");
        if (++depth_ > deepest) fail("is nested more than 64 deep");
        ++at_;
        if (peek() == close) {
            ++at_;
        } else {
            while (true) {
                item();
                const char c = peek();
                if (c != ',' && c != close) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
                ++at_;
                if (c == close) break;
            }
        }
        --depth_;
    }

    void expect(char c);
    void digits();
    unsigned hex4();
    void escape(std::string& out);

    std::string_view text_;
    std::string source_, remedy_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace silica

// ---- silica/core/json_reader.ipp
#ifndef SILICA_SINGLE_CORE_JSON_READER_IPP
#define SILICA_SINGLE_CORE_JSON_READER_IPP
/// Definitions of json_reader.hpp.

// ---- silica/core/utf8.hpp
#ifndef SILICA_SINGLE_CORE_UTF8_HPP
#define SILICA_SINGLE_CORE_UTF8_HPP
/// UTF-8: checking it, writing it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace silica {

/// The position of the first byte that is not well-formed UTF-8 (RFC 3629), or text.size().
[[nodiscard]] inline std::size_t first_bad_utf8(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t i = 0;
    while (i < text.size()) {
        if (text.size() - i >= 8) {  // eight ASCII bytes at a time
            std::uint64_t word = 0;
            std::memcpy(&word, text.data() + i, 8);
            if ((word & 0x8080808080808080U) == 0) {
                i += 8;
                continue;
            }
        }
        const unsigned lead = at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return i;
        const unsigned second = at(i + 1);
        const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;   // no overlong forms
        const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;  // no surrogates, nothing over 10FFFF
        if (second < low || second > high) return i;
        for (std::size_t k = 2; k < length; ++k)
            if ((at(i + k) & 0xc0U) != 0x80U) return i;
        i += length;
    }
    return i;
}

/// Appends the UTF-8 form of a code point (at most 0x10FFFF, no surrogate).
inline void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
        put(0xc0U | code >> 6U);
    } else {
        if (code < 0x10000) {
            put(0xe0U | code >> 12U);
        } else {
            put(0xf0U | code >> 18U);
            put(0x80U | (code >> 12U & 0x3fU));
        }
        put(0x80U | (code >> 6U & 0x3fU));
    }
    put(0x80U | (code & 0x3fU));
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_UTF8_HPP

#include <algorithm>

namespace silica {

SILICA_INLINE JsonReader::JsonReader(std::string_view text, std::string source, std::string remedy)
    : text_(text), source_(std::move(source)), remedy_(std::move(remedy)) {
    at_ = first_bad_utf8(text_);
    if (at_ != text_.size()) fail("is not UTF-8");
    at_ = 0;
}

SILICA_INLINE void JsonReader::fail(std::string_view problem) const {
    const auto before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const auto column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
    throw CheckpointError(source_ + " (line " + std::to_string(line) + ", column " + std::to_string(column) + ") " +
                              std::string(problem) + ".",
                          remedy_);
}

SILICA_INLINE std::string JsonReader::string() {
    if (peek() != '"') fail("should have a string here");
    ++at_;
    std::string out;
    while (true) {
        const auto end = std::find_if(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.end(), [](char c) {
            return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
        });
        const auto stop = static_cast<std::size_t>(end - text_.begin());
        out.append(text_, at_, stop - at_);
        at_ = stop;
        if (at_ == text_.size()) fail("ends inside a string");
        if (text_[at_] == '"') break;
        if (text_[at_] != '\\') fail("has a control character in a string");
        escape(out);
    }
    ++at_;
    return out;
}

SILICA_INLINE bool JsonReader::null() {
    if (peek() != 'n') return false;
    literal("null");
    return true;
}

SILICA_INLINE void JsonReader::literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail("is not valid JSON");
    at_ += word.size();
}

SILICA_INLINE std::string_view JsonReader::number_literal() {
    static_cast<void>(peek());
    const std::size_t begin = at_;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
        if (text_.substr(at_, word.size()) != word) continue;
        at_ += word.size();
        return text_.substr(begin, word.size());
    }
    const auto next = [this](std::string_view set) {
        return at_ < text_.size() && set.find(text_[at_]) != std::string_view::npos && (++at_, true);
    };
    static_cast<void>(next("-"));
    if (!next("0")) digits();
    if (next(".")) digits();
    if (next("eE")) {
        static_cast<void>(next("+-"));
        digits();
    }
    return text_.substr(begin, at_ - begin);
}

SILICA_INLINE void JsonReader::skip() {
    switch (peek()) {
        case '{':
            return object([this](const std::string&) { skip(); });
        case '[':
            return array([this] { skip(); });
        case '"':
            return static_cast<void>(string());
        case 't':
            return literal("true");
        case 'f':
            return literal("false");
        case 'n':
            return literal("null");
        default:
            static_cast<void>(number_literal());
    }
}

SILICA_INLINE void JsonReader::end() {
    if (peek() != '\0' || at_ != text_.size()) fail("has more text after the end of the JSON");
}

SILICA_INLINE void JsonReader::expect(char c) {
    if (peek() != c) fail(std::string("should have '") + c + "' here");
    ++at_;
}

SILICA_INLINE void JsonReader::digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    if (at_ == begin) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
}

SILICA_INLINE unsigned JsonReader::hex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
        const char c = at_ < text_.size() ? text_[at_] : '\0';
        const char lower = static_cast<char>(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value * 16 + static_cast<unsigned>(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
        else
            fail("has a bad \\u escape");
    }
    return value;
}

SILICA_INLINE void JsonReader::escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    ++at_;
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    ++at_;
    if (const auto k = letters.find(c); c != '\0' && k != std::string_view::npos) {
        out += meanings[k];
        return;
    }
    if (c != 'u') fail("has a bad escape in a string");
    std::uint32_t code = hex4();
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(std::min(at_, text_.size()), 2) == "\\u") {
        at_ += 2;
        const std::uint32_t low = hex4();
        if (low < 0xdc00 || low > 0xdfff) fail("has half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
    } else if (code >= 0xd800 && code < 0xe000) {
        fail("has half of a surrogate pair");
    }
    append_utf8(out, code);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_READER_IPP
#endif  // SILICA_SINGLE_CORE_JSON_READER_HPP
// ---- silica/core/real.hpp
#ifndef SILICA_SINGLE_CORE_REAL_HPP
#define SILICA_SINGLE_CORE_REAL_HPP
/// Decimal numbers, read as the nearest double whatever the locale.

#include <charconv>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica {

namespace detail {

/// For standard libraries whose from_chars knows no floating point, and for what from_chars calls out of range.
[[nodiscard]] inline double slow_real(std::string_view decimal) {
    std::istringstream in{std::string(decimal)};
    in.imbue(std::locale::classic());
    double value = 0;
    if (in >> value || value == 0) return value;
    return value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}

}  // namespace detail

/// The nearest double of `-12.5e+3` and its like, as Python's float() reads it: infinite beyond the largest, zero
/// below the smallest.
[[nodiscard]] inline double read_real(std::string_view decimal) {
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    double value = 0;
    if (std::from_chars(decimal.data(), decimal.data() + decimal.size(), value).ec == std::errc()) return value;
#endif
    return detail::slow_real(decimal);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_REAL_HPP

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <functional>
#include <limits>
#include <locale>
#include <sstream>
#include <system_error>

namespace silica {

SILICA_INLINE double Json::number() const {
    if (is_integer()) return static_cast<double>(integer());
    return is_long_integer() ? read_real(digits()) : std::get<double>(value_);
}

SILICA_INLINE const Json* Json::find(std::string_view name) const {
    if (!is_object()) return nullptr;
    for (const auto& [key, value] : object()) {
        if (key == name) return &value;
    }
    return nullptr;
}

SILICA_INLINE std::string Json::brief() const {
    if (is_null()) return "null";
    if (is_bool()) return boolean() ? "true" : "false";
    if (is_integer()) return std::to_string(integer());
    if (is_long_integer()) return digits().size() > 40 ? digits().substr(0, 37) + "..." : digits();
    if (is_string()) return quote(string());
    if (is_array()) return "a list";
    if (is_object()) return "an object";
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << number();
    return text.str();
}

namespace detail {

/// Reads one document.
class JsonBuilder {
public:
    JsonBuilder(std::string_view text, const std::string& source)
        : in_(text, source, "Correct the file, or download it again.") {}

    [[nodiscard]] Json run() {
        Json made = value();
        in_.end();
        return made;
    }

private:
    /// A value takes some fifty bytes whatever its text: `[[],[],` of a gigabyte would take twenty.
    static constexpr std::size_t most_values = std::size_t{1} << 24;
    static constexpr std::size_t most_digits = 4300;  ///< of an integer: Python's limit

    [[nodiscard]] Json value() {
        if (++values_ > most_values) in_.fail("has more than " + std::to_string(most_values) + " values");
        switch (in_.peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return Json(in_.string());
            case 't':
                in_.literal("true");
                return Json(true);
            case 'f':
                in_.literal("false");
                return Json(false);
            case 'n':
                in_.literal("null");
                return {};
            default:
                return number();
        }
    }
    [[nodiscard]] Json object() {
        Json::Object members;
        in_.object([&](std::string name) { members.emplace_back(std::move(name), value()); });
        keep_last(members);
        return Json(std::move(members));
    }
    [[nodiscard]] Json array() {
        Json::Array items;
        in_.array([&] { items.push_back(value()); });
        return Json(std::move(items));
    }
    /// An integer where it is one, else the nearest double.
    [[nodiscard]] Json number() {
        const std::string_view literal = in_.number_literal();
        if (literal.ends_with('N')) return Json(std::numeric_limits<double>::quiet_NaN());
        if (literal.ends_with('y')) {
            const double infinity = std::numeric_limits<double>::infinity();
            return Json(literal.starts_with('-') ? -infinity : infinity);
        }
        if (literal.find_first_of(".eE") != std::string_view::npos) return Json(read_real(literal));
        std::int64_t whole = 0;
        if (std::from_chars(literal.data(), literal.data() + literal.size(), whole).ec == std::errc())
            return Json(whole);
        if (literal.size() > most_digits)
            in_.fail("has an integer of more than " + std::to_string(most_digits) + " digits");
        return Json(LongInteger{std::string(literal)});
    }
    /// Python's rule for a name that stands twice: the first place, the last value.
    static void keep_last(Json::Object& members) {
        std::vector<std::pair<std::size_t, std::size_t>> order;  // hash of the name, place
        order.reserve(members.size());
        for (const auto& member : members) order.emplace_back(std::hash<std::string>{}(member.first), order.size());
        const auto name = [&](const auto& entry) -> const std::string& { return members[entry.second].first; };
        std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
            if (a.first != b.first) return a.first < b.first;
            const int names = name(a).compare(name(b));
            return names != 0 ? names < 0 : a.second < b.second;
        });
        std::vector<bool> gone;
        std::size_t first = 0;
        for (std::size_t i = 1; i < order.size(); ++i) {
            if (order[i].first != order[first].first || name(order[i]) != name(order[first])) {
                first = i;
                continue;
            }
            members[order[first].second].second = std::move(members[order[i].second].second);
            gone.resize(members.size());
            gone[order[i].second] = true;
        }
        if (gone.empty()) return;
        std::size_t place = 0;
        std::erase_if(members, [&](const auto&) { return gone[place++]; });
    }

    JsonReader in_;
    std::size_t values_ = 0;
};

}  // namespace detail

SILICA_INLINE Json Json::parse(std::string_view text, const std::string& source) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    try {
        return detail::JsonBuilder(text, source).run();
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_IPP
#endif  // SILICA_SINGLE_CORE_JSON_HPP
// ---- silica/input/text/file.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FILE_HPP
#define SILICA_SINGLE_INPUT_TEXT_FILE_HPP
/// Reading tokenizer files.

// ---- silica/core/impostor.hpp
#ifndef SILICA_SINGLE_CORE_IMPOSTOR_HPP
#define SILICA_SINGLE_CORE_IMPOSTOR_HPP
/// Files that a download left in the place of another: their first bytes tell.

#include <cstddef>
#include <optional>
#include <string_view>

namespace silica {

/// What stands in a file's place, and what to do about it.
struct Impostor {
    std::string_view what;    ///< "a Git LFS pointer"
    std::string_view remedy;  ///< a sentence
};

/// How many bytes of a file `impostor` wants to see.
inline constexpr std::size_t impostor_bytes = 64;

/// What a file that begins with `start` is, when it can be neither weights nor a configuration; nothing otherwise.
[[nodiscard]] std::optional<Impostor> impostor(std::string_view start);

}  // namespace silica

// ---- silica/core/impostor.ipp
#ifndef SILICA_SINGLE_CORE_IMPOSTOR_IPP
#define SILICA_SINGLE_CORE_IMPOSTOR_IPP
/// Definitions of impostor.hpp.

#include <algorithm>

namespace silica {

SILICA_INLINE std::optional<Impostor> impostor(std::string_view start) {
    constexpr std::string_view again = "Download the file again, signed in where its repository asks for that.";
    if (start.starts_with("version https://git-lfs"))
        return Impostor{"a Git LFS pointer", "Run `git lfs pull` in its directory."};
    for (const std::string_view message : {"Entry not found", "Repository not found", "Invalid username or password",
                                           "Invalid credentials", "Access to model"})
        if (start.starts_with(message)) return Impostor{"the error message of a download", again};
    start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n\xEF\xBB\xBF"), start.size()));
    for (const std::string_view tag : {"<!doctype", "<html", "<head", "<?xml"}) {
        const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
        if (start.size() >= tag.size() && std::equal(tag.begin(), tag.end(), start.begin(),
                                                     [&](char letter, char found) { return same(found, letter); }))
            return Impostor{"a web page", again};
    }
    return std::nullopt;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_IMPOSTOR_IPP
#endif  // SILICA_SINGLE_CORE_IMPOSTOR_HPP

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::text {

/// Whether a regular file of this name is in the directory.
[[nodiscard]] inline bool has_file(const std::filesystem::path& directory, const char* name) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(directory / name, ignored);
}

/// The bytes of a file. ConfigError where it cannot be read or is larger than any tokenizer.
[[nodiscard]] inline std::string read_file(const std::filesystem::path& path) {
    constexpr std::uintmax_t largest = std::uintmax_t{1} << 29;
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size > largest) {
        throw ConfigError(path.string() + " has " + std::to_string(size) + " bytes, more than any tokenizer file.",
                          "Take the file from the model's repository again.");
    }
    std::ifstream in(path, std::ios::binary);
    std::string bytes(error ? 0 : static_cast<std::size_t>(size), '\0');
    if (error || !in || !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        throw ConfigError(path.string() + " cannot be read.", "Check that the file exists and that you may read it.");
    }
    if (const auto found = impostor(bytes)) {
        throw ConfigError(path.string() + " is " + std::string(found->what) + ", not the file itself.",
                          std::string(found->remedy));
    }
    return bytes;
}

/// Parses JSON. `name` is the file, for the error.
[[nodiscard]] inline Json parse_json(std::string_view text, const std::string& name) { return Json::parse(text, name); }

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FILE_HPP
// ---- silica/input/text/json_place.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
/// A value inside a JSON file together with its address, so that whatever is wrong with it is said by file and key.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text {

/// A place in a tokenizer file: "tokenizer.json", then "model.vocab" and so on. Reads typed values or throws
/// ConfigError.
class JsonPlace {
public:
    JsonPlace(const Json& value, std::string file, std::string key = {})
        : value_(&value), file_(std::move(file)), key_(std::move(key)) {}

    [[nodiscard]] const Json& raw() const noexcept { return *value_; }
    [[nodiscard]] bool is_null() const noexcept { return value_->is_null(); }
    [[nodiscard]] bool is_object() const noexcept { return value_->is_object(); }
    [[nodiscard]] bool is_array() const noexcept { return value_->is_array(); }
    [[nodiscard]] bool is_string() const noexcept { return value_->is_string(); }

    /// The member `name`, or nothing where it is absent or null.
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view name) const {
        require(value_->is_object(), "an object");
        const Json* found = value_->find(name);
        if (!found || found->is_null()) return std::nullopt;
        return JsonPlace(*found, file_, key_.empty() ? std::string(name) : key_ + "." + std::string(name));
    }
    /// The member `name`; an error where it is absent or null.
    [[nodiscard]] JsonPlace at(std::string_view name) const {
        auto found = find(name);
        if (!found) fail("lacks the key \"" + std::string(name) + "\"");
        return *std::move(found);
    }
    /// The element `index` of an array.
    [[nodiscard]] JsonPlace at(std::size_t index) const {
        require(value_->is_array(), "an array");
        if (index >= size()) fail("has fewer than " + std::to_string(index + 1) + " elements");
        return JsonPlace(value_->array()[index], file_, key_ + "[" + std::to_string(index) + "]");
    }
    [[nodiscard]] std::size_t size() const {
        require(value_->is_array(), "an array");
        return value_->array().size();
    }
    [[nodiscard]] const std::string& string() const {
        require(value_->is_string(), "a string");
        return value_->string();
    }
    [[nodiscard]] bool boolean() const {
        require(value_->is_bool(), "true or false");
        return value_->boolean();
    }
    [[nodiscard]] double number() const {
        require(value_->is_number(), "a number");
        return value_->number();
    }
    /// An integer within [low, high].
    [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const {
        require(value_->is_number(), "an integer");
        if (!value_->is_integer() || value_->integer() < low || value_->integer() > high) {
            fail("is " + value_->brief() + ", no integer from " + std::to_string(low) + " to " + std::to_string(high));
        }
        return value_->integer();
    }
    /// A token id.
    [[nodiscard]] std::int32_t id() const { return static_cast<std::int32_t>(integer(0, max_id)); }

    [[nodiscard]] std::string string_or(std::string_view name, std::string fallback) const {
        const auto found = find(name);
        return found ? found->string() : fallback;
    }
    [[nodiscard]] bool boolean_or(std::string_view name, bool fallback) const {
        const auto found = find(name);
        return found ? found->boolean() : fallback;
    }
    /// Whether this is an object with all of these members, null or not.
    [[nodiscard]] bool has(std::initializer_list<std::string_view> names) const {
        for (const auto name : names) {
            if (!value_->find(name)) return false;
        }
        return is_object();
    }
    /// The value of "type"; empty where there is none, as in files of old.
    [[nodiscard]] std::string type_or_none() const {
        const Json* type = value_->find("type");
        return type && type->is_string() ? type->string() : std::string();
    }
    /// The value of "type", which every component of a tokenizer.json has.
    [[nodiscard]] const std::string& type() const { return value_type().value_->string(); }

    /// The steps of a Sequence.
    [[nodiscard]] JsonPlace steps(std::string_view name) const;

    /// Throws ConfigError: this place, and `problem` ("lacks the key ...").
    [[noreturn]] void fail(const std::string& problem) const {
        throw ConfigError(
            file_ + (key_.empty() ? "" : ": " + key_) + " " + problem + ".",
            "Take " + file_ + " from the model's repository again; it is damaged or of an unknown format.");
    }
    /// Throws ConfigError: a component of a type nobody here implements.
    [[noreturn]] void unknown(const std::string& kind) const {
        if (!is_object() || !value_->find("type"))
            fail("has no \"type\", and is no " + kind + " that is known without");
        throw ConfigError(file_ + ": " + key_ + " has the " + kind + " type \"" + type().substr(0, 100) +
                              "\", which Silica does not know.",
                          "Use a checkpoint whose tokenizer has known components, or add the " + kind +
                              " under include/silica/input/text/.");
    }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] const std::string& key() const noexcept { return key_; }

    /// The largest token id taken for real; a vocabulary is dense, so larger ones are damage.
    static constexpr std::int64_t max_id = (1 << 26) - 1;

private:
    [[nodiscard]] JsonPlace value_type() const {
        auto place = at("type");
        place.require(place.is_string(), "a string");
        return place;
    }
    void require(bool holds, const char* wanted) const {
        if (!holds) fail("is " + value_->brief() + " where " + wanted + " belongs");
    }

    const Json* value_;
    std::string file_, key_;
};

/// Components nest (Sequence in Sequence); deeper, or more in one sequence, than this is damage.
inline constexpr int max_depth = 4;
inline constexpr std::size_t max_steps = 64;

inline JsonPlace JsonPlace::steps(std::string_view name) const {
    auto made = at(name);
    if (made.size() > max_steps) {
        made.fail("has " + std::to_string(made.size()) + " steps, more than " + std::to_string(max_steps));
    }
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::audio {

namespace detail {

using text::JsonPlace;

/// Reads the keys of an extractor. One that is absent leaves what stands there.
class ExtractorKeys {
public:
    explicit ExtractorKeys(JsonPlace place) : place_(std::move(place)) {}

    void read(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t& value) const {
        if (has(key)) value = place_.at(key).integer(low, high);
    }
    void read(std::string_view key, double& value) const {
        if (!has(key)) return;
        value = place_.at(key).number();
        if (!std::isfinite(value)) place_.at(key).fail("is no finite number");
    }
    void read(std::string_view key, float& value) const {
        double wide = static_cast<double>(value);
        read(key, wide);
        value = static_cast<float>(wide);
        if (!std::isfinite(value)) place_.at(key).fail("is too large for float32");
    }
    /// Null is false.
    void read(std::string_view key, bool& value) const {
        if (!has(key)) return;
        const auto found = place_.find(key);
        value = found && (found->raw().is_integer() ? found->integer(0, 1) == 1 : found->boolean());
    }
    /// Null is no word.
    void read(std::string_view key, std::string& value) const {
        if (!has(key)) return;
        const auto found = place_.find(key);
        value = found ? found->string() : std::string();
    }
    /// padding_side.
    void read_side(bool& left) const {
        if (!has("padding_side")) return;
        const auto side = place_.at("padding_side");
        left = side.string() == "left";
        if (!left && side.string() != "right") side.fail("is " + quote(side.string()) + ", neither left nor right");
    }
    /// The extractor of what was read. ConfigError, which names the file, for numbers that cannot be.
    template <class Made, class Config>
    [[nodiscard]] Made make(const Config& config) const try {
        return Made(config);
    } catch (const ConfigError& e) {
        throw ConfigError(place_.file() + ": " + e.problem(), e.remedy());
    }
    [[nodiscard]] const JsonPlace& place() const noexcept { return place_; }

private:
    [[nodiscard]] bool has(std::string_view key) const { return place_.raw().find(key) != nullptr; }

    JsonPlace place_;
};

inline WhisperExtractor whisper_of(const ExtractorKeys& keys) {
    WhisperExtractorConfig c;
    keys.read("feature_size", 1, most_mels, c.feature_size);
    keys.read("sampling_rate", 1, largest_rate, c.sampling_rate);
    keys.read("hop_length", 1, largest_window, c.hop_length);
    keys.read("chunk_length", 1, longest_chunk, c.chunk_length);
    keys.read("n_fft", 2, largest_window, c.n_fft);
    keys.read("padding_value", c.padding_value);
    keys.read("return_attention_mask", c.return_attention_mask);
    keys.read_side(c.pads_left);
    double dither = 0;
    keys.read("dither", dither);
    if (dither != 0) {
        throw ConfigError(keys.place().file() + " asks for a dither of " + std::to_string(dither) +
                              ", which adds random noise that only PyTorch's generator gives.",
                          "Set dither to 0.");
    }
    return keys.make<WhisperExtractor>(c);
}

inline Wav2Vec2Extractor wav2vec2_of(const ExtractorKeys& keys) {
    Wav2Vec2ExtractorConfig c;
    std::int64_t features = 1;
    keys.read("feature_size", 1, 1, features);
    keys.read("sampling_rate", 1, largest_rate, c.sampling_rate);
    keys.read("padding_value", c.padding_value);
    keys.read("return_attention_mask", c.return_attention_mask);
    keys.read("do_normalize", c.do_normalize);
    keys.read_side(c.pads_left);
    return keys.make<Wav2Vec2Extractor>(c);
}

inline ClapExtractor clap_of(const ExtractorKeys& keys) {
    ClapExtractorConfig c;
    keys.read("feature_size", 1, most_mels, c.feature_size);
    keys.read("sampling_rate", 1, largest_rate, c.sampling_rate);
    keys.read("hop_length", 1, largest_window, c.hop_length);
    keys.read("max_length_s", 1, longest_chunk, c.max_length_s);
    keys.read("fft_window_size", 2, largest_window, c.fft_window_size);
    keys.read("frequency_min", c.frequency_min);
    keys.read("frequency_max", c.frequency_max);
    keys.read("truncation", c.truncation);
    keys.read("padding", c.padding);
    return keys.make<ClapExtractor>(c);
}

/// What makes the extractor of a class, or null.
using MakeExtractor = Extractor::Kind (*)(const ExtractorKeys&);
inline MakeExtractor maker_of_class(std::string_view name) {
    if (name == "WhisperFeatureExtractor")
        return [](const ExtractorKeys& k) -> Extractor::Kind { return whisper_of(k); };
    if (name == "Wav2Vec2FeatureExtractor")
        return [](const ExtractorKeys& k) -> Extractor::Kind { return wav2vec2_of(k); };
    if (name == "ClapFeatureExtractor") return [](const ExtractorKeys& k) -> Extractor::Kind { return clap_of(k); };
    return nullptr;
}

/// By a model_type of config.json, or null.
inline MakeExtractor maker_of_model(std::string_view type) {
    for (const std::string_view whisper : {"whisper", "qwen2_audio", "voxtral"}) {
        if (type == whisper) return maker_of_class("WhisperFeatureExtractor");
    }
    for (const std::string_view wav2vec2 :
         {"wav2vec2", "hubert", "wavlm", "data2vec-audio", "moonshine", "sew", "sew-d", "unispeech", "unispeech-sat",
          "wav2vec2-bert", "wav2vec2-conformer"}) {
        if (type == wav2vec2) return maker_of_class("Wav2Vec2FeatureExtractor");
    }
    return type == "clap" ? maker_of_class("ClapFeatureExtractor") : nullptr;
}

/// A file of JSON.
struct ExtractorFile {
    ExtractorFile(const std::filesystem::path& directory, const char* file)
        : path((directory / file).string()), json(text::parse_json(text::read_file(path), path)) {}

    std::string path;
    Json json;
};

/// Calls f(place, class, maker) for the extractor of a directory. `class` is where its class stands, if it does;
/// `maker` is null where the class is not known. Returns f's value, or none() where no file describes an extractor.
template <class F, class None>
auto with_extractor(const std::filesystem::path& directory, const F& f, const None& none) {
    const auto found = [&](const JsonPlace& place) {
        if (!place.is_object()) place.fail("is no JSON object");
        if (const auto type = place.find("feature_extractor_type"))
            return f(place, type, maker_of_class(type->string()));
        if (place.find("image_processor_type") || !text::has_file(directory, "config.json"))
            return f(place, std::optional<JsonPlace>(), MakeExtractor{});
        const ExtractorFile config(directory, "config.json");
        const JsonPlace top(config.json, config.path);
        if (const auto type = top.find("feature_extractor_type")) return f(place, type, maker_of_class(type->string()));
        return f(place, std::optional<JsonPlace>(), maker_of_model(top.string_or("model_type", "")));
    };
    if (text::has_file(directory, "processor_config.json")) {
        const ExtractorFile file(directory, "processor_config.json");
        const JsonPlace top(file.json, file.path);
        if (!top.is_object()) top.fail("is no JSON object");
        for (const char* key : {"feature_extractor", "audio_processor"}) {
            if (file.json.find(key) == nullptr) continue;
            if (const auto nested = top.find(key)) return found(*nested);
            break;  // null: as if it were absent
        }
    }
    if (!text::has_file(directory, "preprocessor_config.json")) return none();
    const ExtractorFile file(directory, "preprocessor_config.json");
    return found({file.json, file.path});
}

}  // namespace detail

SILICA_INLINE Extractor Extractor::open(const std::filesystem::path& directory) {
    return detail::with_extractor(
        directory,
        [](const detail::JsonPlace& place, const std::optional<detail::JsonPlace>& type, detail::MakeExtractor maker) {
            if (maker != nullptr) return Extractor(maker(detail::ExtractorKeys(place)));
            if (type) {
                throw ConfigError(type->file() + ": " + type->key() + " is " + quote(type->string()) +
                                      ", a feature extractor that Silica does not know.",
                                  "Use a checkpoint whose feature extractor is Whisper's, Wav2Vec2's or CLAP's.");
            }
            throw ConfigError(place.file() +
                                  " names no feature_extractor_type, and config.json beside it does not say whose "
                                  "extractor this is.",
                              "Add a feature_extractor_type, as \"WhisperFeatureExtractor\".");
        },
        [&]() -> Extractor {
            throw ConfigError(
                directory.string() +
                    " has no feature extractor: neither preprocessor_config.json nor processor_config.json "
                    "with a feature_extractor.",
                "Download the processor's files of the model into that directory.");
        });
}

SILICA_INLINE bool Extractor::is_in(const std::filesystem::path& directory) {
    return detail::with_extractor(
        directory,
        [](const detail::JsonPlace&, const std::optional<detail::JsonPlace>&, detail::MakeExtractor maker) {
            return maker != nullptr;
        },
        [] { return false; });
}

SILICA_INLINE Features Extractor::operator()(std::span<const Samples> sounds) const {
    NumpyRandom random;
    return (*this)(sounds, random);
}

SILICA_INLINE Features Extractor::operator()(std::span<const Samples> sounds, NumpyRandom& random) const {
    if (const auto* clap = std::get_if<ClapExtractor>(&kind_)) return (*clap)(sounds, random);
    if (const auto* wav2vec2 = std::get_if<Wav2Vec2Extractor>(&kind_)) return (*wav2vec2)(sounds);
    return std::get<WhisperExtractor>(kind_)(sounds);
}

SILICA_INLINE int Extractor::rate() const noexcept {
    return static_cast<int>(std::visit([](const auto& kind) { return kind.config().sampling_rate; }, kind_));
}

SILICA_INLINE std::int64_t Extractor::most_samples() const noexcept {
    const auto* whisper = std::get_if<WhisperExtractor>(&kind_);
    return whisper != nullptr ? whisper->chunk_samples() : std::numeric_limits<std::int64_t>::max();
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_EXTRACTOR_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_EXTRACTOR_HPP
// ---- silica/input/audio/ffmpeg.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_FFMPEG_HPP
#define SILICA_SINGLE_INPUT_AUDIO_FFMPEG_HPP
/// The sound of other containers by FFmpeg.

#include <memory>

namespace silica::audio::detail {

/// Opens a file of Kind::ffmpeg. InputError too where Silica was built without FFmpeg. InputError where it is damaged
/// or cannot be decoded.
[[nodiscard]] std::unique_ptr<Decoder> open_ffmpeg(media::Source& source);

}  // namespace silica::audio::detail

// ---- silica/input/audio/ffmpeg.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_FFMPEG_IPP
#define SILICA_SINGLE_INPUT_AUDIO_FFMPEG_IPP
/// FFmpeg over a Source, where Silica was built with it.

#ifdef SILICA_AUDIO_FFMPEG

// ---- silica/input/media/frames.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_FRAMES_HPP
#define SILICA_SINGLE_INPUT_MEDIA_FRAMES_HPP
/// Packets to frames.

// ---- silica/input/media/demuxer.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_DEMUXER_HPP
#define SILICA_SINGLE_INPUT_MEDIA_DEMUXER_HPP
/// A stream of a container, packet by packet.

// ---- silica/input/media/ffmpeg.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_FFMPEG_HPP
#define SILICA_SINGLE_INPUT_MEDIA_FFMPEG_HPP
/// FFmpeg's headers, and who frees what they give.

#include <memory>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/dict.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

namespace silica::media {

struct FreeFfmpeg {
    void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
    void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
    void operator()(AVPacket* p) const { av_packet_free(&p); }
    void operator()(AVFrame* p) const { av_frame_free(&p); }
    void operator()(AVIOContext* p) const {
        av_freep(&p->buffer);
        avio_context_free(&p);
    }
};

template <class T>
using Owned = std::unique_ptr<T, FreeFfmpeg>;

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_FFMPEG_HPP

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <new>
#include <span>
#include <string>

namespace silica::media {

/// A container, opened by its content. `source` outlives it, and has one Demuxer at a time.
class Demuxer {
public:
    /// InputError where the file is no container of its medium, or is damaged. Turns FFmpeg's log off, if it is at its
    /// default level.
    explicit Demuxer(Source& source) : source_(source) {
        if (av_log_get_level() == AV_LOG_INFO) av_log_set_level(AV_LOG_QUIET);
        source.seek(0, SEEK_SET);
        open_bytes();
        open_container();
        packet_.reset(av_packet_alloc());
        if (!packet_) throw std::bad_alloc();
    }

    [[nodiscard]] Source& source() const noexcept { return source_; }
    [[nodiscard]] const std::string& name() const noexcept { return source_.name(); }
    [[nodiscard]] AVFormatContext& format() const noexcept { return *format_; }
    [[nodiscard]] std::span<AVStream* const> streams() const noexcept {
        return {format_->streams, format_->nb_streams};
    }
    /// The stream whose packets come.
    [[nodiscard]] const AVStream& stream() const noexcept { return *format_->streams[index_]; }

    /// Makes number `index` the stream whose packets come.
    void choose(int index) noexcept {
        index_ = index;
        for (AVStream* each : streams()) {
            if (each->index != index) each->discard = AVDISCARD_ALL;
        }
    }

    /// The next packet, until the call after; null at the end. InputError where the file is damaged.
    [[nodiscard]] const AVPacket* next() {
        while (true) {
            av_packet_unref(packet_.get());
            const int code = av_read_frame(format_.get(), packet_.get());
            if (code == AVERROR_EOF && bytes_->error >= 0) return nullptr;
            require(code == AVERROR_EOF ? bytes_->error : code);
            if (packet_->stream_index != index_) continue;
            if ((packet_->flags & AV_PKT_FLAG_CORRUPT) != 0) damaged(name(), "a packet of it is not whole");
            return packet_.get();
        }
    }

    /// Throws where an error code of FFmpeg is one: InputError, std::bad_alloc.
    void require(int code) const {
        if (code >= 0) return;
        if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
        char words[AV_ERROR_MAX_STRING_SIZE] = {};
        av_strerror(code, words, sizeof words);
        damaged(name(), "FFmpeg says '" + std::string(words) + "'");
    }

private:
    void open_bytes() {
        constexpr int size = 1 << 16;
        auto* buffer = static_cast<unsigned char*>(av_malloc(size));
        if (buffer == nullptr) throw std::bad_alloc();
        bytes_.reset(avio_alloc_context(buffer, size, 0, &source_, read, nullptr, seek));
        if (bytes_) return;
        av_free(buffer);
        throw std::bad_alloc();
    }

    void open_container() {
#if LIBAVFORMAT_VERSION_MAJOR < 59
        AVInputFormat* kind = nullptr;
#else
        const AVInputFormat* kind = nullptr;
#endif
        const Medium& medium = source_.medium();
        // Without a name: what stands in the file decides.
        const int code = av_probe_input_buffer2(bytes_.get(), &kind, "", nullptr, 0, 0);
        const bool known = code >= 0 && kind != nullptr;
        if (!known || av_match_list(kind->name, medium.containers, ',') <= 0) {
            throw InputError(name() + " " + std::string(medium.unread) +
                                 (known ? ": it looks like " + std::string(kind->long_name) + "." : "."),
                             "Give a file such as " + std::string(medium.examples) + ".");
        }
        AVFormatContext* format = avformat_alloc_context();
        if (format == nullptr) throw std::bad_alloc();
        format->pb = bytes_.get();
        format->io_open = refuse_to_open;  // what a file refers to is not opened
        AVDictionary* options = nullptr;
        av_dict_set(&options, "protocol_whitelist", "none", 0);
        av_dict_set(&options, "format_whitelist", medium.containers, 0);
        av_dict_set(&options, "err_detect", "crccheck+explode", 0);
        const int opened = avformat_open_input(&format, "", kind, &options);  // frees `format` where it fails
        av_dict_free(&options);
        require(opened);
        format_.reset(format);
    }

    static int read(void* self, std::uint8_t* to, int size) noexcept {
        auto& source = *static_cast<Source*>(self);
        const auto n = source.read_on(to, static_cast<std::size_t>(size));
        if (n != 0) return static_cast<int>(n);
        return source.at() < source.size() ? AVERROR(EIO) : AVERROR_EOF;
    }

    static std::int64_t seek(void* self, std::int64_t offset, int whence) noexcept {
        auto& source = *static_cast<Source*>(self);
        whence &= ~AVSEEK_FORCE;
        if (whence == AVSEEK_SIZE) return static_cast<std::int64_t>(source.size());
        const auto place = source.seek(offset, whence);
        return place < 0 ? AVERROR(EINVAL) : place;
    }

    static int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) noexcept {
        return AVERROR(EPERM);
    }

    Source& source_;
    Owned<AVIOContext> bytes_;
    Owned<AVFormatContext> format_;  // before the bytes it reads
    Owned<AVPacket> packet_;
    int index_ = 0;
};

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_DEMUXER_HPP

#include <cerrno>
#include <new>
#include <string>

namespace silica::media {

/// The frames of a Demuxer's stream, which outlives it, in the order in which they are shown or heard.
class Frames {
public:
    /// `set` is told the decoder before it is opened. InputError where nothing decodes the stream.
    explicit Frames(Demuxer& packets, void (*set)(AVCodecContext&) = [](AVCodecContext&) {}) : packets_(packets) {
        const AVCodecParameters& parameters = *packets.stream().codecpar;
        const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
        if (codec == nullptr) {
            throw InputError(packets.name() + " is coded as " + avcodec_get_name(parameters.codec_id) +
                                 ", which this FFmpeg does not decode.",
                             std::string(packets.source().medium().recoded));
        }
        context_.reset(avcodec_alloc_context3(codec));
        frame_.reset(av_frame_alloc());
        if (!context_ || !frame_) throw std::bad_alloc();
        packets.require(avcodec_parameters_to_context(context_.get(), &parameters));
        context_->pkt_timebase = packets.stream().time_base;
        context_->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
        set(*context_);
        packets.require(avcodec_open2(context_.get(), codec, nullptr));
    }

    /// The next frame, until the call after; null at the end. InputError where the file is damaged.
    [[nodiscard]] const AVFrame* next() {
        while (true) {
            const int code = avcodec_receive_frame(context_.get(), frame_.get());
            if (code == AVERROR_EOF) return nullptr;
            if (code == AVERROR(EAGAIN)) {
                const AVPacket* packet = packets_.next();
                packets_.require(avcodec_send_packet(context_.get(), packet));  // null: what is held back comes out
                continue;
            }
            packets_.require(code);
            if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0)
                damaged(packets_.name(), "a frame of it does not decode");
            return frame_.get();
        }
    }

private:
    Demuxer& packets_;
    Owned<AVCodecContext> context_;
    Owned<AVFrame> frame_;
};

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_FRAMES_HPP

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

extern "C" {
#include <libavutil/samplefmt.h>
}

namespace silica::audio::detail {

inline int channels_of(const AVFrame& f) {
#if LIBAVUTIL_VERSION_MAJOR >= 58 || (LIBAVUTIL_VERSION_MAJOR == 57 && LIBAVUTIL_VERSION_MINOR >= 24)
    return f.ch_layout.nb_channels;
#else
    return f.channels;
#endif
}

class FfmpegDecoder final : public Decoder {
public:
    explicit FfmpegDecoder(media::Source& source) : packets_(open_stream(source)), frames_(packets_) {
        // The first frame tells the form: a container may be wrong about it.
        if (!decode()) media::damaged(source.name(), "nothing of its sound decodes");
        set_form(source.name(), frame_->sample_rate, channels_of(*frame_));
        take();
    }

    std::size_t read(std::span<float> to) override {
        const auto wanted = to.size() / static_cast<std::size_t>(channels()) * static_cast<std::size_t>(channels());
        std::size_t have = 0;
        while (have < wanted) {
            if (given_ == samples_.size()) {
                if (!decode()) break;
                if (frame_->sample_rate != rate() || channels_of(*frame_) != channels())
                    media::damaged(packets_.name(), "its rate or channels change on the way");
                take();
            }
            const auto n = std::min(wanted - have, samples_.size() - given_);
            std::copy_n(samples_.begin() + static_cast<std::ptrdiff_t>(given_), n,
                        to.begin() + static_cast<std::ptrdiff_t>(have));
            given_ += n, have += n;
        }
        return have / static_cast<std::size_t>(channels());
    }

private:
    static media::Demuxer open_stream(media::Source& source) {
        media::Demuxer file(source);
        file.require(avformat_find_stream_info(&file.format(), nullptr));
        const int best = av_find_best_stream(&file.format(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
        if (best < 0) throw InputError(source.name() + " has no sound in it.", "Give a file with a sound track.");
        file.choose(best);
        return file;
    }

    /// Decodes the next frame that has samples -> false at the end.
    bool decode() {
        frame_ = frames_.next();
        while (frame_ != nullptr && frame_->nb_samples <= 0) frame_ = frames_.next();
        return frame_ != nullptr;
    }

    /// The frame as numbers, full scale being from -1 to 1.
    void take() {
        const auto format = static_cast<AVSampleFormat>(frame_->format);
        const auto convert = [&]<class T>(T, double scale, double zero) {
            const auto n = static_cast<std::size_t>(frame_->nb_samples), c = static_cast<std::size_t>(channels());
            const bool planar = av_sample_fmt_is_planar(format) != 0;
            samples_.resize(n * c);
            for (std::size_t channel = 0; channel < c; ++channel) {
                const std::uint8_t* from = frame_->extended_data[planar ? channel : 0];
                for (std::size_t i = 0; i < n; ++i) {
                    T value;
                    std::memcpy(&value, from + (planar ? i : i * c + channel) * sizeof(T), sizeof(T));
                    samples_[i * c + channel] = static_cast<float>((static_cast<double>(value) - zero) * scale);
                }
            }
        };
        given_ = 0;
        switch (av_get_packed_sample_fmt(format)) {
            case AV_SAMPLE_FMT_U8:
                return convert(std::uint8_t{}, 1.0 / 128, 128);
            case AV_SAMPLE_FMT_S16:
                return convert(std::int16_t{}, 1.0 / 32768, 0);
            case AV_SAMPLE_FMT_S32:
                return convert(std::int32_t{}, 1.0 / 2147483648.0, 0);
            case AV_SAMPLE_FMT_FLT:
                return convert(float{}, 1, 0);
            case AV_SAMPLE_FMT_DBL:
                return convert(double{}, 1, 0);
            default:
                media::damaged(packets_.name(), "its samples have no form that is known");
        }
    }

    media::Demuxer packets_;
    media::Frames frames_;
    const AVFrame* frame_ = nullptr;
    std::vector<float> samples_;
    std::size_t given_ = 0;
};

SILICA_INLINE std::unique_ptr<Decoder> open_ffmpeg(media::Source& source) {
    return std::make_unique<FfmpegDecoder>(source);
}

}  // namespace silica::audio::detail

#else

namespace silica::audio::detail {

SILICA_INLINE std::unique_ptr<Decoder> open_ffmpeg(media::Source& source) {
    throw InputError(source.name() + " is sound in a container that FFmpeg reads, and Silica was built without it.",
                     "Convert it to WAV or FLAC, or install FFmpeg's libraries and configure Silica again.");
}

}  // namespace silica::audio::detail

#endif
#endif  // SILICA_SINGLE_INPUT_AUDIO_FFMPEG_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_FFMPEG_HPP
// ---- silica/input/audio/kind.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_KIND_HPP
#define SILICA_SINGLE_INPUT_AUDIO_KIND_HPP
/// Which kind of sound file it is. The content decides, not the name.

namespace silica::audio::detail {

/// Who reads a file.
enum class Kind {
    sndfile,  ///< WAV, RF64, W64, AIFF, AU, CAF, FLAC; Ogg with Vorbis, Opus or FLAC
    mpeg,     ///< MPEG audio, layers 1 to 3: MP3
    ffmpeg,   ///< other containers: MP4 and MOV, Matroska and WebM, AVI, ASF, FLV, MPEG-TS, ADTS, Ogg with something
              ///< else
};

/// The kind of a file, from its first bytes. InputError where it is no sound; the error names what it is where that is
/// known.
[[nodiscard]] Kind kind_of(media::Source& source);

}  // namespace silica::audio::detail

// ---- silica/input/audio/kind.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_KIND_IPP
#define SILICA_SINGLE_INPUT_AUDIO_KIND_IPP
/// The first bytes of sounds.

// ---- silica/input/audio/mpeg_frame.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_MPEG_FRAME_HPP
#define SILICA_SINGLE_INPUT_AUDIO_MPEG_FRAME_HPP
/// Frames of MPEG audio (ISO/IEC 11172-3, 13818-3).

// ---- silica/input/media/window.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_WINDOW_HPP
#define SILICA_SINGLE_INPUT_MEDIA_WINDOW_HPP
/// Numbers and names at any place of a file.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace silica::media {

/// A few bytes of a file at a time, read in larger pieces.
class Window {
public:
    explicit Window(Source& source) : source_(source) {}

    /// Up to `n` <= 4096 bytes at `offset`; fewer at the end of the file.
    [[nodiscard]] std::string_view text(std::uint64_t offset, std::size_t n) {
        if (offset < begin_ || offset + n > begin_ + count_) {
            begin_ = offset;
            count_ = source_.read(offset, std::as_writable_bytes(std::span(bytes_)));
        }
        return std::string_view(bytes_.data(), count_).substr(static_cast<std::size_t>(offset - begin_), n);
    }
    /// A number of n <= 8 bytes, the most significant first; what the file lacks counts as 0.
    [[nodiscard]] std::uint64_t big(std::uint64_t offset, std::size_t n) {
        const auto bytes = text(offset, n);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) value = value << 8U | (i < bytes.size() ? byte(bytes[i]) : 0U);
        return value;
    }
    /// The least significant first.
    [[nodiscard]] std::uint64_t little(std::uint64_t offset, std::size_t n) {
        const auto bytes = text(offset, n);
        std::uint64_t value = 0;
        for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8U | byte(bytes[i]);
        return value;
    }
    [[nodiscard]] bool begins(std::uint64_t offset, std::string_view bytes) {
        return text(offset, bytes.size()) == bytes;
    }
    [[nodiscard]] Source& source() const noexcept { return source_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return source_.size(); }

private:
    [[nodiscard]] static unsigned byte(char c) noexcept { return static_cast<unsigned char>(c); }

    Source& source_;
    std::array<char, 1U << 16U> bytes_;
    std::uint64_t begin_ = 0;
    std::size_t count_ = 0;
};

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_WINDOW_HPP

#include <array>
#include <cstdint>
#include <optional>

namespace silica::audio::detail {

/// The head of a frame.
struct MpegFrame {
    bool mpeg1 = false, mono = false;
    int layer = 3;
    std::uint64_t size = 0;  ///< in bytes; 0 where it is not told (free format)
};

/// The frame that begins at an offset, or nothing.
inline std::optional<MpegFrame> mpeg_frame_at(media::Window& file, std::uint64_t offset) {
    constexpr std::array<std::array<int, 15>, 5> kilobits = {
        {{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
         {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
         {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
         {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
         {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}}};
    constexpr std::array<int, 3> rates = {44100, 48000, 32000};
    if (offset + 4 > file.size()) return std::nullopt;
    const auto head = file.big(offset, 4);
    const auto bits = [&](unsigned at, unsigned n) { return static_cast<unsigned>(head >> at & ((1U << n) - 1)); };
    const unsigned version = bits(19, 2), layer_bits = bits(17, 2), bitrate = bits(12, 4), rate = bits(10, 2);
    if (bits(21, 11) != 0x7FF || version == 1 || layer_bits == 0 || bitrate == 15 || rate == 3) return std::nullopt;
    MpegFrame frame;
    frame.mpeg1 = version == 3;
    frame.layer = 4 - static_cast<int>(layer_bits);
    frame.mono = bits(6, 2) == 3;
    const std::size_t table = static_cast<std::size_t>(frame.mpeg1 ? frame.layer - 1 : frame.layer == 1 ? 3 : 4);
    const int hertz = rates[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
    const int bits_each = kilobits[table][bitrate] * 1000, padding = static_cast<int>(bits(9, 1));
    if (bitrate == 0) return frame;
    const int factor = frame.layer == 3 && !frame.mpeg1 ? 72 : 144;
    frame.size = static_cast<std::uint64_t>(frame.layer == 1 ? (12 * bits_each / hertz + padding) * 4
                                                             : factor * bits_each / hertz + padding);
    return frame;
}

/// How many bytes an ID3v2 tag at an offset has; 0 where there is none.
inline std::uint64_t id3_size(media::Window& file, std::uint64_t offset) {
    if (!file.begins(offset, "ID3")) return 0;
    std::uint64_t size = 0;
    for (std::uint64_t i = 6; i < 10; ++i) size = size << 7U | (file.big(offset + i, 1) & 0x7FU);
    const bool footer = (file.big(offset + 5, 1) & 0x10U) != 0;
    return 10 + size + (footer ? 10 : 0);
}

}  // namespace silica::audio::detail
#endif  // SILICA_SINGLE_INPUT_AUDIO_MPEG_FRAME_HPP

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace silica::audio::detail {

/// A kind of file, by what stands in it.
struct Mark {
    std::size_t offset;
    std::string_view bytes;
};
struct OtherFile {
    Mark mark;
    std::string_view kind;
};

inline constexpr std::array sndfile_marks = {
    Mark{8, "WAVE"}, Mark{0, "fLaC"}, Mark{8, "AIFF"}, Mark{8, "AIFC"},
    Mark{0, ".snd"}, Mark{0, "dns."}, Mark{0, "caff"}, Mark{0, "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"},
};

inline constexpr std::array ffmpeg_marks = {
    Mark{4, "ftyp"},
    Mark{4, "moov"},
    Mark{4, "mdat"},
    Mark{4, "wide"},
    Mark{0, "\x1a\x45\xdf\xa3"},
    Mark{8, "AVI "},
    Mark{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"},
    Mark{0, "FLV\x01"},
    Mark{0, std::string_view("\0\0\x01\xba", 4)},
    Mark{0, "\xff\xf0"},
    Mark{0, "\xff\xf1"},
    Mark{0, "\xff\xf8"},
    Mark{0, "\xff\xf9"},
    Mark{0, "#!AMR"},
    Mark{0, "wvpk"},
    Mark{0, "MAC "},
    Mark{0, "TTA1"},
};

inline constexpr std::array other_files = {
    OtherFile{{0, "\xff\xd8\xff"}, "a JPEG picture"},
    OtherFile{{0, "\x89PNG"}, "a PNG picture"},
    OtherFile{{0, "GIF8"}, "a GIF picture"},
    OtherFile{{8, "WEBP"}, "a WebP picture"},
    OtherFile{{0, "BM"}, "a BMP picture"},
    OtherFile{{0, std::string_view("II*\0", 4)}, "a TIFF picture"},
    OtherFile{{0, std::string_view("MM\0*", 4)}, "a TIFF picture"},
    OtherFile{{4, "ftypavif"}, "an AVIF picture"},
    OtherFile{{4, "ftyphei"}, "a HEIC picture"},
    OtherFile{{4, "ftypmif1"}, "a HEIF picture"},
    OtherFile{{0, "MThd"}, "a MIDI file, notes without sound"},
    OtherFile{{0, "%PDF"}, "a PDF document"},
    OtherFile{{0, "PK\x03\x04"}, "a ZIP archive"},
    OtherFile{{0, "\x1f\x8b"}, "a gzip archive"},
};

/// Whether MPEG audio begins at an offset: two frames in a row, or one that is all.
inline bool is_mpeg_audio(media::Window& file, std::uint64_t offset) {
    const auto frame = mpeg_frame_at(file, offset);
    if (!frame) return false;
    if (frame->size == 0) return true;
    const auto next = offset + frame->size;
    return next >= file.size() || mpeg_frame_at(file, next) || file.begins(next, "TAG") ||
           file.begins(next, "APETAGEX");
}

/// Whether the first stream of an Ogg file is one that libsndfile decodes. FLAC it reads only as it writes it, so that
/// FFmpeg goes first.
inline bool is_sndfile_ogg(media::Window& file) {
    const auto packet = 27 + file.big(26, 1);
#ifndef SILICA_AUDIO_FFMPEG
    if (file.begins(packet + 1, "FLAC")) return true;
#endif
    return file.begins(packet, "\x01vorbis") || file.begins(packet, "OpusHead");
}

SILICA_INLINE Kind kind_of(media::Source& source) {
    media::Window file(source);
    const auto is = [&](const Mark& mark) { return file.begins(mark.offset, mark.bytes); };
    const auto any = [&](const auto& marks) {
        for (const auto& mark : marks) {
            if (is(mark)) return true;
        }
        return false;
    };
    const std::string remedy = "Give a WAV, FLAC, Ogg or MP3 file; other kinds must be converted first.";
    for (const auto& other : other_files) {
        if (is(other.mark)) throw InputError(source.name() + " is " + std::string(other.kind) + ".", remedy);
    }
    if (is({0, "OggS"})) return is_sndfile_ogg(file) ? Kind::sndfile : Kind::ffmpeg;
    if (any(sndfile_marks)) return Kind::sndfile;
    if (const auto tag = id3_size(file, 0)) {
        if (file.begins(tag, "fLaC")) return Kind::sndfile;
        if (file.begins(tag, "\xff\xf1") || file.begins(tag, "\xff\xf9")) return Kind::ffmpeg;
        if (tag >= file.size()) media::damaged(source.name(), "there is nothing behind its tag");
        return Kind::mpeg;
    }
    if (is_mpeg_audio(file, 0)) return Kind::mpeg;
    constexpr std::size_t packet = 188;  // of MPEG-TS
    if (any(ffmpeg_marks) || (is({0, "G"}) && is({packet, "G"}) && is({2 * packet, "G"}))) return Kind::ffmpeg;
    if (const auto found = impostor(file.text(0, impostor_bytes))) {
        throw InputError(source.name() + " is " + std::string(found->what) + ", not the sound itself.",
                         std::string(found->remedy));
    }
    throw InputError(source.name() + " is no sound: it begins as no sound file does.", remedy);
}

}  // namespace silica::audio::detail
#endif  // SILICA_SINGLE_INPUT_AUDIO_KIND_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_KIND_HPP
// ---- silica/input/audio/log_mel.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_LOG_MEL_HPP
#define SILICA_SINGLE_INPUT_AUDIO_LOG_MEL_HPP
/// The log-mel spectrogram of a recording of any length, which is kept: 115 MB an hour with 80 mels.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace silica::audio {

/// Whisper's features of a whole recording, as WhisperFeatureExtractor gives them with `truncation=False,
/// padding="longest"`: the floor is 8 below the maximum of the recording, so they can be had when all of it is in.
///
///     audio::LogMel mel(extractor);
///     for (auto piece = stream.read(n); !piece.empty(); piece = stream.read(n)) mel.add(piece);
///     mel.finish();
///     mel.window(seek, 3000, to);                                            // (mels, 3000)
class LogMel {
public:
    explicit LogMel(const WhisperExtractor& extractor);

    /// The next samples, finite and at the extractor's rate.
    void add(std::span<const float> samples);
    /// The end of the recording. InputError where it has no more than n_fft / 2 samples, which the reflection at its
    /// ends needs.
    void finish();

    /// How many samples came, and how many frames they are: floor(samples / hop_length) after finish().
    [[nodiscard]] std::int64_t samples() const noexcept { return samples_; }
    [[nodiscard]] std::int64_t frames() const noexcept { return frames_; }
    [[nodiscard]] std::int64_t mels() const noexcept { return spectrogram_->mels(); }

    /// After finish(): writes frames [begin, begin + count) as (mels, count) to `to`, which has as many values. Beyond
    /// the recording they are 0, as in transformers' last window.
    void window(std::int64_t begin, std::int64_t count, std::span<float> to) const;

private:
    static constexpr std::int64_t block_frames = 1000;

    void take(std::int64_t last);
    [[nodiscard]] const float* frame(std::int64_t t) const noexcept {
        return blocks_[static_cast<std::size_t>(t / block_frames)].data() + t % block_frames * mels();
    }

    std::shared_ptr<const MelSpectrogram<float>> spectrogram_;
    std::vector<float>
        pending_;  ///< what is still needed of the padded recording; before that is padded, its beginning
    std::int64_t pending_begin_ = 0;          ///< where that stands in the padded recording
    std::vector<std::vector<float>> blocks_;  ///< (block_frames, mels) each: log10 without a floor
    std::int64_t samples_ = 0, frames_ = 0;
    float most_ = -10;  ///< the greatest so far; there is none below this
};

}  // namespace silica::audio

// ---- silica/input/audio/log_mel.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_LOG_MEL_IPP
#define SILICA_SINGLE_INPUT_AUDIO_LOG_MEL_IPP
/// Frames as their samples come.

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string>

namespace silica::audio {

SILICA_INLINE LogMel::LogMel(const WhisperExtractor& extractor) : spectrogram_(extractor.spectrogram()) {}

SILICA_INLINE void LogMel::add(std::span<const float> samples) {
    // Not all at once, so that a whole recording is not copied.
    constexpr std::size_t most = std::size_t{1} << 18U;
    for (; samples.size() > most; samples = samples.subspan(most)) add(samples.first(most));
    const auto padding = spectrogram_->padding();
    const bool begun = samples_ > padding;
    pending_.insert(pending_.end(), samples.begin(), samples.end());
    samples_ += static_cast<std::int64_t>(samples.size());
    if (samples_ <= padding) return;
    if (!begun) {
        const std::vector<float> front(std::make_reverse_iterator(pending_.begin() + padding + 1),
                                       std::make_reverse_iterator(pending_.begin() + 1));
        pending_.insert(pending_.begin(), front.begin(), front.end());
    }
    // Frames whose samples are all there.
    const auto end = pending_begin_ + static_cast<std::int64_t>(pending_.size());
    const auto whole = end < spectrogram_->window() ? 0 : (end - spectrogram_->window()) / spectrogram_->hop() + 1;
    take(whole);
}

SILICA_INLINE void LogMel::finish() {
    const auto padding = spectrogram_->padding();
    if (samples_ <= padding) {
        throw InputError("A recording of " + std::to_string(samples_) + " samples is too short for a spectrogram.",
                         "Give more than " + std::to_string(padding) + ".");
    }
    const auto last = static_cast<std::ptrdiff_t>(pending_.size()) - 1;
    const std::vector<float> back(std::make_reverse_iterator(pending_.begin() + last),
                                  std::make_reverse_iterator(pending_.begin() + (last - padding)));
    pending_.insert(pending_.end(), back.begin(), back.end());
    const auto frames = spectrogram_->frames_of(samples_) - 1;  // the last one is dropped
    take(frames);
    if (frames_ > frames) {  // it was whole already
        frames_ = frames;
        most_ = -10;
        for (std::int64_t t = 0; t < frames; ++t)
            most_ = std::max(most_, *std::max_element(frame(t), frame(t) + mels()));
    }
    pending_ = {};
}

/// Takes the frames up to `last`, and forgets the samples that no frame needs any more.
SILICA_INLINE void LogMel::take(std::int64_t last) {
    const auto count = mels(), first = frames_;
    if (last > first) {
        const float* const from = pending_.data() + (first * spectrogram_->hop() - pending_begin_);
        spectrogram_->each(from, last - first, [&](std::int64_t t, std::int64_t n, const float* logs) {
            most_ = std::max(most_, spectrogram_->most_of(logs, n));
            for (std::int64_t i = 0; i < n; ++i) {
                const auto at = first + t + i;
                if (at % block_frames == 0) blocks_.emplace_back(static_cast<std::size_t>(block_frames * count));
                float* const to = blocks_.back().data() + at % block_frames * count;
                for (std::int64_t m = 0; m < count; ++m) to[m] = logs[m * MelSpectrogram<float>::lanes + i];
            }
        });
        frames_ = last;
    }
    // The reflection at the end needs the last ones.
    const auto end = pending_begin_ + static_cast<std::int64_t>(pending_.size());
    const auto keep = std::min(frames_ * spectrogram_->hop(), end - spectrogram_->padding() - 1);
    if (keep <= pending_begin_) return;
    pending_.erase(pending_.begin(), pending_.begin() + (keep - pending_begin_));
    pending_begin_ = keep;
}

SILICA_INLINE void LogMel::window(std::int64_t begin, std::int64_t count, std::span<float> to) const {
    if (begin < 0 || count < 0 || static_cast<std::int64_t>(to.size()) != count * mels()) {
        throw InputError("A window of " + std::to_string(count) + " frames from " + std::to_string(begin) +
                             " on does not go into " + std::to_string(to.size()) + " values.",
                         "Give room for (mels, frames), from a frame of 0 or more.");
    }
    std::ranges::fill(to, 0.0F);
    const float floor = most_ - 8;
    // Sixteen frames at a time, so that a line of the cache is written whole.
    constexpr std::int64_t tile = 16;
    const auto end = std::min(begin + count, frames_);
    for (std::int64_t t = begin; t < end; t += tile) {
        const auto n = std::min(tile, end - t);
        std::array<const float*, tile> from{};
        for (std::int64_t i = 0; i < n; ++i) from[static_cast<std::size_t>(i)] = frame(t + i);
        for (std::int64_t m = 0; m < mels(); ++m) {
            float* const row = to.data() + m * count + (t - begin);
            for (std::int64_t i = 0; i < n; ++i)
                row[i] = (std::max(from[static_cast<std::size_t>(i)][m], floor) + 4) / 4;
        }
    }
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_LOG_MEL_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_LOG_MEL_HPP
// ---- silica/input/audio/mpeg.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_MPEG_HPP
#define SILICA_SINGLE_INPUT_AUDIO_MPEG_HPP
/// MP3 by libmpg123, as libsndfile calls it, but without a word on stderr.

#include <memory>

namespace silica::audio::detail {

/// Opens a file of Kind::mpeg. InputError where it is damaged or cannot be decoded.
[[nodiscard]] std::unique_ptr<Decoder> open_mpeg(media::Source& source);

}  // namespace silica::audio::detail

// ---- silica/input/audio/mpeg.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_MPEG_IPP
#define SILICA_SINGLE_INPUT_AUDIO_MPEG_IPP
/// libmpg123 over a Source.

#include <cstdio>
#include <memory>
#include <new>
#include <span>
#include <string>

#include <mpg123.h>
#include <sys/types.h>

namespace silica::audio::detail {

struct FreeMpg123 {
    void operator()(mpg123_handle* p) const { mpg123_delete(p); }
};

class MpegDecoder final : public Decoder {
public:
    explicit MpegDecoder(media::Source& source) : source_(source) {
        static const int ready = mpg123_init();  // versions before 1.27 need it
        int error = ready;
        if (error == MPG123_OK) handle_.reset(mpg123_new(nullptr, &error));
        if (!handle_) throw std::bad_alloc();
        // What libsndfile asks for, and silence.
        require(mpg123_param(handle_.get(), MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0));
        require(mpg123_param(handle_.get(), MPG123_ADD_FLAGS, MPG123_FORCE_FLOAT | MPG123_GAPLESS | MPG123_QUIET, 0));
#if MPG123_API_VERSION >= 45
        require(mpg123_param(handle_.get(), MPG123_ADD_FLAGS, MPG123_NO_FRANKENSTEIN, 0));
#endif
        require(mpg123_replace_reader_handle(
            handle_.get(),
            [](void* self, void* to, std::size_t n) -> ssize_t {
                return static_cast<ssize_t>(static_cast<media::Source*>(self)->read_on(to, n));
            },
            [](void* self, off_t offset, int whence) -> off_t {
                return static_cast<off_t>(static_cast<media::Source*>(self)->seek(offset, whence));
            },
            nullptr));
        require(mpg123_open_handle(handle_.get(), &source_));
        long rate = 0;
        int channels = 0, encoding = 0;
        require(mpg123_getformat(handle_.get(), &rate, &channels, &encoding));
        set_form(source.name(), rate, channels);
        // No other form comes: the decoder stops instead.
        require(mpg123_format_none(handle_.get()));
        require(mpg123_format(handle_.get(), rate, channels == 1 ? MPG123_MONO : MPG123_STEREO, MPG123_ENC_FLOAT_32));
    }

    std::size_t read(std::span<float> to) override {
        const auto frame = static_cast<std::size_t>(channels()) * sizeof(float);
        const auto wanted = to.size_bytes() / frame * frame;
        auto* bytes = reinterpret_cast<unsigned char*>(to.data());
        std::size_t have = 0;
        while (have < wanted && !ended_) {
            std::size_t n = 0;
            const int code = mpg123_read(handle_.get(), bytes + have, wanted - have, &n);
            have += n;
            if (code == MPG123_DONE)
                ended_ = true;
            else if (code == MPG123_NEW_FORMAT && have == 0 && !begun_)
                begun_ = true;
            else
                require(code);
            begun_ = begun_ || n > 0;
        }
        return have / frame;
    }

private:
    void require(int code) const {
        if (code == MPG123_OK) return;
        if (code == MPG123_OUT_OF_MEM) throw std::bad_alloc();
        media::damaged(source_.name(), code == MPG123_NEW_FORMAT
                                           ? "its rate or channels change on the way"
                                           : "libmpg123 says '" +
                                                 std::string(code == MPG123_ERR ? mpg123_strerror(handle_.get())
                                                                                : mpg123_plain_strerror(code)) +
                                                 "'");
    }

    media::Source& source_;
    std::unique_ptr<mpg123_handle, FreeMpg123> handle_;
    bool ended_ = false, begun_ = false;
};

SILICA_INLINE std::unique_ptr<Decoder> open_mpeg(media::Source& source) {
    return std::make_unique<MpegDecoder>(source);
}

}  // namespace silica::audio::detail
#endif  // SILICA_SINGLE_INPUT_AUDIO_MPEG_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_MPEG_HPP
// ---- silica/input/audio/read.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_READ_HPP
#define SILICA_SINGLE_INPUT_AUDIO_READ_HPP
/// Sounds from files.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string_view>

namespace silica::audio {

/// What `read` and `decode` keep at most: nine hours at 16 kHz, 2 GiB. Longer files are read through a `Stream`.
inline constexpr std::int64_t most_samples = std::int64_t{1} << 29U;

/// The sound in a file, its channels averaged, resampled to `rate` by SoXR in its high quality: what
/// `audio_utils.load_audio` of transformers gives, ceil(n * rate / its own rate) samples. WAV, FLAC, AIFF, AU, CAF and
/// Ogg (Vorbis, Opus, FLAC) by libsndfile, MP3 by mpg123; the sound of MP4, WebM, MKV, AVI and others where Silica was
/// built with FFmpeg. The content decides what a file is, not its name. Of what comes after the first `most` samples
/// nothing is kept, but it is decoded all the same, so that damage shows.
///
/// InputError, which names the file, where `most` is below 1, or where it cannot be read, is no sound, holds no samples
/// or numbers that are not finite, is damaged, cut short or too long (`most_samples`).
[[nodiscard]] Samples read(const std::filesystem::path& path, std::int64_t rate,
                           std::int64_t most = std::numeric_limits<std::int64_t>::max());

/// The same for a file whose bytes are in memory. `name` stands for it in errors.
[[nodiscard]] Samples decode(std::span<const std::byte> file, std::string_view name, std::int64_t rate,
                             std::int64_t most = std::numeric_limits<std::int64_t>::max());

}  // namespace silica::audio

// ---- silica/input/audio/read.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_READ_IPP
#define SILICA_SINGLE_INPUT_AUDIO_READ_IPP
/// Whole files.

// ---- silica/input/audio/stream.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_STREAM_HPP
#define SILICA_SINGLE_INPUT_AUDIO_STREAM_HPP
/// The sound of a file, piece by piece.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::audio {

/// What `read` (read.hpp) gives, a piece at a time, within a few MB however long the file is:
///
///     auto stream = audio::Stream::open("lecture.flac", 16000);
///     while (true) {
///         const std::vector<float> piece = stream.read(160000);              // 10 s
///         if (piece.empty()) break;
///         ...
///     }
///
/// Files are refused as `read` refuses them, some only where the damage is reached. One caller at a time.
class Stream {
public:
    /// Opens a file. `rate` is that of the samples which are given.
    [[nodiscard]] static Stream open(const std::filesystem::path& path, std::int64_t rate);
    /// The same for a file whose bytes are in memory, and stay there. `name` stands for it in errors.
    [[nodiscard]] static Stream open(std::span<const std::byte> file, std::string_view name, std::int64_t rate);

    Stream(Stream&&) noexcept;
    Stream& operator=(Stream&&) noexcept;
    ~Stream();

    /// Fills `to` with the next samples -> how many; fewer than its size only at the end of the sound.
    /// InputError where the file is damaged.
    std::size_t read(std::span<float> to);
    /// The next `n` samples, fewer at the end of the sound. InputError for less than 0 too.
    [[nodiscard]] std::vector<float> read(std::int64_t n);

    [[nodiscard]] std::int64_t rate() const noexcept;
    /// How many samples were given.
    [[nodiscard]] std::int64_t position() const noexcept;
    /// How many samples there are in all, where the file says so at its beginning.
    [[nodiscard]] std::optional<std::int64_t> length() const noexcept;
    /// The file, as errors name it.
    [[nodiscard]] const std::string& name() const noexcept;

private:
    struct State;
    explicit Stream(std::unique_ptr<State> state) noexcept;

    std::unique_ptr<State> state_;
};

}  // namespace silica::audio

// ---- silica/input/audio/stream.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_STREAM_IPP
#define SILICA_SINGLE_INPUT_AUDIO_STREAM_IPP
/// Decoded, averaged, resampled.

// ---- silica/input/audio/resampler.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_RESAMPLER_HPP
#define SILICA_SINGLE_INPUT_AUDIO_RESAMPLER_HPP
/// From one rate to another, by SoXR.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace silica::audio::detail {

/// SoXR in high quality over a sound that comes in pieces.
class Resampler {
public:
    /// InputError where SoXR does not go from one rate to the other.
    Resampler(std::int64_t from, std::int64_t to);

    /// Takes a piece and appends to `out` what comes of it and of those before.
    void add(std::span<const float> piece, std::vector<float>& out);
    /// The end of the sound: appends what is left.
    void finish(std::vector<float>& out);

private:
    struct Free {
        void operator()(void* handle) const;
    };
    void process(const float* in, std::size_t n, std::vector<float>& out);

    double ratio_;
    std::unique_ptr<void, Free> handle_;
};

}  // namespace silica::audio::detail

// ---- silica/input/audio/resampler.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_RESAMPLER_IPP
#define SILICA_SINGLE_INPUT_AUDIO_RESAMPLER_IPP
/// SoXR, one channel of float32.

#include <new>
#include <string>

#include <soxr.h>

namespace silica::audio::detail {

SILICA_INLINE void Resampler::Free::operator()(void* handle) const { soxr_delete(static_cast<soxr_t>(handle)); }

SILICA_INLINE Resampler::Resampler(std::int64_t from, std::int64_t to)
    : ratio_(static_cast<double>(to) / static_cast<double>(from)) {
    soxr_error_t error = nullptr;
    const auto form = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const auto quality = soxr_quality_spec(SOXR_HQ, 0);
    const auto runtime = soxr_runtime_spec(1);
    handle_.reset(
        soxr_create(static_cast<double>(from), static_cast<double>(to), 1, &error, &form, &quality, &runtime));
    if (error != nullptr || !handle_) {
        throw InputError("Sound of " + std::to_string(from) + " samples in a second does not become sound of " +
                             std::to_string(to) + ": SoXR says '" + (error != nullptr ? error : "no memory") + "'.",
                         "Convert the sound to a rate such as 16000 or 48000 first.");
    }
}

SILICA_INLINE void Resampler::process(const float* in, std::size_t n, std::vector<float>& out) {
    // More than can come of it, so that all is taken at once; at the end as often as something comes.
    while (true) {
        const auto begin = out.size(), room = static_cast<std::size_t>(static_cast<double>(n) * ratio_) + 4096;
        out.resize(begin + room);
        std::size_t taken = 0, given = 0;
        const auto error =
            soxr_process(static_cast<soxr_t>(handle_.get()), in, n, &taken, out.data() + begin, room, &given);
        if (error != nullptr) throw std::bad_alloc();
        out.resize(begin + given);
        if (in == nullptr ? given == 0 : taken == n && given < room) return;
        if (in != nullptr) in += taken, n -= taken;
    }
}

SILICA_INLINE void Resampler::add(std::span<const float> piece, std::vector<float>& out) {
    if (!piece.empty()) process(piece.data(), piece.size(), out);
}

SILICA_INLINE void Resampler::finish(std::vector<float>& out) { process(nullptr, 0, out); }

}  // namespace silica::audio::detail
#endif  // SILICA_SINGLE_INPUT_AUDIO_RESAMPLER_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_RESAMPLER_HPP
// ---- silica/input/audio/sndfile.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_SNDFILE_HPP
#define SILICA_SINGLE_INPUT_AUDIO_SNDFILE_HPP
/// WAV, FLAC, Ogg and others by libsndfile.

#include <memory>

namespace silica::audio::detail {

/// Opens a file of Kind::sndfile. InputError where it is damaged or cannot be decoded.
[[nodiscard]] std::unique_ptr<Decoder> open_sndfile(media::Source& source);

}  // namespace silica::audio::detail

// ---- silica/input/audio/sndfile.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_SNDFILE_IPP
#define SILICA_SINGLE_INPUT_AUDIO_SNDFILE_IPP
/// libsndfile over a Source.

#include <span>
#include <string>

#include <sndfile.h>

namespace silica::audio::detail {

class SndfileDecoder final : public Decoder {
public:
    explicit SndfileDecoder(media::Source& source) : source_(source) {
        SF_VIRTUAL_IO bytes{};
        bytes.get_filelen = [](void* self) { return static_cast<sf_count_t>(of(self).size()); };
        bytes.seek = [](sf_count_t offset, int whence, void* self) {
            return static_cast<sf_count_t>(of(self).seek(offset, whence));
        };
        bytes.read = [](void* to, sf_count_t n, void* self) {
            return n < 1 ? sf_count_t{0} : static_cast<sf_count_t>(of(self).read_on(to, static_cast<std::size_t>(n)));
        };
        bytes.write = [](const void*, sf_count_t, void*) { return sf_count_t{0}; };
        bytes.tell = [](void* self) { return static_cast<sf_count_t>(of(self).at()); };
        SF_INFO info{};
        file_ = sf_open_virtual(&bytes, SFM_READ, &info, &source);
        if (file_ == nullptr) {
            throw InputError(source.name() + " is no sound that libsndfile reads: it says '" +
                                 sf_error_number(sf_error(nullptr)) + "'.",
                             "Give the whole file, copied or made anew, or another kind, such as WAV or FLAC.");
        }
        try {
            // MPEG audio of layers 1 to 3, for which versions before 1.1 have no names.
            const int coding = info.format & SF_FORMAT_SUBMASK;
            if (coding >= 0x0080 && coding <= 0x0082) {
                throw InputError(source.name() + " has MPEG audio in another container.",
                                 "Take it out of its container, as an MP3 file, or convert it to WAV.");
            }
            set_form(source.name(), info.samplerate, info.channels);
            known_ = info.frames >= 0 && info.frames < SF_COUNT_MAX;
            total_ = info.frames;
            if (known_) set_frames(info.frames);
        } catch (...) {
            sf_close(file_);
            throw;
        }
    }
    ~SndfileDecoder() override { sf_close(file_); }

    std::size_t read(std::span<float> to) override {
        const auto wanted = static_cast<sf_count_t>(to.size()) / channels();
        const auto n = sf_readf_float(file_, to.data(), wanted);
        if (n > 0) count_ += n;
        if (n < wanted && sf_error(file_) != SF_ERR_NO_ERROR)
            media::damaged(source_.name(), "libsndfile says '" + std::string(sf_error_number(sf_error(file_))) + "'");
        if (n < wanted && known_ && count_ < total_) {
            media::damaged(source_.name(), "it has " + std::to_string(count_) + " of the " + std::to_string(total_) +
                                               " samples that it announces");
        }
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }

private:
    [[nodiscard]] static media::Source& of(void* self) { return *static_cast<media::Source*>(self); }

    media::Source& source_;
    SNDFILE* file_ = nullptr;
    sf_count_t total_ = 0, count_ = 0;
    bool known_ = false;
};

SILICA_INLINE std::unique_ptr<Decoder> open_sndfile(media::Source& source) {
    return std::make_unique<SndfileDecoder>(source);
}

}  // namespace silica::audio::detail
#endif  // SILICA_SINGLE_INPUT_AUDIO_SNDFILE_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_SNDFILE_HPP
// ---- silica/input/audio/whole.hpp
#ifndef SILICA_SINGLE_INPUT_AUDIO_WHOLE_HPP
#define SILICA_SINGLE_INPUT_AUDIO_WHOLE_HPP
/// Whether a sound file is all there.

namespace silica::audio::detail {

/// Throws InputError where a file is not as long as its outermost structure says: decoders take what is missing at the
/// end for the end, or for silence.
void require_whole(media::Source& source);

}  // namespace silica::audio::detail

// ---- silica/input/audio/whole.ipp
#ifndef SILICA_SINGLE_INPUT_AUDIO_WHOLE_IPP
#define SILICA_SINGLE_INPUT_AUDIO_WHOLE_IPP
/// Walks over the outermost parts of files that hold sound alone.

// ---- silica/input/media/whole.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_WHOLE_HPP
#define SILICA_SINGLE_INPUT_MEDIA_WHOLE_HPP
/// Whether a file has all that its outermost structure says. Demuxers take what is missing at the end for the end.

#include <cstdint>
#include <string_view>

namespace silica::media {

/// Throws InputError where [offset, offset + size) reaches beyond the end of the file; `what` stands there.
void require_inside(const Window& file, std::uint64_t offset, std::uint64_t size, std::string_view what);

/// Throws InputError where a part of the file reaches beyond its end, or its own checksum says that it is damaged:
/// boxes of MP4 and MOV (ISO/IEC 14496-12, 4.2), elements of Matroska and WebM (RFC 8794), chunks of AVI (RIFF), pages
/// of Ogg (RFC 3533), tags of FLV, frames of IVF, packets of MPEG-TS (ISO/IEC 13818-1). Other kinds are not looked
/// into.
void require_whole(Window& file);

}  // namespace silica::media

// ---- silica/input/media/whole.ipp
#ifndef SILICA_SINGLE_INPUT_MEDIA_WHOLE_IPP
#define SILICA_SINGLE_INPUT_MEDIA_WHOLE_IPP
/// Walks over the outermost parts of a file.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <string>

namespace silica::media {

SILICA_INLINE void require_inside(const Window& file, std::uint64_t offset, std::uint64_t size, std::string_view what) {
    if (offset <= file.size() && size <= file.size() - offset) return;
    damaged(file.source().name(), std::string(what) + " at byte " + std::to_string(offset) + " has " +
                                      std::to_string(size) + " bytes, and the file ends at " +
                                      std::to_string(file.size()));
}

namespace detail {

/// Boxes: a size of 32 bits with the 8 bytes of its head, a type; 1: a size of 64 bits follows; 0: up to the end.
inline void require_whole_boxes(Window& file) {
    for (std::uint64_t at = 0; at + 8 <= file.size();) {
        const auto type = std::string(file.text(at + 4, 4));
        bool known = false;
        for (const std::string_view each : {"ftyp", "moov", "mdat", "moof", "free", "skip", "wide", "mfra", "sidx",
                                            "styp", "uuid", "meta", "pnot", "udta", "emsg", "prft", "ssix"})
            known = known || type == each;
        if (!known) return;  // what stands behind the boxes is not read
        auto size = file.big(at, 4);
        if (size == 0) return;
        if (size == 1) size = at + 16 <= file.size() ? file.big(at + 8, 8) : file.size() + 1;
        require_inside(file, at, size, "the box '" + type + "'");
        if (size < 8) return;
        at += size;
    }
}

/// What a byte changes in a CRC-32 of the polynomial 0x04c11db7, the first bit of a byte being its least significant
/// one, or its most.
template <bool least_first>
inline constexpr auto crc_table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = least_first ? i : i << 24U;
        for (int bit = 0; bit < 8; ++bit)
            c = least_first ? c >> 1U ^ (c & 1U) * 0xEDB88320U : c << 1U ^ (c >> 31U) * 0x04C11DB7U;
        made[i] = c;
    }
    return made;
}();

/// The CRC-32 of [offset, offset + size), continued from `crc`.
template <bool least_first>
std::uint32_t crc_of(Window& file, std::uint64_t offset, std::uint64_t size, std::uint32_t crc) {
    while (size > 0) {
        const auto piece = file.text(offset, static_cast<std::size_t>(std::min<std::uint64_t>(size, 4096)));
        if (piece.empty()) damaged(file.source().name(), "it ends while it is read");
        for (const char c : piece) {
            const auto byte = static_cast<unsigned char>(c);
            crc = least_first ? crc >> 8U ^ crc_table<true>[(crc ^ byte) & 0xFFU]
                              : crc << 8U ^ crc_table<false>[crc >> 24U ^ byte];
        }
        offset += piece.size(), size -= piece.size();
    }
    return crc;
}

/// A number of EBML, whose length is told by its first byte.
struct Vint {
    std::uint64_t value = 0;
    std::size_t length = 0;  ///< 0: there is none
    bool unknown = false;    ///< all ones, for a size that is not known
};

inline Vint vint_at(Window& file, std::uint64_t at, bool keep_marker) {
    const auto length = static_cast<std::size_t>(std::countl_zero(static_cast<std::uint8_t>(file.big(at, 1)))) + 1;
    if (length > 8 || at + length > file.size()) return {};
    const auto ones = (std::uint64_t{1} << 7U * length) - 1, all = file.big(at, length);
    return {keep_marker ? all : all & ones, length, (all & ones) == ones};
}

/// Elements: an id, a size, then the content, which may begin with a CRC-32 of the rest (RFC 8794, 11.3.1).
inline void require_whole_elements(Window& file) {
    constexpr std::uint64_t segment = 0x18538067, cluster = 0x1F43B675, seek_head = 0x114D9B74, info = 0x1549A966,
                            tracks = 0x1654AE6B, cues = 0x1C53BB6B, chapters = 0x1043A770, tags = 0x1254C367,
                            attachments = 0x1941A469;
    for (std::uint64_t at = 0; at < file.size();) {
        const auto id = vint_at(file, at, true), size = vint_at(file, at + id.length, false);
        if (id.length == 0 || size.length == 0) {
            if (at + 16 < file.size()) return;
            damaged(file.source().name(), "an element at byte " + std::to_string(at) + " is not whole");
        }
        const auto begin = at + id.length + size.length;
        if (!size.unknown) require_inside(file, begin, size.value, "an element");
        if (size.unknown || id.value == segment) {
            if (id.value != segment && id.value != cluster) return;
            at = begin;  // what is in it comes next
            continue;
        }
        bool parent = false;
        for (const auto each : {cluster, seek_head, info, tracks, cues, chapters, tags, attachments})
            parent = parent || id.value == each;
        if (parent && size.value >= 6 && file.big(begin, 2) == 0xBF84) {
            const auto crc = ~crc_of<true>(file, begin + 6, size.value - 6, ~std::uint32_t{0});
            if (crc != file.little(begin + 2, 4))
                damaged(file.source().name(), "the checksum of an element at byte " + std::to_string(at) + " is wrong");
        }
        at = begin + size.value;
    }
}

/// AVI: RIFF, a size, AVI or AVIX. A size of 0 was never filled in.
inline void require_whole_avi(Window& file) {
    for (std::uint64_t at = 0; at + 8 <= file.size() && file.begins(at, "RIFF");) {
        const auto size = file.little(at + 4, 4);
        if (size == 0) return;
        require_inside(file, at + 8, size, "a chunk");
        at += 8 + size + size % 2;
    }
}

/// Pages of Ogg: the last of a stream says that it is. Their checksums begin with 0, and count their own place as 0.
inline void require_whole_pages(Window& file) {
    const auto& name = file.source().name();
    bool ended = false;
    for (std::uint64_t at = 0; at < file.size();) {
        if (!file.begins(at, "OggS")) {
            if (ended) return;  // what stands behind the end is not read
            damaged(name, "no page begins at byte " + std::to_string(at));
        }
        const auto segments = file.big(at + 26, 1);
        std::uint64_t size = 27 + segments;
        for (std::uint64_t i = 0; i < segments; ++i) size += file.big(at + 27 + i, 1);
        require_inside(file, at, size, "a page");
        auto crc = crc_of<false>(file, at, 22, 0);
        for (int i = 0; i < 4; ++i) crc = crc << 8U ^ crc_table<false>[crc >> 24U];
        if (crc_of<false>(file, at + 26, size - 26, crc) != file.little(at + 22, 4))
            damaged(name, "the page at byte " + std::to_string(at) + " has another checksum than it says");
        ended = (file.big(at + 5, 1) & 4U) != 0;
        at += size;
    }
    if (!ended) damaged(name, "no page of it says that it is the last");
}

/// Tags of FLV: a type, a size of 24 bits, the rest of a head of 11 bytes, the content; before each the size of the
/// last.
inline void require_whole_tags(Window& file) {
    for (std::uint64_t at = file.big(5, 4); at < file.size();) {
        require_inside(file, at, 4, "the size of a tag");
        at += 4;
        if (at == file.size()) return;
        require_inside(file, at, 11, "the head of a tag");
        const auto size = file.big(at + 1, 3);
        require_inside(file, at + 11, size, "a tag");
        at += 11 + size;
    }
}

/// Frames of IVF: a size of 32 bits in a head of 12 bytes, the content.
inline void require_whole_frames(Window& file) {
    for (std::uint64_t at = file.little(6, 2); at < file.size();) {
        require_inside(file, at, 12, "the head of a frame");
        const auto size = file.little(at, 4);
        require_inside(file, at + 12, size, "a frame");
        at += 12 + size;
    }
}

}  // namespace detail

SILICA_INLINE void require_whole(Window& file) {
    if (file.begins(0, "\x1a\x45\xdf\xa3")) return detail::require_whole_elements(file);
    if (file.begins(0, "RIFF")) return detail::require_whole_avi(file);
    if (file.begins(0, "OggS")) return detail::require_whole_pages(file);
    if (file.begins(0, "FLV")) return detail::require_whole_tags(file);
    if (file.begins(0, "DKIF")) return detail::require_whole_frames(file);
    constexpr std::uint64_t packet = 188;  // of an MPEG transport stream, each of which begins with 'G'
    if (file.begins(0, "G") && file.begins(packet, "G")) {
        if (file.size() % packet != 0) damaged(file.source().name(), "its last packet is not whole");
        return;
    }
    detail::require_whole_boxes(file);
}

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_WHOLE_IPP
#endif  // SILICA_SINGLE_INPUT_MEDIA_WHOLE_HPP

#include <cstdint>
#include <string>
#include <string_view>

namespace silica::audio::detail {

/// RIFF and RF64 (little-endian), RIFX and AIFF's FORM (big-endian): chunks of a name and a size.
inline void require_whole_chunks(media::Window& file, bool big) {
    const auto number = [&](std::uint64_t at) { return big ? file.big(at, 4) : file.little(at, 4); };
    constexpr std::uint64_t unknown = 0xFFFFFFFF;
    const bool rf64 = file.begins(0, "RF64"), stream = !rf64 && number(4) == unknown;
    std::uint64_t data_size = unknown;  // RF64's
    for (std::uint64_t at = 12; at + 8 <= file.size();) {
        const auto name = std::string(file.text(at, 4));
        auto size = number(at + 4);
        if (rf64 && name == "ds64") data_size = file.little(at + 16, 8);
        if (name == "data" || name == "SSND") {
            if (size == unknown && stream) return;  // written to a pipe
            if (size == unknown && rf64) size = data_size;
            return media::require_inside(file, at + 8, size, "the sound");  // what stands behind it is not heard
        }
        if (size > file.size()) return;
        at += 8 + size + size % 2;
    }
}

/// Sony's W64: names of 16 bytes, sizes of 64 bits that count them too.
inline void require_whole_w64(media::Window& file) {
    for (std::uint64_t at = 40; at + 24 <= file.size();) {
        const auto size = file.little(at + 16, 8);
        if (file.begins(at, "data")) return media::require_inside(file, at, size, "the sound");
        if (size < 24 || size > file.size()) return;
        at += (size + 7) / 8 * 8;
    }
}

/// Sun's AU: where the sound begins, and its size or all ones.
inline void require_whole_au(media::Window& file, bool big) {
    const auto begin = big ? file.big(4, 4) : file.little(4, 4), size = big ? file.big(8, 4) : file.little(8, 4);
    if (size != 0xFFFFFFFF) media::require_inside(file, begin, size, "the sound");
}

/// Apple's CAF: sizes of 64 bits, all ones for the sound at the end.
inline void require_whole_caf(media::Window& file) {
    for (std::uint64_t at = 8; at + 12 <= file.size();) {
        const auto size = file.big(at + 4, 8);
        if (file.begins(at, "data")) {
            if (size != ~std::uint64_t{0}) media::require_inside(file, at + 12, size, "the sound");
            return;
        }
        if (size > file.size()) return;
        at += 12 + size;
    }
}

/// Frames of MPEG audio up to the end or a tag, as many as the first one says (Xing's header).
inline void require_whole_frames(media::Window& file) {
    const auto& name = file.source().name();
    std::uint64_t at = id3_size(file, 0), frames = 0, announced = 0;
    for (; at < file.size(); ++frames) {
        const auto frame = mpeg_frame_at(file, at);
        if (!frame) {
            for (const std::string_view tag : {"TAG", "APETAGEX", "LYRICSBEGIN", "ID3", "3DI"}) {
                if (frames > 0 && file.begins(at, tag)) at = file.size();
            }
            while (frames > 0 && at < file.size() && file.big(at, 1) == 0) ++at;  // room for a tag
            if (at < file.size()) media::damaged(name, "no frame begins at byte " + std::to_string(at));
            break;
        }
        if (frame->size == 0) return;
        media::require_inside(file, at, frame->size, "a frame");
        if (frames == 0 && frame->layer == 3) {
            const auto head = at + (frame->mpeg1 ? (frame->mono ? 21U : 36U) : (frame->mono ? 13U : 21U));
            const bool tagged = file.begins(head, "Xing") || file.begins(head, "Info");
            if (tagged && (file.big(head + 4, 4) & 1U) != 0) announced = file.big(head + 8, 4) + 1;
        }
        at += frame->size;
    }
    if (frames < announced) {
        media::damaged(name, "its first frame says that " + std::to_string(announced - 1) + " follow, and " +
                                 std::to_string(frames - 1) + " do");
    }
}

SILICA_INLINE void require_whole(media::Source& source) {
    media::Window file(source);
    if (mpeg_frame_at(file, id3_size(file, 0))) return require_whole_frames(file);
    const bool avi = file.begins(8, "AVI ");
    if ((file.begins(0, "RIFF") && !avi) || file.begins(0, "RF64")) return require_whole_chunks(file, false);
    if (file.begins(0, "RIFX") || file.begins(0, "FORM")) return require_whole_chunks(file, true);
    if (file.begins(0, "riff")) return require_whole_w64(file);
    if (file.begins(0, ".snd")) return require_whole_au(file, true);
    if (file.begins(0, "dns.")) return require_whole_au(file, false);
    if (file.begins(0, "caff")) return require_whole_caf(file);
    media::require_whole(file);
}

}  // namespace silica::audio::detail
#endif  // SILICA_SINGLE_INPUT_AUDIO_WHOLE_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_WHOLE_HPP

#include <algorithm>
#include <bit>
#include <limits>
#include <new>
#include <utility>

namespace silica::audio {

struct Stream::State {
    State(media::Source file, std::int64_t wanted) : source(std::move(file)), rate(wanted) {
        constexpr std::int64_t highest = 1 << 20;
        if (rate < 1 || rate > highest) {
            throw InputError("Sound of " + std::to_string(rate) + " samples in a second is asked for.",
                             "Ask for 1 to " + std::to_string(highest) + ".");
        }
        const auto kind = detail::kind_of(source);
        detail::require_whole(source);
        decoder = kind == detail::Kind::sndfile ? detail::open_sndfile(source)
                  : kind == detail::Kind::mpeg  ? detail::open_mpeg(source)
                                                : detail::open_ffmpeg(source);
        if (decoder->rate() != rate) resampler.emplace(decoder->rate(), rate);
        advance();
        if (ready.empty() && ended) {
            throw InputError(source.name() + " has no samples in it.", "Give a file with sound in it.");
        }
    }

    /// ceil(n * rate / the file's rate).
    [[nodiscard]] std::int64_t resampled(std::int64_t n) const noexcept {
        const auto from = decoder->rate();
        return n / from * rate + (n % from * rate + from - 1) / from;
    }

    void require_finite(std::span<const float> samples) const {
        // By its bits: under -ffast-math every number counts as finite.
        const auto finite = [](float x) { return (std::bit_cast<std::uint32_t>(x) & 0x7F800000U) != 0x7F800000U; };
        if (std::ranges::all_of(samples, finite)) return;
        throw InputError(source.name() + " has samples that are not finite numbers.",
                         "Repair the sound, or make it anew.");
    }

    /// Decodes on until there are samples or the end is reached.
    void advance() {
        constexpr std::size_t block = 8192;
        ready.clear();
        taken = 0;
        const auto channels = static_cast<std::size_t>(decoder->channels());
        decoded.resize(block * channels);
        while (ready.empty() && !ended) {
            const auto n = decoder->read(decoded);
            std::span<const float> mono(decoded.data(), n);
            if (channels > 1) {
                for (std::size_t i = 0; i < n; ++i) {  // in place: sample i is written where it was read or before
                    float sum = 0;
                    for (std::size_t c = 0; c < channels; ++c) sum += decoded[i * channels + c];
                    decoded[i] = sum / static_cast<float>(channels);
                }
            }
            require_finite(mono);
            frames += static_cast<std::int64_t>(n);
            if (!resampler) {
                ready.assign(mono.begin(), mono.end());
                ended = n == 0;
            } else if (n > 0) {
                resampler->add(mono, ready);
            } else {
                ended = true;
                if (frames > 0) resampler->finish(ready);
                // Not a sample more or less than the length says.
                ready.resize(static_cast<std::size_t>(std::max<std::int64_t>(resampled(frames) - made, 0)));
            }
            if (resampler) require_finite(ready);
            made += static_cast<std::int64_t>(ready.size());
        }
    }

    media::Source source;
    std::int64_t rate;
    std::unique_ptr<detail::Decoder> decoder;
    std::optional<detail::Resampler> resampler;
    std::vector<float> decoded, ready;  ///< of `ready` the first `taken` are given away
    std::size_t taken = 0;
    std::int64_t frames = 0, made = 0, position = 0;
    bool ended = false;
};

namespace detail {

/// No playlists, no lists of files.
inline constexpr media::Medium sounds{
    .kind = "sound",
    .content = "sound",
    .unread = "is no sound that is read",
    .examples = "WAV, FLAC, MP3, MP4 or WebM",
    .recoded = "Convert it, to WAV or FLAC for example.",
    .containers = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpegts,mpeg,aac,amr,wv,ape,tta,ogg",
};

/// What is done with a stream that was moved away from.
[[noreturn]] inline void refuse_moved() {
    throw InputError("The stream of a sound was moved away from.", "Read from where it was moved to.");
}

/// Calls f(); where memory is short, an InputError that names the file.
template <class F>
auto named(std::string_view name, F&& f) try {
    return f();
} catch (const std::bad_alloc&) {
    throw InputError(std::string(name) + " needs more memory than there is.", "Give a shorter sound.");
}

}  // namespace detail

SILICA_INLINE Stream::Stream(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
SILICA_INLINE Stream::Stream(Stream&&) noexcept = default;
SILICA_INLINE Stream& Stream::operator=(Stream&&) noexcept = default;
SILICA_INLINE Stream::~Stream() = default;

SILICA_INLINE Stream Stream::open(const std::filesystem::path& path, std::int64_t rate) {
    return detail::named(path.string(),
                         [&] { return Stream(std::make_unique<State>(media::Source(path, detail::sounds), rate)); });
}

SILICA_INLINE Stream Stream::open(std::span<const std::byte> file, std::string_view name, std::int64_t rate) {
    return detail::named(
        name, [&] { return Stream(std::make_unique<State>(media::Source(file, name, detail::sounds), rate)); });
}

SILICA_INLINE std::size_t Stream::read(std::span<float> to) {
    if (!state_) detail::refuse_moved();
    auto& s = *state_;
    return detail::named(s.source.name(), [&] {
        std::size_t have = 0;
        while (have < to.size()) {
            if (s.taken == s.ready.size()) {
                if (s.ended) break;
                s.advance();
                continue;
            }
            const auto n = std::min(to.size() - have, s.ready.size() - s.taken);
            std::copy_n(s.ready.begin() + static_cast<std::ptrdiff_t>(s.taken), n,
                        to.begin() + static_cast<std::ptrdiff_t>(have));
            s.taken += n, have += n;
        }
        s.position += static_cast<std::int64_t>(have);
        return have;
    });
}

SILICA_INLINE std::vector<float> Stream::read(std::int64_t n) {
    if (!state_) detail::refuse_moved();
    if (n < 0) {
        throw InputError(std::to_string(n) + " samples of " + name() + " are asked for.", "Ask for 0 or more.");
    }
    // Grows with what comes, so that a large n costs nothing.
    constexpr std::int64_t piece = 1 << 16;
    return detail::named(name(), [&] {
        std::vector<float> made;
        while (n > 0) {
            const auto begin = made.size();
            made.resize(begin + static_cast<std::size_t>(std::min(n, piece)));
            const auto got = read(std::span(made).subspan(begin));
            made.resize(begin + got);
            n -= static_cast<std::int64_t>(got);
            if (got == 0) break;
        }
        return made;
    });
}

SILICA_INLINE std::int64_t Stream::rate() const noexcept { return state_->rate; }
SILICA_INLINE std::int64_t Stream::position() const noexcept { return state_->position; }
SILICA_INLINE const std::string& Stream::name() const noexcept { return state_->source.name(); }
SILICA_INLINE std::optional<std::int64_t> Stream::length() const noexcept {
    const auto frames = state_->decoder->frames();
    if (!frames) return std::nullopt;
    return state_->resampled(*frames);
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_STREAM_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_STREAM_HPP

#include <algorithm>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace silica::audio {

namespace detail {

inline Samples all_of(Stream stream, std::int64_t most) try {
    if (most < 1) {
        throw InputError(std::to_string(most) + " samples of " + stream.name() + " are asked for.",
                         "Ask for 1 or more.");
    }
    constexpr std::int64_t piece = 1 << 18;
    std::vector<float> kept;
    const auto wanted = std::min(most, most_samples);
    if (const auto length = stream.length(); length && *length > 0) {
        // What a header says is believed as far as memory goes that is needed anyway for a file of an hour.
        constexpr std::int64_t believed = std::int64_t{1} << 26U;
        kept.reserve(static_cast<std::size_t>(std::min({*length, wanted, believed})));
    }
    while (true) {
        const auto next = stream.read(piece);
        if (next.empty()) break;
        const auto room = wanted - static_cast<std::int64_t>(kept.size());
        const auto n = std::min(room, static_cast<std::int64_t>(next.size()));
        kept.insert(kept.end(), next.begin(), next.begin() + n);
        if (most > most_samples && n < static_cast<std::int64_t>(next.size())) {
            throw InputError(stream.name() + " is longer than what is read at once: " +
                                 std::to_string(most_samples / stream.rate() / 60) + " minutes at " +
                                 std::to_string(stream.rate()) + " samples in a second.",
                             "Cut it into pieces, or read it piece by piece, through an audio::Stream.");
        }
    }
    return {std::move(kept), stream.rate()};
} catch (const std::bad_alloc&) {
    throw InputError("A sound needs more memory than there is.", "Give a shorter one.");
}

}  // namespace detail

SILICA_INLINE Samples read(const std::filesystem::path& path, std::int64_t rate, std::int64_t most) {
    return detail::all_of(Stream::open(path, rate), most);
}

SILICA_INLINE Samples decode(std::span<const std::byte> file, std::string_view name, std::int64_t rate,
                             std::int64_t most) {
    return detail::all_of(Stream::open(file, name, rate), most);
}

}  // namespace silica::audio
#endif  // SILICA_SINGLE_INPUT_AUDIO_READ_IPP
#endif  // SILICA_SINGLE_INPUT_AUDIO_READ_HPP
