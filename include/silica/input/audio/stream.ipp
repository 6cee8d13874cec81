#pragma once
/// Decoded, averaged, resampled.

#include "silica/core/error.hpp"
#include "silica/input/audio/decoder.hpp"
#include "silica/input/audio/ffmpeg.hpp"
#include "silica/input/audio/kind.hpp"
#include "silica/input/audio/mpeg.hpp"
#include "silica/input/audio/resampler.hpp"
#include "silica/input/audio/sndfile.hpp"
#include "silica/input/audio/stream.hpp"
#include "silica/input/audio/whole.hpp"
#include "silica/input/media/source.hpp"

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
