#pragma once
/// A sound as Whisper hears it: its log-mel spectrogram, of any length.

#include <cstdint>
#include <span>

namespace silica::generate {

/// Spectrogram of a sound. Frames are 0.01 s apart.
class Recording {
public:
    Recording() = default;
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    virtual ~Recording() = default;

    /// All its frames; a sound that is shorter than a chunk of the extractor is padded to it.
    [[nodiscard]] virtual std::int64_t frames() const = 0;
    /// Of these, the ones with sound.
    [[nodiscard]] virtual std::int64_t frames_of_sound() const = 0;
    [[nodiscard]] virtual std::int64_t mels() const = 0;
    [[nodiscard]] virtual double seconds() const = 0;
    /// Writes frames [begin, begin + count) as (mels, count); 0 beyond the last.
    virtual void window(std::int64_t begin, std::int64_t count, std::span<float> to) const = 0;
};

}  // namespace silica::generate
