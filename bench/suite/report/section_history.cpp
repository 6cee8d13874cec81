/// What changed since earlier runs.

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "suite/report/cells.hpp"
#include "suite/report/numbers.hpp"
#include "suite/report/sections.hpp"

namespace silica::bench::suite::report {
namespace {

constexpr std::size_t most_runs = 12, most_lines = 6;

Marks marks_of(const Change& c) { return c.earlier->marks | c.now->marks; }

Tone tone_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::slower:
            return Tone::bad;
        case Verdict::faster:
            return Tone::good;
        case Verdict::unclear:
            return Tone::warning;
        case Verdict::untested:
        case Verdict::simulated:
            return Tone::quiet;
        case Verdict::same:
            break;
    }
    return Tone::plain;
}

std::string bound_text(double bound) { return fixed_text(100 * bound, bound < 0.1 ? 1 : 0) + " %"; }

Table changes_table(const Data& data) {
    std::vector<const Change*> order;
    for (const auto& c : data.changes) order.push_back(&c);
    std::ranges::stable_sort(order, [](const Change* a, const Change* b) {
        if (a->verdict != b->verdict) return a->verdict < b->verdict;
        const auto size = [](const Change& c) {
            return c.comparison.ratio > 0 ? std::fabs(std::log(c.comparison.ratio)) : 0;
        };
        return size(*a) > size(*b);
    });
    const Identity identity(data);
    Table table{
        .caption = "Changes against " + (data.against.empty() ? "the newest earlier run of each row" : data.against),
        .columns = identity.columns({{"verdict"},
                                     {"earlier run"},
                                     {"earlier median ms", true},
                                     {"median ms now", true},
                                     {"ratio", true},
                                     {"95 % interval", true},
                                     {"p, Holm", true},
                                     {"remarks"}})};
    for (const auto* c : order) {
        auto row = identity.cells(*c->now);
        const auto marks = marks_of(*c);
        const bool noisy = c->now->noisy() || c->earlier->noisy();
        row.push_back({.text = std::string(name_of(c->verdict)), .tone = tone_of(c->verdict)});
        row.push_back({.text = data.runs[c->earlier->run].label});
        row.push_back(number_cell(c->earlier->latency.median, c->earlier->marks));
        row.push_back(number_cell(c->now->latency.median, c->now->marks));
        row.push_back(ratio_cell(c->comparison.ratio, marks));
        row.push_back(interval_cell(c->comparison.low, c->comparison.high, marks));
        const bool judged = c->verdict != Verdict::untested && c->verdict != Verdict::simulated;
        row.push_back(judged ? Cell{.text = chance_text(c->p), .marks = marks} : number_cell(none, {}));
        row.push_back(noisy ? Cell{.text = "noisy", .tone = Tone::warning} : Cell{});
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// What the runs differ in besides the time at which they were made.
std::string differences(const Data& data) {
    bool machines = false, versions = false;
    for (const auto& c : data.changes) {
        const auto &a = data.runs[c.earlier->run], &b = data.runs[c.now->run];
        machines = machines || a.machine != b.machine;
        versions = versions || a.run.versions != b.run.versions;
    }
    std::string text;
    if (machines) text = "Some rows stand against another machine: their ratios are of the machines too.";
    if (versions)
        text += (text.empty() ? "" : " ") + std::string("Some rows stand against other versions or another build.");
    return text;
}

/// The medians of one key over the runs of its machine.
struct Line {
    const Entry* now = nullptr;
    std::vector<const Entry*> at;  ///< by run; null where it was not measured
    double change = 0;             ///< |log| of the last against the first
};

std::vector<Line> lines_of(const Data& data, const std::vector<std::size_t>& shown) {
    std::unordered_map<std::string, std::vector<std::size_t>> of_key;
    for (std::size_t i = 0; i < data.entries.size(); ++i)
        if (data.entries[i].measured()) of_key[data.keys[i]].push_back(i);
    std::vector<Line> lines;
    for (const auto i : data.current) {
        Line line{.now = &data.entries[i], .at = std::vector<const Entry*>(shown.size(), nullptr)};
        std::size_t there = 0;
        for (const auto j : of_key[data.keys[i]]) {
            const auto run = std::ranges::find(shown, data.entries[j].run);
            if (run == shown.end()) continue;
            auto& place = line.at[static_cast<std::size_t>(run - shown.begin())];
            there += place == nullptr ? 1 : 0;
            place = &data.entries[j];
        }
        if (there < 2) continue;
        const auto is_there = [](const Entry* e) { return e != nullptr; };
        const Entry* first = *std::ranges::find_if(line.at, is_there);
        line.change = std::fabs(std::log(line.now->latency.median / first->latency.median));
        lines.push_back(std::move(line));
    }
    std::ranges::stable_sort(lines, [](const Line& a, const Line& b) { return a.change > b.change; });
    return lines;
}

/// The newest runs that have rows of what is reported.
std::vector<std::size_t> runs_shown(const Data& data) {
    std::vector<bool> has(data.runs.size(), false), machine(data.machines.size(), false);
    for (const auto i : data.current) machine[data.entries[i].machine] = true;
    for (const auto& e : data.entries) has[e.run] = has[e.run] || (e.measured() && machine[e.machine]);
    std::vector<std::size_t> shown;
    for (std::size_t run = 0; run < has.size(); ++run)
        if (has[run]) shown.push_back(run);
    if (shown.size() > most_runs) shown.erase(shown.begin(), shown.end() - static_cast<std::ptrdiff_t>(most_runs));
    return shown;
}

void add_history(const Data& data, Section& section) {
    const auto shown = runs_shown(data);
    const auto lines = lines_of(data, shown);
    if (lines.empty()) return;
    const Identity identity(data, {"run"});
    Table table{.caption = "Median ms, run by run", .columns = identity.columns({})};
    LinePlot plot{.title = "History: time against the first run, the " +
                           std::to_string(std::min(lines.size(), most_lines)) + " rows that changed most",
                  .unit = "times the first",
                  .across = "run, oldest first",
                  .description =
                      "Median time of a call as a multiple of the first run's; lower is faster. The table below "
                      "has the numbers."};
    for (const auto run : shown) {
        plot.places.push_back(data.runs[run].label);
        table.columns.push_back({data.runs[run].label, true});
    }
    for (std::size_t i = 0; i < std::min(lines.size(), most_lines); ++i) {
        const auto& line = lines[i];
        Series series{.label = work_label(*line.now) + ", " + place_label(data, *line.now), .values = {}, .colour = i};
        double first = none;
        for (const auto* e : line.at) {
            if (e != nullptr && std::isnan(first)) first = e->latency.median;
            if (e != nullptr) series.marks = series.marks | e->marks;
            series.values.push_back(e == nullptr ? none : e->latency.median / first);
        }
        plot.series.push_back(std::move(series));
    }
    for (const auto& line : lines) {
        auto row = identity.cells(*line.now);
        for (const auto* e : line.at)
            row.push_back(e == nullptr ? number_cell(none, {}) : number_cell(e->latency.median, e->marks));
        table.rows.push_back(std::move(row));
    }
    section.blocks.emplace_back(std::move(plot));
    section.blocks.emplace_back(std::move(table));
}

}  // namespace

Section history_section(const Data& data) {
    Section section{.id = "history", .heading = "History and regressions"};
    if (data.changes.empty()) {
        section.blocks.emplace_back(data.against.empty()
                                        ? "There is no earlier run with rows of these."
                                        : data.against + " has no measured row that these runs have too.");
    } else {
        section.blocks.emplace_back(
            "A row is slower where the whole 95 % interval of its ratio lies above 1 + " + bound_text(data.bound) +
            " and a Mann-Whitney test, corrected for the number of rows (Holm), says p < 0.05; faster in the same way "
            "below; "
            "the same where the interval lies within the bound; otherwise unclear. Simulated rows are not judged.");
        const auto said = differences(data);
        if (!said.empty()) section.blocks.emplace_back(said);
        section.blocks.emplace_back(changes_table(data));
    }
    add_history(data, section);
    return section;
}

}  // namespace silica::bench::suite::report
