/// `silica compare`: two runs side by side.

#include <iostream>
#include <memory>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "silica/core/error.hpp"
#include "suite/report/bound.hpp"
#include "suite/report/compare.hpp"
#include "suite/report/markdown.hpp"
#include "suite/report/sources.hpp"
#include "suite/report/text.hpp"

namespace silica::bench {
namespace {

namespace report = suite::report;

struct CompareOptions {
    std::string a, b, output = "table";
    std::vector<std::string> stores;
    Flag bound;
};

int compare(const CompareOptions& o) {
    const Output output = output_named(o.output, {"table", "md", "json"});
    const double bound = o.bound ? report::bound_of(*o.bound) : report::usual_bound;
    report::Sources sources({o.stores.begin(), o.stores.end()});
    auto before = sources.named(o.a), after = sources.named(o.b);
    const auto compared = report::comparison_of(std::move(before), std::move(after), bound);
    if (compared.changes.empty()) {
        throw InputError(
            "The two runs have no measured row in common: " + count_of(compared.only_before.size(), "row") +
                " in the first, " + count_of(compared.only_after.size(), "row") + " in the second.",
            "compare runs of the same models, sizes, hardware, precisions, loaders and threads.");
    }
    if (output == Output::json) {
        std::cout << report::json_of(compared).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                  << '\n';
    } else if (output == Output::md) {
        std::cout << report::markdown(report::document_of(compared));
    } else {
        std::cout << report::terminal_text(report::document_of(compared));
    }
    return compared.slower() ? Exit::comparison_failed : Exit::done;
}

}  // namespace

Action add_compare(CLI::App& app) {
    auto o = std::make_shared<CompareOptions>();
    Command c(app, "compare", "Compare two runs of bench; the exit code says whether something got slower");
    c.argument("a", o->a, true, "the run before: a number, a name, or a file of `silica bench --output json`");
    c.argument("b", o->b, true, "the run after");
    c.option("--bound", o->bound, "how much slower is too slow, such as 5%. Default: 5%");
    c.option("--store", o->stores, "a store of runs; once for each. Default: your own");
    c.option("--output", o->output, "table, md, json. Default: table");
    c.footer(
        "A row is slower where the whole 95 % interval of the ratio of its times lies above 1 + bound. Rows of "
        "simulated\n"
        "devices are shown and never count. Exit codes: 0 nothing is slower, 1 something is, 2 bad input.");
    return [o] { return compare(*o); };
}

}  // namespace silica::bench
