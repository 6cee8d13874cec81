#include "suite/report/json.hpp"

#include <cmath>

#include "suite/report/matrix.hpp"
#include "suite/report/ratios.hpp"

namespace silica::bench::suite::report {
namespace {

using nlohmann::ordered_json;

ordered_json number(double x) { return std::isfinite(x) ? ordered_json(x) : ordered_json(nullptr); }

void set(ordered_json& out, const char* name, double x) {
    if (std::isfinite(x)) out[name] = x;
}

ordered_json runs_json(const Data& data) {
    ordered_json list = ordered_json::array();
    for (const auto& r : data.runs) {
        ordered_json counts = ordered_json::object();
        for (std::size_t s = 0; s < r.counts.size(); ++s)
            if (r.counts[s] > 0) counts[std::string(name_of(static_cast<State>(s)))] = r.counts[s];
        list.push_back({{"label", r.label},
                        {"id", r.run.id > 0 ? ordered_json(r.run.id) : ordered_json(nullptr)},
                        {"name", r.run.name},
                        {"from", r.place},
                        {"reported", r.reported},
                        {"started", r.run.started},
                        {"finished", r.run.finished},
                        {"command", r.run.command},
                        {"shard", r.run.shard},
                        {"origin", r.run.origin},
                        {"machine", data.machines[r.machine].id},
                        {"versions", r.run.versions},
                        {"conditions", r.run.conditions},
                        {"rows", counts}});
    }
    return list;
}

ordered_json row_json(const Entry& e) {
    ordered_json out = {{"run", e.run}, {"state", name_of(e.state)}};
    out.update(identity_json(e));
    if (e.asked_hardware != e.hardware) out["asked_hardware"] = e.asked_hardware;
    if (!e.measured()) {
        out["reason"] = e.reason;
        return out;
    }
    out["samples"] = e.samples.size();
    out["median_ms"] = number(e.latency.median);
    out["interval_ms"] = interval_json(e.latency.low, e.latency.high);
    set(out, "p90_ms", e.p90);
    set(out, "min_ms", e.least);
    set(out, "items_per_s", e.items_per_s);
    set(out, "real_time_factor", e.real_time_factor);
    set(out, "prefill_ms", e.prefill_ms);
    set(out, "prefill_tokens_per_s", e.prefill_tokens_per_s);
    set(out, "decode_tokens_per_s", e.decode_tokens_per_s);
    set(out, "parameters", e.parameters);
    set(out, "weights_mb", e.weights_mb);
    set(out, "load_s", e.load_s);
    set(out, "baseline_rss_mb", e.baseline_mb);
    set(out, "load_peak_rss_mb", e.load_peak_mb);
    set(out, "peak_rss_mb", e.peak_mb);
    set(out, "peak_device_mb", e.device_mb);
    set(out, "cache_mb", e.cache_mb);
    ordered_json fallbacks = ordered_json::array();
    for (const auto& f : e.fallbacks) {
        fallbacks.push_back({{"op", f.op},
                             {"from", f.from},
                             {"to", f.to},
                             {"reason", f.reason},
                             {"per_call", number(f.per_call)},
                             {"bytes_per_call", number(f.bytes)},
                             {"share", number(f.share)}});
    }
    out["fallbacks"] = std::move(fallbacks);
    return out;
}

ordered_json ratios_json(const std::vector<Faster>& all) {
    ordered_json list = ordered_json::array();
    for (const auto& f : all) {
        ordered_json out = identity_json(*f.row);
        out["run"] = f.row->run;
        out["against"] = {{"hardware", f.base->hardware}, {"precision", f.base->precision}, {"loader", f.base->loader}};
        out["times_as_fast"] = number(f.times.ratio);
        out["interval"] = interval_json(f.times.low, f.times.high);
        list.push_back(std::move(out));
    }
    return list;
}

ordered_json matrix_json(const Data& data) {
    ordered_json list = ordered_json::array();
    const Matrix m = matrix_of(data);
    for (std::size_t f = 0; f < m.families.size(); ++f)
        for (std::size_t d = 0; d < m.hardware.size(); ++d)
            for (std::size_t p = 0; p < m.precisions.size(); ++p) {
                const auto& cell = m.at(f, d, p);
                list.push_back({{"family", m.families[f]},
                                {"hardware", m.hardware[d]},
                                {"precision", m.precisions[p]},
                                {"support", name_of(cell.support)},
                                {"simulated", cell.simulated},
                                {"rows", cell.rows},
                                {"measured", cell.measured},
                                {"failed", cell.failed}});
            }
    return list;
}

}  // namespace

ordered_json identity_json(const Entry& e) {
    ordered_json out = {{"model", e.model},
                        {"family", e.family},
                        {"task", e.task},
                        {"hardware", e.hardware},
                        {"simulated", e.marks.simulated},
                        {"precision", e.precision_text()},
                        {"loader", e.loader == "-" ? ordered_json(nullptr) : ordered_json(e.loader)},
                        {"weights", e.marks.random ? "random" : "checkpoint"},
                        {"batch_size", e.batch}};
    if (e.threads > 0) out["threads"] = e.threads;
    for (const auto& [name, n] : e.sizes) out[name] = n;
    if (e.new_tokens > 0) out["new_tokens"] = e.new_tokens;
    out["marks"] = e.remarks;
    if (e.marks.random) out["marks"].insert(out["marks"].begin(), "random weights");
    if (e.marks.simulated) out["marks"].insert(out["marks"].begin(), "simulated");
    return out;
}

ordered_json interval_json(double low, double high) {
    return std::isfinite(low + high) ? ordered_json{low, high} : ordered_json(nullptr);
}

ordered_json change_json(const Change& c) {
    ordered_json out = identity_json(*c.now);
    out["earlier_run"] = c.earlier->run;
    out["run"] = c.now->run;
    out["earlier_median_ms"] = number(c.earlier->latency.median);
    out["earlier_interval_ms"] = interval_json(c.earlier->latency.low, c.earlier->latency.high);
    out["median_ms"] = number(c.now->latency.median);
    out["interval_ms"] = interval_json(c.now->latency.low, c.now->latency.high);
    out["ratio"] = number(c.comparison.ratio);
    out["ratio_interval"] = interval_json(c.comparison.low, c.comparison.high);
    out["p"] = number(c.p);
    out["noisy"] = c.now->noisy() || c.earlier->noisy();
    out["verdict"] = name_of(c.verdict);
    return out;
}

ordered_json json_of(const Data& data) {
    ordered_json out = {{"engine", "silica"}, {"kind", "report"}, {"schema", json_schema}};
    out["machines"] = ordered_json::array();
    for (const auto& m : data.machines)
        out["machines"].push_back({{"id", m.id}, {"label", m.label}, {"facts", m.facts}});
    out["runs"] = runs_json(data);
    out["rows"] = ordered_json::array();
    for (const auto i : data.reported) out["rows"].push_back(row_json(data.entries[i]));
    out["speedups"] = ratios_json(against_cpu(data));
    out["precisions"] = ratios_json(against_float32(data));
    out["loaders"] = ratios_json(against_mapped(data));
    out["support"] = matrix_json(data);
    ordered_json changes = ordered_json::array();
    for (const auto& c : data.changes) changes.push_back(change_json(c));
    out["changes"] = {{"against", data.against.empty() ? ordered_json(nullptr) : ordered_json(data.against)},
                      {"bound", data.bound},
                      {"significance", significance},
                      {"correction", "holm"},
                      {"rows", changes}};
    ordered_json history = ordered_json::array();
    for (std::size_t i = 0; i < data.entries.size(); ++i) {
        const auto& e = data.entries[i];
        if (!e.measured() || data.runs[e.run].reported) continue;
        ordered_json row = identity_json(e);
        row["run"] = e.run;
        row["median_ms"] = number(e.latency.median);
        row["interval_ms"] = interval_json(e.latency.low, e.latency.high);
        history.push_back(std::move(row));
    }
    out["history"] = std::move(history);
    return out;
}

}  // namespace silica::bench::suite::report
