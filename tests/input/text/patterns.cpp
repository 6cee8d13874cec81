/// Patterns in Oniguruma's syntax against what Oniguruma matches (golden/patterns.json), in a program that uses PCRE2
/// with another width.

#undef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 16
#include <silica/input/text/regex.hpp>

#if PCRE2_CODE_UNIT_WIDTH != 16
#error "the width of the user's PCRE2 is changed"
#endif

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <string>
#include <vector>

namespace {

using silica::text::Regex;
using Pieces = std::vector<std::string>;

/// The matches of a pattern, and what lies between.
Pieces pieces(const Regex& regex, const std::string& text) {
    Pieces made;
    std::size_t done = 0;
    const auto add = [&](std::size_t start, std::size_t end) {
        if (end > start) made.push_back(text.substr(start, end - start));
    };
    regex.each_match(text, [&](std::size_t start, std::size_t end) {
        add(done, start);
        add(start, end);
        done = end;
    });
    add(done, text.size());
    return made;
}

}  // namespace

TEST_CASE("Patterns match what Oniguruma matches") {
    std::ifstream in(std::string(SILICA_TESTS_DIR) + "/input/text/golden/patterns.json");
    REQUIRE(in);
    const auto file = nlohmann::json::parse(in);
    const auto& entries = file.at("entries");
    const auto texts = entries.at(0).at("texts").get<Pieces>();
    REQUIRE(entries.size() > 30);
    for (std::size_t i = 1; i < entries.size(); ++i) {
        const auto pattern = entries[i].at("name").get<std::string>();
        INFO(pattern);
        if (entries[i].at("pieces").is_null()) {
            CHECK_THROWS_AS(Regex(pattern, "the test"), silica::ConfigError);
            continue;
        }
        const Regex regex(pattern, "the test");
        for (std::size_t k = 0; k < texts.size(); ++k) {
            CHECK(pieces(regex, texts[k]) == entries[i].at("pieces")[k].get<Pieces>());
        }
    }
}

TEST_CASE("The width of the user's PCRE2 has no part in it") {
    CHECK(pieces(Regex("b+", "the test"), "aabbaa") == Pieces{"aa", "bb", "aa"});
}

TEST_CASE("Sets that nest without end are refused") {
    CHECK_THROWS_AS(Regex(std::string(10000, '['), "the test"), silica::ConfigError);
    CHECK_THROWS_AS(Regex(std::string(60, '[') + "a" + std::string(60, ']'), "the test"), silica::ConfigError);
    CHECK_THROWS_AS(Regex("[a&&", "the test"), silica::ConfigError);
    CHECK_THROWS_AS(Regex("[[:nonsense:]]", "the test"), silica::ConfigError);
}
