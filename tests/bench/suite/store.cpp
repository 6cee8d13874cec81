#include "suite/store.hpp"

#include <csignal>
#include <thread>

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "silica/core/error.hpp"
#include "suite/schema.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

namespace {

using namespace silica::bench::suite;
using nlohmann::ordered_json;
using silica::InputError;
using silica::test::ContainsSubstring;
using silica::test::Directory;
using silica::test::write_file;

StoredRow row_of(const std::string& model) {
    StoredRow row{.job = {{"model", model},
                          {"task", "embed"},
                          {"hardware", "cpu"},
                          {"precision", "float32"},
                          {"loader", "mapped"},
                          {"weights", "checkpoint"},
                          {"batch", 1},
                          {"sizes", {{"prompt_tokens", 8}}},
                          {"new_tokens", 0}}};
    row.key = key_of(row.job);
    return row;
}

Run a_run(const std::string& name) {
    return {.name = name, .started = now_utc(), .command = "silica bench", .machine = {{"chip", "a chip"}}};
}

std::string refusal(const std::function<void()>& call) {
    try {
        call();
    } catch (const InputError& e) {
        return e.what();
    }
    return "nothing was thrown";
}

}  // namespace

TEST_CASE("What a store takes it gives back, also when it is opened again") {
    const Directory directory;
    const auto file = directory / "deep" / "er" / "runs.sqlite";
    std::int64_t id = 0;
    {
        auto store = Store::open(file);
        id = store.begin(a_run("first"), std::vector{row_of("bert"), row_of("t5 \"'\xC3\xA9")});
        auto rows = store.rows(id);
        REQUIRE(rows.size() == 2);
        CHECK(rows[0].state == State::pending);
        rows[1].state = State::measured;
        rows[1].samples_ms = {1.25, 0.1, 1e-7};
        rows[1].marks = {"noisy", "random weights"};
        rows[1].row = {{"z", 1}, {"a", nullptr}};
        store.update(rows[1]);
    }
    auto store = Store::open_existing(file);
    auto run = store.find("first");
    CHECK(run.id == id);
    CHECK(run.machine == ordered_json{{"chip", "a chip"}});
    CHECK(run.finished.empty());
    const auto rows = store.rows(id);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].key == "bert|embed|cpu|float32|mapped|1|prompt_tokens=8|0");
    CHECK(rows[1].state == State::measured);
    CHECK(rows[1].samples_ms == std::vector{1.25, 0.1, 1e-7});
    CHECK(rows[1].marks == std::vector<std::string>{"noisy", "random weights"});
    CHECK(rows[1].row.dump() == R"({"z":1,"a":null})");
    CHECK(rows[1].job.at("model") == "t5 \"'\xC3\xA9");
    run.finished = now_utc();
    run.conditions = {{"start", {{"load", 0.5}}}};
    store.update(run);
    CHECK(store.find(std::to_string(id)).conditions == run.conditions);
    CHECK(store.find("last").finished == run.finished);
}

TEST_CASE("A run goes with its rows, and its number is not given again") {
    const Directory directory;
    auto store = Store::open(directory / "runs.sqlite");
    const auto first = store.begin(a_run("a"), std::vector{row_of("bert")});
    const auto row = store.rows(first).front();
    store.remove(first);
    CHECK(store.runs().empty());
    CHECK(store.rows(first).empty());
    CHECK_THAT(refusal([&] { store.remove(first); }), ContainsSubstring("There is no run"));
    CHECK_THAT(refusal([&] { store.update(row); }), ContainsSubstring("no longer"));
    CHECK_THAT(refusal([&] { static_cast<void>(store.find("last")); }), ContainsSubstring("holds no runs"));
    CHECK_THAT(refusal([&] { static_cast<void>(store.find("b")); }), ContainsSubstring("'b'"));
    CHECK(store.begin(a_run("a"), {}) > first);
}

TEST_CASE("Keys tell apart what is other work") {
    ordered_json job = row_of("bert").job;
    const auto plain = key_of(job);
    job["simulated"] = true;
    job["hardware"] = "mps";
    CHECK(key_of(job) == "bert|embed|mps (simulated)|float32|mapped|1|prompt_tokens=8|0");
    job["weights"] = "random";
    CHECK(key_of(job) == "bert|embed|mps (simulated)|float32|random|1|prompt_tokens=8|0");
    job["precision"] = "int4";
    job["group"] = 32;
    job["activations"] = "int8";
    CHECK(key_of(job) == "bert|embed|mps (simulated)|int4 group 32 activations int8|random|1|prompt_tokens=8|0");
    CHECK(key_of(row_of("bert").job) == plain);
}

TEST_CASE("States have names") {
    for (int i = 0; i <= static_cast<int>(State::stopped); ++i)
        CHECK(state_named(name_of(static_cast<State>(i))) == static_cast<State>(i));
    CHECK(name_of(State::out_of_memory) == "out of memory");
    CHECK_THROWS_AS(state_named("done"), InputError);
}

TEST_CASE("Writers of several processes wait for each other") {
    const Directory directory;
    const auto file = directory / "runs.sqlite";
    constexpr int writers = 4, runs = 8;
    std::vector<pid_t> children;
    for (int w = 0; w < writers; ++w) {
        const pid_t child = ::fork();
        if (child == 0) {
            int code = 1;
            try {
                auto store = Store::open(file);  // they also race to make it
                for (int i = 0; i < runs; ++i) {
                    const auto id = store.begin(a_run(std::to_string(w)), std::vector{row_of("bert"), row_of("t5")});
                    for (auto& row : store.rows(id)) {
                        row.state = State::measured;
                        store.update(row);
                    }
                }
                code = 0;
            } catch (...) {
            }
            ::_exit(code);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    const auto store = Store::open_existing(file);
    CHECK(store.runs().size() == writers * runs);
    for (const auto& run : store.runs()) {
        const auto rows = store.rows(run.id);
        CHECK(rows.size() == 2);
        for (const auto& row : rows) CHECK(row.state == State::measured);
    }
}

TEST_CASE("A disk that fills up is said, and what was stored stays") {
    const Directory directory;
    const auto file = directory / "runs.sqlite";
    {
        auto store = Store::open(file);
        store.begin(a_run("kept"), std::vector{row_of("bert")});
    }
    const auto before = std::filesystem::file_size(file);
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const rlimit small{static_cast<rlim_t>(before), limit.rlim_max};
    auto* handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::string said;
    {
        auto store = Store::open(file);
        auto big = row_of("t5");
        big.reason = std::string(std::size_t{1} << 20, 'x');
        said = refusal([&] { store.begin(a_run("lost"), std::vector{big}); });
    }
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, handler);
    CHECK_THAT(said, ContainsSubstring("could not be written"));
    auto store = Store::open_existing(file);
    REQUIRE(store.runs().size() == 1);
    CHECK(store.rows(store.runs()[0].id).size() == 1);
    store.begin(a_run("again"), std::vector{row_of("bert")});  // there is room again
    CHECK(store.runs().size() == 2);
}

namespace {

/// What a statement gives, the last of its rows.
std::string ask(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.string().c_str(), &db) == SQLITE_OK);
    std::string answer;
    const auto take = [](void* to, int n, char** values, char**) {
        if (n > 0 && values[0] != nullptr) *static_cast<std::string*>(to) = values[0];
        return 0;
    };
    const int code = sqlite3_exec(db, sql.c_str(), take, &answer, nullptr);
    sqlite3_close(db);
    REQUIRE(code == SQLITE_OK);
    return answer;
}

}  // namespace

TEST_CASE("A store of the first version is brought up to date with all that it holds") {
    const Directory directory;
    const auto file = directory / "runs.sqlite";
    ask(file, silica::test::read_file(std::string(SILICA_TESTS_DIR) + "/bench/suite/version_1.sql"));
    auto store = Store::open(file);
    const auto run = store.find("nightly");
    CHECK((run.id == 4 && run.machine.at("cores") == 2));
    auto rows = store.rows(4);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].samples_ms == std::vector{1.25, 1.5, 2.0});
    CHECK(rows[0].seconds == 0);
    CHECK(store.result(rows[0].id).empty());
    CHECK((rows[1].state == State::failed && rows[1].reason == "No weights."));
    rows[0].seconds = 2.5;
    const ordered_json result = {{"a", 1}};
    store.update(rows[0], &result);
    CHECK(store.rows(4)[0].seconds == 2.5);
    CHECK(store.result(rows[0].id) == result);
    CHECK(ask(file, "PRAGMA user_version") == std::to_string(schema_version));
    // the same tables as a new store's, whichever way they came
    const auto tables = "SELECT group_concat(name || type || \"notnull\") FROM pragma_table_info('rows')";
    static_cast<void>(Store::open(directory / "new.sqlite"));
    CHECK(ask(file, tables) == ask(directory / "new.sqlite", tables));
    CHECK_FALSE(ask(file, tables).empty());
}

TEST_CASE("A later version's store and another program's database stay as they are") {
    const Directory directory;
    const auto file = directory / "runs.sqlite";
    SECTION("later") {
        static_cast<void>(Store::open(file));
        ask(file, "PRAGMA user_version = 999");
        CHECK_THAT(refusal([&] { static_cast<void>(Store::open(file)); }), ContainsSubstring("later version"));
        CHECK(ask(file, "PRAGMA user_version") == "999");
    }
    SECTION("another's") {
        ask(file, "CREATE TABLE runs (x); INSERT INTO runs VALUES (7)");
        CHECK_THAT(refusal([&] { static_cast<void>(Store::open(file)); }), ContainsSubstring("another program"));
        CHECK(ask(file, "SELECT x FROM runs") == "7");
    }
    SECTION("edited by hand") {
        auto store = Store::open(file);
        const auto id = store.begin(a_run("a"), std::vector{row_of("bert")});
        for (const char* spoilt : {"marks = '7'", "samples_ms = '[\"a\"]'", "state = 'done'", "row = '{'"}) {
            ask(file, std::string("UPDATE rows SET ") + spoilt);
            CHECK_THAT(refusal([&] { static_cast<void>(store.rows(id)); }), ContainsSubstring("damaged"));
            ask(file, "UPDATE rows SET marks = '[]', samples_ms = '[]', state = 'pending', row = '{}'");
        }
        CHECK(store.rows(id).size() == 1);
    }
}

TEST_CASE("A file that is no store, or half of one, is refused with what to do") {
    const Directory directory;
    const auto file = directory / "runs.sqlite";
    SECTION("text") {
        write_file(file, std::string(5000, 'a'));
        CHECK_THAT(refusal([&] { static_cast<void>(Store::open(file)); }), ContainsSubstring("is no store of runs"));
        CHECK(silica::test::read_file(file) == std::string(5000, 'a'));
    }
    SECTION("truncated anywhere") {
        {
            auto store = Store::open(file);
            std::vector<StoredRow> rows(400, row_of("bert"));
            store.begin(a_run("whole"), rows);
        }
        const std::string whole = silica::test::read_file(file);
        REQUIRE(whole.size() > 20000);
        for (const double part : {0.02, 0.1, 0.5, 0.77, 0.999}) {
            write_file(file, whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size()))));
            const auto said = refusal([&] {
                const auto store = Store::open(file);
                for (const auto& run : store.runs()) static_cast<void>(store.rows(run.id));
            });
            CAPTURE(part);
            CHECK((said.find("is damaged") != said.npos || said.find("is no store") != said.npos));
            CHECK_THAT(said, ContainsSubstring("Remedy"));
        }
    }
    SECTION("written into by hand: JSON of another type") {
        {
            auto store = Store::open(file);
            const std::vector<StoredRow> rows{row_of("bert")};
            store.begin(a_run("whole"), rows);
        }
        for (const char* sql :
             {"UPDATE runs SET machine = '[1]'", "UPDATE runs SET machine = '{}', conditions = '7'",
              "UPDATE runs SET conditions = '{}'; UPDATE rows SET row = 'null'",
              "UPDATE rows SET row = '{}', job = '\"x\"'", "UPDATE rows SET job = '{}', marks = '[1]'",
              "UPDATE rows SET marks = '[]', samples_ms = '[\"x\"]'", "UPDATE rows SET samples_ms = '{'"}) {
            CAPTURE(sql);
            sqlite3* db = nullptr;
            REQUIRE(sqlite3_open(file.string().c_str(), &db) == SQLITE_OK);
            REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
            sqlite3_close(db);
            CHECK_THAT(refusal([&] {
                           const auto store = Store::open(file);
                           for (const auto& run : store.runs()) static_cast<void>(store.rows(run.id));
                       }),
                       ContainsSubstring("is damaged"));
        }
    }
    SECTION("of no bytes: as if it were not there") {
        write_file(file, "");
        auto store = Store::open(file);
        CHECK(store.runs().empty());
    }
    SECTION("a directory, nothing, and a place that cannot be made") {
        CHECK_THAT(refusal([&] { static_cast<void>(Store::open(directory.path())); }), ContainsSubstring("directory"));
        CHECK_THAT(refusal([&] { static_cast<void>(Store::open_existing(file)); }),
                   ContainsSubstring("There is no store"));
        CHECK_FALSE(std::filesystem::exists(file));
        write_file(file, "x");
        CHECK_THAT(refusal([&] { static_cast<void>(Store::open(file / "deeper" / "runs.sqlite")); }),
                   ContainsSubstring("could not be made"));
        CHECK_THROWS_AS(Store::open({}), InputError);
    }
}

TEST_CASE("A run is not named what means something else") {
    for (const char* name : {"7", "007", "last", "a/b", "x.json", "x.jsonl"}) {
        CAPTURE(name);
        CHECK_THAT(refusal([&] { require_run_name(name); }), ContainsSubstring("choose another name"));
    }
    for (const char* name : {"nightly", "7b", "-7", "the last", "v1.2"}) CHECK_NOTHROW(require_run_name(name));
}

TEST_CASE("The store is where the environment says") {
    const char* had[] = {std::getenv("SILICA_STORE"), std::getenv("XDG_DATA_HOME"), std::getenv("HOME")};
    const std::string home = had[2] == nullptr ? "" : had[2];
    ::setenv("SILICA_STORE", "here.sqlite", 1);
    CHECK(default_store() == "here.sqlite");
    ::unsetenv("SILICA_STORE");
    ::setenv("HOME", "/home/someone", 1);
#if defined(__APPLE__)
    CHECK(default_store() == "/home/someone/Library/Application Support/silica/runs.sqlite");
#else
    ::setenv("XDG_DATA_HOME", "/data", 1);
    CHECK(default_store() == "/data/silica/runs.sqlite");
    ::setenv("XDG_DATA_HOME", "relative", 1);
    CHECK(default_store() == "/home/someone/.local/share/silica/runs.sqlite");
    ::unsetenv("XDG_DATA_HOME");
#endif
    ::unsetenv("HOME");
    CHECK_THROWS_AS(default_store(), InputError);
    if (!home.empty()) ::setenv("HOME", home.c_str(), 1);
}
