// Whisper's windows with a model whose replies are written here: where the next window begins, what it begins with,
// what is tried again and what is skipped, rows that end at different windows, callbacks, refusals.
#include <cmath>
#include <deque>
#include <limits>
#include <map>

#include <ATen/ops/full.h>

#include "silica/generate/speech/listen.hpp"
#include "silica/generate/speech/reply.hpp"
#include "silica/generate/speech/spoken.hpp"
#include "support/catch.hpp"
#include "support/refuses.hpp"

namespace listen_tests {

using namespace silica;
using generate::SpeechHooks, generate::SpeechOptions, generate::Transcript;
using Ids = std::vector<std::int64_t>;

namespace {

// Text is 0 to 9, the end 10, then the start, a language, <|nospeech|>, <|notimestamps|>, times from 15 on.
constexpr std::int64_t eos = 10, start = 11, french = 12, german = 13, no_speech = 14, no_times = 15, vocabulary = 80;
constexpr std::int64_t t(std::int64_t hundredths) { return no_times + 1 + hundredths / 2; }

/// Windows of 100 frames. A sound is a number in its first mel; a window is its sound * 1000 + where it begins.
class Sound final : public generate::Recording {
public:
    Sound(float number, std::int64_t frames) : number_(number), frames_(frames) {}
    std::int64_t frames() const override { return frames_; }
    std::int64_t frames_of_sound() const override { return frames_; }
    std::int64_t mels() const override { return 2; }
    double seconds() const override { return static_cast<double>(frames_) / 100; }
    void window(std::int64_t begin, std::int64_t count, std::span<float> to) const override {
        CHECK(static_cast<std::int64_t>(to.size()) == 2 * count);
        std::ranges::fill(to, 0.0F);
        to[0] = number_ * 1000 + static_cast<float>(begin);
    }

private:
    float number_;
    std::int64_t frames_;
};

using Replies = std::map<std::int64_t, std::vector<Ids>>;

/// Answers windows with what was written for them: for each the replies of one try after another, the last one again.
class Script final : public generate::SpeechModel {
public:
    explicit Script(Replies of_windows, float score = 20) : replies(std::move(of_windows)), likely(score) {}

    Replies replies;
    float likely;                                            ///< score of what is written
    std::map<std::int64_t, float> silence = {};              ///< score of <|nospeech|> after the start token
    std::vector<std::pair<std::int64_t, Ids>> prompts = {};  ///< windows and what they began with
    mutable int encoded = 0;
    int steps = 0;

    generate::Decoder& decoder() override { return decoder_; }
    Tensor encode(const Tensor& features) const override {
        ++encoded;
        return features.select(1, 0).select(1, 0).view({-1, 1, 1}).contiguous();
    }
    Tensor alignment(const Tensor& encoded_windows, const Tensor& ids,
                     std::span<const generate::AlignmentHead> heads) const override {
        CHECK(encoded_windows.size(0) == 1);
        const auto tokens = ids.size(1);
        Tensor w = at::full({1, static_cast<std::int64_t>(heads.size()), tokens, 50}, 0.001F);
        for (std::int64_t n = 0; n < tokens; ++n) {
            for (std::int64_t p = 0; p < 50; ++p)
                w[0].select(1, n).select(1, p) += 0.0001F * static_cast<float>((7 * n + 3 * p) % 11);
        }
        // Behind the prompt token n looks at positions 3 n and on.
        for (std::int64_t n = 0; n < tokens; ++n) w[0].select(1, n).narrow(1, 3 * n % 45, 3).fill_(0.3F);
        return w;
    }

private:
    class Own final : public generate::Decoder {
    public:
        explicit Own(Script& script) : script_(script) {
            facts_.encoder_decoder = true;
            facts_.context = 40;
            facts_.vocab_size = vocabulary;
            facts_.eos_token_id = {eos};
        }
        const generate::DecoderFacts& facts() const override { return facts_; }
        void start(std::int64_t rows, std::int64_t) override { rows_.assign(static_cast<std::size_t>(rows), {}); }
        Tensor prefill(const generate::Prompt& prompt) override {
            Tensor windows, mask;
            for (const auto& [name, x] : prompt.extra) (name == "encoder_outputs" ? windows : mask) = x;
            const Tensor& ids = *prompt.decoder_input_ids;
            const auto each = ids.size(0) / windows.size(0);
            for (std::int64_t r = 0; r < ids.size(0); ++r) {
                auto& row = rows_.at(static_cast<std::size_t>(r));
                row.window = static_cast<std::int64_t>(windows[r / each].item<float>());
                Ids own;
                for (std::int64_t i = 0; i < ids.size(1); ++i) {
                    if (!mask.defined() || mask[r][i].item<bool>()) own.push_back(ids[r][i].item<std::int64_t>());
                }
                row.last = own.back();
                if (own.back() == listen_tests::start && script_.silence.contains(row.window))
                    continue;  // looks for silence
                row.detects = own.back() == listen_tests::start && own.size() == 1;
                script_.prompts.emplace_back(row.window, own);
                const auto& all = script_.replies.at(row.window);
                auto& tries = script_.tries_[row.window];
                if (!row.detects) row.reply = all.at(std::min(tries++, all.size() - 1));
            }
            return logits();
        }
        Tensor step(const Tensor& ids) override {
            ++script_.steps;
            for (std::size_t r = 0; r < rows_.size(); ++r) ++rows_[r].at;
            CHECK(ids.size(0) == static_cast<std::int64_t>(rows_.size()));
            return logits();
        }
        Tensor greedy_step(const Tensor&) override { throw InputError("Not asked for.", "-"); }
        Tensor most_likely(const Tensor& x) override { return x.argmax(-1); }
        void reorder(const Tensor&) override {}
        std::int64_t length() const override { return 0; }
        std::int64_t capacity() const override { return 0; }
        std::uint64_t state_bytes() const override { return 0; }
        c10::Device device() const override { return c10::DeviceType::CPU; }
        void synchronize() override {}

    private:
        struct Row {
            std::int64_t window = 0, last = 0;
            Ids reply = {};
            std::size_t at = 0;
            bool detects = false;
        };
        void enter(Work work) const override { work(); }
        Tensor logits() {
            Tensor made = at::full({static_cast<std::int64_t>(rows_.size()), vocabulary}, 0.0F);
            for (std::size_t r = 0; r < rows_.size(); ++r) {
                const Row& row = rows_[r];
                const auto at = static_cast<std::int64_t>(r);
                if (row.detects) made[at][row.window >= 2000 ? german : french] = 9;
                if (row.last == listen_tests::start && script_.silence.contains(row.window))
                    made[at][no_speech] = script_.silence.at(row.window);
                else if (!row.detects)
                    made[at][row.at < row.reply.size() ? row.reply[row.at] : eos] = script_.likely;
            }
            return made;
        }

        Script& script_;
        generate::DecoderFacts facts_;
        std::vector<Row> rows_;
    };

    std::map<std::int64_t, std::size_t> tries_;
    Own decoder_{*this};
};

generate::SpeechFacts facts() {
    generate::SpeechFacts f;
    f.config.vocab_size = vocabulary;
    f.config.max_source_positions = 50;
    f.config.max_target_positions = 40;
    f.config.decoder_start_token_id = start;
    f.config.no_timestamps_token_id = no_times;
    f.config.prev_sot_token_id = 9;
    f.config.lang_to_id = {{"<|fr|>", french}, {"<|de|>", german}};
    f.config.alignment_heads = {{{0, 0}, {1, 0}}};
    f.generation.max_length = 40;
    f.text.decode = [](std::span<const std::int64_t> ids) {
        std::string made;
        for (const auto id : ids) made += id < eos ? " " + std::to_string(id) : "";
        return made;
    };
    return f;
}

std::vector<Transcript> listen(Script& script, std::deque<Sound>& sounds, const SpeechOptions& o = {},
                               const SpeechHooks& hooks = {}, const generate::SpeechFacts& f = facts()) {
    std::vector<const generate::Recording*> all;
    for (const auto& sound : sounds) all.push_back(&sound);
    return generate::listen(script, f, all, o, hooks);
}

/// One sound of so many frames.
Transcript listen(Script& script, std::int64_t frames, const SpeechOptions& o = {}, const SpeechHooks& hooks = {},
                  const generate::SpeechFacts& f = facts()) {
    const Sound sound(0, frames);
    const generate::Recording* one = &sound;
    return generate::listen(script, f, {&one, 1}, o, hooks).front();
}

std::string described(const Transcript& heard) {
    std::string made;
    for (const auto& s : heard.segments) {
        const auto hundredths = [](double x) { return std::to_string(std::lround(x * 100)); };
        made += "[" + hundredths(s.start) + "-" + hundredths(s.end) + s.text + "]";
    }
    return made;
}

}  // namespace

TEST_CASE("A sound within a window is one reply without times, or windows until its end", "[generate]") {
    Script plain(Replies{{0, {{1, 2, 3}}}});
    const auto short_one = listen(plain, 100);
    CHECK(described(short_one) == "[0-100 1 2 3]");
    CHECK(short_one.text == " 1 2 3");
    CHECK(short_one.language == "fr");
    CHECK(short_one.complete);
    CHECK(plain.prompts.back().second == Ids{start, french, no_times});
    CHECK(plain.encoded == 1);  // for the language and the text

    Script timed(Replies{{0, {{t(0), 1, t(40), t(40), 2, t(60), t(60)}}}, {60, {{t(4), 3, t(30)}}}});
    const auto heard = listen(timed, 100, {.timestamps = true});
    CHECK(described(heard) == "[0-40 1][40-60 2][60-90 3]");
    CHECK(timed.prompts.back().second == Ids{start, french});
}

TEST_CASE("A longer one is heard window by window, what is behind the last pair again", "[generate]") {
    Script script(Replies{{0, {{t(0), 1, t(50), t(50), 2, 3}}},
                          {50, {{t(0), 2, 3, t(100)}}},  // all of the window
                          {150, {{t(0), 4}}},            // no end: up to the window's
                          {250, {{}}}});                 // silence
    const auto heard = listen(script, 280);
    CHECK(described(heard) == "[0-50 1][50-150 2 3][150-250 4][250-280]");
    CHECK(heard.text == " 1 2 3 4");
    CHECK(std::abs(heard.seconds - 2.8) < 1e-9);
}

TEST_CASE("Windows see what was said where they are told to", "[generate]") {
    const auto script = [] {
        return Script(Replies{{0, {{t(0), 1, t(50), t(50)}}}, {50, {{t(0), 2, t(100)}}}, {150, {{t(0), 3, t(90)}}}});
    };
    auto without = script();
    static_cast<void>(listen(without, 250, {.language = "fr"}));
    for (const auto& [window, prompt] : without.prompts) CHECK(prompt == Ids{start, french});
    auto with = script();
    static_cast<void>(listen(with, 250, {.language = "fr", .condition_on_previous = true}));
    CHECK(with.prompts.at(0).second == Ids{start, french});
    CHECK(with.prompts.at(1).second == Ids{9, t(0), 1, t(50), start, french});
    CHECK(with.prompts.at(2).second == Ids{9, t(0), 1, t(50), t(0), 2, t(100), start, french});
    // A prompt stands before every window, or is the beginning of what was said.
    auto always = script();
    static_cast<void>(listen(always, 250, {.language = "fr", .prompt = {9, 7, 8}}));
    for (const auto& [window, prompt] : always.prompts) CHECK(prompt == Ids{9, 7, 8, start, french});
    auto once = script();
    const auto heard = listen(once, 250, {.language = "fr", .prompt = {9, 7, 8}, .condition_on_previous = true});
    CHECK(once.prompts.at(0).second == Ids{9, 7, 8, start, french});
    CHECK(once.prompts.at(1).second == Ids{9, 7, 8, t(0), 1, t(50), start, french});
    CHECK(heard.text == " 1 2 3");
    auto each = script();
    static_cast<void>(
        listen(each, 250,
               {.language = "fr", .prompt = {9, 7, 8}, .condition_on_previous = true, .prompt_in_every_window = true}));
    CHECK(each.prompts.at(1).second == Ids{9, 7, 8, t(0), 1, t(50), start, french});
    // What was written at a high temperature is not seen.
    auto hot = script();
    static_cast<void>(listen(hot, 250, {.language = "fr", .condition_on_previous = true, .temperatures = {0.5}}));
    CHECK(hot.prompts.at(1).second == Ids{start, french});
}

TEST_CASE("What was said and is the token of padding takes room, and is not attended to", "[generate]") {
    auto f = facts();
    f.generation.pad_token_id = 2;
    const Replies replies{{0, {{t(0), 1, 2, 3, t(50), t(50)}}}, {50, {Ids(40, 4)}}};
    const auto second = [&](const SpeechOptions& o) {
        Script script(replies);
        const auto heard = listen(script, 150, o, {}, f);
        return std::pair(script.prompts.at(1).second, heard.segments.back().tokens.size());
    };
    const auto [prompt, written] = second({.language = "fr", .condition_on_previous = true});
    CHECK(prompt == Ids{9, t(0), 1, 3, t(50), start, french});
    CHECK(written == 40 - 8);
    // A prompt of the caller's is attended to as it is, until it is part of what was said.
    CHECK(second({.language = "fr", .prompt = {9, 2}}).first == Ids{9, 2, start, french});
    CHECK(second({.language = "fr", .prompt = {9, 2, 5}, .condition_on_previous = true}).first ==
          Ids{9, 5, t(0), 1, 3, t(50), start, french});
    // Nothing is padding where the checkpoint names none.
    f.generation.pad_token_id.reset();
    CHECK(second({.language = "fr", .condition_on_previous = true}).first ==
          Ids{9, t(0), 1, 2, 3, t(50), start, french});
}

TEST_CASE("What is not good enough is tried again, and silence is skipped", "[generate]") {
    const auto script = [] { return Script(Replies{{0, {{1, 2}, {3, 4}, {5, 6}}}}, 2); };
    const SpeechOptions twice{.language = "fr", .temperatures = {0, 0}, .logprob_threshold = -1.0};
    auto again = script();
    const auto heard = listen(again, 100, twice);
    CHECK(heard.text == " 3 4");
    CHECK(again.encoded == 1);
    // log(exp(2) / (79 + exp(2))) of each of its three tokens.
    CHECK(std::abs(heard.segments.front().avg_logprob - (2 - std::log(79 + std::exp(2.0)))) < 1e-5);
    auto enough = script();
    auto lower = twice;
    lower.logprob_threshold = -3;
    CHECK(listen(enough, 100, lower).text == " 1 2");
    auto quiet = twice;
    quiet.no_speech_threshold = 0.6;
    auto skipped = script();
    skipped.silence[0] = 9;
    CHECK(listen(skipped, 100, quiet).segments.empty());
    auto loud = script();
    loud.silence[0] = 1;
    loud.likely = 20;
    const auto said = listen(loud, 100, quiet);
    CHECK(said.text == " 1 2");
    CHECK(std::abs(said.segments.front().no_speech_prob - std::exp(1.0) / (79 + std::exp(1.0))) < 1e-5);
    // Silence that was written with confidence stays, without a threshold of that it is skipped.
    auto sure = script();
    sure.silence[0] = 9;
    sure.likely = 20;
    CHECK(listen(sure, 100, quiet).text == " 1 2");
    CHECK(listen(sure, 100, {.language = "fr", .no_speech_threshold = 0.6}).segments.empty());
#ifdef SILICA_ZLIB
    Script repeats(Replies{{0, {Ids(20, 1), {2}}}});
    CHECK(listen(repeats, 100, {.language = "fr", .temperatures = {0, 0}, .compression_ratio_threshold = 1.2}).text ==
          " 2");
#endif
}

TEST_CASE("Sounds run together, and end when they end", "[generate]") {
    Script script(Replies{{1000, {{t(0), 1, t(50), t(50)}}},
                          {1050, {{t(0), 2, t(100)}}},
                          {1150, {{t(0), 3, t(100)}}},
                          {2000, {{t(0), 4, 5, 6, t(90)}, {t(0), 9, t(90)}}},
                          {3000, {{t(0), 7, t(80), t(80)}}},
                          {3080, {{t(0), 8, t(10)}}}});
    std::deque<Sound> sounds;
    sounds.emplace_back(1.0F, 250);
    sounds.emplace_back(2.0F, 100);
    sounds.emplace_back(3.0F, 180);
    std::vector<std::size_t> order;
    std::map<std::size_t, double> heard_of;
    SpeechHooks hooks;
    hooks.on_segment = [&](std::size_t i, const generate::Segment&) {
        order.push_back(i);
        return true;
    };
    hooks.on_progress = [&](std::size_t i, double heard, double seconds) {
        CHECK(heard >= heard_of[i]);
        CHECK(heard <= seconds);
        heard_of[i] = heard;
    };
    const auto all = listen(script, sounds, {.condition_on_previous = true}, hooks);
    CHECK(described(all.at(0)) == "[0-50 1][50-150 2][150-250 3]");
    CHECK(described(all.at(1)) == "[0-90 4 5 6]");
    CHECK(described(all.at(2)) == "[0-80 7][80-90 8]");
    CHECK(all.at(0).language == "fr");
    CHECK(all.at(1).language == "de");
    CHECK(order == std::vector<std::size_t>{0, 1, 2, 0, 2, 0});
    CHECK(heard_of == std::map<std::size_t, double>{{0, 2.5}, {1, 1.0}, {2, 1.8}});
    CHECK(script.encoded == 3);
    // Those with less behind them are padded on the left.
    CHECK(script.prompts.back().second == Ids{9, t(0), 1, t(50), t(0), 2, t(100), start, french});
}

TEST_CASE("A sound within a window has no times beside a longer one", "[generate]") {
    Script script(Replies{{1000, {{1, 2}}}, {2000, {{t(0), 3, t(100)}}}, {2100, {{t(0), 4, t(40)}}}});
    std::deque<Sound> sounds;
    sounds.emplace_back(1.0F, 100);
    sounds.emplace_back(2.0F, 150);
    const auto all = listen(script, sounds, {.language = "fr"});
    CHECK(described(all.at(0)) == "[0-100 1 2]");
    CHECK(described(all.at(1)) == "[0-100 3][100-140 4]");
}

TEST_CASE("Words have the times of their tokens", "[generate]") {
    Script script(Replies{{0, {{t(0), 1, 2, t(60), t(60)}}}, {60, {{t(0), 3, t(100)}}}});
    auto f = facts();
    f.config.median_filter_width = 1;
    const auto heard = listen(script, 160, {.language = "fr", .words = true}, {}, f);
    REQUIRE(heard.segments.size() == 2);
    std::string said;
    for (const auto& s : heard.segments) {
        for (const auto& w : s.words)
            said += "[" + w.text + " " + std::to_string(std::lround(w.start * 100)) + "-" +
                    std::to_string(std::lround(w.end * 100)) + "]";
    }
    // A token is fed behind a prompt of two: token n of the reply looks at positions 6 + 3 n and on, 0.02 s each.
    CHECK(said == "[ 1 0-18][ 2 18-24][ 3 60-78]");
}

TEST_CASE("A caller may end it", "[generate]") {
    const auto script = [] { return Script(Replies{{0, {{t(0), 1, t(50), t(50)}}}, {50, {{t(0), 2, t(100)}}}}); };
    auto first = script();
    const auto heard = listen(first, 150, {}, {.on_segment = [](auto, const auto&) { return false; }});
    CHECK(described(heard) == "[0-50 1]");
    CHECK_FALSE(heard.complete);
    auto within = script();
    int asked = 0;
    const auto nothing = listen(within, 150, {}, {.go_on = [&] { return ++asked < 3; }});
    CHECK(nothing.segments.empty());
    CHECK_FALSE(nothing.complete);
    CHECK(within.steps == 2);
}

TEST_CASE("What cannot be done is refused before the model runs", "[generate]") {
    Script script(Replies{{0, {{1}}}});
    const auto refused = [&](const SpeechOptions& o, std::initializer_list<std::string_view> words,
                             const generate::SpeechFacts& f = facts(), std::int64_t frames = 100) {
        test::refuses<Error>([&] { static_cast<void>(listen(script, frames, o, {}, f)); }, words);
        CHECK(script.encoded == 0);
    };
    refused({.language = "xx"}, {"'xx'", "de, fr"});
    refused({.task = "translate"}, {"no tokens for tasks"});
    refused({.temperatures = {}}, {"temperature"});
    refused({.temperatures = {-1}}, {"temperature", "-1"});
    refused({.prompt_in_every_window = true}, {"condition_on_previous"});
    refused({.generation = {.num_beams = 0}}, {"num_beams"});
    refused({.language = "fr", .generation = {.max_new_tokens = 40}}, {"max_new_tokens is 40", "max_target_positions"});
    refused({.language = "fr", .prompt = Ids(40, 1)}, {"The prompt has 43 tokens", "40"});
    auto f = facts();
    f.config.alignment_heads.reset();
    refused({.words = true}, {"alignment_heads"}, f);
    f.config.no_timestamps_token_id.reset();
    refused({.timestamps = true}, {"no_timestamps_token_id"}, f);
    refused({}, {"no_timestamps_token_id"}, f, 101);
    refused({.no_speech_threshold = 0.5}, {"no_timestamps_token_id"}, f);
}

TEST_CASE("Without a token that ends it a text goes on until there is no room", "[generate]") {
    auto f = facts();
    f.generation.eos_token_id.emplace();  // as a generation_config.json without it is read
    f.generation.bos_token_id = eos;
    const auto heard = [&](const SpeechOptions& o = {}) {
        Script script(Replies{{0, {{1, 2, 3}}}});
        return listen(script, 100, o, {}, f);
    };
    const auto endless = heard();
    CHECK(endless.text == " 1 2 3");
    CHECK(endless.segments.front().tokens.size() == 37);  // of 40, with three of the prompt
    // Where the last one is the token of padding, that is padding, wherever it stands.
    f.generation.pad_token_id = eos;
    CHECK(heard().segments.front().tokens == Ids{1, 2, 3});
    CHECK(heard({.words = true}).segments.front().words.size() == 2);  // behind a time
    f.generation.pad_token_id = 2;
    CHECK(heard().segments.front().tokens.size() == 37);
    f.generation.max_new_tokens = 2;
    CHECK(heard().segments.front().tokens == Ids{1});
}

TEST_CASE("One of several ends is part of the text where it is text", "[generate]") {
    auto f = facts();
    const auto said = [&](Ids ends, const Ids& reply) {
        f.generation.eos_token_id = std::move(ends);
        Script script(Replies{{0, {reply}}});
        return listen(script, 100, {.language = "fr"}, {}, f).segments.front().tokens;
    };
    CHECK(said({eos, 5}, {1, 5, 3}) == Ids{1, 5});
    CHECK(said({5, eos}, {1, 7}) == Ids{1, 7});
    CHECK(said({5}, {1, 5, 3}) == Ids{1});
    f.generation.pad_token_id = 5;
    CHECK(said({eos, 5}, {1, 5, 3}) == Ids{1});
    // Where words are asked for, tokens above the first of the ends are among them.
    f.generation.pad_token_id.reset();
    f.generation.eos_token_id = Ids{5, eos};
    Script script(Replies{{0, {{t(0), 7, 8, t(60), t(60)}}}, {60, {{t(0), 5}}}});
    const auto heard = listen(script, 100, {.language = "fr", .words = true}, {}, f);
    CHECK(heard.segments.front().words.size() == 2);
    CHECK(heard.segments.back().words.size() == 1);
}

TEST_CASE("Where neither an end nor a beginning is known, behind text and a time comes the first token", "[generate]") {
    auto f = facts();
    f.generation.eos_token_id.emplace();
    const auto said = [&] {
        Script script(Replies{{0, {{t(0), 1, t(40), t(40), 2}}}, {40, {{t(0), 3, t(60)}}}});
        return listen(script, 100, {.language = "fr", .timestamps = true, .generation = {.max_new_tokens = 4}}, {}, f)
            .segments.front()
            .tokens;
    };
    CHECK(said() == Ids{t(0), 1, t(40), 0});
    f.generation.bos_token_id = eos;
    CHECK(said() == Ids{t(0), 1, t(40), t(40)});
}

TEST_CASE("Where generation_config.json names no start token, windows begin without one", "[generate]") {
    auto f = facts();
    f.config.decoder_start_token_id.reset();
    f.generation.bos_token_id = eos;
    Script script(Replies{{0, {{1, 2, 3}}}});
    CHECK(listen(script, 100, {.language = "fr"}, {}, f).text == " 1 2 3");
    CHECK(script.prompts.back().second == Ids{french, no_times});
    test::refuses<ConfigError>([&] { listen(script, 100, {}, {}, f); }, {"detected", "decoder_start_token_id"});
    f.generation.bos_token_id.reset();
    test::refuses<ConfigError>([&] { listen(script, 100, {.language = "fr"}, {}, f); }, {"starts with"});
}

TEST_CASE("Where the checkpoint asks for the text before, the first window has the prompt as it is", "[generate]") {
    auto f = facts();
    f.config.condition_on_prev_tokens = true;
    f.config.prev_sot_token_id.reset();
    f.generation.suppress_tokens = {4, 5};  // the last but one stands for it
    const Replies replies{{0, {{t(0), 1, t(40)}}}, {100, {{t(0), 2, t(30)}}}};
    Script script(replies);
    listen(script, 200, {.language = "fr", .prompt = {9, 1}}, {}, f);
    CHECK(script.prompts.at(0).second == Ids{9, 1, start, french});
    CHECK(script.prompts.at(1).second == Ids{4, 9, 1, t(0), 1, t(40), start, french});
    Script asked(replies);
    listen(asked, 200, {.language = "fr", .prompt = {9, 1}, .condition_on_previous = true}, {}, f);
    CHECK(asked.prompts.at(0).second == Ids{4, 9, 1, start, french});
}

TEST_CASE("Behind the sound tokens are said where two slices from the end leave a column", "[generate]") {
    Script script(Replies{});
    const generate::Reply reply{.tokens = {1, 2, 3}, .ended = true};
    const std::vector<generate::AlignmentHead> heads{{0, 0}};
    const auto said = [&](std::int64_t frames) {
        return generate::token_times(script, at::full({1, 1, 1}, 0.0F), Ids{start}, reply,
                                     {.heads = heads, .frames_of_sound = frames, .median_width = 1, .offset = 1});
    };
    CHECK(said(100).back() > 1.1);   // of 50 columns
    CHECK(said(-44).back() < 1.12);  // of 6
    CHECK(said(-44).back() >= 1);
    for (const double time : said(-50)) CHECK(std::abs(time - 0.98) < 1e-9);  // of none: before the first
}

TEST_CASE("Sounds, facts and models that do not fit are refused", "[generate]") {
    using test::refuses;
    Script script(Replies{{0, {{1, 2}}}});
    const Sound sound(0, 100), silent(0, 0), before(0, -5);
    class Wide final : public generate::Recording {
    public:
        std::int64_t frames() const override { return 100; }
        std::int64_t frames_of_sound() const override { return 100; }
        std::int64_t mels() const override { return 20; }
        double seconds() const override { return 1; }
        void window(std::int64_t, std::int64_t, std::span<float>) const override {}
    };
    const Wide wide;
    const auto sounds = [&](std::vector<const generate::Recording*> all,
                            std::initializer_list<std::string_view> words) {
        refuses<InputError>([&] { static_cast<void>(generate::listen(script, facts(), all)); }, words);
    };
    sounds({nullptr}, {"null pointer"});
    sounds({&sound, nullptr}, {"null pointer"});
    sounds({&sound, &wide}, {"20 mels", "2 mels"});
    sounds({&silent}, {"0 frames"});
    sounds({&before}, {"-5 frames"});
    const auto options = [&](const SpeechOptions& o, std::initializer_list<std::string_view> words) {
        refuses<InputError>([&] { static_cast<void>(listen(script, 100, o)); }, words);
    };
    const double nan = std::nan("");
    options({.compression_ratio_threshold = nan}, {"compression_ratio_threshold"});
    options({.logprob_threshold = nan}, {"logprob_threshold"});
    options({.no_speech_threshold = nan}, {"no_speech_threshold"});
    options({.temperatures = {nan}}, {"temperature"});
    options({.temperatures = {1}, .generation = {.top_p = nan}}, {"top_p"});
    options({.prompt = {-1}}, {"-1", "vocab_size"});
    options({.prompt = {vocabulary}}, {"80", "vocab_size"});
    options({.prompt_text = "a"}, {"prompt_text"});
    options({.generation = {.num_beams = 1 << 30}}, {"1073741824", "65536"});
    options({.generation = {.num_beams = 4, .num_return_sequences = 3}}, {"num_return_sequences is 3"});
    options({.generation = {.stop_strings = {{"a"}}}}, {"stop_strings"});
    options({.generation = {.temperature = 0.5}}, {"temperatures"});
    const auto wrong_facts = [&](auto change, std::initializer_list<std::string_view> words) {
        auto f = facts();
        change(f);
        refuses<Error>([&] { static_cast<void>(listen(script, 100, {.words = true}, {}, f)); }, words);
    };
    wrong_facts([](auto& f) { f.text = {}; }, {"decode"});
    wrong_facts([](auto& f) { f.config.alignment_heads = {{{0}}}; }, {"alignment_heads"});
    wrong_facts([](auto& f) { f.config.lang_to_id = {{"<|fr|>", 1000}}; }, {"lang_to_id", "1000"});
    wrong_facts([](auto& f) { f.config.median_filter_width = 4; }, {"median_filter_width"});
    wrong_facts([](auto& f) { f.config.max_source_positions = std::int64_t{1} << 62; }, {"max_source_positions"});
    wrong_facts([](auto& f) { f.config.vocab_size = 0; }, {"vocab_size"});
    CHECK(script.encoded == 0);
}

TEST_CASE("A model that encodes or aligns otherwise than it is asked is told so", "[generate]") {
    using test::refuses;
    Script script(Replies{{0, {{t(0), 1, t(50)}}}});
    const Tensor window = at::zeros({1, 1, 1});
    refuses<InputError>([] { generate::require_encoded({}, 1); }, {"missing"});
    refuses<InputError>([] { generate::require_encoded(at::zeros({3}), 3); }, {"rank 3"});
    refuses<InputError>([&] { generate::require_encoded(window, 2); }, {"1 rows for 2"});
    auto config = facts().config;
    refuses<InputError>([&] { static_cast<void>(generate::detect_languages(script, config, {})); }, {"missing"});
    config.lang_to_id = {{"<|fr|>", 1000}};
    refuses<ConfigError>([&] { static_cast<void>(generate::detect_languages(script, config, window)); }, {"1000"});
    config.lang_to_id.reset();
    refuses<ConfigError>([&] { static_cast<void>(generate::detect_languages(script, config, window)); }, {"languages"});

    const auto right = facts().config;
    const SpeechHooks hooks;
    const auto plan = [&] {
        generate::ReplyPlan p{.config = &right, .hooks = &hooks};
        p.generation.eos_token_id = {{eos}};
        p.generation.pad_token_id = eos;
        return p;
    };
    const auto windows = [&] {
        return generate::Windows{.encoder_outputs = window,
                                 .prompts = {{start, french}},
                                 .starts = {0},
                                 .sounds = {0},
                                 .width = 2,
                                 .max_length = 10};
    };
    CHECK(generate::write_windows(script, plan(), windows())->size() == 1);
    const auto refused = [&](auto change, std::string_view word) {
        auto p = plan();
        auto w = windows();
        change(p, w);
        refuses<InputError>([&] { static_cast<void>(generate::write_windows(script, p, w)); }, {word});
    };
    refused([](auto& p, auto&) { p.config = nullptr; }, "config");
    refused([](auto& p, auto&) { p.hooks = nullptr; }, "hooks");
    refused([](auto& p, auto&) { p.generation.pad_token_id.reset(); }, "pad_token_id");
    refused([](auto& p, auto&) { p.generation.eos_token_id.reset(); }, "eos_token_id");
    refused([](auto& p, auto&) { p.temperatures = {}; }, "temperature");
    refused([](auto& p, auto&) { p.temperatures = {std::nan("")}; }, "temperature");
    refused([](auto&, auto& w) { w.encoder_outputs = Tensor(); }, "encoder_outputs");
    refused([](auto&, auto& w) { w.starts = {}; }, "start tokens");
    refused([](auto&, auto& w) { w.starts = {2}; }, "start token");
    refused([](auto&, auto& w) { w.sounds = {}; }, "sounds");
    refused([](auto&, auto& w) { w.prompts = {{}}; }, "prompt");
    refused([](auto&, auto& w) { w.width = std::numeric_limits<std::size_t>::max(); }, "room");
    refused([](auto&, auto& w) { w.max_length = 41; }, "41");
    refused([](auto&, auto& w) { w.max_length = 2; }, "2 tokens");

    const generate::Reply reply{.tokens = {1, 2, 3}};
    const Ids prompt{start};
    refuses<InputError>([&] { static_cast<void>(generate::token_times(script, window, prompt, reply, {})); },
                        {"no head"});
    class Askew final : public generate::SpeechModel {
    public:
        explicit Askew(generate::SpeechModel& model, Tensor answer) : model_(model), answer_(std::move(answer)) {}
        generate::Decoder& decoder() override { return model_.decoder(); }
        Tensor encode(const Tensor&) const override { return answer_; }
        Tensor alignment(const Tensor&, const Tensor&, std::span<const generate::AlignmentHead>) const override {
            return answer_;
        }

    private:
        generate::SpeechModel& model_;
        Tensor answer_;
    };
    const std::vector<generate::AlignmentHead> heads{{0, 0}};
    const Sound sound(0, 100);
    const generate::Recording* one = &sound;
    for (const auto& answer : {Tensor(), at::zeros({3}), at::zeros({1, 1, 2, 50}), at::zeros({7, 50, 4}),
                               at::zeros({1, 1, 3, 50}, at::kDouble)}) {
        Askew model(script, answer);
        refuses<InputError>(
            [&] { static_cast<void>(generate::token_times(model, window, prompt, reply, {.heads = heads})); },
            {"alignment"});
        refuses<InputError>([&] { static_cast<void>(generate::listen(model, facts(), {&one, 1})); },
                            {"encoder_outputs"});
    }
    generate::Segment segment{.tokens = {1, 2, 3}};
    refuses<InputError>([&] { generate::write_text(segment, {}, 80); }, {"decode"});
    refuses<InputError>([] { static_cast<void>(generate::without_times({}, 80)); }, {"decode"});
    const std::vector<double> times(2);
    for (const std::size_t from : {std::size_t{0}, std::numeric_limits<std::size_t>::max()})
        refuses<InputError>(
            [&] { generate::write_words(segment, facts().text, {.times = times, .from = from}, 80, true); },
            {"3 tokens", "2 in all"});
}

}  // namespace listen_tests
