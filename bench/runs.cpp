/// `silica runs`: the runs that are kept.

#include <algorithm>
#include <iostream>
#include <memory>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "suite/exchange.hpp"
#include "suite/report/escape.hpp"
#include "suite/store.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;
using suite::Run;
using suite::Store;
using suite::StoredRow;

struct RunsOptions {
    std::vector<std::string> words;
    Flag store, exported, imported;
    std::string output = "table";
};

std::string text_of(const ordered_json& json) {
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// Text of a store or a file: it cannot change what a terminal shows.
std::string shown(const std::string& text) { return suite::report::plain(text); }

std::string or_dash(const std::string& text) { return text.empty() ? "-" : shown(text); }

std::string chip_of(const Run& run) {
    const auto chip = run.machine.find("chip");
    return chip != run.machine.end() && chip->is_string() ? chip->get<std::string>() : std::string();
}

/// How many rows there are of each state: "12 measured, 1 crashed".
std::string states_of(const std::vector<StoredRow>& rows) {
    std::string text;
    for (int i = 0; i <= static_cast<int>(suite::State::stopped); ++i) {
        const auto state = static_cast<suite::State>(i);
        const auto n = std::ranges::count(rows, state, &StoredRow::state);
        if (n > 0) text += (text.empty() ? "" : ", ") + std::to_string(n) + " " + std::string(name_of(state));
    }
    return or_dash(text);
}

ordered_json summary(const Run& run, const std::vector<StoredRow>& rows) {
    ordered_json states = ordered_json::object();
    for (const auto& row : rows) {
        const std::string name(name_of(row.state));
        states[name] = states.value(name, 0) + 1;
    }
    return {{"id", run.id},
            {"name", run.name},
            {"started", run.started},
            {"finished", run.finished},
            {"command", run.command},
            {"shard", run.shard},
            {"origin", run.origin},
            {"machine", run.machine},
            {"versions", run.versions},
            {"rows", states}};
}

int list(const Store& store, Output output) {
    const auto runs = store.runs();
    if (output == Output::json) {
        ordered_json all = ordered_json::array();
        for (const auto& run : runs) all.push_back(summary(run, store.rows(run.id)));
        std::cout << text_of({{"store", store.file().string()}, {"runs", all}}) << '\n';
        return Exit::done;
    }
    if (runs.empty()) {
        std::cout << "no runs in " << store.file().string() << ": `silica bench` makes one\n";
        return Exit::done;
    }
    Table table({{"run", true}, {"name"}, {"started"}, {"finished"}, {"rows"}, {"machine"}, {"from"}});
    for (const auto& run : runs) {
        table.add({std::to_string(run.id), or_dash(run.name), or_dash(run.started), or_dash(run.finished),
                   states_of(store.rows(run.id)), or_dash(chip_of(run)),
                   run.origin.empty() ? "here" : shown(run.origin)});
    }
    table.print(std::cout, output);
    return Exit::done;
}

int show(const Store& store, const std::string& which, Output output) {
    const Run run = store.find(which);
    const auto rows = store.rows(run.id);
    if (output == Output::json) {
        std::cout << text_of(suite::exported(run, rows)) << '\n';
        return Exit::done;
    }
    Table table({{"row", true}, {"state"}, {"median ms", true}, {"seconds", true}, {"what"}, {"marks"}});
    for (const auto& row : rows) {
        const auto median = row.row.find("median_ms");
        std::string marks;
        for (const auto& mark : row.marks) marks += (marks.empty() ? "" : ", ") + mark;
        table.add({std::to_string(row.id), std::string(name_of(row.state)),
                   median != row.row.end() && median->is_number() ? fixed(median->get<double>(), 3) : "-",
                   row.seconds > 0 ? fixed(row.seconds, 1) : "-", shown(row.key), or_dash(marks)});
    }
    std::cout << "run " << run.id << (run.name.empty() ? "" : " " + shown(run.name)) << ", started "
              << or_dash(run.started) << ", "
              << (run.finished.empty() ? "not finished" : "finished " + shown(run.finished))
              << (run.origin.empty() ? "" : ", from " + shown(run.origin)) << "\n"
              << shown(run.command) << "\n\n";
    table.print(std::cout, output);
    std::string said;
    for (const auto& row : rows) {
        if (row.reason.empty() || row.reason == said) continue;
        said = row.reason;
        std::cout << "row " << row.id << ": " << shown(row.reason) << "\n";
    }
    return Exit::done;
}

/// The store named, or the usual one; made where something comes into it.
Store store_of(const RunsOptions& o, bool make) {
    const auto file = o.store ? std::filesystem::path(*o.store) : suite::default_store();
    return make ? Store::open(file) : Store::open_existing(file);
}

int runs(const RunsOptions& o) {
    const Output output = output_named(o.output, {"table", "json", "csv", "md"});
    if ((o.exported ? 1 : 0) + (o.imported ? 1 : 0) + (o.words.empty() ? 0 : 1) > 1)
        throw InputError("runs does one thing at a time.", "give list, show, delete, --import or --export alone.");
    if (o.imported) {
        auto [run, rows] = suite::imported_file(*o.imported);
        auto store = store_of(o, true);
        const auto id = store.begin(run, rows);
        std::cout << "imported as run " << id << ": " << count_of(rows.size(), "row") << "\n";
        return Exit::done;
    }
    if (o.exported) {
        const auto store = store_of(o, false);
        const auto run = store.find(*o.exported);
        std::cout << text_of(suite::exported(run, store.rows(run.id))) << '\n';
        return Exit::done;
    }
    const std::string what = o.words.empty() ? "list" : o.words.front();
    const std::vector<std::string> named(o.words.begin() + (o.words.empty() ? 0 : 1), o.words.end());
    if (what == "list") {
        if (!named.empty()) throw InputError("runs list takes no run.", "`silica runs show RUN` shows one.");
        return list(store_of(o, false), output);
    }
    if (what != "show" && what != "delete") unknown_name("action of runs", what, {"list", "show", "delete"});
    if (named.empty()) throw InputError("runs " + what + " needs a run.", "`silica runs` lists them.");
    auto store = store_of(o, false);
    if (what == "show") {
        if (named.size() > 1) throw InputError("runs show shows one run.", "name one.");
        return show(store, named.front(), output);
    }
    std::vector<std::int64_t> ids;  // all are looked for before one goes
    for (const auto& name : named) {
        const auto id = store.find(name).id;
        if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
    }
    for (const auto id : ids) {
        store.remove(id);
        std::cout << "deleted run " << id << "\n";
    }
    return Exit::done;
}

}  // namespace

Action add_runs(CLI::App& app) {
    auto o = std::make_shared<RunsOptions>();
    Command c(app, "runs", "List, show and delete the runs that `silica bench` stored");
    c.arguments("what", o->words, "list; show RUN; delete RUN...; a run by number, name, or last. Default: list");
    c.option("--import", o->imported, "take a run of another machine: a file of --export, or of bench --output json");
    c.option("--export", o->exported, "write a run as JSON to standard output");
    c.option("--store", o->store, "file that keeps the runs. Default: $SILICA_STORE, or one in the home directory");
    c.option("--output", o->output, "table, json, csv, md. Default: table");
    c.footer("The file is of SQLite 3; docs/benchmarking.md has its tables. Exit codes: 0 done, 2 bad input.");
    return [o] { return runs(*o); };
}

}  // namespace silica::bench
