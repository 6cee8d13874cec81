#pragma once
/// What the numbers of an extractor may be, whether a file or a program gives them.

#include "silica/core/error.hpp"

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
