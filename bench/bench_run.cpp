#include "bench_run.hpp"

#include <algorithm>
#include <iostream>
#include <utility>

#include "commands.hpp"
#include "errors.hpp"
#include "every_family.hpp"
#include "machine.hpp"
#include "progress.hpp"
#include "silica/core/error.hpp"
#include "suite/conditions.hpp"
#include "suite/process.hpp"
#include "suite/report/facts.hpp"
#include "suite/statistics.hpp"

namespace silica::bench {
namespace {

using nlohmann::ordered_json;
using suite::State;
using suite::StoredRow;

/// What a row shows beside its numbers, wherever they stand.
void mark(Row& row) {
    const auto add = [&](const char* text) { row.marks.emplace_back(text); };
    if (row.job.device->simulated() != nullptr) add("simulated");
    if (!row.job.subject->origin.weights) add("random weights");
    if (row.measured && !row.measured->noise.empty()) add("noisy");
}

/// The rows of a run as the store has them, and as the reports of the program want them.
class Rows {
public:
    Rows(std::vector<StoredRow> stored, const RunOptions& options) : stored_(std::move(stored)), options_(options) {
        for (const auto& row : stored_) rows_.push_back({.job = jobs_.of(row.job)});
    }

    [[nodiscard]] std::vector<StoredRow>& stored() { return stored_; }

    /// The row as it was measured; `result` is null where it was not.
    void fill(StoredRow& stored, const ordered_json* result) {
        Row& row = at(stored);
        row.state = stored.state;
        row.reason = stored.reason;
        row.marks = stored.marks;  // of the ladder
        if (result != nullptr) {
            row.measured = measured_from(*result);
            if (const auto as = result->find("measured_as"); as != result->end()) {
                ordered_json job = stored.job;
                job.update(*as);
                row.remark = "there was no memory for batch " + std::to_string(row.job.sizes.batch) + " on " +
                             row.job.device->label() + "; measured with batch " + job.at("batch").dump() + " on " +
                             job.at("hardware").get<std::string>();
                row.job = jobs_.of(job);
            }
            stored.samples_ms = row.measured->samples_ms;
        }
        mark(row);
        stored.marks = row.marks;
        stored.row = row_json(row, rows_);
    }
    /// A row that an earlier process measured.
    void restore(StoredRow& stored, const ordered_json& result) {
        Row& row = at(stored);
        const auto marks = stored.marks;
        const ordered_json printed = stored.row;
        stored.marks.clear();
        for (const char* of_ladder : {"smaller batch", "on the cpu instead"})
            if (std::ranges::find(marks, of_ladder) != marks.end()) stored.marks.emplace_back(of_ladder);
        fill(stored, stored.state == State::measured ? &result : nullptr);
        stored.row = printed;
        stored.marks = row.marks = marks;
    }
    /// A row that needs no process: its hardware is not here.
    void refuse_unavailable(StoredRow& stored) {
        const auto can = at(stored).job.device->available();
        if (can) return;
        stored.state = State::unavailable;
        stored.reason = can.reason;
        fill(stored, nullptr);
    }
    void print_line(const StoredRow& stored) {
        if (options_.output != Output::jsonl) return;
        const Row& row = at(stored);
        print_report(std::cout, Output::jsonl, {row});
        std::cout.flush();
    }
    /// All rows that are done, and what hinders the others; the exit code.
    int print_all() {
        std::vector<Row> rows;
        for (std::size_t i = 0; i < stored_.size(); ++i)
            if (!suite::is_open(stored_[i].state)) rows.push_back(rows_[i]);
        std::size_t measured = 0, unavailable = 0;
        for (const auto& row : rows) {
            measured += row.measured ? 1 : 0;
            unavailable += row.state == State::unavailable ? 1 : 0;
        }
        // Where every row failed there is nothing to show but why; programs get their rows in any case.
        const bool people = options_.output == Output::table || options_.output == Output::md;
        const bool show = measured + unavailable > 0 || !people;
        if (options_.output != Output::jsonl && show && !rows.empty()) print_report(std::cout, options_.output, rows);
        std::cout.flush();
        std::string said;
        for (const auto& row : rows) {
            if (row.measured || row.reason == said) continue;
            said = row.reason;
            const bool absent = row.state == State::unavailable;
            complain(absent ? row.job.device->label() + " is not available: " + row.reason + "." : row.reason);
        }
        if (measured + unavailable < rows.size()) return Exit::bad_input;
        return measured == 0 && !rows.empty() ? Exit::no_hardware : Exit::done;
    }

private:
    Row& at(const StoredRow& stored) { return rows_[static_cast<std::size_t>(&stored - stored_.data())]; }

    std::vector<StoredRow> stored_;
    const RunOptions& options_;
    Jobs jobs_;
    std::vector<Row> rows_;
};

/// The store that is to be used; nothing where there is to be none, or the usual one cannot be.
std::optional<suite::Store> store_for(const RunOptions& options) {
    if (options.no_store) {
        if (options.store) throw InputError("--store and --no-store exclude each other.", "leave one out.");
        return std::nullopt;
    }
    if (options.store) return suite::Store::open(*options.store);
    try {
        return suite::Store::open(suite::default_store());
    } catch (const InputError& e) {
        note("not stored: " + std::string(e.what()));
        return std::nullopt;
    }
}

/// " --store FILE" where that is not the usual one.
std::string store_flag(const RunOptions& options) { return options.store ? " --store " + *options.store : ""; }

ordered_json condition() { return suite::conditions_json(suite::conditions_now()); }

/// Measures what is open of a run, stores and prints it.
int measure_run(Rows& rows, std::optional<suite::Store>& store, suite::Run& run, const RunOptions& options,
                ordered_json known) {
    std::optional<suite::RunLock> lock;
    if (store) lock.emplace(store->file(), run.id);
    bool whole = false;
    {
        const suite::StopSignals signals;
        suite::Rows how{.program = suite::own_program(),
                        .arguments = {std::string(row_process_argument)},
                        .limit_s = options.limit_s,
                        .fill = [&](StoredRow& row, const ordered_json* result) { rows.fill(row, result); },
                        .done = [&](const StoredRow& row) { rows.print_line(row); },
                        .stop = [] { return suite::StopSignals::received(); },
                        .say = [](const std::string& sentence) { complain(sentence); },
                        .known = std::move(known)};
        const bool stored = store.has_value();
        whole = suite::measure_rows(rows.stored(), store, how);
        const bool lost = stored && !store;
        int code = rows.print_all();
        if (store) {
            if (whole) run.finished = suite::now_utc();
            run.conditions["end"] = condition();
            try {
                store->update(run);
            } catch (const InputError& e) {
                complain(e.what());
                return Exit::bad_input;
            }
            const std::string number = std::to_string(run.id);
            note(whole ? "stored as run " + number + "; its report: silica report " + number + store_flag(options)
                       : "stopped; run " + number + " goes on with: silica bench --resume " + number +
                             store_flag(options));
        }
        if (lost) code = Exit::bad_input;
        return whole ? code : Exit::stopped_by + suite::StopSignals::received();
    }
}

}  // namespace

int new_run(const std::vector<Job>& jobs, const Codes& codes, const RunOptions& options) {
    auto store = store_for(options);
    std::vector<StoredRow> planned;
    for (std::size_t i = options.shard.i - 1; i < jobs.size(); i += options.shard.n) {
        StoredRow row{.job = job_json(jobs[i], codes)};
        row.key = suite::key_of(row.job);
        planned.push_back(std::move(row));
    }
    if (jobs.empty()) {
        complain("None of the devices that this program was compiled for is available: see `silica devices`.");
        return Exit::no_hardware;
    }
    const std::string shard =
        options.shard.n == 1 ? "" : std::to_string(options.shard.i) + "/" + std::to_string(options.shard.n);
    if (planned.empty()) {
        note("shard " + shard + " of " + count_of(jobs.size(), "row") + " has none: nothing to do");
        return Exit::done;
    }
    suite::Run run{.name = options.name.value_or(""),
                   .started = suite::now_utc(),
                   .command = command_typed(),
                   .shard = shard,
                   .machine = machine_facts(),
                   .versions = version_facts(),
                   .conditions = {{"start", condition()}}};
    Rows rows(std::move(planned), options);
    for (auto& row : rows.stored()) rows.refuse_unavailable(row);
    if (store) {
        run.id = store->begin(run, rows.stored());
        const auto stored = store->rows(run.id);
        for (std::size_t i = 0; i < stored.size(); ++i) {
            rows.stored()[i].id = stored[i].id;
            rows.stored()[i].run = run.id;
        }
    }
    for (const auto& row : rows.stored())
        if (!suite::is_open(row.state)) rows.print_line(row);
    return measure_run(rows, store, run, options, ordered_json::object());
}

int resume_run(const std::string& which, const RunOptions& options) {
    std::optional<suite::Store> store =
        suite::Store::open_existing(options.store ? std::filesystem::path(*options.store) : suite::default_store());
    suite::Run run;
    if (which.empty()) {
        for (const auto& other : store->runs())
            if (other.finished.empty() && other.origin.empty()) run = other;
        if (run.id == 0) throw InputError("Every run is finished.", "begin a new one: leave --resume out.");
    } else {
        run = store->find(which);
    }
    const std::string number = "Run " + std::to_string(run.id);
    if (!run.origin.empty()) throw InputError(number + " was imported.", "go on with it where it was begun.");
    if (!run.finished.empty()) throw InputError(number + " is finished.", "begin a new one: leave --resume out.");
    const auto here = machine_facts();
    for (const char* fact : {"chip", "cores", "arch"}) {
        if (run.machine.contains(fact) && run.machine.at(fact) != here.at(fact)) {
            throw InputError(number + " was begun on another machine: its " + fact + " is " +
                                 suite::report::fact_text(run.machine.at(fact)) + ", here it is " +
                                 suite::report::fact_text(here.at(fact)) + ".",
                             "go on with it there; or leave --resume out, for a new run.");
        }
    }
    if (run.versions != version_facts())
        note(number + " was begun by another build: " + suite::report::fact_text(run.versions) + "; this is " +
             suite::report::fact_text(version_facts()));
    auto stored = store->rows(run.id);
    if (stored.empty()) throw InputError(number + " has no rows.", "begin a new one: leave --resume out.");
    if (const auto& job = stored.front().job; job.contains("threads") && job["threads"].is_number_integer())
        use_threads(std::to_string(job["threads"].get<std::int64_t>()));
    Rows rows(std::move(stored), options);
    ordered_json known = ordered_json::object();
    for (auto& row : rows.stored()) {
        if (suite::is_open(row.state)) continue;
        const auto result = store->result(row.id);
        try {
            rows.restore(row, result);
        } catch (const nlohmann::json::exception&) {
            row.state = State::pending;  // what was kept of it is not what this version writes: once more
            continue;
        }
        if (result.contains("known")) known.update(result.at("known"));
        rows.print_line(row);
    }
    return measure_run(rows, store, run, options, std::move(known));
}

}  // namespace silica::bench
