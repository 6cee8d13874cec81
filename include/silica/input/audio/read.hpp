#pragma once
/// Sounds from files.

#include "silica/core/compiled.hpp"
#include "silica/input/audio/samples.hpp"

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

#ifndef SILICA_COMPILED
#include "silica/input/audio/read.ipp"
#endif
