/// Rows set against others: hardware against the CPU, precisions against float32, loaders against the mapped one.

#include <algorithm>

#include "suite/report/cells.hpp"
#include "suite/report/numbers.hpp"
#include "suite/report/ratios.hpp"
#include "suite/report/sections.hpp"

namespace silica::bench::suite::report {
namespace {

constexpr std::size_t most_bars = 20;

Table ratio_table(const Data& data, std::string caption) {
    const Identity identity(data);
    Table table{.caption = std::move(caption),
                .columns = identity.columns({{"against"},
                                             {"its median ms", true},
                                             {"median ms", true},
                                             {"times as fast", true},
                                             {"95 % interval", true},
                                             {"remarks"}})};
    return table;
}

/// How many times as fast, as bars around 1.
BarPlot ratio_plot(const Data& data, std::string title, const std::vector<Faster>& all,
                   std::string (*base_of)(const Entry&)) {
    BarPlot plot{.title = std::move(title),
                 .unit = "times as fast",
                 .description =
                     "How many times as fast each row is as its base, with the 95 % interval; the line is 1, as "
                     "fast. The table below has the numbers.",
                 .reference = 1};
    if (all.size() > most_bars)
        plot.title += " (" + std::to_string(most_bars) + " of " + std::to_string(all.size()) + ")";
    for (std::size_t i = 0; i < std::min(all.size(), most_bars); ++i) {
        const auto& f = all[i];
        plot.bars.push_back({.group = work_label(*f.row),
                             .label = place_label(data, *f.row) + " against " + base_of(*f.base),
                             .value = f.times.ratio,
                             .low = f.times.low,
                             .high = f.times.high,
                             .text = fixed_text(f.times.ratio, 2) + "x",
                             .colour = colour_of(f.row->hardware),
                             .marks = f.marks()});
    }
    return plot;
}

Cell noisy_cell(const Faster& f) {
    if (f.base->noisy() || f.row->noisy()) return {.text = "noisy", .tone = Tone::warning};
    return {};
}

void add_ratios(std::vector<Cell>& row, const Faster& f) {
    row.push_back(number_cell(f.base->latency.median, f.base->marks));
    row.push_back(number_cell(f.row->latency.median, f.row->marks));
    row.push_back(ratio_cell(f.times.ratio, f.marks()));
    row.push_back(interval_cell(f.times.low, f.times.high, f.marks()));
    row.push_back(noisy_cell(f));
}

std::string hardware_of(const Entry& e) { return e.hardware + " " + e.precision_text(); }
std::string precision_of(const Entry& e) { return e.precision_text(); }
std::string loader_of(const Entry& e) { return e.loader; }

}  // namespace

Section speedup_section(const Data& data) {
    Section section{.id = "speedup", .heading = "Speed-up against the CPU"};
    const auto all = against_cpu(data);
    const bool simulated = std::ranges::any_of(data.current, [&](auto i) { return data.entries[i].marks.simulated; });
    if (simulated)
        section.blocks.emplace_back("Simulated devices compute on the CPU: they have no speed-up, and none is given.");
    if (all.empty()) {
        section.blocks.emplace_back(
            "No row of real hardware other than the CPU has a row of the CPU to stand against.");
        return section;
    }
    section.blocks.emplace_back(
        "Against the row of the CPU of the same machine that does the same work: in the same precision, or else in "
        "float32.");
    section.blocks.emplace_back(ratio_plot(data, "Times as fast as the CPU", all, hardware_of));
    Table table = ratio_table(data, "Speed-up against the CPU");
    const Identity identity(data);
    for (const auto& f : all) {
        auto row = identity.cells(*f.row);
        row.push_back({.text = hardware_of(*f.base)});
        add_ratios(row, f);
        table.rows.push_back(std::move(row));
    }
    section.blocks.emplace_back(std::move(table));
    return section;
}

Section precision_section(const Data& data) {
    Section section{.id = "precisions", .heading = "Precisions"};
    const auto all = against_float32(data);
    if (all.empty()) {
        section.blocks.emplace_back("Nothing was measured in more than one precision.");
        return section;
    }
    section.blocks.emplace_back(
        "The same work on the same hardware, against float32 (or the first precision there is).");
    section.blocks.emplace_back(ratio_plot(data, "Times as fast as in float32", all, precision_of));
    Table table = ratio_table(data, "Precisions");
    table.columns.push_back({"its weights MiB", true});
    table.columns.push_back({"weights MiB", true});
    const Identity identity(data);
    for (const auto& f : all) {
        auto row = identity.cells(*f.row);
        row.push_back({.text = precision_of(*f.base)});
        add_ratios(row, f);
        row.push_back(memory_cell(f.base->weights_mb, f.base->marks));
        row.push_back(memory_cell(f.row->weights_mb, f.row->marks));
        table.rows.push_back(std::move(row));
    }
    section.blocks.emplace_back(std::move(table));
    return section;
}

Section loader_section(const Data& data) {
    Section section{.id = "loaders", .heading = "Loaders"};
    const auto all = against_mapped(data);
    if (all.empty()) {
        section.blocks.emplace_back(
            "Nothing was measured through more than one loader. (Random weights are not loaded, so they have none.)");
        return section;
    }
    section.blocks.emplace_back(
        "The same work through another loader, against the mapped one (or the first there is): how long the load "
        "takes, "
        "and what memory it needs at most.");
    const Identity identity(data);
    Table table{.caption = "Loaders",
                .columns = identity.columns({{"against"},
                                             {"its load s", true},
                                             {"load s", true},
                                             {"its load peak MiB", true},
                                             {"load peak MiB", true},
                                             {"times as fast in calls", true},
                                             {"95 % interval", true},
                                             {"remarks"}})};
    BarPlot plot{.title = "Memory at most while loading",
                 .unit = "MiB",
                 .description =
                     "Resident memory at most while the model is loaded, in mebibytes. The table below has the "
                     "numbers."};
    const auto add_bar = [&](const Entry& e) {
        if (plot.bars.size() >= most_bars || !(e.load_peak_mb > 0)) return;
        plot.bars.push_back({.group = work_label(e),
                             .label = place_label(data, e),
                             .value = e.load_peak_mb,
                             .low = none,
                             .high = none,
                             .text = mebibytes_text(e.load_peak_mb),
                             .colour = colour_of(e.hardware),
                             .marks = e.marks});
    };
    const Entry* base = nullptr;
    for (const auto& f : all) {
        if (f.base != base) add_bar(*f.base);
        base = f.base;
        add_bar(*f.row);
        auto row = identity.cells(*f.row);
        row.push_back({.text = loader_of(*f.base)});
        row.push_back(number_cell(f.base->load_s, f.base->marks));
        row.push_back(number_cell(f.row->load_s, f.row->marks));
        row.push_back(memory_cell(f.base->load_peak_mb, f.base->marks));
        row.push_back(memory_cell(f.row->load_peak_mb, f.row->marks));
        row.push_back(ratio_cell(f.times.ratio, f.marks()));
        row.push_back(interval_cell(f.times.low, f.times.high, f.marks()));
        row.push_back(noisy_cell(f));
        table.rows.push_back(std::move(row));
    }
    if (!plot.bars.empty()) section.blocks.emplace_back(std::move(plot));
    section.blocks.emplace_back(std::move(table));
    return section;
}

}  // namespace silica::bench::suite::report
