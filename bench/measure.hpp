#pragma once
/// One row of a benchmark: load a model, warm it up, time its calls.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models.hpp"
#include "silica/fallback.hpp"
#include "suite/conditions.hpp"
#include "suite/sampling.hpp"
#include "suite/store.hpp"

namespace silica::bench {

/// What to measure.
struct Job {
    const Subject* subject = nullptr;
    const Head* head = nullptr;
    const Device* device = nullptr;
    std::string precision, loader;
    Sizes sizes;
    suite::Sampling sampling = {};
    double bandwidth = 0;  ///< of the device's memory, bytes per second, where it was measured before; else 0
};

/// One repetition of generating: greedy, without looking for an end.
struct Generated {
    double prefill_ms = 0, decode_ms = 0;  ///< to the first token; of all the others together
};

/// What was measured. Nothing in it is set for a row that was not run.
struct Measured {
    std::vector<std::string> notes = {};
    std::uint64_t parameters = 0, weight_bytes = 0;
    std::uint64_t baseline = 0;   ///< resident before the load, in bytes
    std::uint64_t load_peak = 0;  ///< resident at most during the load
    std::uint64_t peak = 0;       ///< resident at most during all of the row
    bool peak_of_row = false;     ///< false where a peak is of a process that did more than this row
    std::optional<std::uint64_t> device_peak = {};
    double load_s = 0;
    std::vector<double> samples_ms = {};
    std::vector<Generated> generated = {};  ///< of a task that generates, one for each of samples_ms
    std::uint64_t cache_bytes = 0;          ///< of the caches, filled or not
    std::uint64_t step_bytes = 0;           ///< that a step reads on average: weights, and keys and values so far
    double bandwidth = 0;                   ///< of the device's memory, bytes per second, measured; 0 where it was not
    std::vector<std::int64_t> tokens_head = {};  ///< the first tokens that the first row was given
    std::vector<Fallback> fallbacks = {};        ///< over all samples
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> inputs = {};
    std::int64_t warmup = 0;                    ///< calls before those of samples_ms
    std::int64_t threads = 0;                   ///< of LibTorch
    suite::Conditions before = {}, after = {};  ///< of the machine, around samples_ms
    double others = 0;                          ///< processors that other programs used meanwhile
    std::vector<std::string> noise = {};        ///< what may have disturbed it

    [[nodiscard]] double median_ms() const;
    [[nodiscard]] double p90_ms() const;
    [[nodiscard]] double min_ms() const;
    [[nodiscard]] double total_ms() const;

    /// Medians of a task that generates; `sizes` are the job's.
    [[nodiscard]] double prefill_ms() const;
    [[nodiscard]] double prefill_tokens_per_s(const Sizes& sizes) const;
    [[nodiscard]] double decode_tokens_per_s(const Sizes& sizes) const;
    /// Of each repetition; empty where there is but one new token.
    [[nodiscard]] std::vector<double> decode_rates(const Sizes& sizes) const;
    /// What part of the memory's bandwidth the steps reach; nothing where it was not measured.
    [[nodiscard]] std::optional<double> bandwidth_share(const Sizes& sizes) const;
};

/// The mean of some values, and how far they are from it (the sample's standard deviation; 0 for one value).
struct MeanSd {
    double mean = 0, sd = 0;
};
[[nodiscard]] MeanSd mean_sd(const std::vector<double>& values);

/// A job and its result: measured, or a reason why not.
struct Row {
    Job job;
    std::optional<Measured> measured = {};
    std::string reason = {};  ///< why it was not measured
    suite::State state = suite::State::failed;
    std::vector<std::string> marks = {};  ///< "noisy", "simulated", "random weights", "smaller batch", ...
    std::string remark = {};              ///< a sentence about it for people; may be empty
};

/// Does the job, and tells `doing` what it is at: "loading", "warming up", ... Throws what loading and running throw.
[[nodiscard]] Measured measure(const Job& job, const std::function<void(const char*)>& doing);

}  // namespace silica::bench
