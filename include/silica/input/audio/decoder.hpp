#pragma once
/// What every decoder of sound gives.

#include "silica/core/error.hpp"
#include "silica/input/media/source.hpp"

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
