#pragma once
/// One row of a benchmark: load a model, warm it up, time its calls.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models.hpp"
#include "silica/fallback.hpp"

namespace silica::bench {

/// What to measure.
struct Job {
    const Subject* subject = nullptr;
    const Head* head = nullptr;
    const Device* device = nullptr;
    std::string precision, loader;
    Sizes sizes;
    std::int64_t iterations = 10, warmup = 3;
};

/// What was measured. Nothing in it is set for a row that was not run.
struct Measured {
    std::vector<std::string> notes = {};
    std::uint64_t parameters = 0, weight_bytes = 0;
    std::uint64_t baseline = 0;   ///< resident before the load, in bytes
    std::uint64_t load_peak = 0;  ///< resident at most during the load
    std::uint64_t peak = 0;       ///< resident at most during all of the row
    bool peak_of_row = false;     ///< false where the system cannot set a peak back: then of the process so far
    std::optional<std::uint64_t> device_peak = {};
    double load_s = 0;
    std::vector<double> samples_ms = {};
    std::vector<Fallback> fallbacks = {};  ///< over all samples
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> inputs = {};

    [[nodiscard]] double median_ms() const;
    [[nodiscard]] double p90_ms() const;
    [[nodiscard]] double min_ms() const;
    [[nodiscard]] double total_ms() const;
};

/// A job and its result: measured, or a reason why not.
struct Row {
    Job job;
    std::optional<Measured> measured = {};
    std::string reason = {};   ///< why it was not measured
    bool unavailable = false;  ///< because the hardware is not there; otherwise it failed
};

/// Does the job. Throws what loading and running throw.
[[nodiscard]] Measured measure(const Job& job);

}  // namespace silica::bench
