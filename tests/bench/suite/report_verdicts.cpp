// When a row is slower; Holm's correction; comparisons of two runs.
#include <cmath>

#include "bench/suite/report_rows.hpp"
#include "suite/report/compare.hpp"
#include "suite/report/markdown.hpp"
#include "suite/report/verdict.hpp"
#include "support/catch.hpp"

using namespace silica::test;
using namespace silica::bench::suite::report;

TEST_CASE("Holm's correction is that of R's p.adjust") {
    const auto adjusted = holm(std::vector<double>{0.01, 0.04, 0.03, 0.005});
    const std::vector<double> expected{0.03, 0.06, 0.06, 0.02};
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(adjusted[i] == Approx(expected[i]));
    CHECK(holm(std::vector<double>{}).empty());
    CHECK(holm(std::vector<double>{0.3})[0] == Approx(0.3));
    CHECK(holm(std::vector<double>{0.9, 0.8})[0] == 1);  // none is more than certain
    CHECK(holm(std::vector<double>{std::nan(""), 0.001})[0] == 1);
    CHECK(holm(std::vector<double>{std::nan(""), 0.001})[1] == Approx(0.002));
}

TEST_CASE("A verdict needs the whole interval beyond the bound") {
    const double p = 0.001, bound = 0.05;
    CHECK(verdict_on({.ratio = 1.2, .low = 1.1, .high = 1.3}, p, bound) == Verdict::slower);
    CHECK(verdict_on({.ratio = 1.2, .low = 1.04, .high = 1.3}, p, bound) == Verdict::unclear);
    CHECK(verdict_on({.ratio = 1.2, .low = 1.1, .high = 1.3}, 0.2, bound) == Verdict::unclear);
    CHECK(verdict_on({.ratio = 0.8, .low = 0.7, .high = 0.9}, p, bound) == Verdict::faster);
    CHECK(verdict_on({.ratio = 0.8, .low = 0.7, .high = 0.96}, p, bound) == Verdict::unclear);
    CHECK(verdict_on({.ratio = 1.03, .low = 1.02, .high = 1.04}, p, bound) == Verdict::same);
    CHECK(verdict_on({.ratio = 1, .low = 0.97, .high = 1.04}, 1, bound) == Verdict::same);
    CHECK(verdict_on({.ratio = 1, .low = 0.9, .high = 1.04}, 1, bound) == Verdict::unclear);
    CHECK(verdict_on({.ratio = 1.03, .low = 1.02, .high = 1.04}, p, 0) == Verdict::slower);
}

namespace {

Compared between(std::vector<RowWish> a, std::vector<RowWish> b, double bound = 0.05) {
    std::vector<Source> before, after;
    before.push_back(source(std::move(a), 1, "2026-11-26T04:00:00Z"));
    after.push_back(source(std::move(b), 2));
    return comparison_of(std::move(before), std::move(after), bound);
}

Verdict only_verdict(const Compared& c) {
    REQUIRE(c.changes.size() == 1);
    return c.changes.front().verdict;
}

}  // namespace

TEST_CASE("Two runs: slower, faster, the same") {
    CHECK(only_verdict(between({{}}, {{}})) == Verdict::same);
    CHECK_FALSE(between({{}}, {{}}).slower());
    CHECK(only_verdict(between({{}}, {{.samples = times(1.3)}})) == Verdict::slower);
    CHECK(between({{}}, {{.samples = times(1.3)}}).slower());
    CHECK(only_verdict(between({{}}, {{.samples = times(0.7)}})) == Verdict::faster);
    CHECK_FALSE(between({{}}, {{.samples = times(0.7)}}).slower());
    CHECK_FALSE(between({{}}, {{.samples = times(1.3)}}, 0.5).slower());  // within a bound of 50 %
}

TEST_CASE("Noise is not slower: an interval that reaches below the bound decides nothing") {
    const auto c = between({{}}, {{.samples = {0.6, 0.7, 0.9, 1.0, 1.3, 1.6, 1.9, 2.2, 2.6, 3.0}}});
    CHECK(only_verdict(c) == Verdict::unclear);
    CHECK_FALSE(c.slower());
}

TEST_CASE("Simulated rows and too few samples never count") {
    const RowWish a{.hardware = "mps", .simulated = true}, b{.hardware = "mps", .simulated = true, .samples = times(5)};
    CHECK(only_verdict(between({a}, {b})) == Verdict::simulated);
    CHECK_FALSE(between({a}, {b}).slower());
    CHECK(only_verdict(between({{.samples = {1, 1, 1}}}, {{.samples = {5, 5, 5}}})) == Verdict::untested);
    CHECK_FALSE(between({{.samples = {1, 1, 1}}}, {{.samples = {5, 5, 5}}}).slower());
}

TEST_CASE("Rows that differ in hardware, precision, loader, batch or weights are not compared") {
    const auto c = between({{}, {.precision = "bfloat16"}, {.loader = "streamed"}, {.random = true}},
                           {{}, {.batch = 2}, {.hardware = "mps", .simulated = true}});
    CHECK(c.changes.size() == 1);
    CHECK(c.only_before.size() == 3);
    CHECK(c.only_after.size() == 2);
    const auto text = markdown(document_of(c));
    CHECK_THAT(text, ContainsSubstring("Only in A"));
    CHECK_THAT(text, ContainsSubstring("Only in B"));
}

TEST_CASE("Other machines and versions are said; of a row that stands twice the last counts") {
    std::vector<Source> before, after;
    before.push_back(source({{.samples = times(9)}, {}}));
    after.push_back(source({{}}));
    after.front().run.machine["cores"] = 64;
    after.front().run.versions["silica"] = "9.9.9";
    const auto c = comparison_of(std::move(before), std::move(after), 0.05);
    CHECK(only_verdict(c) == Verdict::same);
    REQUIRE(c.differences.size() == 2);
    CHECK_THAT(c.differences[0], ContainsSubstring("cores 2, now 64"));
    CHECK_THAT(c.differences[1], ContainsSubstring("silica 0.1.0, now 9.9.9"));
    CHECK(json_of(c)["differences"].size() == 2);
}

TEST_CASE("A report corrects for the number of rows, a comparison does not") {
    // Six samples of each give p = 0.002 at least: 40 such rows at once show nothing.
    const std::vector<double> six{1.0, 1.01, 1.02, 1.03, 1.04, 1.05};
    std::vector<RowWish> before, after;
    for (int i = 0; i < 40; ++i) {
        before.push_back({.model = "m" + std::to_string(i), .samples = six});
        after.push_back({.model = "m" + std::to_string(i), .samples = i == 0 ? times(1.5, six) : six});
    }
    Question question{.reported = {}};
    question.reported.push_back(source(after, 2));
    question.earlier.push_back(source(before, 1, "2026-11-26T04:00:00Z"));
    const auto data = gathered(std::move(question));
    REQUIRE(data.changes.size() == 40);
    for (const auto& change : data.changes) CHECK(change.verdict != Verdict::slower);
    CHECK(between(before, after).slower());
}
