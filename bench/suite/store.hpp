#pragma once
/// What was measured, kept: runs and their rows in one file of SQLite 3. docs/benchmarking.md has its tables.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

struct sqlite3;

namespace silica::bench::suite {

/// One call of `silica bench`, on one machine.
struct Run {
    std::int64_t id = 0;
    std::string name = {};                    ///< given by the user, or empty
    std::string started = {}, finished = {};  ///< ISO 8601, UTC; `finished` is empty while it is not
    std::string command = {};                 ///< as it was typed
    std::string shard = {};                   ///< "2/8", or empty
    std::string origin = {};                  ///< of an imported run: the file or the host that it came from
    nlohmann::ordered_json machine = nlohmann::ordered_json::object();   ///< machine_facts()
    nlohmann::ordered_json versions = nlohmann::ordered_json::object();  ///< version_facts()
    /// {"start": {...}, "end": {...}}: load, frequency, governor and temperature of the machine, as far as it tells.
    nlohmann::ordered_json conditions = nlohmann::ordered_json::object();
};

/// What became of a row. `unavailable`: the hardware is not here; `stopped`: by Ctrl-C.
enum class State { pending, running, measured, unavailable, failed, out_of_memory, timed_out, crashed, stopped };

/// "pending", "out of memory", ...: as the store and JSON have it.
[[nodiscard]] std::string_view name_of(State state);
/// The state of that name. InputError.
[[nodiscard]] State state_named(std::string_view name);

/// One row of a run.
struct StoredRow {
    std::int64_t id = 0, run = 0;
    std::string key = {};  ///< key_of(job): the same work in every run has the same key
    State state = State::pending;
    std::string reason = {};  ///< why it was not measured; empty for a row that was
    /// What `silica bench --output json` prints of it: the same fields. An empty object where it was not run.
    nlohmann::ordered_json row = nlohmann::ordered_json::object();
    std::vector<double> samples_ms = {};
    std::vector<std::string> marks = {};  ///< "noisy", "simulated", "random weights", "smaller batch", ...
    /// What was asked for: model, family, task, hardware, simulated, precision, loader, weights, batch, sizes,
    /// new_tokens, and how: iterations, warmup, threads, ...
    nlohmann::ordered_json job = nlohmann::ordered_json::object();
    double seconds = 0;  ///< that it took, with its process and every attempt
};

/// "bert-tiny|embed|mps (simulated)|float32|mapped|8|prompt_tokens=128|0". Loader is "random" where weights are.
[[nodiscard]] std::string key_of(const nlohmann::ordered_json& job);

/// InputError for a name that means something else where a run is named: a number, "last", a file.
void require_run_name(std::string_view name);

/// Now, as "2026-11-27T04:07:00Z".
[[nodiscard]] std::string now_utc();

/// `$SILICA_STORE`, else ${XDG_DATA_HOME:-~/.local/share}/silica/runs.sqlite, on macOS ~/Library/Application
/// Support/silica/runs.sqlite. InputError where there is no home directory.
[[nodiscard]] std::filesystem::path default_store();

/// The store. Several processes may read and write one at once; each call is one transaction and waits for the others.
/// All calls throw InputError: for a file that is no store, is damaged, of a later version, locked for too long, or
/// that cannot be written (a full disk).
class Store {
public:
    /// The store in this file, which is made where it is not there, and brought up to this version's schema.
    [[nodiscard]] static Store open(const std::filesystem::path& file);
    /// The same where it exists; InputError otherwise.
    [[nodiscard]] static Store open_existing(const std::filesystem::path& file);

    Store(Store&&) noexcept;
    Store& operator=(Store&&) noexcept;
    ~Store();

    [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }

    /// All runs, oldest first.
    [[nodiscard]] std::vector<Run> runs() const;
    /// The run that a user names: by number ("7"), by name (the latest of that name), or "last". InputError.
    [[nodiscard]] Run find(std::string_view which) const;
    /// The rows of a run in their order.
    [[nodiscard]] std::vector<StoredRow> rows(std::int64_t run) const;

    /// Takes a new run with its rows, and gives its number; `id` and `run` in them mean nothing.
    std::int64_t begin(const Run& run, std::span<const StoredRow> rows);
    /// Stores a row again: its key, state, reason, row, samples, marks and seconds; and what its process said, where
    /// that is given, so that a run can be continued.
    void update(const StoredRow& row, const nlohmann::ordered_json* result = nullptr);
    /// What the process of a row said when it was measured; an empty object where it was not measured here.
    [[nodiscard]] nlohmann::ordered_json result(std::int64_t row) const;
    /// Stores a run again: when it was finished, and its conditions.
    void update(const Run& run);
    /// Removes a run with its rows. InputError where there is none.
    void remove(std::int64_t run);

private:
    struct Close {
        void operator()(sqlite3* db) const noexcept;
    };
    Store(std::filesystem::path file, std::unique_ptr<sqlite3, Close> db);
    void migrate();

    std::filesystem::path file_;
    std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace silica::bench::suite
