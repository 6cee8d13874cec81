#pragma once
/// Rows and runs for tests of reports.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "suite/report/data.hpp"

namespace silica::test {

using nlohmann::ordered_json;
using namespace silica::bench::suite;  // NOLINT: a test's own

/// What a test wants of a row; the rest is usual.
struct RowWish {
    std::string model = "bert-tiny", family = "bert", hardware = "cpu", precision = "float32", loader = "mapped";
    bool simulated = false, random = false;
    std::vector<double> samples = {1.0, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 1.08, 1.09};
    State state = State::measured;
    std::string reason = {};
    std::int64_t batch = 1;
    std::vector<std::string> marks = {};
    ordered_json fields = ordered_json::object();  ///< over the usual ones of the row
};

inline StoredRow stored(const RowWish& w) {
    StoredRow row{.state = w.state, .reason = w.reason, .marks = w.marks};
    row.job = {{"model", w.model},
               {"family", w.family},
               {"task", "embed"},
               {"hardware", w.hardware},
               {"simulated", w.simulated},
               {"precision", w.precision},
               {"loader", w.loader},
               {"weights", w.random ? "random" : "checkpoint"},
               {"batch", w.batch},
               {"sizes", {{"prompt_tokens", 8}}},
               {"new_tokens", 0}};
    row.key = key_of(row.job);
    if (w.state != State::measured) return row;
    row.samples_ms = w.samples;
    row.row = {{"served", true},
               {"model", w.model},
               {"family", w.family},
               {"task", "embed"},
               {"device", w.hardware},
               {"hardware", w.hardware + (w.simulated ? " (simulated)" : "")},
               {"simulated", w.simulated},
               {"precision", w.precision},
               {"batch_size", w.batch},
               {"prompt_tokens", 8},
               {"weights", w.random ? "random" : "checkpoint"},
               {"loader", w.random ? ordered_json(nullptr) : ordered_json(w.loader)},
               {"items_per_s", 1000.5},
               {"p90_ms", 1.09},
               {"min_ms", 1.0},
               {"weights_mb", 16.7},
               {"load_peak_rss_mb", 150.25},
               {"peak_rss_mb", 180.25},
               {"fallbacks", ordered_json::array()}};
    row.row.update(w.fields);
    return row;
}

inline report::Source source(std::vector<RowWish> wishes, std::int64_t id = 1,
                             const std::string& started = "2026-11-27T04:00:00Z") {
    report::Source s{.run = {.id = id, .started = started, .finished = started, .command = "silica bench"},
                     .rows = {},
                     .place = "runs.sqlite"};
    s.run.machine = {{"chip", "A chip"}, {"cores", 2}, {"memory_mb", 24152.1}, {"os", "Linux"}};
    s.run.versions = {{"silica", "0.1.0"}};
    for (const auto& w : wishes) s.rows.push_back(stored(w));
    return s;
}

/// `samples` times as slow.
inline std::vector<double> times(double factor, std::vector<double> samples = RowWish{}.samples) {
    for (double& x : samples) x *= factor;
    return samples;
}

}  // namespace silica::test
