/// Latency and throughput, family by family.

#include <algorithm>
#include <cmath>
#include <map>

#include "suite/report/cells.hpp"
#include "suite/report/numbers.hpp"
#include "suite/report/sections.hpp"

namespace silica::bench::suite::report {
namespace {

constexpr std::size_t most_bars = 24, most_lines = 6;

using Entries = std::vector<const Entry*>;

/// Of each model, task, place: the one with the smallest inputs, models together.
Entries smallest(const Data& data, const Entries& entries) {
    std::map<std::string, const Entry*> chosen;
    std::vector<std::string> order;
    for (const auto* e : entries) {
        const auto key = e->model + '|' + e->task + '|' + place_label(data, *e);
        const auto [at, fresh] = chosen.emplace(key, e);
        if (fresh) order.push_back(key);
        if (!fresh && std::tie(e->batch, e->sizes) < std::tie(at->second->batch, at->second->sizes)) at->second = e;
    }
    Entries found;
    for (const auto& key : order) found.push_back(chosen[key]);
    std::ranges::stable_sort(found, [](const Entry* a, const Entry* b) { return work_label(*a) < work_label(*b); });
    return found;
}

Bar bar_of(const Data& data, const Entry& e) {
    return {.group = work_label(e),
            .label = place_label(data, e) + (e.noisy() ? ", noisy" : ""),
            .value = e.latency.median,
            .low = e.latency.low,
            .high = e.latency.high,
            .text = number_text(e.latency.median),
            .colour = colour_of(e.hardware),
            .marks = e.marks};
}

void add_bars(const Data& data, const std::string& family, const Entries& entries, Section& section) {
    Entries shown = smallest(data, entries);
    const auto all = shown.size();
    shown.resize(std::min(all, most_bars));
    BarPlot latency{.title = family + ": time of a call, smallest inputs of each model",
                    .unit = "ms",
                    .description =
                        "Median and its 95 % interval in milliseconds; shorter is faster. The table below has "
                        "the numbers."};
    BarPlot decode{.title = family + ": tokens written per second",
                   .unit = "tokens/s",
                   .description =
                       "Tokens per second after the first, median; longer is faster. The table below has the "
                       "numbers."};
    for (const auto* e : shown) {
        latency.bars.push_back(bar_of(data, *e));
        if (!std::isfinite(e->decode_tokens_per_s)) continue;
        Bar bar = bar_of(data, *e);
        bar.value = e->decode_tokens_per_s;
        bar.low = bar.high = none;
        bar.text = number_text(bar.value);
        decode.bars.push_back(std::move(bar));
    }
    if (all > most_bars) latency.title += " (" + std::to_string(most_bars) + " of " + std::to_string(all) + ")";
    section.blocks.emplace_back(std::move(latency));
    if (!decode.bars.empty()) section.blocks.emplace_back(std::move(decode));
}

/// Throughput over the batch, where a model was measured with several.
void add_lines(const Data& data, const std::string& family, const Entries& entries, Section& section) {
    std::map<std::string, std::map<std::int64_t, const Entry*>> lines;
    for (const auto* e : entries) {
        if (!std::isfinite(e->items_per_s)) continue;
        const auto label =
            e->model + ", " + (e->size_text() == "-" ? "" : e->size_text() + ", ") + place_label(data, *e);
        lines[label].emplace(e->batch, e);
    }
    std::erase_if(lines, [](const auto& line) { return line.second.size() < 2; });
    if (lines.empty()) return;
    LinePlot plot{
        .title = family + ": throughput by batch",
        .unit = "items/s",
        .across = "batch size",
        .description = "Items per second at each batch size; higher is faster. The table below has the numbers."};
    if (lines.size() > most_lines)
        plot.title += " (" + std::to_string(most_lines) + " of " + std::to_string(lines.size()) + ")";
    while (lines.size() > most_lines) lines.erase(std::prev(lines.end()));
    std::map<std::int64_t, std::size_t> places;
    for (const auto& [label, line] : lines)
        for (const auto& [batch, e] : line) places.emplace(batch, 0);
    for (auto& [batch, place] : places) {
        place = plot.places.size();
        plot.places.push_back(std::to_string(batch));
    }
    for (const auto& [label, line] : lines) {
        Series series{.label = label, .values = std::vector<double>(places.size(), none), .colour = plot.series.size()};
        for (const auto& [batch, e] : line) {
            series.values[places[batch]] = e->items_per_s;
            series.marks = series.marks | e->marks;
        }
        plot.series.push_back(std::move(series));
    }
    section.blocks.emplace_back(std::move(plot));
}

Table speed_table(const Data& data, const std::string& family, const Entries& entries) {
    const auto some = [&](double Entry::* number) {
        return std::ranges::any_of(entries, [&](const Entry* e) { return std::isfinite(e->*number); });
    };
    struct Optional {
        double Entry::* number;
        const char* heading;
    };
    std::vector<Optional> optional;
    for (const auto& o :
         {Optional{&Entry::prefill_ms, "first token ms"}, Optional{&Entry::prefill_tokens_per_s, "prefill tokens/s"},
          Optional{&Entry::decode_tokens_per_s, "decode tokens/s"},
          Optional{&Entry::real_time_factor, "real-time factor"}})
        if (some(o.number)) optional.push_back(o);
    const Identity identity(data);
    Table table{
        .caption = family + ": latency and throughput",
        .columns = identity.columns(
            {{"median ms", true}, {"95 % interval", true}, {"p90 ms", true}, {"min ms", true}, {"items/s", true}})};
    for (const auto& o : optional) table.columns.push_back({o.heading, true});
    table.columns.push_back({"samples", true});
    table.columns.push_back({"remarks"});
    table.rows.reserve(entries.size());
    for (const auto* e : entries) {
        auto row = identity.cells(*e);
        row.reserve(table.columns.size());
        const auto m = e->marks;
        row.push_back(number_cell(e->latency.median, m));
        row.push_back(interval_cell(e->latency.low, e->latency.high, m));
        for (const double x : {e->p90, e->least, e->items_per_s}) row.push_back(number_cell(x, m));
        for (const auto& o : optional) row.push_back(number_cell(e->*o.number, m));
        row.push_back({.text = std::to_string(e->samples.size())});
        row.push_back(remarks_cell(*e));
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// Several machines: the same work, a column for each.
void add_machines(const Data& data, Section& section) {
    if (!data.several_machines()) return;
    std::map<std::string, std::vector<const Entry*>> of_key;
    std::vector<const std::vector<const Entry*>*> order;
    for (const auto i : data.current) {
        auto& all = of_key[data.entries[i].key()];
        if (all.empty()) order.push_back(&all);
        all.push_back(&data.entries[i]);
    }
    const Identity identity(data, {"machine", "run"});
    Table table{.caption = "Median ms on each machine", .columns = identity.columns({})};
    for (const auto& m : data.machines) table.columns.push_back({m.id, true});
    for (const auto* all : order) {
        if (all->size() < 2) continue;
        auto row = identity.cells(*all->front());
        for (std::size_t m = 0; m < data.machines.size(); ++m) {
            const auto found = std::ranges::find(*all, m, &Entry::machine);
            row.push_back(found == all->end() ? number_cell(none, {})
                                              : number_cell((*found)->latency.median, (*found)->marks));
        }
        table.rows.push_back(std::move(row));
    }
    for (const auto& m : data.machines) table.note += (table.note.empty() ? "" : "; ") + m.id + ": " + m.label;
    table.note += ".";
    if (table.rows.empty()) return;
    section.blocks.emplace_back(Heading{"Machines side by side"});
    section.blocks.emplace_back(std::move(table));
}

}  // namespace

Section speed_section(const Data& data) {
    Section section{.id = "speed", .heading = "Latency and throughput"};
    std::map<std::string, Entries> families;
    Entries all;
    for (const auto i : data.reported) {
        const auto& e = data.entries[i];
        if (!e.measured()) continue;
        families[e.family].push_back(&e);
        all.push_back(&e);
    }
    if (all.empty()) {
        section.blocks.emplace_back("Nothing was measured.");
        return section;
    }
    section.blocks.emplace_back(
        "Times are of one call with its checks and copies; the interval holds the median with 95 % confidence, without "
        "assumptions on how times are distributed (fewer than 6 samples cannot: then it is all of them).");
    section.blocks.emplace_back(legend_of(all));
    add_machines(data, section);
    for (const auto& [family, entries] : families) {
        section.blocks.emplace_back(Heading{family.empty() ? "unknown family" : family});
        add_bars(data, family, entries, section);
        add_lines(data, family, entries, section);
        section.blocks.emplace_back(speed_table(data, family, entries));
    }
    return section;
}

}  // namespace silica::bench::suite::report
