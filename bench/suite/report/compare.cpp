#include "suite/report/compare.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "suite/report/cells.hpp"
#include "suite/report/facts.hpp"
#include "suite/report/json.hpp"
#include "suite/report/numbers.hpp"

namespace silica::bench::suite::report {
namespace {

using nlohmann::ordered_json;

/// Takes the runs of one side; its rows point to nothing of them.
void take(std::vector<Source> sources, std::vector<RunFacts>& runs, std::vector<Entry>& rows) {
    Data data = gathered({.reported = std::move(sources)});
    runs = std::move(data.runs);
    for (auto& e : data.entries)
        if (e.measured()) rows.push_back(std::move(e));
}

/// The values of a fact on one side: "2.13.0", or "2.12.0, 2.13.0".
std::string values_of(const std::vector<RunFacts>& runs, const ordered_json Run::* facts, const std::string& name) {
    std::string out;
    std::vector<std::string> seen;
    for (const auto& r : runs) {
        const auto& object = r.run.*facts;
        if (!object.is_object() || !object.contains(name)) continue;
        const std::string text = fact_text(object[name]);
        if (std::ranges::find(seen, text) != seen.end()) continue;
        seen.push_back(text);
        out += (out.empty() ? "" : ", ") + text;
    }
    return out.empty() ? "not said" : out;
}

/// "Another machine: chip A, now B; cores 2, now 4."; nothing where all facts are equal.
void note_differences(Compared& c, const ordered_json Run::* facts, const char* beginning) {
    std::vector<std::string> names;
    for (const auto* side : {&c.before, &c.after})
        for (const auto& r : *side) {
            const auto& object = r.run.*facts;
            if (!object.is_object()) continue;
            for (const auto& [name, value] : object.items())
                if (std::ranges::find(names, name) == names.end()) names.push_back(name);
        }
    std::string text;
    for (const auto& name : names) {
        const auto a = values_of(c.before, facts, name), b = values_of(c.after, facts, name);
        if (a == b || text.size() > 600) continue;
        text += (text.empty() ? "" : "; ") + fact_name(name) + " " + a + ", now " + b;
    }
    if (!text.empty()) c.differences.push_back(beginning + text + ".");
}

std::string side_text(const std::vector<RunFacts>& runs) {
    std::string text;
    for (const auto& r : runs) text += (text.empty() ? "" : ", ") + r.label;
    return text;
}

std::string row_label(const Entry& e) {
    return work_label(e) + ", " + e.hardware + ", " + e.precision_text() +
           (e.marks.random || e.loader == "-" ? "" : ", " + e.loader);
}

Tone tone_of(Verdict v) {
    return v == Verdict::slower   ? Tone::bad
           : v == Verdict::faster ? Tone::good
           : v == Verdict::same   ? Tone::plain
                                  : Tone::quiet;
}

std::size_t count(const Compared& c, Verdict v) {
    return static_cast<std::size_t>(std::ranges::count(c.changes, v, &Change::verdict));
}

Table only_table(const std::string& caption, const std::vector<const Entry*>& rows) {
    Table table{.caption = caption, .columns = {{"row"}, {"median ms", true}}};
    for (const auto* e : rows)
        table.rows.push_back({{.text = row_label(*e)}, number_cell(e->latency.median, e->marks)});
    return table;
}

}  // namespace

bool Compared::slower() const {
    return std::ranges::any_of(changes, [](const Change& c) { return c.verdict == Verdict::slower; });
}

Compared comparison_of(std::vector<Source> before, std::vector<Source> after, double bound) {
    Compared c;
    c.bound = bound;
    take(std::move(before), c.before, c.before_rows);
    take(std::move(after), c.after, c.after_rows);
    note_differences(c, &Run::machine, "Another machine, so ratios are of the machines too: ");
    note_differences(c, &Run::versions, "Other versions: ");
    std::unordered_map<std::string, const Entry*> of_key;
    for (const auto& e : c.before_rows) of_key[e.key()] = &e;
    std::unordered_map<std::string, const Entry*> now;
    for (const auto& e : c.after_rows) now[e.key()] = &e;
    std::vector<std::pair<const Entry*, const Entry*>> pairs;
    for (const auto& e : c.after_rows) {
        const auto key = e.key();
        if (now[key] != &e) continue;  // measured again later
        const auto found = of_key.find(key);
        if (found == of_key.end())
            c.only_after.push_back(&e);
        else
            pairs.emplace_back(found->second, &e);
    }
    for (const auto& e : c.before_rows) {
        const auto key = e.key();
        if (!now.contains(key) && of_key[key] == &e) c.only_before.push_back(&e);
    }
    c.changes = judged(pairs, bound, Correction::each);
    return c;
}

std::string summary_of(const Compared& c) {
    std::string text = std::to_string(count(c, Verdict::slower)) + " slower, " +
                       std::to_string(count(c, Verdict::faster)) + " faster, " +
                       std::to_string(count(c, Verdict::same)) + " the same, " +
                       std::to_string(count(c, Verdict::unclear)) + " unclear";
    if (const auto n = count(c, Verdict::untested); n > 0) text += ", " + std::to_string(n) + " with too few samples";
    if (const auto n = count(c, Verdict::simulated); n > 0) text += ", " + std::to_string(n) + " simulated";
    return text + ", of " + counted(c.changes.size(), "row") + " that both have";
}

Document document_of(const Compared& c) {
    const std::string bound = fixed_text(100 * c.bound, 1) + " %";
    Document document{.title = "Comparison of two runs",
                      .lead = "A: " + side_text(c.before) + ". B: " + side_text(c.after) + ". " + summary_of(c) + "."};
    Section section{.id = "comparison", .heading = "B against A"};
    for (const auto& sentence : c.differences) section.blocks.emplace_back(sentence);
    section.blocks.emplace_back("Slower: the whole 95 % interval of B / A lies above 1 + " + bound +
                                "; faster: below 1 / (1 + " + bound + ").");
    if (!c.changes.empty()) {
        Table table{.caption = "Rows that both have",
                    .columns = {{"row"},
                                {"A ms", true},
                                {"A 95 %", true},
                                {"B ms", true},
                                {"B 95 %", true},
                                {"B / A", true},
                                {"95 % interval", true},
                                {"verdict"},
                                {"remarks"}}};
        for (const auto& change : c.changes) {
            const Entry &a = *change.earlier, &b = *change.now;
            const auto marks = a.marks | b.marks;
            table.rows.push_back({{.text = row_label(b)},
                                  number_cell(a.latency.median, a.marks),
                                  interval_cell(a.latency.low, a.latency.high, a.marks),
                                  number_cell(b.latency.median, b.marks),
                                  interval_cell(b.latency.low, b.latency.high, b.marks),
                                  ratio_cell(change.comparison.ratio, marks),
                                  interval_cell(change.comparison.low, change.comparison.high, marks),
                                  {.text = std::string(name_of(change.verdict)), .tone = tone_of(change.verdict)},
                                  {.text = a.noisy() || b.noisy() ? "noisy" : ""}});
        }
        section.blocks.emplace_back(std::move(table));
    }
    if (!c.only_before.empty()) section.blocks.emplace_back(only_table("Only in A", c.only_before));
    if (!c.only_after.empty()) section.blocks.emplace_back(only_table("Only in B", c.only_after));
    document.sections.push_back(std::move(section));
    return document;
}

ordered_json json_of(const Compared& c) {
    const auto side = [](const std::vector<RunFacts>& runs) {
        ordered_json list = ordered_json::array();
        for (const auto& r : runs)
            list.push_back({{"label", r.label},
                            {"from", r.place},
                            {"started", r.run.started},
                            {"machine", r.run.machine},
                            {"versions", r.run.versions}});
        return list;
    };
    const auto only = [](const std::vector<const Entry*>& rows) {
        ordered_json list = ordered_json::array();
        for (const auto* e : rows) {
            list.push_back(identity_json(*e));
            list.back()["median_ms"] = e->latency.median;
        }
        return list;
    };
    ordered_json rows = ordered_json::array();
    for (const auto& change : c.changes) rows.push_back(change_json(change));
    return {{"engine", "silica"},
            {"kind", "comparison"},
            {"schema", json_schema},
            {"a", side(c.before)},
            {"b", side(c.after)},
            {"differences", c.differences},
            {"bound", c.bound},
            {"slower", count(c, Verdict::slower)},
            {"faster", count(c, Verdict::faster)},
            {"rows", rows},
            {"only_a", only(c.only_before)},
            {"only_b", only(c.only_after)}};
}

}  // namespace silica::bench::suite::report
