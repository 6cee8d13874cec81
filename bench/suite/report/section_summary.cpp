/// Which machine, which versions, in what conditions; what ran, and what did not and why.

#include <algorithm>
#include <map>
#include <tuple>

#include "suite/report/cells.hpp"
#include "suite/report/escape.hpp"
#include "suite/report/facts.hpp"
#include "suite/report/sections.hpp"

namespace silica::bench::suite::report {
namespace {

struct FactColumn {
    std::string heading;
    Facts facts;
};

/// Facts side by side, one line each; columns of equal facts are one.
Table facts_table(std::string caption, const std::vector<FactColumn>& columns) {
    Table table{.caption = std::move(caption), .columns = {{"fact"}}, .narrow = columns.size() == 1};
    std::vector<std::string> names;
    std::vector<FactColumn> different;
    for (const auto& column : columns) {
        const auto same = std::ranges::find(different, column.facts, &FactColumn::facts);
        if (same == different.end())
            different.push_back(column);
        else
            same->heading += ", " + column.heading;
        for (const auto& [name, text] : column.facts)
            if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
    for (const auto& column : different) table.columns.push_back({shortened(column.heading, 60)});
    for (const auto& name : names) {
        std::vector<Cell> row = {{.text = name}};
        for (const auto& column : different) {
            const auto found = std::ranges::find(column.facts, name, &Facts::value_type::first);
            row.push_back({.text = found == column.facts.end() ? "-" : found->second});
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

void add_facts(Section& section, std::string caption, const std::vector<FactColumn>& columns) {
    Table table = facts_table(std::move(caption), columns);
    if (!table.rows.empty()) section.blocks.emplace_back(std::move(table));
}

Table runs_table(const Data& data) {
    Table table{.caption = "Runs",
                .columns = {{"run"},
                            {"machine"},
                            {"started"},
                            {"finished"},
                            {"measured", true},
                            {"not measured", true},
                            {"not run", true},
                            {"shard"},
                            {"from"},
                            {"command"}}};
    const auto count = [](const RunFacts& run, std::initializer_list<State> states) {
        std::size_t n = 0;
        for (const auto s : states) n += run.counts.at(static_cast<std::size_t>(s));
        return Cell{.text = std::to_string(n)};
    };
    const auto text = [](const std::string& t) { return Cell{.text = t.empty() ? "-" : t}; };
    for (const auto& run : data.runs) {
        if (!run.reported) continue;
        table.rows.push_back(
            {text(run.label), text(data.machines[run.machine].id), text(run.run.started),
             run.run.finished.empty() ? Cell{.text = "not finished", .tone = Tone::warning} : text(run.run.finished),
             count(run, {State::measured}),
             count(run, {State::unavailable, State::failed, State::out_of_memory, State::timed_out, State::crashed}),
             count(run, {State::pending, State::running, State::stopped}), text(run.run.shard),
             text(run.run.origin.empty() ? run.place : run.run.origin), text(shortened(plain(run.run.command), 300))});
    }
    return table;
}

/// Rows that were not measured, those of one reason together.
Table missing_table(const Data& data) {
    Table table{.caption = "What did not run, and why",
                .columns = {{"what became of it"}, {"hardware"}, {"rows", true}, {"models"}, {"reason"}}};
    struct Reason {
        std::size_t rows = 0;
        std::vector<std::string> models;
    };
    std::map<std::tuple<State, std::string, std::string>, Reason> groups;
    for (const auto i : data.reported) {
        const auto& e = data.entries[i];
        if (e.measured()) continue;
        auto& group = groups[{e.state, e.asked_hardware, e.reason}];
        ++group.rows;
        if (std::ranges::find(group.models, e.model) == group.models.end()) group.models.push_back(e.model);
    }
    for (const auto& [what, group] : groups) {
        const auto& [state, hardware, reason] = what;
        std::string models;
        for (std::size_t i = 0; i < std::min<std::size_t>(group.models.size(), 6); ++i)
            models += (i == 0 ? "" : ", ") + group.models[i];
        if (group.models.size() > 6) models += " and " + std::to_string(group.models.size() - 6) + " more";
        const bool nothing = state == State::measured;  // though it says so
        const bool waits = state == State::pending || state == State::running || state == State::stopped;
        table.rows.push_back({{.text = nothing ? "no samples" : std::string(name_of(state)),
                               .tone = waits || state == State::unavailable ? Tone::quiet : Tone::bad},
                              {.text = hardware.empty() ? "-" : hardware},
                              {.text = std::to_string(group.rows)},
                              {.text = models.empty() ? "-" : models},
                              {.text = reason.empty() ? "-" : shortened(plain(reason), 400)}});
    }
    return table;
}

std::string what_ran(const Data& data) {
    std::size_t measured = 0, simulated = 0, random = 0, noisy = 0, unavailable = 0, failed = 0, waiting = 0;
    for (const auto i : data.reported) {
        const auto& e = data.entries[i];
        if (e.measured()) {
            ++measured;
            simulated += e.marks.simulated ? 1 : 0;
            random += e.marks.random ? 1 : 0;
            noisy += e.noisy() ? 1 : 0;
        } else if (e.state == State::unavailable) {
            ++unavailable;
        } else if (e.state == State::pending || e.state == State::running || e.state == State::stopped) {
            ++waiting;
        } else {
            ++failed;
        }
    }
    std::string text = counted(data.reported.size(), "row") + ": " + std::to_string(measured) + " measured";
    std::string of_those;
    const auto add = [](std::string& list, std::size_t n, const char* what) {
        if (n > 0) list += (list.empty() ? "" : ", ") + std::to_string(n) + " " + what;
    };
    add(of_those, simulated, "on simulated devices");
    add(of_those, random, "with random weights");
    add(of_those, noisy, "noisy");
    if (!of_those.empty()) text += " (" + of_those + ")";
    std::string others;
    add(others, failed, "failed");
    add(others, unavailable, "without the hardware");
    add(others, waiting, "not run");
    return text + (others.empty() ? "" : ", " + others) + ".";
}

}  // namespace

Section summary_section(const Data& data) {
    Section section{.id = "summary", .heading = "Summary"};
    section.blocks.emplace_back(what_ran(data));
    if (!data.changes.empty()) {
        const auto n = [&](Verdict v) {
            return static_cast<std::size_t>(std::ranges::count(data.changes, v, &Change::verdict));
        };
        section.blocks.emplace_back(
            "Against " + (data.against.empty() ? "earlier runs" : data.against) + ": " +
            std::to_string(n(Verdict::slower)) + " slower, " + std::to_string(n(Verdict::faster)) + " faster, " +
            std::to_string(n(Verdict::same)) + " the same, " + std::to_string(n(Verdict::unclear)) + " unclear, " +
            std::to_string(n(Verdict::untested) + n(Verdict::simulated)) +
            " not judged (simulated, or too few samples), of " + counted(data.changes.size(), "row") +
            " that both have.");
    }
    if (std::ranges::any_of(data.runs, &RunFacts::reported)) section.blocks.emplace_back(runs_table(data));
    std::vector<FactColumn> machines, versions, conditions;
    for (const auto& m : data.machines) machines.push_back({m.id, facts_of(m.facts)});
    for (const auto& run : data.runs) {
        if (!run.reported) continue;
        versions.push_back({run.label, facts_of(run.run.versions)});
        conditions.push_back({run.label, facts_of(run.run.conditions)});
    }
    add_facts(section, data.machines.size() > 1 ? "Machines" : "Machine", machines);
    add_facts(section, "Versions", versions);
    add_facts(section, "Conditions", conditions);
    Table missing = missing_table(data);
    if (!missing.rows.empty()) section.blocks.emplace_back(std::move(missing));
    return section;
}

}  // namespace silica::bench::suite::report
