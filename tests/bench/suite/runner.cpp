// Processes of rows, with small shell scripts for the program.
#include "suite/runner.hpp"

#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include <sys/wait.h>

#include "silica/core/error.hpp"
#include "suite/process.hpp"
#include "suite/rows_progress.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

namespace {

using namespace silica::bench::suite;
using nlohmann::ordered_json;
using silica::InputError;
using silica::test::ContainsSubstring;
using silica::test::Directory;
using How = Ended::How;

/// What a shell script, given `line`, made of itself and wrote.
struct Seen {
    Ended ended;
    std::vector<std::string> lines;
};

Seen run_script(
    const std::string& script, double limit_s = 20, const std::string& line = "{}",
    const std::function<bool()>& stop = [] { return false; }) {
    Seen seen;
    const auto heard = [&](std::string_view text) {
        seen.lines.emplace_back(text);
        return text.starts_with("answer");
    };
    seen.ended = run_child({"/bin/sh", {"-c", script}, line, limit_s}, heard, stop);
    return seen;
}

ordered_json job(const std::string& hardware, std::int64_t batch) {
    return {{"model", "m"},
            {"task", "embed"},
            {"hardware", hardware},
            {"simulated", false},
            {"precision", "float32"},
            {"loader", "mapped"},
            {"weights", "checkpoint"},
            {"batch", batch},
            {"sizes", {{"prompt_tokens", 8}}},
            {"new_tokens", 0}};
}

StoredRow row_for(const ordered_json& asked) {
    StoredRow row{.job = asked};
    row.key = key_of(asked);
    return row;
}

/// Rows measured by a script, which has the job in $job.
struct Measuring {
    std::vector<StoredRow> rows;
    std::optional<Store> store = {};
    std::vector<std::string> done = {}, said = {};
    int signal = 0;

    bool by(const std::string& script, double limit_s = 20) {
        Rows how{.program = "/bin/sh",
                 .arguments = {"-c", "read -r job; " + script},
                 .limit_s = limit_s,
                 .fill =
                     [](StoredRow& row, const ordered_json* result) {
                         if (result != nullptr) row.samples_ms = result->at("samples_ms").get<std::vector<double>>();
                         row.row = {{"served", result != nullptr}};
                     },
                 .done = [&](const StoredRow& row) { done.push_back(row.key); },
                 .stop = [&] { return signal; },
                 .say = [&](const std::string& sentence) { said.push_back(sentence); }};
        return measure_rows(rows, store, how);
    }
};

const std::string answer = R"(echo '{"result": {"samples_ms": [1.5, 2]}}' >&3)";
const std::string no_memory = R"(echo '{"problem": "No room. Remedy: less.", "out_of_memory": true}' >&3)";

}  // namespace

TEST_CASE("A child is given its line, and its lines are heard") {
    const auto seen =
        run_script("read -r line; echo doing >&3; echo \"answer $line\" >&3; echo later >&3", 20, "a job");
    CHECK(seen.ended.how == How::answered);
    REQUIRE(seen.lines.size() >= 2);
    CHECK(seen.lines[0] == "doing");
    CHECK(seen.lines[1] == "answer a job");
    // and one that is longer than a pipe takes at once, both ways
    const std::string big(300'000, 'x');
    const auto long_one = run_script("read -r line; echo \"answer $line\" >&3", 20, big);
    REQUIRE(long_one.lines.size() == 1);
    CHECK(long_one.lines[0] == "answer " + big);
}

TEST_CASE("How a child ends is told") {
    CHECK(run_script("exit 7").ended.how == How::exited);
    CHECK(run_script("exit 7").ended.code == 7);
    const auto crashed = run_script("kill -SEGV $$").ended;
    CHECK((crashed.how == How::killed && crashed.code == SIGSEGV));
    const auto killed = run_script("kill -KILL $$").ended;
    CHECK((killed.how == How::killed && killed.code == SIGKILL && !killed.out_of_memory));
    CHECK(run_script("echo answer >&3; kill -SEGV $$").ended.how == How::answered);
    CHECK_THROWS_AS(
        run_child({"/nonexistent/program", {}, ""}, [](auto) { return true; }, [] { return false; }), InputError);
}

TEST_CASE("A child that hangs is ended with all that it started") {
    const Directory directory;
    const auto alive = (directory / "alive").string();
    const auto start = std::chrono::steady_clock::now();
    // the grandchild would write after a second
    const auto seen = run_script("(sleep 1; echo x > " + alive + ") & sleep 60", 0.4);
    CHECK(seen.ended.how == How::timed_out);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(1300));
    CHECK_FALSE(std::filesystem::exists(alive));
    CHECK(run_script("exec 3>&-; sleep 60", 0.4).ended.how == How::timed_out);  // also one that closed its end
}

TEST_CASE("A child ends when it is told to, and has its input open until then") {
    int asked = 0;
    const auto seen =
        run_script("read -r line; read -r more; echo 'input ended' >&3", 20, "line", [&] { return ++asked > 2; });
    CHECK(seen.ended.how == How::stopped);
    CHECK(seen.lines.empty());
}

TEST_CASE("Rows that crash, hang, end or have no memory are rows with their reasons") {
    struct Case {
        std::string script;
        State state;
        std::string says;
    };
    for (const auto& c :
         {Case{answer, State::measured, ""}, Case{"kill -SEGV $$", State::crashed, "SIGSEGV"},
          Case{"kill -ABRT $$", State::crashed, "SIGABRT"}, Case{"exit 3", State::crashed, "exit code 3"},
          Case{"sleep 60", State::timed_out, "not done after 0.5 s"},
          Case{"kill -KILL $$", State::out_of_memory, "memory runs out"},
          Case{no_memory, State::out_of_memory, "No room."},
          Case{R"(echo 'no JSON' >&3; echo '{"problem": "Wrong."}' >&3)", State::failed, "Wrong."}}) {
        Measuring m{.rows = {row_for(job("cpu", 1)), row_for(job("cpu", 1))}};
        CAPTURE(c.script);
        CHECK(m.by(c.script, 0.5));
        CHECK(m.done.size() == 2);  // the second one is measured all the same
        for (const auto& row : m.rows) {
            CHECK(row.state == c.state);
            CHECK_THAT(row.reason, ContainsSubstring(c.says));
            CHECK(row.row.at("served") == (c.state == State::measured));
            CHECK(row.samples_ms.size() == (c.state == State::measured ? 2 : 0));
        }
    }
}

TEST_CASE("Without memory the ladder goes down: smaller batches, then the CPU") {
    std::vector<std::string> rungs;
    auto at = std::optional(job("cuda", 6));
    for (const auto asked = *at; at; at = rung_below(*at, asked))
        rungs.push_back(at->at("hardware").get<std::string>() + at->at("batch").dump());
    CHECK(rungs == std::vector<std::string>{"cuda6", "cuda3", "cuda1", "cpu6", "cpu3", "cpu1"});

    Measuring m{.rows = {row_for(job("cuda", 8)), row_for(job("mps", 4))}};
    CHECK(m.by("case $job in *cuda*'\"batch\":2'*|*cpu*'\"batch\":4'*) " + answer + ";; *) " + no_memory + ";; esac"));
    CHECK(m.rows[0].state == State::measured);
    CHECK(m.rows[0].marks == std::vector<std::string>{"smaller batch"});
    CHECK(m.rows[0].key == key_of(job("cuda", 8)) + "|as cuda batch 2");
    CHECK(m.rows[0].row.at("ladder").size() == 2);
    CHECK(m.rows[0].row.at("ladder")[1] ==
          ordered_json{{"hardware", "cuda"}, {"batch", 4}, {"reason", "No room. Remedy: less."}});
    CHECK(m.rows[0].job.at("batch") == 8);
    CHECK(m.rows[1].marks == std::vector<std::string>{"on the cpu instead"});
    CHECK(m.rows[1].key == key_of(job("mps", 4)) + "|as cpu batch 4");

    // what fails otherwise further down is no answer to what was asked
    Measuring other{.rows = {row_for(job("cuda", 2))}};
    CHECK(other.by("case $job in *cpu*) exit 1;; *) " + no_memory + ";; esac"));
    CHECK(other.rows[0].state == State::out_of_memory);
    CHECK(other.rows[0].reason == "No room. Remedy: less.");
    CHECK(other.rows[0].key == key_of(job("cuda", 2)));
}

TEST_CASE("What one row finds out the next is told") {
    Measuring m{.rows = {row_for(job("cpu", 1)), row_for(job("cpu", 2))}};
    CHECK(m.by(
        R"(case $job in *'"known":{"bandwidth":{"cpu":5}}'*'"batch"'*|*'"batch":2'*'"known":{"bandwidth":{"cpu":5}}'*)
               echo '{"result": {"samples_ms": [7]}}' >&3;;
               *) echo '{"result": {"samples_ms": [1], "known": {"bandwidth": {"cpu": 5}}}}' >&3;; esac)"));
    CHECK(m.rows[0].samples_ms == std::vector{1.0});
    CHECK(m.rows[1].samples_ms == std::vector{7.0});
    CHECK_FALSE(m.rows[1].job.contains("known"));
}

TEST_CASE("A run that is stopped keeps what was measured, and goes on where it was") {
    const Directory directory;
    Measuring m{.rows = {row_for(job("cpu", 1)), row_for(job("cpu", 2)), row_for(job("cpu", 3))},
                .store = Store::open(directory / "runs.sqlite")};
    const auto id = m.store->begin({.name = "a"}, m.rows);
    m.rows = m.store->rows(id);
    std::thread later([&] {
        while (m.done.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        m.signal = SIGINT;
    });
    CHECK_FALSE(m.by("case $job in *'\"batch\":1,'*) " + answer + ";; *) sleep 60;; esac"));
    later.join();
    auto kept = m.store->rows(id);
    CHECK(kept[0].state == State::measured);
    CHECK(kept[0].samples_ms.size() == 2);
    CHECK(m.store->result(kept[0].id).at("samples_ms").size() == 2);
    CHECK(kept[1].state == State::stopped);
    CHECK(kept[2].state == State::pending);

    Measuring again{.rows = kept, .store = Store::open(directory / "runs.sqlite")};
    CHECK(again.by("case $job in *'\"batch\":1,'*) exit 1;; *) " + answer + ";; esac"));
    CHECK(again.done.size() == 2);  // what is done is not done again
    for (const auto& row : again.store->rows(id)) CHECK(row.state == State::measured);
}

TEST_CASE("A store that fails on the way is said once, and measuring goes on") {
    const Directory directory;
    Measuring m{.rows = {row_for(job("cpu", 1)), row_for(job("cpu", 2))},
                .store = Store::open(directory / "runs.sqlite")};
    const auto id = m.store->begin({.name = "a"}, m.rows);
    m.rows = m.store->rows(id);
    m.store->remove(id);
    CHECK(m.by(answer));
    CHECK(m.said.size() == 1);
    CHECK_FALSE(m.store.has_value());
    CHECK(m.rows[1].state == State::measured);
}

TEST_CASE("Shards take every row once") {
    const auto shard = shard_named("2/8");
    CHECK((shard.i == 2 && shard.n == 8));
    for (const char* text : {"", "2", "0/8", "9/8", "1/0", "a/b", "1/2/3", "-1/2", "1/100001", " 1/2"})
        CHECK_THROWS_AS(shard_named(text), InputError);
}

TEST_CASE("A run is measured by one process at a time") {
    const Directory directory;
    const auto file = directory / "runs.sqlite";
    {
        const RunLock ours(file, 3);
        CHECK_THROWS_AS(RunLock(file, 3), InputError);
        const RunLock another(file, 4);
    }
    CHECK(std::filesystem::is_empty(directory.path()));
    const RunLock again(file, 3);
}

TEST_CASE("Signals that stop are noted") {
    {
        const StopSignals signals;
        CHECK(StopSignals::received() == 0);
        std::raise(SIGTERM);
        std::raise(SIGINT);
        CHECK(StopSignals::received() == SIGTERM);
    }
    const StopSignals next;
    CHECK(StopSignals::received() == 0);
}

TEST_CASE("What is left is told in words") {
    CHECK(duration_text(0.2) == "1 s");
    CHECK(duration_text(88.5) == "89 s");
    CHECK(duration_text(91) == "2 min");
    CHECK(duration_text(3600) == "1 h");
    CHECK(duration_text(4000) == "1 h 7 min");
    RowsProgress progress(10, 4);
    CHECK(progress.place() == "5/10");
    progress.begin("a row");
    progress.end();
    CHECK_THAT(progress.place(), ContainsSubstring("6/10, about "));
    CHECK(title_of(job("cpu", 2)) == "m embed, cpu float32, mapped, batch 2, tokens 8");
}
