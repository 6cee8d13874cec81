#include "report.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include <ATen/Parallel.h>

#include "machine.hpp"
#include "suite/statistics.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

bool same_work(const Job& a, const Job& b) { return a.subject == b.subject && a.head == b.head && a.sizes == b.sizes; }

double items_per_s(const Row& row) {
    return static_cast<double>(row.job.sizes.batch) * 1000.0 / row.measured->median_ms();
}

/// Seconds that a second of sound takes; nothing where the inputs are no sounds.
std::optional<double> real_time_factor(const Row& row) {
    const auto seconds = row.job.sizes.of("audio_seconds") * row.job.sizes.batch;
    if (seconds == 0) return std::nullopt;
    return row.measured->median_ms() / 1000.0 / static_cast<double>(seconds);
}

ordered_json fallbacks_json(const Measured& m) {
    ordered_json list = ordered_json::array();
    for (const auto& f : m.fallbacks) {
        list.push_back({{"op", f.op},
                        {"from", f.from},
                        {"to", f.to},
                        {"reason", describe(f.reason)},
                        {"count", f.count},
                        {"bytes", f.bytes},
                        {"ms", rounded(f.ms, 3)},
                        {"share", rounded(f.ms / m.total_ms(), 4)}});
    }
    return list;
}

/// The fields that peer.py gives for generation, and ours.
void add_generation(ordered_json& out, const Row& row) {
    const auto& m = *row.measured;
    const auto& sizes = row.job.sizes;
    const auto rates = m.decode_rates(sizes);
    ordered_json samples = ordered_json::array();
    for (std::size_t i = 0; i < m.generated.size(); ++i) {
        samples.push_back(
            {{"prefill_ms", rounded(m.generated[i].prefill_ms, 3)},
             {"decode_tokens_per_s", rates.empty() ? ordered_json(nullptr) : ordered_json(rounded(rates[i], 3))}});
    }
    out["new_tokens"] = sizes.new_tokens;
    out["samples"] = samples;
    out["prefill_ms"] = rounded(m.prefill_ms(), 3);
    if (sizes.tokens() > 0) out["prefill_tokens_per_s"] = rounded(m.prefill_tokens_per_s(sizes), 3);
    if (!rates.empty()) {
        const auto [mean, sd] = mean_sd(rates);
        out["decode_tokens_per_s"] = rounded(m.decode_tokens_per_s(sizes), 3);
        out["decode_tokens_per_s_mean"] = rounded(mean, 3);
        out["decode_tokens_per_s_sd"] = rounded(sd, 3);
    }
    out["tokens_head"] = m.tokens_head;
    out["cache_mb"] = mebibytes(m.cache_bytes);
    out["step_bytes"] = m.step_bytes;
    if (const auto share = m.bandwidth_share(sizes)) {
        out["memory_bandwidth_gb_per_s"] = rounded(m.bandwidth / 1e9, 2);
        out["bandwidth_share"] = rounded(*share, 4);
    }
}

/// 110106428 as "110.1M".
std::string short_count(std::uint64_t n) {
    const auto x = static_cast<double>(n);
    if (n >= 1'000'000'000) return fixed(x / 1e9, 2) + "B";
    if (n >= 1'000'000) return fixed(x / 1e6, 1) + "M";
    if (n >= 1'000) return fixed(x / 1e3, 1) + "k";
    return std::to_string(n);
}

/// Milliseconds with four significant digits or so.
std::string ms_text(double ms) { return fixed(ms, ms < 10 ? 3 : ms < 100 ? 2 : 1); }

std::string weights_of(const Row& row) { return row.job.subject->origin.weights ? "checkpoint" : "random"; }

/// Why a row has no numbers, in a word or two.
std::string absent(const Row& row) {
    return row.state == suite::State::unavailable ? "not available" : std::string(suite::name_of(row.state));
}

/// How the rows were sampled, for people.
std::string sampling_text(const std::vector<Row>& rows) {
    const auto& s = rows.front().job.sampling;
    const std::string calls = s.iterations ? "median of " + std::to_string(*s.iterations) + " calls"
                                           : "median of so many calls that its 95 % interval is within " +
                                                 fixed(100 * s.within, 0) + " %, or " + fixed(s.measure_s, 0) + " s";
    return calls + (s.warmup ? " after " + std::to_string(*s.warmup) : " after a warm-up until times settle");
}

/// The kinds of sizes that some row has.
std::vector<const SizeKind*> kinds_of(const std::vector<Row>& rows) {
    std::vector<const SizeKind*> kinds;
    for (const auto& kind : size_kinds) {
        if (std::ranges::any_of(rows, [&](const Row& row) { return row.job.sizes.of(kind.name) > 0; }))
            kinds.push_back(&kind);
    }
    return kinds;
}

bool of_sounds(const std::vector<const SizeKind*>& kinds) {
    return std::ranges::any_of(kinds, [](const SizeKind* kind) { return kind->name == "audio_seconds"; });
}

/// What both kinds of table begin with.
std::vector<Table::Column> columns(const std::vector<const SizeKind*>& sizes,
                                   std::initializer_list<Table::Column> own) {
    std::vector<Table::Column> all = {{"model"},    {"task"},      {"params", true}, {"weights"},
                                      {"hardware"}, {"precision"}, {"loader"},       {"batch", true}};
    for (const auto* kind : sizes) all.push_back({std::string(kind->column), true});
    for (const char* name : {"load s", "host MB", "device MB"}) all.push_back({name, true});
    all.insert(all.end(), own);
    if (of_sounds(sizes)) all.push_back({"real-time factor", true});
    all.push_back({"vs cpu", true});
    all.push_back({"fallbacks"});
    return all;
}

std::vector<std::string> first_cells(const Row& row, const std::vector<const SizeKind*>& sizes) {
    const auto& j = row.job;
    const Measured* m = row.measured ? &*row.measured : nullptr;
    std::vector<std::string> cells = {j.subject->origin.name,
                                      std::string(j.head->task),
                                      m != nullptr ? short_count(m->parameters) : "-",
                                      weights_of(row),
                                      j.device->label(),
                                      j.precision,
                                      j.subject->origin.weights ? j.loader : "-",
                                      std::to_string(j.sizes.batch)};
    for (const auto* kind : sizes) {
        const auto n = j.sizes.of(kind->name);
        cells.push_back(n > 0 ? std::to_string(n) : "-");
    }
    cells.push_back(m != nullptr ? fixed(m->load_s, 2) : "-");
    cells.push_back(m != nullptr ? fixed(mebibytes(m->peak), 0) : "-");
    cells.push_back(m != nullptr && m->device_peak ? fixed(mebibytes(*m->device_peak), 0) : "-");
    return cells;
}

/// The cells of a task that is one forward pass.
std::vector<std::string> call_cells(const Row& row) {
    const auto& m = *row.measured;
    return {ms_text(m.median_ms()), ms_text(m.p90_ms()), ms_text(m.min_ms()), fixed(items_per_s(row), 1)};
}

/// The cells of a task that generates.
std::vector<std::string> generation_cells(const Row& row) {
    const auto& m = *row.measured;
    const auto& sizes = row.job.sizes;
    std::string decode = "-";
    if (sizes.new_tokens > 1) {
        const auto [mean, sd] = mean_sd(m.decode_rates(sizes));
        decode = fixed(mean, 1) + " +- " + fixed(sd, 1);
    }
    const auto share = m.bandwidth_share(sizes);
    const std::string prefill = sizes.tokens() > 0 ? fixed(m.prefill_tokens_per_s(sizes), 1) : "-";  // of text
    return {std::to_string(sizes.new_tokens),
            ms_text(m.prefill_ms()),
            prefill,
            decode,
            fixed(mebibytes(m.cache_bytes), 1),
            share ? fixed(100 * *share, 0) + " %" : "-"};
}

/// The rows of one kind, as a table with `own` columns between those that all have; nothing where there are none.
void print_rows(std::ostream& out, Output output, const std::vector<Row>& rows, bool generation,
                std::initializer_list<Table::Column> own) {
    const auto sizes = kinds_of(rows);
    Table table(columns(sizes, own));
    for (const auto& row : rows) {
        if ((row.job.sizes.new_tokens > 0) != generation) continue;
        auto cells = first_cells(row, sizes);
        if (row.measured) {
            const auto more = generation ? generation_cells(row) : call_cells(row);
            cells.insert(cells.end(), more.begin(), more.end());
            if (of_sounds(sizes)) {
                const auto factor = real_time_factor(row);
                cells.push_back(factor ? fixed(*factor, 4) : "-");
            }
            const auto faster = speedup(row, rows);
            cells.push_back(faster ? fixed(faster->times, 2) + "x" : "-");
            cells.push_back(fallback_text(*row.measured));
        } else {
            if (generation) cells.push_back(std::to_string(row.job.sizes.new_tokens));
            cells.resize(cells.size() + own.size() + (of_sounds(sizes) ? 2 : 1) - (generation ? 1 : 0), "-");
            cells.push_back(absent(row) + (output == Output::csv ? ": " + row.reason : ""));
        }
        table.add(std::move(cells));
    }
    if (!table.empty()) table.print(out, output);
}

void print_table(std::ostream& out, Output output, const std::vector<Row>& rows) {
    bool random = false, simulated = false, process_peak = false, calls = false, generation = false;
    double bandwidth = 0;
    std::string against, remarks;
    for (const auto& row : rows) {
        const auto& j = row.job;
        const auto remark = [&](const std::string& line) {
            if (remarks.find(line) == std::string::npos) remarks += line;
        };
        (j.sizes.new_tokens > 0 ? generation : calls) = true;
        random = random || !j.subject->origin.weights;
        if (!row.measured) {
            remark(j.device->label() + " " + absent(row) + ": " + row.reason + "\n");
            continue;
        }
        const std::string name =
            j.subject->origin.name + " " + std::string(j.head->task) + ", " + j.device->label() + " " + j.precision;
        if (!row.remark.empty()) remark(name + ": " + row.remark + "\n");
        for (const auto& text : row.measured->noise) remark(name + ": noisy: " + text + "\n");
        simulated = simulated || j.device->simulated() != nullptr;
        process_peak = process_peak || !row.measured->peak_of_row;
        if (j.device->type == c10::DeviceType::CPU) bandwidth = std::max(bandwidth, row.measured->bandwidth);
        if (const auto faster = speedup(row, rows)) against = faster->against;
        for (const auto& text : row.measured->notes)
            remark(j.device->label() + " " + j.precision + " " + j.loader + ": " + text + "\n");
    }
    print_rows(out, output, rows, false, {{"median ms", true}, {"p90 ms", true}, {"min ms", true}, {"items/s", true}});
    if (calls && generation) out << "\n";
    print_rows(out, output, rows, true,
               {{"new", true},
                {"first token ms", true},
                {"prefill t/s", true},
                {"decode t/s", true},
                {"cache MB", true},
                {"bandwidth", true}});
    if (output == Output::csv) return;
    const auto machine = machine_facts();
    const auto versions = version_facts();
    out << "\n"
        << remarks << machine["chip"].get<std::string>() << ", " << at::get_num_threads() << " threads; silica "
        << versions["silica"].get<std::string>() << " (" << versions["build_type"].get<std::string>() << "), LibTorch "
        << versions["libtorch"].get<std::string>() << " (" << versions["libtorch_build"].get<std::string>() << "); "
        << sampling_text(rows) << "\n";
    if (generation) {
        out << "decode t/s: mean and standard deviation over the calls, greedy, no end looked for; bandwidth: what the "
               "steps read of\nwhat the memory can give";
        if (bandwidth > 0)
            out << ", which is " << fixed(bandwidth / 1e9, 1)
                << " GB/s on the host, measured; over 100 % where caches hold weights";
        out << "\n";
    }
    if (random)
        out << "weights random: the real configuration without its checkpoint; times are the model's, results mean "
               "nothing\n";
    if (simulated)
        out << "simulated: a test device that computes on the CPU; its numbers say nothing about a real one\n";
    if (process_peak) out << "host MB: the peak of the whole process so far, this system does not tell it per row\n";
    if (!against.empty()) out << "vs cpu: against the " << against << " row\n";
}

}  // namespace

std::optional<Speedup> speedup(const Row& row, const std::vector<Row>& rows) {
    if (!row.measured || row.job.device->type == c10::DeviceType::CPU || row.job.device->simulated() != nullptr)
        return std::nullopt;
    const Row* base = nullptr;
    for (const auto& other : rows) {
        if (!other.measured || other.job.device->type != c10::DeviceType::CPU || !same_work(row.job, other.job))
            continue;
        if (base == nullptr || (base->job.precision != row.job.precision && other.job.precision == row.job.precision))
            base = &other;
    }
    if (base == nullptr) return std::nullopt;
    return Speedup{base->measured->median_ms() / row.measured->median_ms(), "cpu " + base->job.precision};
}

std::string fallback_text(const Measured& m) {
    std::string text;
    for (const auto& f : m.fallbacks) {
        const double calls = static_cast<double>(m.samples_ms.size());
        text += (text.empty() ? "" : "; ") + std::string(f.op) + " to " + std::string(f.to) + ", " +
                fixed(static_cast<double>(f.count) / calls, f.count % m.samples_ms.size() == 0 ? 0 : 1) +
                " per call, " + fixed(100 * f.ms / m.total_ms(), 1) + " %";
    }
    return text.empty() ? "none" : text;
}

ordered_json row_json(const Row& row, const std::vector<Row>& rows) {
    const auto& j = row.job;
    ordered_json out = {{"engine", "silica"},
                        {"served", row.measured.has_value()},
                        {"model", j.subject->origin.name},
                        {"family", j.subject->family->name},
                        {"task", j.head->task},
                        {"device", j.device->name},
                        {"hardware", j.device->label()},
                        {"simulated", j.device->simulated() != nullptr},
                        {"precision", j.precision},
                        {"threads", row.measured ? row.measured->threads : at::get_num_threads()},
                        {"batch_size", j.sizes.batch}};
    for (const auto& [name, n] : j.sizes.named) out[std::string(name)] = n;
    out["layers"] = nullptr;
    out["weights"] = weights_of(row);
    out["loader"] = j.subject->origin.weights ? ordered_json(j.loader) : ordered_json(nullptr);
    const auto count = [&](const std::optional<std::int64_t>& given, std::int64_t found) {
        return row.measured ? ordered_json(found) : given ? ordered_json(*given) : ordered_json(nullptr);
    };
    out["iterations"] =
        count(j.sampling.iterations, row.measured ? static_cast<std::int64_t>(row.measured->samples_ms.size()) : 0);
    out["warmup"] = count(j.sampling.warmup, row.measured ? row.measured->warmup : 0);
    out["versions"] = version_facts();
    if (j.device->simulated() != nullptr) out["simulated_by"] = j.device->simulated();
    if (!row.measured) {
        out["available"] = row.state != suite::State::unavailable;
        out["state"] = suite::name_of(row.state);
        out["reason"] = row.reason;
        return out;
    }
    const auto& m = *row.measured;
    ordered_json inputs = ordered_json::object();
    for (const auto& [name, shape] : m.inputs) inputs[name] = shape;
    out["inputs"] = inputs;
    out["parameters"] = m.parameters;
    out["weights_mb"] = mebibytes(m.weight_bytes);
    out["load_s"] = rounded(m.load_s, 6);
    ordered_json samples = ordered_json::array();
    for (const double ms : m.samples_ms) samples.push_back(rounded(ms, 3));
    out["samples_ms"] = samples;
    out["median_ms"] = rounded(m.median_ms(), 3);
    out["min_ms"] = rounded(m.min_ms(), 3);
    out["p90_ms"] = rounded(m.p90_ms(), 3);
    out["items_per_s"] = rounded(items_per_s(row), 3);
    if (const auto factor = real_time_factor(row)) out["real_time_factor"] = rounded(*factor, 5);
    if (j.sizes.new_tokens > 0) add_generation(out, row);
    out["baseline_rss_mb"] = mebibytes(m.baseline);
    out["load_peak_rss_mb"] = mebibytes(m.load_peak);
    out["peak_rss_mb"] = mebibytes(m.peak);
    out["peak_rss_of"] = m.peak_of_row ? "row" : "process";
    if (m.device_peak) out["peak_device_mb"] = mebibytes(*m.device_peak);
    out["fallbacks"] = fallbacks_json(m);
    const auto faster = speedup(row, rows);
    out["speedup_vs_cpu"] = faster ? ordered_json(rounded(faster->times, 3)) : ordered_json(nullptr);
    if (faster) out["speedup_against"] = faster->against;
    out["notes"] = m.notes;
    const auto interval = suite::median_interval(m.samples_ms);
    out["interval_ms"] = {rounded(interval.low, 3), rounded(interval.high, 3)};
    out["noise"] = m.noise;
    out["marks"] = row.marks;
    out["conditions"] = {{"before", suite::conditions_json(m.before)},
                         {"after", suite::conditions_json(m.after)},
                         {"others", rounded(m.others, 2)}};
    return out;
}

void print_report(std::ostream& out, Output output, const std::vector<Row>& rows) {
    if (output == Output::json) {
        ordered_json all = ordered_json::array();
        for (const auto& row : rows) all.push_back(row_json(row, rows));
        ordered_json document = rows.size() == 1 ? all[0] : ordered_json{{"engine", "silica"}, {"rows", all}};
        document["machine"] = machine_facts();
        out << document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
    } else if (output == Output::jsonl) {
        for (const auto& row : rows) {
            ordered_json document = row_json(row, rows);
            document["machine"] = machine_facts();
            out << document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
        }
    } else {
        print_table(out, output, rows);
    }
}

}  // namespace silica::bench
