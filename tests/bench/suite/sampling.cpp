#include "suite/sampling.hpp"

#include <cmath>
#include <random>

#include "suite/conditions.hpp"
#include "suite/statistics.hpp"
#include "support/catch.hpp"

namespace {

using namespace silica::bench::suite;
using silica::test::ContainsSubstring;
using Values = std::vector<double>;

/// How many calls of `times(i)` the rule asks for.
template <class Rule, class Times>
std::size_t calls(Rule rule, const Sampling& s, Times times) {
    Values x;
    while (!rule(x, s)) x.push_back(times(static_cast<int>(x.size())));
    return x.size();
}

std::size_t warmup(const Sampling& s, const std::function<double(int)>& times) { return calls(warm, s, times); }
std::size_t samples(const Sampling& s, const std::function<double(int)>& times) { return calls(enough, s, times); }

}  // namespace

TEST_CASE("Numbers that are given hold") {
    const Sampling fixed{.warmup = 3, .iterations = 7};
    const auto wild = [](int i) { return i % 2 == 0 ? 1.0 : 1e6; };
    CHECK(warmup(fixed, wild) == 3);
    CHECK(samples(fixed, wild) == 7);
    CHECK(warmup({.warmup = 0}, wild) == 0);
}

TEST_CASE("A warm-up lasts until times settle, or for as long as is allowed") {
    CHECK(warmup({}, [](int) { return 1.0; }) == 6);
    const auto falling = warmup({}, [](int i) { return 1 + 20 * std::pow(0.5, i); });
    CHECK(falling > 8);
    CHECK(falling < 16);
    CHECK(warmup({}, [](int) { return 5000.0; }) == 1);     // one call is longer than the warm-up
    CHECK(warmup({}, [](int i) { return i + 40.0; }) < 50);  // slower by ever less of itself
    CHECK(warmup({}, [](int i) { return 0.01 * std::pow(1.2, i); }) == 50);
}

TEST_CASE("Samples are taken until the median's interval is narrow, or for as long as is allowed") {
    CHECK(samples({}, [](int) { return 1.0; }) == 10);
    CHECK(samples({}, [](int) { return 20000.0; }) == 3);
    std::mt19937 random(3);
    std::lognormal_distribution<double> noise(0, 0.1);
    Values x;
    const Sampling s;
    while (!enough(x, s)) x.push_back(noise(random));
    CHECK(x.size() > 20);
    CHECK(x.size() < 200);
    CHECK(median_interval(x).relative_width() <= s.within);
    CHECK(samples({}, [](int i) { return i % 2 == 0 ? 1.0 : 3.0; }) == 1000);
    CHECK(samples({}, [](int i) { return i % 2 == 0 ? 1000.0 : 3000.0; }) == 6);  // 10 s are over
}

TEST_CASE("What disturbs a measurement is said") {
    const Values calm(20, 1.0), wide{1, 1, 1, 1, 1, 2, 2, 2, 2, 2}, few{1, 1.5, 1.1};
    CHECK(noise(calm, {}, {}).empty());
    CHECK(noise(Values{5}, {}, {}).empty());
    REQUIRE(noise(wide, {}, {}).size() == 1);
    CHECK_THAT(noise(wide, {}, {})[0], ContainsSubstring("67 % wide"));
    CHECK_THAT(noise(few, {}, {}).at(0), ContainsSubstring("differ by 45 %"));
    CHECK_THAT(noise(calm, {}, {.others = 0.7}).at(0), ContainsSubstring("0.7 processors"));
    CHECK(noise(calm, {}, {.others = 0.1, .mhz_before = 3000, .mhz_after = 2900}).empty());
    CHECK_THAT(noise(calm, {}, {.mhz_before = 3000, .mhz_after = 2000}).at(0),
               ContainsSubstring("from 3000 to 2000 MHz"));
    CHECK_THAT(noise(calm, {}, {.throttled = true}).at(0), ContainsSubstring("too hot"));
    CHECK(noise(wide, {}, {.others = 1, .mhz_before = 3, .mhz_after = 2, .throttled = true}).size() == 4);
}

TEST_CASE("The condition of this machine is as far as it tells") {
    const auto now = conditions_now();
    const auto json = conditions_json(now);
    CHECK(json.is_object());
    for (const auto& [name, value] : json.items()) CHECK((value.is_string() || value.get<double>() >= 0));
    const auto before = processor_time();
    volatile double x = 1;
    while (processor_time().own - before.own < 0.05) x = x * 1.0000001;
    const auto after = processor_time();
    CHECK(after.own > before.own);
    CHECK(after.all >= before.all);
    CHECK(conditions_json({}).empty());
    CHECK(
        conditions_json(
            {.load = 0.5, .mhz = 2100, .governor = "performance", .celsius = 40, .pressure = "nominal", .throttled = 2})
            .size() == 6);
}
