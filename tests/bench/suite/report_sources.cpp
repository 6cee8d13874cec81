// Which runs a command line means.
#include "bench/suite/report_rows.hpp"
#include "silica/core/error.hpp"
#include "suite/report/sources.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

using namespace silica::test;
using silica::InputError;

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
    const auto file = directory.path() / "rows.json";
    CHECK_THROWS_AS(sources.named(file.string()), InputError);
    write_file(file, R"({"engine":"silica","served":true,"model":"m","device":"cpu","samples_ms":[2,1,3]})");
    REQUIRE(sources.named(file.string()).size() == 1);
    CHECK(sources.named(file.string())[0].rows[0].samples_ms.size() == 3);
    report::Sources absent({directory.path() / "absent.sqlite"});
    CHECK_THROWS_AS(absent.newest(), InputError);
    static_cast<void>(Store::open(directory.path() / "empty.sqlite"));
    report::Sources empty({directory.path() / "empty.sqlite"});
    CHECK_THROWS_AS(empty.newest(), InputError);
}
