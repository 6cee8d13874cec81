// Whole texts: equal to transformers' generate, and to themselves however the call is cut.
#include "silica/generate/complete.hpp"

#include <cmath>
#include <map>
#include <set>

#include <ATen/ops/tensor.h>

#include "generate/toy.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/core/json.hpp"
#include "silica/generate/plan.hpp"
#include "silica/generate/read_config.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"

namespace silica::generate {
static std::ostream& operator<<(std::ostream& out, Finish finish) { return out << name_of(finish); }
}  // namespace silica::generate

namespace complete_tests {

using namespace silica;
using generate::complete, generate::Finish, generate::GenerationConfig, generate::Token;
using test::ContainsSubstring;

namespace {

const Json& toy_cases() {
    static const Json cases =
        checkpoint::read_json_document(std::string(SILICA_TESTS_DIR) + "/golden/generate", "toy.json");
    return cases;
}

Tensor ids_of(const Json& json) {
    std::vector<std::vector<std::int64_t>> rows;
    read_json(rows, json, "toy.json");
    std::vector<std::int64_t> flat;
    for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
    return at::tensor(flat, at::kLong).view({static_cast<std::int64_t>(rows.size()), -1});
}

/// What runs: a prompt that no end token follows within 12 tokens.
generate::Prompt prompt() { return {.input_ids = at::arange(3, 9, at::kLong).view({2, 3})}; }

/// Everything the callback was told.
struct Told {
    std::vector<std::vector<std::int64_t>> ids;
    std::vector<std::string> texts;
    std::vector<std::optional<Finish>> finish;
    std::size_t most = 1000, calls = 0;

    generate::Hooks hooks(generate::TextOf text = {}) {
        return {.on_token =
                    [this](const Token& t) {
                        const auto r = static_cast<std::size_t>(t.row);
                        if (ids.size() <= r) ids.resize(r + 1), texts.resize(r + 1), finish.resize(r + 1);
                        CHECK(static_cast<std::size_t>(t.index) == ids[r].size());
                        CHECK_FALSE(finish[r].has_value());
                        ids[r].push_back(t.id);
                        texts[r] += t.text;
                        finish[r] = t.finish;
                        return ++calls < most;
                    },
                .text = std::move(text)};
    }
};

/// Tokens as letters: 0 is "a".
generate::TextOf letters() {
    return {.decode = [](std::span<const std::int64_t> ids) {
        std::string text;
        for (const auto id : ids) text += static_cast<char>('a' + id);
        return text;
    }};
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("every way of generating gives what transformers gives", "[generate]", test::Devices) {
    if (!test::present<TestType>()) return;
    std::size_t checked = 0;
    for (const Json& c : toy_cases().array()) {
        CAPTURE(c.find("name")->string(), c.find("seed")->integer());
        const auto model = test::toy<TestType>({.seed = c.find("seed")->integer()});
        generate::ModelDecoder decoder(model);
        GenerationConfig config;
        read_json(config, *c.find("config"), "toy.json:");
        if (config.do_sample) config.seed = 5;
        generate::Prompt p{ids_of(*c.find("ids"))};
        if (!c.find("mask")->is_null()) p.attention_mask = ids_of(*c.find("mask"));
        const Tensor want = ids_of(*c.find("sequences"));
        for (const std::int64_t chunk : {2048, 2, 1}) {
            CAPTURE(chunk);
            config.prefill_chunk_size = chunk;
            const auto out = complete(decoder, p, config);
            REQUIRE(out.sequences.sizes() == want.sizes());
            CHECK(test::differs(out.sequences, want, 0) == "");
            if (const Json* scores = c.find("scores")) {
                std::vector<double> values;
                read_json(values, *scores, "toy.json: scores");
                REQUIRE(values.size() == out.scores.size());
                for (std::size_t i = 0; i < values.size(); ++i)
                    CHECK(static_cast<double>(out.scores[i]) == test::Approx(values[i]).epsilon(1e-5));
            }
            ++checked;
        }
    }
    CHECK(checked > 300);
}

TEST_CASE("each row of a batch is what it is alone", "[generate]") {
    const auto model = test::toy<device::Cpu>({.eos_token_id = 4});
    generate::ModelDecoder decoder(model);
    const Tensor ids = at::tensor({0, 0, 7, 9, 0, 1, 2, 3, 5, 6, 8, 11}, at::kLong).view({3, 4});
    const Tensor mask = at::tensor({0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1}, at::kLong).view({3, 4});
    for (const auto& config :
         {GenerationConfig{.max_new_tokens = 20}, GenerationConfig{.max_new_tokens = 20, .repetition_penalty = 1.5},
          GenerationConfig{.max_new_tokens = 20, .encoder_repetition_penalty = 9.0},
          GenerationConfig{.max_new_tokens = 20, .no_repeat_ngram_size = 1},
          GenerationConfig{.max_new_tokens = 20, .encoder_no_repeat_ngram_size = 1},
          GenerationConfig{.max_new_tokens = 20, .sequence_bias = std::vector<generate::SequenceBias>{{{0, 5}, 99.0}}},
          GenerationConfig{.max_new_tokens = 20, .num_beams = 3}}) {
        const auto batch = complete(decoder, {ids, mask}, config);
        CHECK(batch.prompt_tokens == 9);
        for (std::int64_t r = 0; r < 3; ++r) {
            const auto first = r == 0 ? 2 : r == 1 ? 1 : 0;
            const auto alone = complete(decoder, {ids.slice(0, r, r + 1).slice(1, first)}, config);
            CHECK(batch.tokens[static_cast<std::size_t>(r)] == alone.tokens[0]);
            CHECK(batch.finish[static_cast<std::size_t>(r)] == alone.finish[0]);
        }
    }
}

TEMPLATE_LIST_TEST_CASE("the callback is told every token, its text, and how a row ended", "[generate]",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = test::toy<TestType>({.eos_token_id = 4});
    generate::ModelDecoder decoder(model);
    std::set<Finish> ways;
    for (const std::int64_t beams : {1, 3}) {
        for (const double penalty : {1.0, 1.2}) {  // on the device, on the host
            Told told;
            const auto out =
                complete(decoder, prompt(), {.max_new_tokens = 16, .num_beams = beams, .repetition_penalty = penalty},
                         told.hooks(letters()));
            CHECK(told.ids == out.tokens);
            CHECK(told.texts == out.texts);
            std::int64_t tokens = 0;
            for (std::size_t r = 0; r < 2; ++r) {
                REQUIRE(told.finish[r].has_value());
                CHECK(*told.finish[r] == out.finish[r]);
                ways.insert(out.finish[r]);
                CHECK((out.tokens[r].back() == 4) == (out.finish[r] == Finish::eos));
                CHECK(out.texts[r] == letters().decode(out.tokens[r]));
                tokens += static_cast<std::int64_t>(out.tokens[r].size());
            }
            CHECK(out.new_tokens == tokens);
            CHECK(out.prefill_seconds > 0);
            CHECK(out.decode_seconds >= 0);
        }
    }
    CHECK(ways == std::set{Finish::eos, Finish::length});
}

TEST_CASE("the callback ends a call", "[generate]") {
    const auto model = test::toy<device::Cpu>();
    generate::ModelDecoder decoder(model);
    for (const double penalty : {1.0, 1.2}) {
        Told told;
        told.most = 5;  // of two rows: the third step begins
        const auto out =
            complete(decoder, prompt(), {.max_new_tokens = 16, .repetition_penalty = penalty}, told.hooks(letters()));
        CHECK(told.calls == 5);
        CHECK(out.finish == std::vector{Finish::cancelled, Finish::cancelled});
        CHECK(out.tokens[0].size() == 3);
        CHECK(out.tokens[0] == told.ids[0]);
        CHECK(out.texts[0] == told.texts[0]);
        CHECK(out.texts[1] == letters().decode(out.tokens[1]));
    }
}

TEST_CASE("a stop string ends a row and is not handed out, wherever tokens meet", "[generate]") {
    const auto model = test::toy<device::Cpu>();
    generate::ModelDecoder decoder(model);
    const auto whole = complete(decoder, prompt(), {.max_new_tokens = 20}, {.text = letters()});
    for (const std::int64_t beams : {1, 3}) {
        const auto all = complete(decoder, prompt(), {.max_new_tokens = 20, .num_beams = beams}, {.text = letters()});
        for (std::size_t length = 1; length < 4; ++length) {
            const std::string stop = all.texts[0].substr(7, length);
            const auto at = all.texts[0].find(stop);
            Told told;
            const auto out = complete(decoder, prompt(),
                                      {.max_new_tokens = 20, .stop_strings = {{"never", stop}}, .num_beams = beams},
                                      told.hooks(letters()));
            CHECK(told.texts == out.texts);
            CHECK(out.texts[0].find(stop) == std::string::npos);
            if (beams > 1) continue;  // another beam may be the best one now
            CHECK(out.finish[0] == Finish::stop_string);
            CHECK(out.texts[0] == all.texts[0].substr(0, at));
            CHECK(out.tokens[0].size() == at + length);
        }
    }
    CHECK_THROWS_WITH(complete(decoder, prompt(), {.stop_strings = {{"x"}}}), ContainsSubstring("no way to decode"));
}

TEST_CASE("texts end where the context is full", "[generate]") {
    const auto model = test::toy<device::Cpu>({.max_position_embeddings = 8});
    generate::ModelDecoder decoder(model);
    const auto out = complete(decoder, prompt(), {.max_new_tokens = 100});
    CHECK(out.sequences.size(1) == 8);
    CHECK(out.finish[0] == Finish::length);
    CHECK(complete(decoder, {at::ones({1, 8}, at::kLong)}, {.max_new_tokens = 100}).sequences.size(1) == 9);
    const auto beyond = complete(decoder, prompt(), {.max_new_tokens = 100, .beyond_context = true});
    CHECK(beyond.sequences.size(1) == prompt().input_ids.size(1) + 100);
    CHECK_THROWS_WITH(complete(decoder, {at::ones({1, 9}, at::kLong)}, {}),
                      ContainsSubstring("The prompt has 9 tokens, the model's context 8"));
    const auto timed = complete(decoder, prompt(), {.max_time = 1e-9});
    CHECK(timed.finish == std::vector{Finish::time, Finish::time});
    CHECK(timed.sequences.size(1) == 4);
}

TEST_CASE("wrong prompts and parameters are said, with what to do", "[generate]") {
    const auto model = test::toy<device::Cpu>();
    generate::ModelDecoder decoder(model);
    const auto says = [&](const generate::Prompt& p, const GenerationConfig& c, const std::string& problem) {
        CAPTURE(problem);
        CHECK_THROWS_AS(complete(decoder, p, c), InputError);
        CHECK_THROWS_WITH(complete(decoder, p, c), ContainsSubstring(problem));
    };
    const Tensor ids = prompt().input_ids;
    says({at::empty({1, 0}, at::kLong)}, {}, "The prompt has no tokens");
    says({}, {}, "The prompt has no tokens");
    says({ids.to(at::kFloat)}, {}, "Float");
    says({ids, at::tensor({1, 1, 0, 1, 1, 1}, at::kLong).view({2, 3})}, {}, "padded on the right");
    says({ids, at::tensor({0, 0, 0, 1, 1, 1}, at::kLong).view({2, 3})}, {}, "Row 0 of the prompt is all padding");
    says({ids, at::ones({2, 4}, at::kLong)}, {}, "attention_mask has shape");
    says({at::full({1, 2}, 24, at::kLong)}, {}, "ids from 0 to 23 exist");
    says({ids}, {.max_length = 3}, "The prompt has 3 tokens, max_length is 3");
    says({ids}, {.max_length = 0}, "max_length is 0");
    says({ids}, {.max_new_tokens = 0}, "max_new_tokens is 0");
    says({ids}, {.max_new_tokens = -3}, "max_new_tokens is -3");
    says({ids}, {.min_length = -1}, "min_length is -1");
    says({ids}, {.min_new_tokens = -1}, "min_new_tokens is -1");
    says({ids}, {.max_time = 0.0}, "max_time is 0");
    says({ids}, {.num_beams = 0}, "num_beams is 0");
    says({ids}, {.num_return_sequences = 0}, "num_return_sequences is 0");
    says({ids}, {.num_return_sequences = 2}, "num_return_sequences is 2, but the most likely text is one");
    says({ids}, {.num_beams = 2, .num_return_sequences = 3}, "num_return_sequences is 3, num_beams 2");
    says({ids}, {.length_penalty = NAN}, "length_penalty is nan");
    says({ids}, {.repetition_penalty = 0.0}, "repetition_penalty is 0");
    says({ids}, {.encoder_repetition_penalty = -1.0}, "encoder_repetition_penalty is -1");
    says({ids}, {.frequency_penalty = INFINITY}, "frequency_penalty is inf");
    says({ids}, {.presence_penalty = NAN}, "presence_penalty is nan");
    says({ids}, {.no_repeat_ngram_size = -1}, "no_repeat_ngram_size is -1");
    says({ids}, {.do_sample = true, .temperature = 0.0},
         "temperature is 0. Remedy: a number over 0 is needed; for the");
    says({ids}, {.do_sample = true, .temperature = -1.0}, "temperature is -1");
    says({ids}, {.do_sample = true, .top_k = -1}, "top_k is -1");
    says({ids}, {.do_sample = true, .top_p = 1.5}, "top_p is 1.5");
    says({ids}, {.do_sample = true, .top_p = -0.1}, "top_p is -0.1");
    says({ids}, {.do_sample = true, .min_p = 1.1}, "min_p is 1.1");
    says({ids}, {.do_sample = true, .top_h = 0.0}, "top_h is 0");
    says({ids}, {.do_sample = true, .typical_p = 0.0}, "typical_p is 0");
    says({ids}, {.do_sample = true, .epsilon_cutoff = 1.0}, "epsilon_cutoff is 1");
    says({ids}, {.do_sample = true, .eta_cutoff = -1.0}, "eta_cutoff is -1");
    says({ids}, {.eos_token_id = {{3, 24}}}, "eos_token_id is 24, which is no token: ids from 0 to 23 exist");
    says({ids}, {.eos_token_id = {{-1}}}, "eos_token_id is -1");
    says({ids}, {.forced_bos_token_id = 24}, "forced_bos_token_id is 24");
    says({ids}, {.bad_words_ids = {{{3}, {}}}}, "bad_words_ids has an empty list");
    says({ids}, {.bad_words_ids = {{{3}, {5, 31}}}}, "bad_words_ids is 31");
    says({ids}, {.sequence_bias = {{{{25}, 1.0}}}}, "sequence_bias is 25");
    says({ids}, {.stop_strings = {{""}}}, "stop_strings has an empty string");
    says({ids}, {.suppress_tokens = {{3, 4}}, .forced_eos_token_id = {{3}}}, "suppress_tokens forbids every token");
    says({ids}, {.exponential_decay_length_penalty = generate::LengthDecay{1, 1.5}}, "needs an end token");
    std::vector<std::int64_t> all;
    for (std::int64_t i = 0; i < 24; ++i) all.push_back(i);
    says({ids}, {.do_sample = true, .suppress_tokens = all},
         "The scores of row 0 are not numbers, or forbid every token");
    // Sampling keys matter with do_sample only: many checkpoints state a temperature of 0 beside do_sample false.
    CHECK_NOTHROW(complete(decoder, {ids}, {.do_sample = false, .temperature = 0.0}));
}

TEST_CASE("samples are those of the seed, the row and the place", "[generate]") {
    const auto model = test::toy<device::Cpu>();
    generate::ModelDecoder decoder(model);
    const GenerationConfig config{.max_new_tokens = 12, .do_sample = true, .top_k = 0, .seed = 7};
    const auto one = complete(decoder, {prompt().input_ids.slice(0, 0, 1)}, config);
    // Written down once: the same on every platform.
    CHECK(one.tokens[0] == std::vector<std::int64_t>{17, 2, 8, 9, 9, 0, 16, 23, 19, 13, 21, 0});
    const auto two = complete(decoder, prompt(), config);
    CHECK(two.tokens[0] == one.tokens[0]);
    auto other = config;
    other.seed = 8;
    CHECK(complete(decoder, prompt(), other).tokens != two.tokens);
    auto many = config;
    many.num_return_sequences = 3;
    const auto three = complete(decoder, prompt(), many);
    CHECK(three.tokens.size() == 6);
    CHECK(three.tokens[0] == one.tokens[0]);
    CHECK(three.tokens[1] != three.tokens[0]);
    auto beams = config;
    beams.num_beams = 3;
    CHECK(complete(decoder, prompt(), beams).tokens == complete(decoder, prompt(), beams).tokens);
    auto reseeded = beams;
    reseeded.seed = 8;
    CHECK(complete(decoder, prompt(), beams).tokens != complete(decoder, prompt(), reseeded).tokens);
}

TEST_CASE("samples have the probabilities of the scores", "[generate]") {
    constexpr std::int64_t n = 6000;
    const auto model = test::toy<device::Cpu>();
    generate::ModelDecoder decoder(model);
    const Tensor ids = at::tensor({3, 5, 7}, at::kLong).view({1, 3});
    decoder.start(1, 4);
    const Tensor logits = decoder.prefill({ids})[0].to(at::kDouble);
    struct Case {
        GenerationConfig config;
        Tensor p;
    };
    const Tensor sorted = std::get<0>(logits.sort(0, true));
    const auto among = [&](const Tensor& kept) { return logits.masked_fill(kept.logical_not(), -INFINITY).softmax(0); };
    const std::vector<Case> cases = {
        {{.top_k = 0}, logits.softmax(0)},
        {{.temperature = 2.5, .top_k = 0}, (logits / 2.5).softmax(0)},
        {{.top_k = 6}, among(logits >= sorted[5])},
        {{.top_k = 0, .min_p = 0.1}, among(logits.softmax(0) >= 0.1 * logits.softmax(0).max())},
        {{.top_k = 0, .suppress_tokens = {{0, 5, 10, 15, 99, -1}}},  // the last two are no tokens
         logits.index_fill(0, at::tensor({0, 5, 10, 15}, at::kLong), -INFINITY).softmax(0)},
    };
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        for (const auto& [c, p] : cases) {
            auto config = c;
            config.do_sample = true;
            config.max_new_tokens = 1;
            config.num_return_sequences = n;
            config.seed = seed;
            std::map<std::int64_t, double> counts;
            for (const auto& row : complete(decoder, {ids}, config).tokens) ++counts[row[0]];
            double chi2 = 0, freedom = -1;
            for (std::int64_t v = 0; v < 24; ++v) {
                const double want = p[v].item<double>() * static_cast<double>(n);
                if (want == 0) {
                    CHECK(counts.count(v) == 0);
                    continue;
                }
                const double by = counts[v] - want;
                chi2 += by * by / want;
                ++freedom;
            }
            // 99.9 % of true samples are below this (Wilson and Hilferty 1931).
            const double k = 2 / (9 * freedom), limit = freedom * std::pow(1 - k + 3.09 * std::sqrt(k), 3);
            CHECK(freedom > 2);
            CHECK(chi2 < limit);
        }
    }
}

TEST_CASE("a prompt that goes on where a text ended is read from there", "[generate]") {
    const auto model = test::toy<device::Cpu>({.max_position_embeddings = 60});
    generate::ModelDecoder decoder(model), fresh(model);
    generate::Held held;
    const auto row = [](const std::vector<std::int64_t>& ids) {
        return generate::Prompt{at::tensor(ids, at::kLong).view({1, -1})};
    };
    const auto agree = [&](const std::vector<std::int64_t>& ids, const GenerationConfig& config, std::int64_t reused) {
        const auto out = complete(decoder, row(ids), config, {.held = &held});
        CHECK(out.tokens == complete(fresh, row(ids), config).tokens);
        CHECK(out.held_tokens == reused);
        return out.tokens[0];
    };
    const std::vector<std::int64_t> prompt{3, 5, 7};
    auto all = prompt;
    const auto more = [&all](const std::vector<std::int64_t>& ids) { all.insert(all.end(), ids.begin(), ids.end()); };
    more(agree(all, {.max_new_tokens = 6}, 0));
    CHECK(held.tokens == std::vector<std::int64_t>(all.begin(), all.end() - 1));
    more({11, 12});
    more(agree(all, {.max_new_tokens = 5, .prefill_chunk_size = 2}, 8));  // 3 + 6 tokens, the last not taken
    more({13});
    // No room any more (18 places): whole, with more room. On the host, too.
    more(agree(all, {.max_new_tokens = 4, .repetition_penalty = 1.1}, 0));
    more({14});
    more(agree(all, {.max_new_tokens = 4, .repetition_penalty = 1.1}, static_cast<std::int64_t>(all.size()) - 2));
    // Another chat; the same prompt again; beams; an error: read whole.
    agree(prompt, {.max_new_tokens = 4}, 0);
    agree(prompt, {.max_new_tokens = 4}, 0);
    agree(prompt, {.max_new_tokens = 4, .num_beams = 2}, 0);
    CHECK(held.tokens.empty());
    CHECK_THROWS_AS(complete(decoder, row({99}), {}, {.held = &held}), InputError);
    CHECK(held.tokens.empty());
    agree(prompt, {.max_new_tokens = 4}, 0);
    // A decoder that was used for something else meanwhile.
    decoder.start(1, 50);
    auto again = prompt;
    again.insert(again.end(), held.tokens.begin() + 3, held.tokens.end());
    again.push_back(1);
    agree(again, {.max_new_tokens = 4}, 0);
}

TEST_CASE("an encoder-decoder starts with its start token", "[generate]") {
    generate::DecoderFacts facts{.architecture = "Toy", .encoder_decoder = true, .vocab_size = 24};
    const Tensor ids = at::tensor({3, 5, 7, 9, 1, 0}, at::kLong).view({2, 3});
    const Tensor mask = at::tensor({1, 1, 1, 1, 1, 0}, at::kLong).view({2, 3});
    const GenerationConfig config{.max_new_tokens = 4, .num_beams = 2, .decoder_start_token_id = 6};
    const auto p = generate::plan(facts, {ids, mask}, config);
    CHECK(p.rows == 4);
    CHECK(p.start == 1);
    CHECK(p.max_length == 5);
    CHECK(p.history == std::vector<std::vector<std::int64_t>>(4, {6}));
    CHECK(p.encoder[1] == std::vector<std::int64_t>{3, 5, 7});
    CHECK(p.encoder[3] == std::vector<std::int64_t>{9, 1});  // padding is not of the text
    CHECK(p.padding == std::vector<std::size_t>(4, 0));
    const Tensor given = at::tensor({2, 4, 1, 8}, at::kLong).view({2, 2});
    CHECK(generate::plan(facts, {ids, mask, given}, config).history[2] == std::vector<std::int64_t>{6, 1, 8});
    CHECK(generate::plan(facts, {ids, mask, at::cat({at::full({2, 1}, 6, at::kLong), given}, 1)}, config).start == 3);
    CHECK(generate::plan(facts, {ids}, {.bos_token_id = 2}).history[0] == std::vector<std::int64_t>{2});
    CHECK_THROWS_WITH(generate::plan(facts, {ids}, {}), ContainsSubstring("set decoder_start_token_id"));
    CHECK_THROWS_WITH(generate::plan(facts, {ids, mask, given.slice(0, 0, 1)}, config), ContainsSubstring("1 rows"));
}

}  // namespace complete_tests
