#include "suite/report/cells.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "suite/report/numbers.hpp"

namespace silica::bench::suite::report {
namespace {

Cell number_or_nothing(double value, std::string text, Marks marks) {
    if (!std::isfinite(value)) return {.text = "-", .tone = Tone::quiet};
    return {.text = std::move(text), .marks = marks};
}

}  // namespace

Cell number_cell(double value, Marks marks) { return number_or_nothing(value, number_text(value), marks); }

Cell memory_cell(double mb, Marks marks) { return number_or_nothing(mb, mebibytes_text(mb), marks); }

Cell interval_cell(double low, double high, Marks marks) {
    return number_or_nothing(low + high, number_text(low) + " to " + number_text(high), marks);
}

Cell ratio_cell(double ratio, Marks marks) {
    return number_or_nothing(ratio, fixed_text(ratio, ratio < 10 ? 2 : 1) + "x", marks);
}

std::string counted(std::size_t n, std::string_view what) {
    return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

Identity::Identity(const Data& data, std::set<std::string> omitted) : data_(data), omitted_(std::move(omitted)) {
    if (!data.several_machines()) omitted_.insert("machine");
    if (!data.several_runs()) omitted_.insert("run");
    if (!data.several_threads) omitted_.insert("threads");
}

std::vector<Column> Identity::columns(std::initializer_list<Column> further) const {
    std::vector<Column> all;
    for (const char* name :
         {"model", "task", "machine", "run", "hardware", "threads", "precision", "loader", "batch", "inputs"})
        if (has(name)) all.push_back({name, std::string_view(name) == "batch" || std::string_view(name) == "threads"});
    all.insert(all.end(), further);
    return all;
}

std::vector<Cell> Identity::cells(const Entry& e) const {
    std::vector<Cell> cells;
    const auto add = [&](const char* name, auto&& text) {
        if (has(name)) cells.push_back({.text = text()});
    };
    add("model", [&] { return e.model; });
    add("task", [&] { return e.task; });
    add("machine", [&] { return data_.machines[e.machine].id; });
    add("run", [&] { return data_.runs[e.run].label; });
    add("hardware", [&] { return e.hardware; });
    add("threads", [&] { return e.threads > 0 ? std::to_string(e.threads) : "-"; });
    add("precision", [&] { return e.precision_text(); });
    add("loader", [&] { return e.marks.random ? "random" : e.loader; });
    add("batch", [&] { return std::to_string(e.batch); });
    add("inputs", [&] { return e.size_text(); });
    return cells;
}

std::string work_label(const Entry& e) {
    return e.model + ", " + e.task + ", batch " + std::to_string(e.batch) +
           (e.size_text() == "-" ? "" : ", " + e.size_text());
}

std::string place_label(const Data& data, const Entry& e) {
    std::string label = e.hardware + ", " + e.precision_text();
    if (data.several_threads && e.threads > 0) label += ", " + counted(static_cast<std::size_t>(e.threads), "thread");
    if (!e.marks.random && e.loader != "-") label += ", " + e.loader;
    if (data.several_machines()) label = data.machines[e.machine].id + " " + label;
    return data.several_runs() && !data.runs[e.run].label.empty() ? label + ", " + data.runs[e.run].label : label;
}

std::size_t colour_of(const std::string& hardware) {
    constexpr std::array<std::string_view, 3> usual{"cpu", "mps", "cuda"};
    for (std::size_t i = 0; i < usual.size(); ++i)
        if (hardware.starts_with(usual[i])) return i;
    std::size_t sum = 0;
    for (const char c : hardware) sum += static_cast<unsigned char>(c);
    return usual.size() + sum % 3;
}

Legend legend_of(const std::vector<const Entry*>& entries) {
    Legend legend;
    std::vector<bool> loaded;  // whether some of its rows have weights of a checkpoint
    for (const auto* e : entries) {
        auto found = std::ranges::find(legend.items, e->hardware, &Legend::Item::label);
        if (found == legend.items.end()) {
            legend.items.push_back({e->hardware, colour_of(e->hardware), e->marks});
            loaded.push_back(false);
            found = legend.items.end() - 1;
        }
        found->marks = found->marks | e->marks;
        const auto place = static_cast<std::size_t>(found - legend.items.begin());
        loaded[place] = loaded[place] || !e->marks.random;
    }
    for (std::size_t i = 0; i < loaded.size(); ++i)
        if (loaded[i] && legend.items[i].marks.random) legend.items[i].label += ", some rows with random weights";
    return legend;
}

Cell remarks_cell(const Entry& e) {
    std::string text;
    for (const auto& remark : e.remarks) text += (text.empty() ? "" : ", ") + remark;
    return {.text = text, .tone = e.noisy() ? Tone::warning : Tone::plain};
}

}  // namespace silica::bench::suite::report
