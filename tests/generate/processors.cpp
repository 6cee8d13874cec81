// Scores before and after, equal to transformers' processors.
#include "silica/generate/processors.hpp"

#include <chrono>
#include <cmath>
#include <numeric>
#include <string>

#include "silica/checkpoint/config.hpp"
#include "silica/generate/processors/entropy.hpp"
#include "silica/generate/processors/length.hpp"
#include "silica/generate/processors/ngrams.hpp"
#include "silica/generate/processors/penalties.hpp"
#include "silica/generate/processors/warpers.hpp"
#include "silica/generate/random.hpp"
#include "silica/generate/read_config.hpp"
#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;
using generate::forbidden, generate::GenerationConfig, generate::Processors, generate::Row;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();

/// The awkward scores of tests/golden/make_generate.py, of any length.
std::vector<float> scores_of(const std::string& kind, std::size_t n) {
    const bool ties = kind == "ties", half = kind == "half forbidden";
    std::uint64_t x = ties ? 6 : half ? 7 : 5;
    std::vector<float> made;
    for (std::size_t i = 0; i < n; ++i) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        const auto k = x >> 33U;
        const auto value = ties ? (static_cast<float>(k % 5) - 2) / 2 : (static_cast<float>(k % 641) - 320) / 64;
        made.push_back(half && k % 2 == 1 ? -inf : value);
    }
    return made;
}

/// One row of prompt and written tokens.
struct Written {
    std::vector<std::int64_t> ids;
    std::size_t prompt = 0, padding = 0;
    [[nodiscard]] Row row() const { return {ids, prompt, padding, std::span(ids).first(prompt)}; }
};

std::vector<float> processed(const GenerationConfig& c, std::vector<float> scores, const Written& w) {
    Processors(c, w.prompt, 30)(scores, w.row());
    return scores;
}

}  // namespace

TEST_CASE("processors do to awkward scores what transformers' do", "[generate]") {
    const Json golden =
        checkpoint::read_json_document(std::string(SILICA_TESTS_DIR) + "/golden/generate", "processors.json");
    std::vector<std::vector<std::int64_t>> ids;
    read_json(ids, *golden.find("ids"), "ids");
    std::size_t checked = 0;
    for (const Json& c : golden.find("cases")->array()) {
        const auto kind = c.find("kind")->string();
        const auto n = static_cast<std::size_t>(c.find("n")->integer());
        std::string keys;
        for (const auto& [key, value] : c.find("config")->object()) keys += key + "=" + value.brief() + " ";
        CAPTURE(kind, n, keys);
        GenerationConfig config;
        read_json(config, *c.find("config"), "config:");
        std::vector<float> before;
        if (n == 40) {
            for (const Json& v : golden.find("scores")->find(kind)->array())
                before.push_back(static_cast<float>(v.number()));
        } else {
            before = scores_of(kind, n);
        }
        for (std::size_t r = 0; r < 2; ++r) {
            if (r == 1) std::ranges::reverse(before);
            const auto after = processed(config, before, {ids[r], 6, 0});
            ++checked;
            // By score: which of several equal ones torch keeps depends on the machine.
            std::vector<double> got;
            for (const float v : after) {
                if (v != forbidden) got.push_back(static_cast<double>(v));
            }
            std::vector<double> want;
            if (const Json* sums = c.find("sums")) {
                read_json(want, sums->array()[r], "sums");
                const double count = static_cast<double>(got.size()),
                             sum = std::accumulate(got.begin(), got.end(), 0.0);
                const double squares = std::inner_product(got.begin(), got.end(), got.begin(), 0.0);
                got = {count, sum, squares};
            } else {
                for (const Json& v : c.find("after")->array()[r].array()) {
                    if (!v.is_null()) want.push_back(v.number());
                }
                std::ranges::sort(want);
                std::ranges::sort(got);
            }
            CHECK(got.size() == want.size());
            if (got.size() != want.size()) continue;
            for (std::size_t i = 0; i < want.size(); ++i)
                CHECK(std::abs(got[i] - want[i]) <= 2e-6 * (1 + std::abs(want[i])));
        }
    }
    CHECK(checked > 700);
}

TEST_CASE("frequency and presence penalties count what was written", "[generate]") {
    const Written w{{1, 2, 2, 5, 5, 3, 5}, 3, 0};
    const auto after = processed({.frequency_penalty = 0.5, .presence_penalty = 0.25}, std::vector<float>(8, 1.0F), w);
    CHECK(after == std::vector<float>{1, 1, 1, 0.25F, 1, -0.75F, 1, 1});
}

TEST_CASE("the repetition penalty leaves padding out, and meets a token once", "[generate]") {
    const Written w{{0, 0, 3, 3, 4}, 4, 2};
    const auto after = processed({.repetition_penalty = 2.0}, {1, 1, 1, 1, -1, -1}, w);
    CHECK(after == std::vector<float>{1, 1, 1, 0.5F, -2, -1});
}

TEST_CASE("processors that are off are not there", "[generate]") {
    CHECK(Processors(GenerationConfig{}, 5, 25).empty());
    CHECK(Processors({.min_length = 5,
                      .temperature = 0.1,
                      .top_k = 3,
                      .top_p = 0.5,
                      .repetition_penalty = 1.0,
                      .frequency_penalty = 0.0,
                      .no_repeat_ngram_size = 0,
                      .eos_token_id = {{3}}},
                     5, 25)
              .empty());
    CHECK_FALSE(Processors({.do_sample = true}, 5, 25).empty());
    CHECK_FALSE(Processors({.min_length = 6, .eos_token_id = {{3}}}, 5, 25).empty());
    bool called = false;
    Processors own({}, 5, 25, {[&](generate::Scores, const Row&) { called = true; }});
    std::vector<float> scores(3);
    own(scores, Written{{1}, 1, 0}.row());
    CHECK(called);
}

TEST_CASE("infinities and NaN become numbers where asked", "[generate]") {
    const auto after = processed({.remove_invalid_values = true}, {NAN, inf, -inf, 2}, {{1}, 1, 0});
    constexpr float most = std::numeric_limits<float>::max();
    CHECK(after == std::vector<float>{0, most, -most, 2});
}

TEST_CASE("random numbers are those of Philox4x32-10", "[generate]") {
    // Known answers of the authors' Random123, kat_vectors.
    CHECK(generate::philox(0, {0, 0, 0, 0}) ==
          std::array<std::uint32_t, 4>{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U});
    CHECK(generate::philox(0xffffffffffffffffU, {0xffffffffU, 0xffffffffU, 0xffffffffU, 0xffffffffU}) ==
          std::array<std::uint32_t, 4>{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU});
    CHECK(generate::philox(0x299f31d0a4093822U, {0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}) ==
          std::array<std::uint32_t, 4>{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U});
    double sum = 0, gumbel = 0;
    for (std::uint32_t i = 0; i < 20000; ++i) {
        const generate::Random r(3, i % 7, i / 7);
        CHECK((r.uniform() >= 0 && r.uniform() < 1));
        sum += r.uniform(), gumbel += r.gumbel(1);
    }
    CHECK(sum / 20000 == test::Approx(0.5).margin(0.01));
    CHECK(gumbel / 20000 == test::Approx(0.5772).margin(0.03));  // Euler's constant
}

TEST_CASE("the k-th largest and the largest are those of a sorted list", "[generate]") {
    for (const std::size_t n : std::initializer_list<std::size_t>{1, 7, 500, 9000}) {
        auto scores = scores_of(n % 2 == 1 ? "ties" : "half forbidden", n);
        auto sorted = scores;
        std::ranges::sort(sorted, std::greater{});
        for (const std::size_t k : std::initializer_list<std::size_t>{1, 2, 6, 50, 2048, 2049, 8999, 100000})
            CHECK(generate::kth_largest(scores, k) == sorted[std::min(k, n) - 1]);
        CHECK(generate::most_likely(scores) == std::ranges::find(scores, sorted[0]) - scores.begin());
        CHECK(generate::largest(scores) == sorted[0]);
        scores[n / 2] = NAN;
        CHECK(generate::most_likely(scores) == -1);
    }
}

TEST_CASE("processors refuse numbers out of range, and rows that say they are longer than they are", "[generate]") {
    using test::refuses;
    constexpr double nan = std::numeric_limits<double>::quiet_NaN(), most = std::numeric_limits<double>::infinity();
    const auto numbers = [](const char* key, auto make, std::initializer_list<double> wrong) {
        for (const double x : wrong) {
            CAPTURE(key, x);
            refuses<InputError>([&] { static_cast<void>(make(x)); }, {key});
        }
    };
    numbers("temperature", [](double x) { return generate::temperature(x); }, {nan, most, 0, -1});
    numbers("top_p", [](double x) { return generate::top_p(x, 1); }, {nan, most, -0.1, 1.1});
    numbers("min_p", [](double x) { return generate::min_p(x, 1); }, {nan, most, -0.1, 1.1});
    numbers("top_h", [](double x) { return generate::top_h(x); }, {nan, most, 0, 1.1});
    numbers("typical_p", [](double x) { return generate::typical_p(x, 1); }, {nan, most, 0, 1.1});
    numbers("epsilon_cutoff", [](double x) { return generate::epsilon_cutoff(x, 1); }, {nan, most, -0.1, 1});
    numbers("eta_cutoff", [](double x) { return generate::eta_cutoff(x, 1); }, {nan, most, -0.1, 1});
    numbers("repetition_penalty", [](double x) { return generate::repetition_penalty(x); }, {nan, most, 0, -1});
    numbers("encoder_repetition_penalty", [](double x) { return generate::encoder_repetition_penalty(x); },
            {nan, most, 0, -1});
    numbers("frequency_penalty", [](double x) { return generate::frequency_penalty(x, 0); }, {nan, most, -most});
    numbers("presence_penalty", [](double x) { return generate::frequency_penalty(0, x); }, {nan, most, -most});
    numbers("factor", [](double x) { return generate::urge_end({0, x}, {1}); }, {nan, most});
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 62}) {
        CAPTURE(n);
        refuses<InputError>([&] { static_cast<void>(generate::top_p(0.5, n)); }, {"keep"});
        refuses<InputError>([&] { static_cast<void>(generate::min_p(0.5, n)); }, {"keep"});
        refuses<InputError>([&] { static_cast<void>(generate::typical_p(0.5, n)); }, {"keep"});
        refuses<InputError>([&] { static_cast<void>(generate::epsilon_cutoff(0.5, n)); }, {"keep"});
        refuses<InputError>([&] { static_cast<void>(generate::eta_cutoff(0.5, n)); }, {"keep"});
        refuses<InputError>([&] { static_cast<void>(generate::top_k(n, 1)); }, {"top_k"});
        refuses<InputError>([&] { static_cast<void>(generate::top_k(1, n)); }, {"keep"});
    }
    refuses<InputError>([] { static_cast<void>(generate::no_repeat_ngrams(0)); }, {"0 tokens"});
    refuses<InputError>([] { static_cast<void>(generate::no_encoder_ngrams(0)); }, {"0 tokens"});
    refuses<InputError>([] { Processors({}, 1, 9, {generate::Processor()}); }, {"empty"});
    refuses<InputError>([] { Processors({.do_sample = true, .temperature = 0.0}, 1, 9); }, {"temperature"});

    std::vector<float> scores(8, 0.5F), none;
    const std::vector<std::int64_t> ids{1, 2, 3};
    const Row longer{ids, 7, 9, {}};
    refuses<InputError>([&] { generate::repetition_penalty(2)(scores, longer); }, {"3 tokens", "9"});
    refuses<InputError>([&] { generate::frequency_penalty(1, 1)(scores, longer); }, {"3 tokens", "7"});
    refuses<InputError>([&] { generate::urge_end({0, 2}, {1})(scores, longer); }, {"3 tokens", "7"});
    refuses<InputError>([&] { static_cast<void>(generate::kth_largest(none, 1)); }, {"no scores"});
    refuses<InputError>([&] { generate::forbid_unlikely(none, 0.5F, 1); }, {"no scores"});
    refuses<InputError>([] { static_cast<void>(generate::top_h(nan)); }, {"top_h is nan"});
    refuses<InputError>([] { static_cast<void>(generate::encoder_repetition_penalty(nan)); }, {"penalty is nan"});
    refuses<InputError>([] { generate::require_run(0); }, {"0 tokens"});
    refuses<InputError>([&] { generate::forbid_ngrams(scores, ids, ids, 0); }, {"0 tokens"});
    CHECK(generate::most_likely(none) == -1);
    // Ids beyond the scores are left out; of longer runs than there are tokens none comes twice.
    const std::vector<std::int64_t> outside{-5, 8, std::int64_t{1} << 62};
    generate::urge_end({0, 2}, outside)(scores, {ids, 1, 0, {}});
    generate::no_repeat_ngrams(std::numeric_limits<std::size_t>::max())(scores, {ids, 1, 0, {}});
    CHECK(scores == std::vector<float>(8, 0.5F));
}
