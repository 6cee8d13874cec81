#pragma once
/// What every extractor asks of its sounds.

#include "silica/core/error.hpp"
#include "silica/input/audio/samples.hpp"

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
