#pragma once
/// When a warm-up is over, and when enough was measured.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace silica::bench::suite {

/// How a row is measured. A number that is given holds; one that is not is found while measuring.
struct Sampling {
    std::optional<std::int64_t> warmup = {}, iterations = {};
    double within = 0.05;  ///< how wide the 95 % interval of the median may be, of the median
    double warmup_s = 2;   ///< a warm-up of unknown length ends then at the latest,
    std::int64_t most_warmup = 50;
    double measure_s = 10;    ///< and measuring then,
    std::int64_t least = 3;   ///< but not before this many calls,
    std::int64_t usual = 10;  ///< nor before this many while there is time;
    std::int64_t most = 1000;
};

/// Whether the calls so far, in milliseconds, are warm-up enough: the median of the last three is within 5 % of that of
/// the three before.
[[nodiscard]] bool warm(std::span<const double> calls_ms, const Sampling& s);

/// Whether the calls so far are samples enough: the interval of their median is narrow enough, or a cap is reached.
/// Sorts them only now and then.
[[nodiscard]] bool enough(std::span<const double> samples_ms, const Sampling& s);

/// What may make others get other times, a sentence each; empty where nothing was seen.
struct Disturbance {
    double others = 0;                     ///< processors that other programs used while measuring
    double mhz_before = 0, mhz_after = 0;  ///< clock; 0 where it is not told
    bool throttled = false;                ///< the processor says that it was too hot
};
[[nodiscard]] std::vector<std::string> noise(std::span<const double> samples_ms, const Sampling& s,
                                             const Disturbance& seen);

}  // namespace silica::bench::suite
