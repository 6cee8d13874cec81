#include "verify_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "machine.hpp"
#include "silica/checkpoint/text.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;

std::string percent(double share) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
    return text;
}

std::string verdict(const Difference& d) {
    if (!d.judged) return "not judged: " + percent(d.leading.value_or(0)) + " of tokens before the first that differs";
    if (d.passed) return "pass";
    if (!d.problem.empty()) return "FAIL: " + d.problem;
    std::string why;
    if (d.not_finite > 0) why = std::to_string(d.not_finite) + " not finite";
    if (d.outside > 0)
        why += (why.empty() ? "" : ", ") + std::to_string(d.outside) + " of " + std::to_string(d.elements) + " outside";
    return why.empty() ? "FAIL" : "FAIL: " + why;
}

std::string scientific(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", x);
    return text;
}

ordered_json number_or_text(double x) { return std::isfinite(x) ? ordered_json(x) : ordered_json(scientific(x)); }

ordered_json run_json(const Run& run) {
    ordered_json out = {{"device", run.device->name},
                        {"hardware", run.device->label()},
                        {"simulated", run.device->simulated() != nullptr},
                        {"precision", run.precision},
                        {"loader", run.loader},
                        {"available", run.unavailable.empty()}};
    if (!run.unavailable.empty()) {
        out["reason"] = run.unavailable;
        return out;
    }
    out["passed"] = run.passed();
    ordered_json outputs = ordered_json::array();
    for (const auto& c : run.compared) {
        const auto& d = c.difference;
        ordered_json one = {{"name", c.output}, {"shape", c.shape}, {"passed", d.passed}};
        if (d.leading) one["equal_leading_tokens"] = *d.leading;
        if (!d.judged) {
            one["judged"] = false;
        } else if (!d.problem.empty()) {
            one["problem"] = d.problem;
        } else {
            one["largest_difference"] = number_or_text(d.largest);
            one["mean_difference"] = number_or_text(d.mean);
            one["relative_error"] = number_or_text(d.relative);
            one["elements"] = d.elements;
            one["outside"] = d.outside;
            one["not_finite"] = d.not_finite;
            one["rule"] = d.rule;
        }
        outputs.push_back(one);
    }
    out["outputs"] = outputs;
    out["not_compared"] = run.not_compared;
    ordered_json hops = ordered_json::array();
    for (const auto& f : run.fallbacks)
        hops.push_back(
            {{"op", f.op}, {"from", f.from}, {"to", f.to}, {"reason", describe(f.reason)}, {"count", f.count}});
    out["fallbacks"] = hops;
    out["notes"] = run.notes;
    return out;
}

}  // namespace

bool Run::passed() const {
    return unavailable.empty() && std::ranges::all_of(compared, [](const auto& c) { return c.difference.passed; });
}

void print_runs(std::ostream& out, Output output, const Subject& subject, const Head& head,
                const std::vector<Run>& runs, bool passed) {
    if (output == Output::json) {
        ordered_json list = ordered_json::array();
        for (const auto& run : runs) list.push_back(run_json(run));
        const ordered_json document = {{"engine", "silica"},
                                       {"command", "verify"},
                                       {"directory", subject.origin.directory.string()},
                                       {"family", subject.family->name},
                                       {"head", head.architecture},
                                       {"passed", passed},
                                       {"runs", list},
                                       {"versions", version_facts()}};
        out << document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
        return;
    }
    Table table({{"hardware"},
                 {"precision"},
                 {"loader"},
                 {"output"},
                 {"shape"},
                 {"largest", true},
                 {"mean", true},
                 {"relative", true},
                 {"verdict"}});
    std::string footer;
    for (const auto& run : runs) {
        if (!run.unavailable.empty()) {
            table.add({run.device->label(), run.precision, run.loader, "-", "-", "-", "-", "-",
                       "not available: " + run.unavailable});
        }
        for (const auto& c : run.compared) {
            const auto& d = c.difference;
            const bool numbers = d.problem.empty() && d.judged;
            table.add({run.device->label(), run.precision, run.loader, c.output, checkpoint::tuple_text(c.shape),
                       numbers ? scientific(d.largest) : "-", numbers ? scientific(d.mean) : "-",
                       numbers ? scientific(d.relative) : "-", verdict(d)});
            if (const auto rule = run.precision + ": " + d.rule + "\n";
                numbers && footer.find(rule) == std::string::npos)
                footer += rule;
        }
        for (const auto& name : run.not_compared) {
            const auto line = "not compared, the reference lacks it: " + name + "\n";
            if (footer.find(line) == std::string::npos) footer += line;
        }
    }
    table.print(out, output);
    if (output != Output::csv) out << "\n" << subject.origin.name << " as " << head.architecture << "\n" << footer;
}

}  // namespace silica::bench
