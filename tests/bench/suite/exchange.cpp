#include "suite/exchange.hpp"

#include "silica/core/error.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

namespace {

using namespace silica::bench::suite;
using nlohmann::ordered_json;
using silica::InputError;
using silica::test::ContainsSubstring;

const char* const printed =
    R"row({"engine": "silica", "served": true, "model": "bert-tiny", "family": "bert", "task": "embed", "device": "mps",
           "hardware": "mps (simulated)", "simulated": true, "precision": "float32", "threads": 2, "batch_size": 4,
           "prompt_tokens": 16, "weights": "random", "loader": null, "iterations": 3, "warmup": 1,
           "versions": {"silica": "0.1.0"}, "samples_ms": [1.5, 1.25, 2], "median_ms": 1.5,
           "machine": {"chip": "a chip"}})row";

std::string refusal(const std::string& text) {
    try {
        static_cast<void>(imported(text, "a file"));
    } catch (const InputError& e) {
        return e.what();
    }
    return "nothing was thrown";
}

/// `printed` with a field changed.
std::string with(const char* field, const ordered_json& value) {
    auto row = ordered_json::parse(printed);
    row[field] = value;
    return row.dump();
}

}  // namespace

TEST_CASE("A run comes back from JSON as it was") {
    Run run{.name = "n",
            .started = "2026-11-27T01:00:00Z",
            .finished = "2026-11-27T01:00:01Z",
            .command = "silica bench",
            .shard = "1/2",
            .machine = {{"chip", "c"}},
            .versions = {{"silica", "0"}},
            .conditions = {{"start", {{"load", 1}}}}};
    StoredRow row{.key = "k",
                  .state = State::timed_out,
                  .reason = "slow \"\n\xC3\xA9",
                  .row = {{"served", false}},
                  .marks = {"noisy"},
                  .job = {{"model", "m"}},
                  .seconds = 2.5};
    StoredRow other{.key = "l", .state = State::measured, .row = {{"median_ms", 2.0}}, .samples_ms = {1, 2, 3.25}};
    const auto [back, rows] = imported(exported(run, {row, other}).dump(2), "host");
    CHECK(back.origin == "host");
    CHECK((back.name == run.name && back.started == run.started && back.finished == run.finished));
    CHECK((back.command == run.command && back.shard == run.shard && back.machine == run.machine));
    CHECK((back.versions == run.versions && back.conditions == run.conditions));
    REQUIRE(rows.size() == 2);
    CHECK((rows[0].key == "k" && rows[0].state == State::timed_out && rows[0].reason == row.reason));
    CHECK((rows[0].row == row.row && rows[0].marks == row.marks && rows[0].job == row.job && rows[0].seconds == 2.5));
    CHECK(rows[1].samples_ms == other.samples_ms);
}

TEST_CASE("What bench prints is a run: one row, many, or lines") {
    const auto [run, rows] = imported(printed, "a file");
    CHECK(run.machine.at("chip") == "a chip");
    CHECK(run.versions.at("silica") == "0.1.0");
    CHECK_FALSE(run.finished.empty());
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].key == "bert-tiny|embed|mps (simulated)|float32|random|4|prompt_tokens=16|0");
    CHECK(rows[0].marks == std::vector<std::string>{"simulated", "random weights"});
    CHECK(rows[0].samples_ms == std::vector{1.5, 1.25, 2.0});
    CHECK(rows[0].state == State::measured);
    CHECK_FALSE(rows[0].row.contains("machine"));

    const auto line = ordered_json::parse(printed).dump();
    CHECK(imported(line + "\n\n" + line + "\n", "x").second.size() == 2);
    const auto failed = R"({"engine": "silica", "served": false, "model": "m", "available": true, "reason": "why"})";
    const auto absent =
        R"({"engine": "silica", "served": false, "model": "m", "available": false, "reason": "no GPU"})";
    const auto many = imported(std::string(R"({"engine": "silica", "rows": [)") + failed + "," + absent + "," +
                                   printed + R"(], "machine": {"chip": "b"}})",
                               "x");
    CHECK(many.first.machine.at("chip") == "b");
    REQUIRE(many.second.size() == 3);
    CHECK(many.second[0].state == State::failed);
    CHECK(many.second[1].state == State::unavailable);
    CHECK(many.second[1].reason == "no GPU");
}

TEST_CASE("Anything else is refused with what is wrong") {
    for (const char* text : {"",
                             "\n \n",
                             "[]",
                             "7",
                             "null",
                             "{",
                             "no",
                             "{}",
                             R"({"rows": []})",
                             R"({"rows": 7})",
                             R"({"rows": [7]})",
                             R"({"engine": "peer", "model": "m"})",
                             R"({"engine": "silica"})",
                             R"({"format": "silica-run"})",
                             R"({"format": "silica-run", "version": 2, "rows": []})",
                             R"({"format": "silica-run", "version": 1})",
                             R"({"format": "silica-run", "version": 1, "rows": [{"state": "done"}]})",
                             R"({"format": "silica-run", "version": 1, "rows": [{"state": "measured", "key": "k"}]})",
                             R"({"format": "silica-run", "version": 1, "rows": [{"state": "failed"}]})",
                             R"({"format": "silica-run", "version": 1, "run": 7, "rows": []})",
                             "\xff\xfe{}"}) {
        CAPTURE(text);
        CHECK_THAT(refusal(text), ContainsSubstring("'a file'"));
        CHECK_THAT(refusal(text), ContainsSubstring("Remedy"));
    }
    CHECK_THAT(refusal(with("samples_ms", {1, "a"})), ContainsSubstring("no time"));
    CHECK_THAT(refusal(with("samples_ms", {1, -1})), ContainsSubstring("no time"));
    CHECK_THAT(refusal(with("samples_ms", ordered_json::array())), ContainsSubstring("no samples"));
    CHECK_THAT(refusal(with("served", "yes")), ContainsSubstring("served"));
    CHECK_THAT(refusal(with("batch_size", "4")), ContainsSubstring("batch"));
    CHECK_THAT(refusal(with("precision", 7)), ContainsSubstring("precision"));
    for (const char* field : {"batch_size", "new_tokens", "prompt_tokens", "image_size"})
        for (const ordered_json& value : {ordered_json(-5), ordered_json(1.5), ordered_json(1e30), ordered_json("8"),
                                          ordered_json({1, 2}), ordered_json(std::uint64_t{1} << 63U)}) {
            CAPTURE(field, value.dump());
            CHECK_THAT(refusal(with(field, value)), ContainsSubstring(std::string(field) + " is no whole number"));
        }
    CHECK_THAT(refusal(with("batch_size", 0)), ContainsSubstring("from 1"));
    CHECK_THAT(refusal(std::string(100'000, '[')), ContainsSubstring("'a file'"));
    CHECK_THAT(refusal("{\"a\":" + std::string(5'000, '[') + std::string(5'000, ']') + "}"),
               ContainsSubstring("deeply"));
    CHECK_THROWS_AS(imported_file("/nonexistent.json"), InputError);
    CHECK_THROWS_AS(imported_file("/"), InputError);
    CHECK_THROWS_AS(imported_file("/dev/zero"), InputError);  // has no end
}

TEST_CASE("A file gives a run its name and its origin") {
    const silica::test::Directory directory;
    silica::test::write_file(directory / "m2-pro.json", printed);
    const auto run = imported_file(directory / "m2-pro.json").first;
    CHECK(run.name == "m2-pro");
    CHECK(run.origin == "m2-pro.json");
}
