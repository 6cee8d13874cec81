/// Which ops ran elsewhere, why, and what it cost.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "suite/report/cells.hpp"
#include "suite/report/numbers.hpp"
#include "suite/report/sections.hpp"

namespace silica::bench::suite::report {
namespace {

struct Group {
    std::size_t rows = 0;
    double per_call = none, bytes = none, share = none;
    std::set<std::string> models, precisions;
    Marks marks = {};
};

void raise(double& most, double value) {
    if (std::isfinite(value) && !(most >= value)) most = value;
}

std::string joined(const std::set<std::string>& names, std::size_t most) {
    std::string out;
    std::size_t n = 0;
    for (const auto& name : names)
        if (++n <= most) out += (out.empty() ? "" : ", ") + name;
    return n > most ? out + " and " + std::to_string(n - most) + " more" : out;
}

}  // namespace

Section fallback_section(const Data& data) {
    Section section{.id = "fallbacks", .heading = "Fallbacks"};
    std::map<std::tuple<std::string, std::string, std::string, std::string, std::string>, Group> groups;
    for (const auto i : data.reported) {
        const auto& e = data.entries[i];
        for (const auto& f : e.fallbacks) {
            auto& group = groups[{e.family, e.hardware, f.op, f.to, f.reason}];
            ++group.rows;
            raise(group.per_call, f.per_call);
            raise(group.bytes, f.bytes);
            raise(group.share, f.share);
            group.models.insert(e.model);
            group.precisions.insert(e.precision);
            group.marks = group.marks | e.marks;
        }
    }
    if (groups.empty()) {
        section.blocks.emplace_back("No op of any measured row ran elsewhere than on its own device.");
        return section;
    }
    section.blocks.emplace_back(
        "Ops that did not run as a kernel of their device. To \"parts\": a fused op ran in its parts, at home. Counts, "
        "bytes and shares are of the row that has most.");
    std::vector<std::pair<double, std::vector<Cell>>> rows;
    for (const auto& [what, g] : groups) {
        const auto& [family, hardware, op, to, reason] = what;
        rows.emplace_back(std::isfinite(g.share) ? g.share : 0,
                          std::vector<Cell>{{.text = family},
                                            {.text = hardware},
                                            {.text = op},
                                            {.text = to},
                                            {.text = reason},
                                            number_cell(g.per_call, g.marks),
                                            memory_cell(g.bytes / (1024.0 * 1024.0), g.marks),
                                            {.text = percent_text(g.share),
                                             .marks = std::isfinite(g.share) ? g.marks : Marks{},
                                             .tone = g.share > 0.1 ? Tone::warning : Tone::plain},
                                            {.text = std::to_string(g.rows)},
                                            {.text = joined(g.precisions, 6)},
                                            {.text = joined(g.models, 4)}});
    }
    std::ranges::stable_sort(rows, [](const auto& a, const auto& b) { return a.first > b.first; });
    Table table{.caption = "Fallbacks, the costliest first",
                .columns = {{"family"},
                            {"hardware"},
                            {"op"},
                            {"to"},
                            {"reason"},
                            {"times per call", true},
                            {"MiB per call", true},
                            {"share of time", true},
                            {"rows", true},
                            {"precisions"},
                            {"models"}}};
    for (auto& [share, row] : rows) table.rows.push_back(std::move(row));
    section.blocks.emplace_back(std::move(table));
    return section;
}

}  // namespace silica::bench::suite::report
