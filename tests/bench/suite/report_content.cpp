// What stands in a report, made of rows of every kind.
#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>

#include "bench/suite/report_rows.hpp"
#include "suite/report/html.hpp"
#include "suite/report/json.hpp"
#include "suite/report/markdown.hpp"
#include "suite/report/matrix.hpp"
#include "suite/report/ratios.hpp"
#include "suite/report/sections.hpp"
#include "support/catch.hpp"

using namespace silica::test;
using namespace silica::bench::suite::report;

namespace {

Data data_of(std::vector<RowWish> rows, Known known = {}) {
    Question question{.reported = {}};
    question.reported.push_back(source(std::move(rows)));
    question.known = std::move(known);
    return gathered(std::move(question));
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
    return n;
}

/// Nothing in the page but its own style and script can be run or fetched.
void check_page(const std::string& page) {
    CHECK(count(page, "<script") == 1);
    CHECK(count(page, "<style") == 1);
    CHECK(page.find("://") == std::string::npos);
    CHECK(page.find(" src=") == std::string::npos);
    CHECK(page.find("@import") == std::string::npos);
    CHECK(page.find("nan") == std::string::npos);
    CHECK(page.find(">inf") == std::string::npos);
    const std::regex reference("(href|url\\()=?\"?([^\"); ]*)");
    for (std::sregex_iterator at(page.begin(), page.end(), reference), end; at != end; ++at)
        CHECK((*at)[2].str().starts_with("#"));
}

ordered_json fallback(const char* to) {
    return {{{"op", "gelu"},
             {"from", "mps"},
             {"to", to},
             {"reason", "no_kernel"},
             {"count", 120},
             {"bytes", 4096},
             {"ms", 2.5},
             {"share", 0.25}}};
}

}  // namespace

TEST_CASE("No runs, no rows, one row: a page in each case") {
    const auto nothing = gathered({.reported = {}});
    check_page(html(document_of(nothing)));
    CHECK(json_of(nothing)["rows"].empty());
    const auto empty = data_of({});
    check_page(html(document_of(empty)));
    CHECK_THAT(markdown(document_of(empty)), ContainsSubstring("0 rows: 0 measured."));
    const auto one = data_of({{}});
    const auto page = html(document_of(one));
    check_page(page);
    CHECK_THAT(page, ContainsSubstring("1.045"));           // the median
    CHECK_THAT(page, ContainsSubstring("1.010 to 1.080"));  // the second and the ninth of ten
    CHECK(page.find("<sup>") == std::string::npos);         // a real row has no marks
}

TEST_CASE("Hostile names are text, wherever they stand") {
    const std::string name = "</td><script>alert('x')</script><img src=http://evil onerror=\"x\">\xE2\x80\xAE\xFF|`*";
    RowWish row{.model = name, .family = name, .hardware = name, .precision = name, .loader = name, .marks = {name}};
    row.fields = {{"fallbacks", fallback("cpu")}, {"task", name}};
    row.fields["fallbacks"][0]["op"] = name;
    row.fields["fallbacks"][0]["reason"] = name;
    RowWish failed = row;
    failed.state = State::failed;
    failed.reason = name;
    RowWish other = row;
    other.batch = 2;
    Question question{.reported = {}};
    question.reported.push_back(source({row, failed, other}));
    auto& run = question.reported.front().run;
    run.name = run.command = run.origin = run.shard = run.finished = name;
    run.machine[name] = {{name, name}};
    run.versions = {{"silica", name}};
    run.conditions = {{name, {1, name}}};
    question.earlier.push_back(source({row}, 3, ""));
    question.earlier.front().run.machine = run.machine;
    const auto data = gathered(std::move(question));
    CHECK_FALSE(data.changes.empty());
    const auto page = html(document_of(data));
    CHECK(count(page, "<script") == 1);
    CHECK(page.find("<img") == std::string::npos);
    CHECK(page.find("http://evil onerror=\"") == std::string::npos);
    CHECK(page.find("\xE2\x80\xAE") == std::string::npos);
    CHECK(page.find('\xFF') == std::string::npos);
    const auto text = markdown(document_of(data));
    const std::regex tag("(^|[^\\\\])<");
    CHECK_FALSE(std::regex_search(text, tag));
    CHECK(ordered_json::parse(json_of(data).dump(-1, ' ', false, ordered_json::error_handler_t::replace)).is_object());
}

TEST_CASE("Rows with nulls, wrong types and numbers that are none") {
    RowWish row;
    const double inf = std::numeric_limits<double>::infinity();
    row.samples = {std::nan(""), -1, 0, inf, 2.0, 2.5};
    row.fields = {{"p90_ms", nullptr},
                  {"min_ms", "fast"},
                  {"items_per_s", std::nan("")},
                  {"weights_mb", -inf},
                  {"peak_rss_mb", ordered_json::array()},
                  {"batch_size", -7},
                  {"prompt_tokens", 1e300},
                  {"fallbacks", {1, nullptr, {{"op", 3}, {"count", "x"}}}},
                  {"family", 17},
                  {"simulated", "yes"},
                  {"cache_mb", 1e308}};
    const auto data =
        data_of({row, {.model = "all none", .samples = {}}, {.model = "tiny", .samples = {1e-300, 1e300}}});
    const auto& e = data.entries.front();
    CHECK(e.samples == std::vector<double>{2.0, 2.5});
    CHECK(e.latency.median == Approx(2.25));
    CHECK(std::isnan(e.p90));
    CHECK(std::isnan(e.items_per_s));
    CHECK(e.batch == 1);
    CHECK(e.family == "bert");
    CHECK_FALSE(data.entries[1].measured());
    check_page(html(document_of(data)));
    const auto json = json_of(data).dump();
    CHECK(json.find("nan") == std::string::npos);
    auto broken = source({{}});
    broken.rows[0].row = "no object";
    broken.rows[0].job = ordered_json::array({1});
    broken.run.machine = 5;
    broken.run.versions = nullptr;
    broken.run.conditions = "hot";
    Question question{.reported = {}};
    question.reported.push_back(std::move(broken));
    check_page(html(document_of(gathered(std::move(question)))));
}

TEST_CASE("Every number of a simulated row, and of random weights, is marked") {
    RowWish row{.hardware = "mps", .simulated = true, .random = true};
    row.fields = {{"fallbacks", fallback("cpu")}, {"peak_device_mb", 77.5}};
    RowWish other = row;
    other.precision = "bfloat16";
    const auto data = data_of({row, other});
    const auto document = document_of(data);
    std::size_t numbers = 0;
    const std::regex measured("^-?[0-9.]+(e[+-][0-9]+)?( to [0-9.]+|x| %)?$");
    for (const auto& section : document.sections) {
        if (section.id == "summary" || section.id == "support") continue;  // counts of rows
        for (const auto& block : section.blocks) {
            if (const auto* table = std::get_if<Table>(&block)) {
                for (const auto& cells : table->rows)
                    for (std::size_t i = 0; i < cells.size(); ++i) {
                        const auto& heading = table->columns[i].heading;
                        const bool counts = heading == "batch" || heading == "samples" || heading == "rows";
                        if (!table->columns[i].number || counts || !std::regex_match(cells[i].text, measured)) continue;
                        INFO(table->caption << ": " << heading << " " << cells[i].text);
                        CHECK(cells[i].marks == Marks{true, true});
                        ++numbers;
                    }
            } else if (const auto* plot = std::get_if<BarPlot>(&block)) {
                for (const auto& bar : plot->bars) CHECK(bar.marks == Marks{true, true});
            } else if (const auto* legend = std::get_if<Legend>(&block)) {
                for (const auto& item : legend->items) CHECK(item.marks == Marks{true, true});
            }
        }
    }
    CHECK(numbers > 20);
    const auto page = html(document);
    CHECK(count(page, "<sup>S R</sup>") == numbers);
    CHECK(count(page, "url(#h1)\"/>") > 0);  // hatched
    CHECK_THAT(page, ContainsSubstring("mps (simulated), float32, random weights"));
    const auto text = markdown(document);
    CHECK(count(text, " (S R) |") == numbers);
    CHECK_THAT(text, ContainsSubstring("S: a simulated device"));
    const auto whole = json_of(data);
    for (const auto& json : whole["rows"]) {
        CHECK(json["simulated"] == true);
        CHECK(json["weights"] == "random");
        CHECK(json["marks"] == ordered_json{"simulated", "random weights"});
    }
    CHECK(whole["speedups"].empty());
}

TEST_CASE("States of the matrix") {
    Known known{
        .families = {{"bert", true}, {"t5", true}, {"gpt2", false}},
        .hardware = {{"cpu", true}, {"cuda", true}, {"mps", false}},
        .precisions = {{"float32", true}, {"float16", false}, {"bfloat16", true}, {"int8", true}, {"int4", true}}};
    RowWish with_fallbacks{.hardware = "cuda"}, in_parts{.hardware = "cuda", .precision = "bfloat16"};
    with_fallbacks.fields = {{"fallbacks", fallback("cpu")}};
    in_parts.fields = {{"fallbacks", fallback("parts")}};
    RowWish moved{.hardware = "cuda", .precision = "int4"};  // asked of the GPU, ran on the CPU
    moved.fields = {{"device", "cpu"}, {"hardware", "cpu"}};
    const auto m =
        matrix_of(data_of({{},
                           {.batch = 2, .marks = {}},
                           {.state = State::failed, .reason = "x", .batch = 3},
                           {.precision = "bfloat16", .state = State::out_of_memory},
                           {.precision = "int8", .state = State::pending},
                           with_fallbacks,
                           in_parts,
                           moved,
                           {.family = "t5", .hardware = "cuda", .state = State::unavailable, .reason = "no driver"},
                           {.family = "t5",
                            .hardware = "cuda",
                            .precision = "int8",
                            .state = State::unavailable,
                            .reason = "it was not compiled"},
                           {.hardware = "mps", .simulated = true},
                           {.family = "new", .precision = "float8"}},
                          known));
    const auto at = [&](const char* family, const char* device, const char* precision) {
        const auto place = [](const auto& list, const std::string& name) {
            return static_cast<std::size_t>(std::ranges::find(list, name) - list.begin());
        };
        return m.at(place(m.families, family), place(m.hardware, device), place(m.precisions, precision)).text();
    };
    CHECK(at("bert", "cpu", "float32") == "native (1 of 3 rows failed)");
    CHECK(at("bert", "cpu", "bfloat16") == "failed");
    CHECK(at("bert", "cpu", "int8") == "not run");
    CHECK(at("bert", "cuda", "float32") == "with fallbacks");
    CHECK(at("bert", "cuda", "bfloat16") == "native");
    CHECK(at("bert", "cuda", "int4") == "failed");
    CHECK(at("t5", "cuda", "float32") == "not available");
    CHECK(at("t5", "cuda", "int8") == "not compiled");
    CHECK(at("t5", "cpu", "float32") == "not run");
    CHECK(at("gpt2", "cpu", "float32") == "not compiled");
    CHECK(at("bert", "cpu", "float16") == "not compiled");
    CHECK(at("bert", "mps", "float32") == "not compiled");
    CHECK(at("bert", "mps (simulated)", "float32") == "simulated, native");
    CHECK(at("new", "cpu", "float8") == "native");
}

TEST_CASE("Speed-up is against the CPU in the same precision, of the same work and machine") {
    const auto data = data_of({{},
                               {.precision = "bfloat16", .samples = times(2)},
                               {.hardware = "cuda", .samples = times(0.1)},
                               {.hardware = "cuda", .precision = "bfloat16", .samples = times(0.1)},
                               {.hardware = "cuda", .precision = "float16", .samples = times(0.1)},
                               {.hardware = "cuda", .samples = times(0.1), .batch = 4},
                               {.hardware = "mps", .simulated = true}});
    const auto all = against_cpu(data);
    REQUIRE(all.size() == 3);
    for (const auto& f : all) {
        CHECK(f.times.ratio == Approx(f.row->precision == "bfloat16" ? 20 : 10));
        CHECK(f.times.low <= f.times.ratio);
        CHECK(f.times.high >= f.times.ratio);
        CHECK(f.base->precision == (f.row->precision == "bfloat16" ? "bfloat16" : "float32"));
    }
}

TEST_CASE("Runs of several machines have their columns; equal machines are one") {
    Question question{.reported = {}};
    question.reported.push_back(source({{}}, 1));
    question.reported.push_back(source({{.samples = times(3)}}, 1, "2026-11-27T05:00:00Z"));
    question.reported.push_back(source({{}}, 2));
    question.reported[1].run.machine["chip"] = "Another chip";
    question.reported[1].place = "other.sqlite";
    const auto data = gathered(std::move(question));
    CHECK(data.machines.size() == 2);
    CHECK(data.current.size() == 2);
    CHECK(data.changes.size() == 1);  // run 2 against run 1, of the first machine only
    CHECK(against_cpu(data).empty());
    const auto text = markdown(document_of(data));
    CHECK_THAT(text, ContainsSubstring("Median ms on each machine"));
    CHECK_THAT(text, ContainsSubstring("Another chip, 2 cores, 24 GiB, Linux"));
    CHECK_THAT(text, ContainsSubstring("run 1 of other.sqlite"));
}

TEST_CASE("Noisy rows are marked, and history has its runs in order") {
    Question question{.reported = {}};
    question.reported.push_back(source({{.samples = times(1.5), .marks = {"noisy"}}}, 3));
    question.earlier.push_back(source({{}}, 2, "2026-11-26T04:00:00Z"));
    question.earlier.push_back(source({{.samples = times(4)}}, 1, "2026-11-20T04:00:00Z"));
    const auto data = gathered(std::move(question));
    REQUIRE(data.changes.size() == 1);
    CHECK(data.changes[0].verdict == Verdict::slower);
    CHECK(data.changes[0].comparison.ratio == Approx(1.5));
    const auto text = markdown(document_of(data));
    CHECK_THAT(text, ContainsSubstring("1 slower, 0 faster"));
    CHECK_THAT(text, ContainsSubstring("| run 1 | run 2 | run 3 |"));
    CHECK_THAT(text, ContainsSubstring("noisy"));
    CHECK(json_of(data)["history"].size() == 2);
}

TEST_CASE("A run that is named for it is what changes are tested against") {
    Question question{.reported = {}};
    question.reported.push_back(source({{.samples = times(1.5)}}, 3));
    question.earlier.push_back(source({{.samples = times(1.5)}}, 2, "2026-11-26T04:00:00Z"));
    question.against = source({{}}, 1, "2026-11-20T04:00:00Z");
    question.against->run.machine["chip"] = "Another chip";
    const auto data = gathered(std::move(question));
    REQUIRE(data.changes.size() == 1);
    CHECK(data.changes[0].verdict == Verdict::slower);
    CHECK_THAT(markdown(document_of(data)), ContainsSubstring("another machine"));
}

TEST_CASE("Large tables cost nothing before they are opened, and nothing of them is left out") {
    std::vector<RowWish> few(100), many(101);
    for (std::size_t i = 0; i < many.size(); ++i) many[i].batch = static_cast<std::int64_t>(i) + 1;
    std::copy_n(many.begin(), few.size(), few.begin());
    CHECK(count(html(document_of(data_of(few))), "<noscript>") == 0);
    Question question{.reported = {}};
    question.reported.push_back(source(many, 2));
    question.earlier.push_back(source(many, 1, "2026-11-20T04:00:00Z"));
    const auto data = gathered(std::move(question));
    const auto page = html(document_of(data));
    check_page(page);
    CHECK_THAT(page, ContainsSubstring("Tables of more than 100 rows are folded"));
    std::string built = page;  // what a browser makes elements of
    std::size_t folded = 0;
    for (auto from = built.find("<noscript>"); from != built.npos; from = built.find("<noscript>")) {
        const auto to = built.find("</noscript>", from);
        REQUIRE(to != built.npos);
        const auto table = built.substr(from, to - from);
        CHECK(count(table, "<tr>") == 102);  // with that of its headings
        CHECK(count(table, "<table>") == 1);
        built.erase(from, to - from + 11);
        ++folded;
    }
    CHECK(folded == 4);  // speed, memory, changes, history
    CHECK(count(built, "<details class=\"large\">") == folded);
    CHECK(count(built, "<tr>") < 60);
    CHECK(count(markdown(document_of(data)), "\n| bert-tiny |") == 4 * 101);
}

TEST_CASE("Codes of other groups are other rows") {
    auto rows = source({{.precision = "int4"}, {.precision = "int4"}});
    rows.rows[1].job["group"] = 32;
    Question question{.reported = {}};
    question.reported.push_back(std::move(rows));
    const auto data = gathered(std::move(question));
    CHECK(data.current.size() == 2);
    CHECK(data.entries[1].precision_text() == "int4 group 32");
}
