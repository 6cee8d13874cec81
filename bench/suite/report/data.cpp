#include "suite/report/data.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "suite/report/numbers.hpp"

namespace silica::bench::suite::report {
namespace {

using nlohmann::ordered_json;

std::string text_at(const ordered_json& facts, const char* name) {
    return facts.is_object() && facts.contains(name) && facts[name].is_string() ? facts[name].get<std::string>() : "";
}

double number_at(const ordered_json& facts, const char* name) {
    return facts.is_object() && facts.contains(name) && facts[name].is_number() ? facts[name].get<double>() : none;
}

std::string file_name(const std::string& place) {
    const auto slash = place.find_last_of("/\\");
    return slash == std::string::npos ? place : place.substr(slash + 1);
}

std::string run_label(const Run& run, const std::string& place, bool several_places) {
    std::string label = run.id > 0 ? "run " + std::to_string(run.id) : file_name(place);
    if (!run.name.empty()) label = run.id > 0 ? run.name + " (" + label + ")" : run.name;
    if (several_places && run.id > 0) label += " of " + file_name(place);
    return label;
}

std::size_t machine_of(Data& data, const ordered_json& facts) {
    const auto found = std::ranges::find(data.machines, facts, &Machine::facts);
    if (found != data.machines.end()) return static_cast<std::size_t>(found - data.machines.begin());
    data.machines.push_back({"M" + std::to_string(data.machines.size() + 1), machine_label(facts), facts});
    return data.machines.size() - 1;
}

void add(Data& data, Source source, bool reported, bool several_places) {
    const auto run = data.runs.size();
    const auto machine = machine_of(data, source.run.machine);
    RunFacts facts{.run = std::move(source.run), .place = source.place, .label = {}, .machine = machine};
    facts.label = run_label(facts.run, source.place, several_places);
    facts.reported = reported;
    for (const auto& row : source.rows) {
        ++facts.counts.at(static_cast<std::size_t>(row.state));
        Entry e = entry_of(row);
        e.run = run;
        e.machine = machine;
        if (reported) data.reported.push_back(data.entries.size());
        data.keys.push_back(std::to_string(machine) + "|" + e.key());
        data.entries.push_back(std::move(e));
    }
    data.runs.push_back(std::move(facts));
}

using Pairs = std::vector<std::pair<const Entry*, const Entry*>>;

/// Each current row with the newest earlier one of its key.
Pairs with_earlier(const Data& data) {
    std::unordered_map<std::string, std::vector<std::size_t>> of_key;
    for (std::size_t i = 0; i < data.entries.size(); ++i)
        if (data.entries[i].measured()) of_key[data.keys[i]].push_back(i);
    Pairs pairs;
    for (const auto i : data.current) {
        const auto& all = of_key[data.keys[i]];
        const auto self = std::ranges::find(all, i);
        // within one run a key may stand twice; that is no history
        for (auto at = self; at != all.begin();) {
            --at;
            if (data.entries[*at].run == data.entries[i].run) continue;
            pairs.emplace_back(&data.entries[*at], &data.entries[i]);
            break;
        }
    }
    return pairs;
}

/// Each current row with that of its key in one run, of the same machine or not.
Pairs with_run(const Data& data, std::size_t run) {
    std::unordered_map<std::string, std::size_t> of_key;
    for (std::size_t i = 0; i < data.entries.size(); ++i)
        if (data.entries[i].run == run && data.entries[i].measured()) of_key.emplace(data.entries[i].key(), i);
    Pairs pairs;
    for (const auto i : data.current) {
        const auto found = of_key.find(data.entries[i].key());
        if (found != of_key.end() && data.entries[i].run != run)
            pairs.emplace_back(&data.entries[found->second], &data.entries[i]);
    }
    return pairs;
}

}  // namespace

bool Data::several_runs() const { return std::ranges::count(runs, true, &RunFacts::reported) > 1; }

std::string machine_label(const ordered_json& facts) {
    std::string label = text_at(facts, "chip");
    const auto add_part = [&](const std::string& part) { label += (label.empty() ? "" : ", ") + part; };
    for (const char* name : {"host", "hostname"})
        if (!text_at(facts, name).empty()) {
            label = text_at(facts, name) + (label.empty() ? "" : ": ") + label;
            break;
        }
    if (const double cores = number_at(facts, "cores"); cores > 0) add_part(fixed_text(cores, 0) + " cores");
    if (const double memory = number_at(facts, "memory_mb"); memory > 0)
        add_part(fixed_text(std::round(memory / 1024), 0) + " GiB");
    if (!text_at(facts, "os").empty()) add_part(text_at(facts, "os"));
    return label.empty() ? "unknown machine" : label;
}

void sort_entries(const Data& data, std::vector<std::size_t>& which) {
    std::ranges::stable_sort(which, [&](std::size_t i, std::size_t j) {
        const Entry &a = data.entries[i], &b = data.entries[j];
        return std::tie(a.family, a.model, a.task, a.hardware, a.precision, a.variant, a.loader, a.batch, a.sizes,
                        a.new_tokens, a.machine, a.run) < std::tie(b.family, b.model, b.task, b.hardware, b.precision,
                                                                   b.variant, b.loader, b.batch, b.sizes, b.new_tokens,
                                                                   b.machine, b.run);
    });
}

Data gathered(Question question) {
    Data data;
    data.bound = question.bound;
    data.known = std::move(question.known);
    struct Item {
        Source source;
        bool reported, against;
    };
    std::vector<Item> items;
    for (auto& s : question.reported) items.push_back({std::move(s), true, false});
    for (auto& s : question.earlier) items.push_back({std::move(s), false, false});
    if (question.against) items.push_back({std::move(*question.against), false, true});
    // Oldest first; what has no time stays in its order, before the others.
    std::ranges::stable_sort(items, [](const Item& a, const Item& b) {
        return std::tie(a.source.run.started, a.source.run.id) < std::tie(b.source.run.started, b.source.run.id);
    });
    std::set<std::string> places;
    for (const auto& item : items) places.insert(item.source.place);
    // Machines of reported runs have the first numbers.
    for (const auto& item : items)
        if (item.reported) static_cast<void>(machine_of(data, item.source.run.machine));
    std::optional<std::size_t> against;
    for (auto& item : items) {
        if (item.against) against = data.runs.size();
        add(data, std::move(item.source), item.reported, places.size() > 1);
    }
    std::map<std::string, std::size_t> newest;
    for (const auto i : data.reported)
        if (data.entries[i].measured()) newest[data.keys[i]] = i;
    for (const auto& [key, i] : newest) data.current.push_back(i);
    for (const auto i : data.reported)
        data.several_threads =
            data.several_threads || data.entries[i].threads != data.entries[data.reported.front()].threads;
    sort_entries(data, data.reported);
    sort_entries(data, data.current);
    if (against) data.against = data.runs[*against].label;
    data.changes = judged(against ? with_run(data, *against) : with_earlier(data), data.bound, Correction::holm);
    return data;
}

}  // namespace silica::bench::suite::report
