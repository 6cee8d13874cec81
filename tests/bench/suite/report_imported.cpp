// Runs out of files of JSON, and which runs a command line means.
#include "bench/suite/report_rows.hpp"
#include "silica/core/error.hpp"
#include "suite/imported.hpp"
#include "suite/report/sources.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

using namespace silica::test;
using silica::InputError;

namespace {

const std::string row_text =
    R"j({"engine":"silica","served":true,"model":"bert-tiny","family":"bert","task":"embed","device":"mps",)j"
    R"j("hardware":"mps (simulated)","simulated":true,"precision":"float16","batch_size":2,"prompt_tokens":8,)j"
    R"j("weights":"random","loader":null,"versions":{"silica":"0.1.0"},"samples_ms":[2,1,3]})j";
const std::string missing_text = R"({"served":false,"model":"m","family":"bert","task":"embed","device":"cuda",)"
                                 R"("hardware":"cuda","available":false,"reason":"no driver"})";

}  // namespace

TEST_CASE("JSON of bench: one row, several, lines") {
    const Directory directory;
    const auto file = directory.path() / "rows.json";
    write_file(file, row_text);
    auto runs = read_runs(file);
    REQUIRE(runs.size() == 1);
    REQUIRE(runs[0].rows.size() == 1);
    const auto& row = runs[0].rows[0];
    CHECK(row.state == State::measured);
    CHECK(row.samples_ms == std::vector<double>{2, 1, 3});
    CHECK(row.marks == std::vector<std::string>{"simulated", "random weights"});
    CHECK(row.key == "bert-tiny|embed|mps (simulated)|float16|random|2|prompt_tokens=8|");
    CHECK(runs[0].run.origin == "rows.json");

    write_file(file, R"({"rows":[)" + row_text + "," + missing_text + R"(],"machine":{"chip":"A"}})");
    runs = read_runs(file);
    REQUIRE(runs.size() == 2);  // the second says no version
    CHECK(runs[0].run.machine["chip"] == "A");
    CHECK(runs[1].rows[0].state == State::unavailable);
    CHECK(runs[1].rows[0].reason == "no driver");

    write_file(file, row_text + "\n\n" + row_text + "\n");
    runs = read_runs(file);
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].rows.size() == 2);
}

TEST_CASE("What is no JSON of bench is refused") {
    const Directory directory;
    const auto file = directory.path() / "rows.json";
    for (const char* text : {"", "{", "[]", "5", "{}", R"({"rows":5})", R"({"rows":[5]})", R"({"rows":[]})",
                             R"({"model":"m"})", "{\"model\":\"m\",\"served\":true}\n{", "\xFF\xFE"}) {
        INFO(text);
        write_file(file, text);
        CHECK_THROWS_AS(read_runs(file), InputError);
    }
    CHECK_THROWS_AS(read_runs(directory.path()), InputError);
    CHECK_THROWS_AS(read_runs(directory.path() / "absent.json"), InputError);
    // Deep nesting is no stack's end.
    write_file(file,
               R"({"model":"m","served":true,"x":)" + std::string(200'000, '[') + std::string(200'000, ']') + "}");
    CHECK(read_runs(file)[0].rows.size() == 1);
}

TEST_CASE("The newest run brings its shards, and names are looked for in every store") {
    const Directory directory;
    const auto first = directory.path() / "a.sqlite", second = directory.path() / "b.sqlite";
    const auto add = [](Store& store, const char* name, const char* shard) {
        auto s = source({{}});
        s.run.name = name;
        s.run.shard = shard;
        return store.begin(s.run, s.rows);
    };
    {
        auto store = Store::open(first);
        add(store, "", "");
        add(store, "fleet", "1/3");
        add(store, "other", "2/3");
        add(store, "fleet", "1/3");
        add(store, "fleet", "3/3");
        auto other = Store::open(second);
        add(other, "nightly", "");
    }
    report::Sources sources({first, second});
    auto newest = sources.newest();
    REQUIRE(newest.size() == 3);
    CHECK(newest[0].run.id == 5);
    CHECK(newest[1].run.id == 4);
    CHECK(newest[2].run.name == "nightly");
    CHECK(sources.named("nightly").size() == 1);
    CHECK(sources.named("1").size() == 2);  // each has one
    CHECK_THROWS_AS(sources.named("absent"), InputError);
    CHECK_THROWS_AS(sources.named("9"), InputError);
    CHECK(sources.earlier(newest).size() == 3);
    report::Sources absent({directory.path() / "absent.sqlite"});
    CHECK_THROWS_AS(absent.newest(), InputError);
    static_cast<void>(Store::open(directory.path() / "empty.sqlite"));
    report::Sources empty({directory.path() / "empty.sqlite"});
    CHECK_THROWS_AS(empty.newest(), InputError);
}
