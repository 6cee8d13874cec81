/// What memory the models need.

#include <algorithm>
#include <cmath>

#include "suite/report/cells.hpp"
#include "suite/report/numbers.hpp"
#include "suite/report/sections.hpp"

namespace silica::bench::suite::report {
namespace {
constexpr std::size_t most_bars = 16;
}

Section memory_section(const Data& data) {
    Section section{.id = "memory", .heading = "Memory"};
    std::vector<const Entry*> all;
    for (const auto i : data.current)
        if (std::isfinite(data.entries[i].peak_mb) || std::isfinite(data.entries[i].weights_mb))
            all.push_back(&data.entries[i]);
    if (all.empty()) {
        section.blocks.emplace_back("No memory was measured.");
        return section;
    }
    section.blocks.emplace_back(
        "In mebibytes. Resident memory is the whole process's: what it had before the model, at most while loading, "
        "and at "
        "most altogether. A row that is not alone in its process, on a system that cannot set the peak back, has the "
        "process's peak so far.");
    std::vector<const Entry*> largest = all;
    std::ranges::stable_sort(largest, [](const Entry* a, const Entry* b) {
        return (std::isfinite(a->peak_mb) ? a->peak_mb : 0) > (std::isfinite(b->peak_mb) ? b->peak_mb : 0);
    });
    largest.resize(std::min(largest.size(), most_bars));
    BarPlot plot{.title = "Resident memory at most",
                 .unit = "MiB",
                 .description = "Peak of resident memory, in mebibytes. The table below has the numbers."};
    if (all.size() > most_bars)
        plot.title += " (the " + std::to_string(most_bars) + " largest of " + std::to_string(all.size()) + ")";
    for (const auto* e : largest) {
        if (!(e->peak_mb > 0)) continue;
        plot.bars.push_back({.group = work_label(*e),
                             .label = place_label(data, *e),
                             .value = e->peak_mb,
                             .low = none,
                             .high = none,
                             .text = mebibytes_text(e->peak_mb),
                             .colour = colour_of(e->hardware),
                             .marks = e->marks});
    }
    if (!plot.bars.empty()) section.blocks.emplace_back(std::move(plot));
    const bool device = std::ranges::any_of(all, [](const Entry* e) { return std::isfinite(e->device_mb); });
    const bool cache = std::ranges::any_of(all, [](const Entry* e) { return std::isfinite(e->cache_mb); });
    const Identity identity(data, {"task"});
    Table table{
        .caption = "Memory in MiB",
        .columns = identity.columns({{"weights", true}, {"before", true}, {"while loading", true}, {"at most", true}})};
    if (device) table.columns.push_back({"device at most", true});
    if (cache) table.columns.push_back({"caches", true});
    table.rows.reserve(all.size());
    for (const auto* e : all) {
        auto row = identity.cells(*e);
        row.reserve(table.columns.size());
        for (const double mb : {e->weights_mb, e->baseline_mb, e->load_peak_mb, e->peak_mb})
            row.push_back(memory_cell(mb, e->marks));
        if (device) row.push_back(memory_cell(e->device_mb, e->marks));
        if (cache) row.push_back(memory_cell(e->cache_mb, e->marks));
        table.rows.push_back(std::move(row));
    }
    section.blocks.emplace_back(std::move(table));
    return section;
}

}  // namespace silica::bench::suite::report
