#include "suite/store.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include <sqlite3.h>

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "suite/depth.hpp"
#include "suite/schema.hpp"

namespace silica::bench::suite {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int wait_ms = 30'000;  ///< for another process that writes

constexpr std::array<std::string_view, 9> states{"pending",       "running",   "measured", "unavailable", "failed",
                                                 "out of memory", "timed out", "crashed",  "stopped"};

[[noreturn]] void refuse(sqlite3* db, int code, const fs::path& file) {
    const std::string name = quote(file.string());
    switch (code & 0xff) {
        case SQLITE_NOTADB:
            throw InputError(name + " is no store of runs.", "name another file with --store.");
        case SQLITE_CORRUPT:
            throw InputError(name + " is damaged.",
                             "what is left of it: `sqlite3 FILE .recover | sqlite3 NEW`; then --store NEW. Or move it "
                             "away, and a new one is made.");
        case SQLITE_FULL:
        case SQLITE_IOERR:
            throw InputError(name + " could not be written: " + sqlite3_errmsg(db) + ".",
                             "make room on the disk, or name a file elsewhere with --store.");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            throw InputError(
                name + " is being written by another program, for " + std::to_string(wait_ms / 1000) + " seconds now.",
                "wait for it, or name another file with --store.");
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            throw InputError(name + " could not be opened for writing.",
                             "see to its permissions and its directory's, or name another file with --store.");
        default:
            throw InputError(name + ": SQLite failed: " + (db != nullptr ? sqlite3_errmsg(db) : "no memory") + ".",
                             "name another file with --store.");
    }
}

/// One statement: values in by place, columns out by place.
class Statement {
public:
    Statement(sqlite3* db, const fs::path& file, std::string_view sql) : db_(db), file_(file) {
        if (const int code = sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr);
            code != SQLITE_OK) {
            refuse(db, code, file);
        }
    }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    /// The next place takes this value. Text is copied.
    Statement& operator<<(std::string_view text) {
        sqlite3_bind_text(statement_, ++place_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
        return *this;
    }
    Statement& operator<<(std::int64_t number) {
        sqlite3_bind_int64(statement_, ++place_, number);
        return *this;
    }
    Statement& operator<<(double number) {
        sqlite3_bind_double(statement_, ++place_, number);
        return *this;
    }
    /// Whether there is another row.
    bool step() {
        const int code = sqlite3_step(statement_);
        if (code == SQLITE_ROW) return true;
        if (code != SQLITE_DONE) refuse(db_, code, file_);
        return false;
    }
    void again() {
        sqlite3_reset(statement_);
        place_ = 0;
    }
    [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
    [[nodiscard]] double real(int column) const { return sqlite3_column_double(statement_, column); }
    [[nodiscard]] std::string text(int column) const {
        const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
        if (bytes == nullptr) return {};
        return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }
    /// A column of JSON. A store that somebody wrote into by hand is damaged.
    [[nodiscard]] ordered_json json(int column) const {
        const auto written = text(column);
        if (nested_too_deep(written)) refuse(db_, SQLITE_CORRUPT, file_);
        auto value = ordered_json::parse(written, nullptr, false);
        if (value.is_discarded()) refuse(db_, SQLITE_CORRUPT, file_);
        return value;
    }
    [[nodiscard]] ordered_json object(int column) const {
        auto value = json(column);
        if (!value.is_object()) refuse(db_, SQLITE_CORRUPT, file_);
        return value;
    }

private:
    sqlite3* db_;
    const fs::path& file_;
    sqlite3_stmt* statement_ = nullptr;
    int place_ = 0;
};

void execute(sqlite3* db, const fs::path& file, const char* sql) {
    if (const int code = sqlite3_exec(db, sql, nullptr, nullptr, nullptr); code != SQLITE_OK) refuse(db, code, file);
}

/// All or nothing; others wait. Rolled back unless it was kept.
class Transaction {
public:
    Transaction(sqlite3* db, const fs::path& file) : db_(db), file_(file) { execute(db, file, "BEGIN IMMEDIATE"); }
    ~Transaction() {
        if (!kept_) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void keep() {
        execute(db_, file_, "COMMIT");
        kept_ = true;
    }

private:
    sqlite3* db_;
    const fs::path& file_;
    bool kept_ = false;
};

std::int64_t pragma(sqlite3* db, const fs::path& file, const char* sql) {
    Statement s(db, file, sql);
    return s.step() ? s.number(0) : 0;
}

std::string text_of(const ordered_json& value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

constexpr const char* run_columns =
    "id, name, started, finished, command, shard, origin, machine, versions, conditions";

Run run_at(const Statement& s) {
    return {.id = s.number(0),
            .name = s.text(1),
            .started = s.text(2),
            .finished = s.text(3),
            .command = s.text(4),
            .shard = s.text(5),
            .origin = s.text(6),
            .machine = s.object(7),
            .versions = s.object(8),
            .conditions = s.object(9)};
}

}  // namespace

std::string_view name_of(State state) { return states[static_cast<std::size_t>(state)]; }

State state_named(std::string_view name) {
    const auto found = std::ranges::find(states, name);
    if (found == states.end())
        throw InputError("There is no state of a row " + quote(name) + ".", "see docs/benchmarking.md.");
    return static_cast<State>(found - states.begin());
}

std::string key_of(const ordered_json& job) {
    const auto text = [&](const char* field) {
        const auto at = job.find(field);
        if (at == job.end() || at->is_null()) return std::string();
        return at->is_string() ? at->get<std::string>() : text_of(*at);
    };
    const bool simulated = job.value("simulated", false);
    std::string precision = text("precision");
    if (const auto group = text("group"); !group.empty() && group != "64") precision += " group " + group;
    if (const auto kind = text("activations"); !kind.empty() && kind != "exact") precision += " activations " + kind;
    std::string sizes;
    if (const auto at = job.find("sizes"); at != job.end() && at->is_object()) {
        for (const auto& [name, n] : at->items()) sizes += (sizes.empty() ? "" : ",") + name + "=" + text_of(n);
    }
    const std::string loader = text("weights") == "random" ? "random" : text("loader");
    return text("model") + "|" + text("task") + "|" + text("hardware") + (simulated ? " (simulated)" : "") + "|" +
           precision + "|" + loader + "|" + text("batch") + "|" + sizes + "|" + text("new_tokens");
}

void require_run_name(std::string_view name) {
    const bool number = !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    const bool file = name.ends_with(".json") || name.ends_with(".jsonl") || name.find('/') != std::string_view::npos;
    if (!number && !file && name != "last") return;
    throw InputError("--name " + quote(std::string(name)) + " means " +
                         (number ? "the run of that number"
                          : file ? "a file"
                                 : "the latest run") +
                         " where a run is named.",
                     "choose another name, such as before-the-change.");
}

std::string now_utc() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    const auto n = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), n};
}

fs::path default_store() {
    const auto variable = [](const char* name) -> std::string {
        const char* value = std::getenv(name);
        return value == nullptr ? "" : value;
    };
    if (const auto named = variable("SILICA_STORE"); !named.empty()) return named;
    const auto home = variable("HOME");
#if defined(__APPLE__)
    if (!home.empty()) return fs::path(home) / "Library" / "Application Support" / "silica" / "runs.sqlite";
#else
    // The standard has relative paths ignored.
    if (const fs::path data = variable("XDG_DATA_HOME"); data.is_absolute()) return data / "silica" / "runs.sqlite";
    if (!home.empty()) return fs::path(home) / ".local" / "share" / "silica" / "runs.sqlite";
#endif
    throw InputError("There is no home directory to keep runs in.", "name a file with --store or SILICA_STORE.");
}

void Store::Close::operator()(sqlite3* db) const noexcept { sqlite3_close(db); }

Store::Store(fs::path file, std::unique_ptr<sqlite3, Close> db) : file_(std::move(file)), db_(std::move(db)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Store Store::open(const fs::path& file) {
    std::error_code error;
    if (file.empty()) throw InputError("--store names no file.", "give --store FILE.sqlite.");
    if (fs::is_directory(file, error))
        throw InputError(quote(file.string()) + " is a directory.", "give --store a file in it, such as runs.sqlite.");
    if (file.has_parent_path()) {
        fs::create_directories(file.parent_path(), error);
        if (error) {
            throw InputError(
                "The directory " + quote(file.parent_path().string()) + " could not be made: " + error.message() + ".",
                "name a file elsewhere with --store or SILICA_STORE.");
        }
    }
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(file.string().c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    std::unique_ptr<sqlite3, Close> db(raw);  // also where opening failed
    if (code != SQLITE_OK) refuse(raw, code, file);
    sqlite3_busy_timeout(raw, wait_ms);
    execute(raw, file, "PRAGMA foreign_keys = ON");
    Store store(file, std::move(db));
    store.migrate();
    return store;
}

Store Store::open_existing(const fs::path& file) {
    std::error_code error;
    if (!fs::exists(file, error)) {
        throw InputError("There is no store of runs at " + quote(file.string()) + ".",
                         "measure something with `silica bench`, or name another file with --store.");
    }
    return open(file);
}

void Store::migrate() {
    sqlite3* db = db_.get();
    std::error_code error;
    if (pragma(db, file_, "PRAGMA user_version") == schema_version &&
        pragma(db, file_, "PRAGMA application_id") == application_id) {
        // SQLite sees where whole pages are missing; a part of the last one would read as zeros.
        const auto bytes = static_cast<std::int64_t>(fs::file_size(file_, error));
        if (!error && bytes % pragma(db, file_, "PRAGMA page_size") != 0) refuse(db, SQLITE_CORRUPT, file_);
        return;
    }
    Transaction transaction(db, file_);
    const auto version = pragma(db, file_, "PRAGMA user_version");
    const auto tables = pragma(db, file_, "SELECT count(*) FROM sqlite_master");
    if (tables > 0 && pragma(db, file_, "PRAGMA application_id") != application_id)
        throw InputError(quote(file_.string()) + " is the database of another program.",
                         "name another file with --store.");
    if (version > schema_version) {
        throw InputError(quote(file_.string()) + " was written by a later version of Silica.",
                         "update this one, or name another file with --store.");
    }
    for (auto next = version; next < schema_version; ++next)
        execute(db, file_, migrations[static_cast<std::size_t>(next)]);
    execute(db, file_, ("PRAGMA application_id = " + std::to_string(application_id)).c_str());
    execute(db, file_, ("PRAGMA user_version = " + std::to_string(schema_version)).c_str());
    transaction.keep();
}

std::vector<Run> Store::runs() const {
    Statement s(db_.get(), file_, std::string("SELECT ") + run_columns + " FROM runs ORDER BY id");
    std::vector<Run> all;
    while (s.step()) all.push_back(run_at(s));
    return all;
}

Run Store::find(std::string_view which) const {
    const std::string select = std::string("SELECT ") + run_columns + " FROM runs ";
    if (which == "last") {
        Statement s(db_.get(), file_, select + "ORDER BY id DESC LIMIT 1");
        if (s.step()) return run_at(s);
        throw InputError(quote(file_.string()) + " holds no runs.", "measure something with `silica bench`.");
    }
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(which.data(), which.data() + which.size(), id);
    if (error == std::errc{} && end == which.data() + which.size()) {
        Statement s(db_.get(), file_, select + "WHERE id = ?");
        s << id;
        if (s.step()) return run_at(s);
    }
    Statement s(db_.get(), file_, select + "WHERE name = ? ORDER BY id DESC LIMIT 1");
    s << which;
    if (!which.empty() && s.step()) return run_at(s);
    throw InputError("There is no run " + quote(which) + " in " + quote(file_.string()) + ".",
                     "`silica runs` lists them; \"last\" is the latest.");
}

std::vector<StoredRow> Store::rows(std::int64_t run) const {
    Statement s(db_.get(), file_,
                "SELECT id, run, key, state, reason, row, samples_ms, marks, job, seconds FROM rows WHERE run = ? "
                "ORDER BY id");
    s << run;
    std::vector<StoredRow> all;
    while (s.step()) {
        StoredRow row{.id = s.number(0),
                      .run = s.number(1),
                      .key = s.text(2),
                      .reason = s.text(4),
                      .row = s.object(5),
                      .job = s.object(8),
                      .seconds = s.real(9)};
        const auto samples = s.json(6), marks = s.json(7);
        try {
            row.state = state_named(s.text(3));
            row.samples_ms = samples.get<std::vector<double>>();
            row.marks = marks.get<std::vector<std::string>>();
        } catch (const std::exception&) {  // not of these types
            refuse(db_.get(), SQLITE_CORRUPT, file_);
        }
        all.push_back(std::move(row));
    }
    return all;
}

std::int64_t Store::begin(const Run& run, std::span<const StoredRow> rows) {
    sqlite3* db = db_.get();
    Transaction transaction(db, file_);
    Statement insert(
        db, file_,
        "INSERT INTO runs (name, started, finished, command, shard, origin, machine, versions, conditions) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert << run.name << run.started << run.finished << run.command << run.shard << run.origin << text_of(run.machine)
           << text_of(run.versions) << text_of(run.conditions);
    insert.step();
    const std::int64_t id = sqlite3_last_insert_rowid(db);
    Statement each(db, file_,
                   "INSERT INTO rows (run, key, state, reason, row, samples_ms, marks, job, seconds) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (const auto& row : rows) {
        each.again();
        each << id << row.key << name_of(row.state) << row.reason << text_of(row.row) << text_of(row.samples_ms)
             << text_of(row.marks) << text_of(row.job) << row.seconds;
        each.step();
    }
    transaction.keep();
    return id;
}

ordered_json Store::result(std::int64_t row) const {
    Statement s(db_.get(), file_, "SELECT result FROM rows WHERE id = ?");
    s << row;
    return s.step() ? s.object(0) : ordered_json::object();
}

void Store::update(const StoredRow& row, const ordered_json* result) {
    sqlite3* db = db_.get();
    Transaction transaction(db, file_);
    Statement s(db, file_,
                std::string("UPDATE rows SET key = ?, state = ?, reason = ?, row = ?, samples_ms = ?, marks = ?, "
                            "seconds = ?") +
                    (result != nullptr ? ", result = ?" : "") + " WHERE id = ?");
    s << row.key << name_of(row.state) << row.reason << text_of(row.row) << text_of(row.samples_ms)
      << text_of(row.marks) << row.seconds;
    if (result != nullptr) s << text_of(*result);
    s << row.id;
    s.step();
    if (sqlite3_changes(db) == 0)
        throw InputError("The row is no longer in " + quote(file_.string()) + ".",
                         "its run was deleted; measure it again.");
    transaction.keep();
}

void Store::update(const Run& run) {
    sqlite3* db = db_.get();
    Transaction transaction(db, file_);
    Statement s(db, file_, "UPDATE runs SET name = ?, finished = ?, conditions = ? WHERE id = ?");
    s << run.name << run.finished << text_of(run.conditions) << run.id;
    s.step();
    if (sqlite3_changes(db) == 0)
        throw InputError("The run is no longer in " + quote(file_.string()) + ".", "it was deleted; measure it again.");
    transaction.keep();
}

void Store::remove(std::int64_t run) {
    sqlite3* db = db_.get();
    Transaction transaction(db, file_);
    Statement s(db, file_, "DELETE FROM runs WHERE id = ?");
    s << run;
    s.step();
    if (sqlite3_changes(db) == 0)
        throw InputError("There is no run " + std::to_string(run) + ".", "`silica runs` lists them.");
    transaction.keep();
}

}  // namespace silica::bench::suite
