/// `silica report`: what runs say, as a page, Markdown or JSON.

#include <algorithm>
#include <iostream>
#include <memory>

#include <unistd.h>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "progress.hpp"
#include "registry.hpp"
#include "silica/core/atomic_file.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "suite/report/bound.hpp"
#include "suite/report/html.hpp"
#include "suite/report/json.hpp"
#include "suite/report/markdown.hpp"
#include "suite/report/sections.hpp"
#include "suite/report/sources.hpp"

namespace silica::bench {
namespace {

namespace report = suite::report;

struct ReportsOptions {
    std::vector<std::string> runs, stores;
    Flag to, against, bound;
    std::string output = "html";
};

/// What this version has, and what of it this program has.
report::Known known() {
    report::Known known;
    for (const auto name : families_written())
        known.families.push_back({std::string(name), find_family(name) != nullptr});
    for (const std::string_view name : {"cpu", "cuda", "mps"}) {
        const Device* device = find_device(name);
        known.hardware.push_back({device != nullptr ? device->label() : std::string(name), device != nullptr});
    }
    const auto& compiled = precisions_compiled();
    for (const std::string_view name : {"float32", "float16", "bfloat16", "int8", "int4"})
        known.precisions.push_back({std::string(name), std::ranges::find(compiled, name) != compiled.end()});
    return known;
}

std::string document(const report::Data& data, const std::string& output) {
    if (output == "html") return report::html(report::document_of(data));
    if (output == "md") return report::markdown(report::document_of(data));
    return report::json_of(data).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void write_file(const std::string& path, const std::string& text) {
    silica::detail::AtomicFile<InputError> file(path);
    file.write(text.data(), text.size());
    file.commit();
}

int run_report(const ReportsOptions& o) {
    if (o.output != "html" && o.output != "md" && o.output != "json")
        unknown_name("output", o.output, {"html", "md", "json"});
    if (o.to && *o.to != "-") require_output_file("--to", *o.to, "a file, such as report.html", o.runs);
    report::Question question{.reported = {}};
    question.bound = o.bound ? report::bound_of(*o.bound) : report::usual_bound;
    report::Sources sources({o.stores.begin(), o.stores.end()});
    for (const auto& name : o.runs)
        for (auto& source : sources.named(name)) question.reported.push_back(std::move(source));
    if (o.runs.empty()) question.reported = sources.newest();
    if (o.against) {
        auto named = sources.named(*o.against);
        if (named.size() > 1)
            throw InputError("--against " + quote(*o.against) + " means " + count_of(named.size(), "run") + ".",
                             "name one run, with the --store that has it.");
        question.against = std::move(named.front());
    }
    question.earlier = sources.earlier(question.reported);
    question.known = known();
    const std::string text = document(report::gathered(std::move(question)), o.output);
    std::string to = o.to.value_or("-");
    if (!o.to && o.output == "html" && isatty(STDOUT_FILENO) == 1) to = "silica-report.html";
    if (to == "-") {
        std::cout << text;
        return Exit::done;
    }
    write_file(to, text);
    note("the report is in " + to);
    return Exit::done;
}

}  // namespace

Action add_report(CLI::App& app) {
    auto o = std::make_shared<ReportsOptions>();
    Command c(app, "report", "Show what runs of bench measured: a page with plots, Markdown or JSON");
    c.arguments(
        "run", o->runs,
        "numbers or names of runs (`silica runs` lists them), or files of `silica bench --output json`. Default: "
        "the newest, with its shards");
    c.option("--store", o->stores, "a store of runs; once for each. Default: your own");
    c.option("--output", o->output, "html (one page that needs nothing else), md, json. Default: html");
    c.option("--to", o->to, "the file to write; - is standard output. Default: -, on a terminal silica-report.html");
    c.option("--against", o->against, "the run to test changes against. Default: the newest earlier one of each row");
    c.option("--bound", o->bound, "how much slower or faster counts as a change, such as 5%. Default: 5%");
    c.footer(
        "Rows of simulated devices and of random weights are marked wherever their numbers stand. Exit codes: 0 done, "
        "2 "
        "bad input.");
    return [o] { return run_report(*o); };
}

}  // namespace silica::bench
