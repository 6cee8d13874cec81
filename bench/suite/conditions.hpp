#pragma once
/// In what condition a machine is: what makes the same program faster or slower today than yesterday.

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

namespace silica::bench::suite {

/// As far as the system tells; what it does not tell is absent.
struct Conditions {
    double load = -1;             ///< of the last minute: programs that run or want to
    double mhz = 0;               ///< clock of the processors, on average
    std::string governor = {};    ///< who sets that clock: "performance", "powersave"
    double celsius = 0;           ///< of the hottest sensor
    std::string pressure = {};    ///< Apple's thermal pressure: "nominal", "moderate", "heavy", ...
    std::uint64_t throttled = 0;  ///< how often a processor slowed down because it was too hot, since the start
};
[[nodiscard]] Conditions conditions_now();

/// {load, mhz, governor, celsius, pressure, throttled}, those that are known.
[[nodiscard]] nlohmann::ordered_json conditions_json(const Conditions& c);

/// What the processors did so far, in seconds of one processor. 0 where the system does not tell.
struct ProcessorTime {
    double all = 0;  ///< of all programs
    double own = 0;  ///< of this process
};
[[nodiscard]] ProcessorTime processor_time();

}  // namespace silica::bench::suite
