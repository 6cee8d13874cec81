// Escaping, numbers and axes of reports.
#include <cmath>
#include <limits>

#include "silica/core/error.hpp"
#include "suite/report/bound.hpp"
#include "suite/report/escape.hpp"
#include "suite/report/facts.hpp"
#include "suite/report/numbers.hpp"
#include "support/catch.hpp"

using namespace silica::bench::suite::report;
using nlohmann::ordered_json;

TEST_CASE("Text of untrusted files is no markup") {
    CHECK(html_text("<script>alert(1)</script>") == "&lt;script&gt;alert(1)&lt;/script&gt;");
    CHECK(html_text("\" onload='x' &amp;") == "&quot; onload=&#39;x&#39; &amp;amp;");
    CHECK(html_text("plain") == "plain");
    CHECK(html_text("é <") == "é &lt;");
    CHECK(markdown_text("a|b *c* [d](e) <f> `g` # h") == "a\\|b \\*c\\* \\[d\\](e) \\<f\\> \\`g\\` \\# h");
    CHECK(markdown_text("line\nbreak") == "line break");
    CHECK(markdown_text("https://a.b").find("https://") == std::string::npos);
}

TEST_CASE("What is not UTF-8, and what changes how text is shown, is replaced") {
    const std::string bad = "\xEF\xBF\xBD";
    CHECK(plain("a\xFFz") == "a" + bad + "z");
    CHECK(plain("\xC3") == bad);                                // cut
    CHECK(plain("\xC0\xBC") == bad + bad);                      // an overlong <
    CHECK(plain("\xE0\x80\xBC") == bad + bad + bad);            // the same in three bytes
    CHECK(plain("\xED\xA0\x80") == bad + bad + bad);            // half of a surrogate pair
    CHECK(plain("\xF4\x90\x80\x80") == bad + bad + bad + bad);  // beyond Unicode
    CHECK(plain("\xF0\x9F\x98\x80") == "\xF0\x9F\x98\x80");
    CHECK(plain(std::string("a\0b\x1B", 4)) == "a" + bad + "b" + bad);
    CHECK(plain("gnp.\xE2\x80\xAEtset") == "gnp." + bad + "tset");  // right-to-left override
    CHECK(plain("a\tb\r\n") == "a b  ");
}

TEST_CASE("Texts are cut between characters") {
    CHECK(shortened("abc", 3) == "abc");
    CHECK(shortened("abcd", 3) == "abc…");
    CHECK(shortened("ääää", 2) == "ää…");
    CHECK(shortened("", 0).empty());
}

TEST_CASE("Numbers have about four digits") {
    CHECK(number_text(1.32849) == "1.328");
    CHECK(number_text(13.2849) == "13.28");
    CHECK(number_text(132.849) == "132.8");
    CHECK(number_text(13284.9) == "13285");
    CHECK(number_text(0) == "0.000");
    CHECK(number_text(0.00002) == "2.00e-05");
    CHECK(number_text(1.7e300) == "1.70e+300");
    CHECK(number_text(-2.5) == "-2.500");
    for (const double x : {std::nan(""), std::numeric_limits<double>::infinity()}) {
        CHECK(number_text(x) == "-");
        CHECK(percent_text(x) == "-");
        CHECK(mebibytes_text(x) == "-");
        CHECK(chance_text(x) == "-");
    }
    CHECK(percent_text(0.031) == "3.1 %");
    CHECK(percent_text(0.31) == "31 %");
    CHECK(chance_text(0.0001) == "< 0.001");
    CHECK(chance_text(0.0321) == "0.032");
}

TEST_CASE("Axes have few round marks and hold what is drawn") {
    CHECK(linear_axis(10).ticks == std::vector<double>{0, 2, 4, 6, 8, 10});
    CHECK(linear_axis(1).texts.back() == "1");
    CHECK(linear_axis(0.07).ticks.back() == silica::test::Approx(0.08));
    for (double most = 1e-12; most < 1e12; most *= 1.37) {
        const auto axis = linear_axis(most);
        CHECK(axis.ticks.front() == 0);
        CHECK(axis.ticks.back() >= most * 0.999999);
        CHECK(axis.ticks.back() <= most * 2.1);
        CHECK(axis.ticks.size() >= 3);
        CHECK(axis.ticks.size() <= 7);
        CHECK(axis.texts.size() == axis.ticks.size());
    }
    for (const double wrong : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity(), 1e-310}) {
        CHECK(linear_axis(wrong).ticks.front() == 0);
        CHECK(linear_axis(wrong).ticks.back() == silica::test::Approx(1));
    }
    for (double least = 1e-6; least < 1e4; least *= 7.3) {
        for (const double range : {1.0, 3.0, 50.0, 1000.0, 1e9}) {
            const auto axis = logarithmic_axis(least, least * range);
            CHECK(axis.ticks.front() <= least * 1.000001);
            CHECK(axis.ticks.back() >= least * range * 0.999999);
            CHECK(axis.ticks.size() >= 2);
            CHECK(axis.ticks.size() <= 9);
        }
    }
    CHECK(logarithmic_axis(1, 1000).ticks == std::vector<double>{1, 10, 100, 1000});
    CHECK(logarithmic_axis(std::nan(""), 1).ticks.size() >= 2);
}

TEST_CASE("Places on an axis are from 0 to 1 whatever the value") {
    const auto linear = linear_axis(10), log = logarithmic_axis(1, 1000);
    CHECK(linear.place(5) == silica::test::Approx(0.5));
    CHECK(log.place(10) == silica::test::Approx(1.0 / 3));
    for (const double x : {-1e308, -1.0, 0.0, 1e-300, 1e308, std::nan(""), std::numeric_limits<double>::infinity()}) {
        for (const auto* axis : {&linear, &log}) {
            CHECK(axis->place(x) >= 0);
            CHECK(axis->place(x) <= 1);
        }
    }
}

TEST_CASE("Facts are text, with their units, whatever JSON they are") {
    CHECK(fact_text({"avx2", "fma"}) == "avx2, fma");
    CHECK(fact_text({{{"name", "Performance"}, {"cores", 8}}, {{"name", "Efficiency"}, {"cores", 4}}}) ==
          "name Performance, cores 8; name Efficiency, cores 4");
    CHECK(fact_text(true) == "yes");
    CHECK(fact_text(24152.1) == "24152.1");
    CHECK(fact_text(65536.0) == "65536");
    CHECK(fact_text(nullptr) == "-");
    CHECK(fact_text(ordered_json::array()) == "-");
    CHECK(fact_name("memory_limit_mb") == "memory limit, MiB");
    const auto facts = facts_of({{"start", {{"load", 0.5}, {"celsius", 51}}}, {"gpu_memory_from", "x"}});
    CHECK(facts ==
          Facts{{"start load, average of a minute", "0.5"}, {"start temperature, °C", "51"}, {"gpu memory from", "x"}});
}

TEST_CASE("A bound is a share") {
    CHECK(bound_of("5%") == silica::test::Approx(0.05));
    CHECK(bound_of("5 %") == silica::test::Approx(0.05));
    CHECK(bound_of("0.1") == silica::test::Approx(0.1));
    CHECK(bound_of("0") == 0);
    for (const char* wrong :
         {"", "%", "x", "5%%", "-1", "nan", "inf", "1e3", "0x5", "11", "1001%", "5%x", ".", "1.2.3"}) {
        INFO(wrong);
        CHECK_THROWS_AS(bound_of(wrong), silica::InputError);
    }
}
