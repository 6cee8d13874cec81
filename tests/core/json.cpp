// Json: numbers as Python reads them, names that stand twice, bounds.
#include <cmath>
#include <limits>
#include <string>

#include "silica/core/json.hpp"
#include "silica/core/json_reader.hpp"
#include "silica/core/real.hpp"
#include "support/catch.hpp"

using namespace silica;
using silica::test::ContainsSubstring;

namespace {

Json parse(const std::string& text) { return Json::parse(text, "test.json"); }

}  // namespace

TEST_CASE("integers keep all their digits", "[json]") {
    CHECK(parse("9223372036854775807").integer() == std::numeric_limits<std::int64_t>::max());
    CHECK(parse("-9223372036854775808").integer() == std::numeric_limits<std::int64_t>::min());
    for (const std::string digits : {"9223372036854775808", "-9223372036854775809", "123456789012345678901234567890"}) {
        const auto json = parse(digits);
        CHECK_FALSE(json.is_integer());
        CHECK(json.is_number());
        REQUIRE(json.is_long_integer());
        CHECK(json.digits() == digits);
        CHECK(json.brief() == digits);
    }
    CHECK(parse("9223372036854775808").number() == 9223372036854775808.0);
    CHECK(parse(std::string(4300, '9')).is_long_integer());
    CHECK_THROWS_WITH(parse(std::string(4301, '9')), ContainsSubstring("4300 digits"));
}

TEST_CASE("floats are the nearest doubles", "[json]") {
    CHECK(parse("0.1").number() == 0.1);
    CHECK(parse("1e23").number() == 1e23);
    CHECK(parse("2.2250738585072011e-308").number() == 2.2250738585072011e-308);
    CHECK(parse("5e-324").number() == 5e-324);
    CHECK(parse("1e-400").number() == 0);
    CHECK(parse("1e400").number() == std::numeric_limits<double>::infinity());
    CHECK(parse("-1e400").number() == -std::numeric_limits<double>::infinity());
    CHECK(std::signbit(parse("-0.0").number()));
    CHECK(parse("-0").integer() == 0);
    for (const char* text : {"0.1", "-12.5e+3", "1e400", "-1e-400", "4.9406564584124654e-324"})
        CHECK(read_real(text) == detail::slow_real(text));
}

TEST_CASE("what Python writes besides JSON's numbers is read", "[json]") {
    const auto json = parse(R"([NaN, Infinity, -Infinity])");
    CHECK(std::isnan(json.array()[0].number()));
    CHECK(json.array()[1].number() == std::numeric_limits<double>::infinity());
    CHECK(json.array()[2].number() == -std::numeric_limits<double>::infinity());
    JsonReader in(R"({"a": NaN, "b": [-Infinity]})", "test.json", "");
    in.skip();
    in.end();
    for (const char* wrong : {"nan", "inf", "-NaN", "+1", "01", "1.", ".5", "-", "1e", "Infinit", "--1"})
        CHECK_THROWS_AS(parse(wrong), ConfigError);
}

TEST_CASE("of a name that stands twice in an object the last value counts, in the first place", "[json]") {
    std::string many;
    for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\": " + std::to_string(i) + ", ";
    CHECK(parse("{" + many + "\"z\": 1}").object().size() == 101);
    const auto twice = parse("{" + many + "\"k50\": -1, \"k7\": -2, \"k50\": -3}");
    REQUIRE(twice.object().size() == 100);
    for (int i = 0; i < 100; ++i) {
        const auto& [name, value] = twice.object()[static_cast<std::size_t>(i)];
        CHECK(name == "k" + std::to_string(i));
        CHECK(value.integer() == (i == 50 ? -3 : i == 7 ? -2 : i));
    }
    const auto small = parse(R"({"a": 1, "b": 2, "a": {"c": 3}, "": 4})");
    REQUIRE(small.object().size() == 3);
    CHECK(small.object()[0].first == "a");
    CHECK(small.find("a")->find("c")->integer() == 3);
    CHECK(small.find("b")->integer() == 2);
    CHECK(small.find("")->integer() == 4);
}

TEST_CASE("no document takes the memory", "[json]") {
    CHECK_THROWS_WITH(parse(std::string(100'000'000, '[')), ContainsSubstring("64 deep"));
    std::string wide = "[0";
    while (wide.size() < (std::size_t{1} << 25)) wide += ",0,0,0,0";
    CHECK_THROWS_WITH(parse(wide + ",0]"), ContainsSubstring("16777216 values"));
}
