#pragma once
/// One row of a run, read out of its JSON: what reports and comparisons work on.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "suite/report/marks.hpp"
#include "suite/statistics.hpp"
#include "suite/store.hpp"

namespace silica::bench::suite::report {

/// A number that is not there. It prints as "-" and is null in JSON.
inline constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// What an op did elsewhere, over all samples of its row.
struct FallbackOf {
    std::string op, from, to, reason;
    double per_call = none;  ///< times in one call
    double bytes = none;     ///< moved in one call
    double share = none;     ///< of the time of the row, from 0 to 1

    /// Whether the work left the device; otherwise a fused op ran in its parts at home.
    [[nodiscard]] bool left() const { return to != "parts"; }
};

/// All that a report says of a row. Numbers that were not measured are `none`.
struct Entry {
    std::size_t run = 0, machine = 0;  ///< places in the report's lists
    State state = State::pending;
    std::string reason;
    std::string model, family, task, hardware, precision, loader;  ///< hardware as "mps (simulated)"
    std::string variant;         ///< of the precision: "group 32", "activations int8"; usually empty
    std::string asked_hardware;  ///< what the row was to run on
    std::int64_t batch = 1, new_tokens = 0, threads = 0;      ///< threads of the CPU; 0: not said
    std::vector<std::pair<std::string, std::int64_t>> sizes;  ///< {"prompt_tokens", 128}
    Marks marks;
    std::vector<std::string> remarks;  ///< "noisy", "smaller batch"; without those that `marks` has

    std::vector<double> samples;  ///< ms, finite and positive
    Interval latency{.low = none, .median = none, .high = none};
    double p90 = none, least = none, items_per_s = none, real_time_factor = none;
    double prefill_ms = none, prefill_tokens_per_s = none, decode_tokens_per_s = none;
    double parameters = none, weights_mb = none, load_s = none;
    double baseline_mb = none, load_peak_mb = none, peak_mb = none, device_mb = none, cache_mb = none;
    std::vector<FallbackOf> fallbacks;

    [[nodiscard]] bool measured() const { return state == State::measured && latency.median > 0; }
    [[nodiscard]] bool noisy() const;
    [[nodiscard]] bool on_cpu() const { return hardware == "cpu"; }

    /// "int4 group 32".
    [[nodiscard]] std::string precision_text() const { return variant.empty() ? precision : precision + ' ' + variant; }
    /// "128 tokens, 64 new": how large the inputs are, without the batch.
    [[nodiscard]] std::string size_text() const;
    /// What is the same for rows that do the same work: model, task, batch, sizes.
    [[nodiscard]] std::string work() const;
    /// What is the same for rows that are measured in the same way: work, hardware, threads, precision, loader,
    /// weights.
    [[nodiscard]] std::string key() const;
};

/// What a stored row says. Nothing in it is trusted: fields of the wrong type are as if they were not there.
[[nodiscard]] Entry entry_of(const StoredRow& row);

}  // namespace silica::bench::suite::report
