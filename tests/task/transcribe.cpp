// Speech to text with Whisper against transformers' generate (golden/transcribe/whisper*, make_transcribe_whisper.py):
// files, streams and memory, several at once, from two threads, piece by piece; what is refused.
#include "silica/task/transcribe.hpp"

#include <algorithm>
#include <limits>
#include <thread>

#include "silica/arch/whisper.hpp"
#include "silica/core/json.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/mps.hpp"
#include "silica/generate/speech/pieces.hpp"
#include "silica/precision/bf16.hpp"
#include "silica/precision/fp16.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/directory.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"

using namespace silica;
using silica::task::SpeechHooks, silica::task::SpeechOptions, silica::task::Transcript;
using silica::test::refuses;
using Transcriber = task::Transcriber<Model<arch::WhisperForConditionalGeneration, device::Cpu, precision::Fp32>>;

namespace {

std::filesystem::path directory(const std::string& name) { return test::golden("transcribe", name); }

Json::Array expected(const std::string& name) {
    return Json::parse(test::read_file(directory(name) / "expected.json"), "expected.json").array();
}

SpeechOptions options_of(const Json& json) {
    SpeechOptions o;
    const auto number = [&](const char* key) -> std::optional<double> {
        const Json* found = json.find(key);
        return found ? std::optional(found->number()) : std::nullopt;
    };
    const auto text = [&](const char* key) -> std::optional<std::string> {
        const Json* found = json.find(key);
        return found ? std::optional(found->string()) : std::nullopt;
    };
    const auto flag = [&](const char* key) { return json.find(key) != nullptr && json.find(key)->boolean(); };
    const auto whole = [&](const char* key) -> std::optional<std::int64_t> {
        const Json* found = json.find(key);
        return found ? std::optional(found->integer()) : std::nullopt;
    };
    o.language = text("language");
    o.task = text("task");
    o.timestamps = flag("timestamps");
    o.words = flag("words");
    o.prompt_text = text("prompt_text").value_or("");
    o.condition_on_previous = flag("condition_on_previous");
    if (const Json* found = json.find("temperatures")) {
        o.temperatures.clear();
        for (const auto& each : found->array()) o.temperatures.push_back(each.number());
    }
    o.logprob_threshold = number("logprob_threshold");
    o.no_speech_threshold = number("no_speech_threshold");
    o.generation.num_beams = whole("beams");
    o.generation.max_new_tokens = whole("max_new_tokens");
    return o;
}

void check(const Json& want, const Transcript& got) {
    CHECK(got.text == want.find("text")->string());
    CHECK(got.language == want.find("language")->string());
    CHECK(got.complete);
    const auto& segments = want.find("segments")->array();
    REQUIRE(got.segments.size() == segments.size());
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const auto& segment = got.segments[i];
        CHECK(std::abs(segment.start - segments[i].find("start")->number()) < 1e-4);
        CHECK(std::abs(segment.end - segments[i].find("end")->number()) < 1e-4);
        CHECK(segment.text == segments[i].find("text")->string());
        std::vector<std::int64_t> tokens;
        for (const auto& id : segments[i].find("tokens")->array()) tokens.push_back(id.integer());
        CHECK(segment.tokens == tokens);
        const Json* words = segments[i].find("words");
        REQUIRE(segment.words.size() == (words ? words->array().size() : 0));
        for (std::size_t w = 0; w < segment.words.size(); ++w) {
            const auto& item = words->array()[w].array();
            CHECK(segment.words[w].text == item[0].string());
            CHECK(std::abs(segment.words[w].start - item[1].number()) < 0.0201);
            CHECK(std::abs(segment.words[w].end - item[2].number()) < 0.0201);
        }
    }
}

void same(const Transcript& a, const Transcript& b) {
    CHECK(a.text == b.text);
    REQUIRE(a.segments.size() == b.segments.size());
    for (std::size_t i = 0; i < a.segments.size(); ++i) CHECK(a.segments[i].tokens == b.segments[i].tokens);
}

}  // namespace

TEST_CASE("What Whisper writes is what transformers' generate gives", "[task]") {
    for (const std::string name : {"whisper", "whisper_english"}) {
        const auto transcribe = Transcriber::open(directory(name).string());
        for (const auto& want : expected(name)) {
            const auto file = directory(name) / want.find("sound")->string();
            CAPTURE(name, file, want.find("text")->string(), want.find("options")->object().size());
            check(want, transcribe(file, options_of(*want.find("options"))));
        }
    }
}

TEST_CASE("Sounds of a stream, in memory, several at once and from two threads are as files", "[task]") {
    const auto transcribe = Transcriber::open(directory("whisper").string());
    const std::vector<std::filesystem::path> files{directory("whisper") / "short.wav",
                                                   directory("whisper") / "long.wav"};
    for (const auto& options :
         {SpeechOptions{.words = true}, SpeechOptions{.timestamps = true, .condition_on_previous = true}}) {
        std::vector<Transcript> want;
        std::vector<audio::Samples> sounds;
        for (const auto& file : files) {
            want.push_back(transcribe(file, options));
            sounds.push_back(audio::read(file, 16000));
            same(want.back(), transcribe(sounds.back(), options));
            auto stream = audio::Stream::open(file, 16000);
            same(want.back(), transcribe(stream, options));
            CHECK(std::abs(want.back().seconds - sounds.back().seconds()) < 1e-9);
        }
        const auto together = transcribe(std::span<const std::filesystem::path>(files), options);
        const auto in_memory = transcribe(std::span<const audio::Samples>(sounds), options);
        Transcript first, second;
        std::thread other([&] { first = transcribe(files[1], options); });
        second = transcribe(files[1], options);
        other.join();
        same(want[1], first);
        same(want[1], second);
        for (std::size_t i = 0; i < 2; ++i) {
            same(want[i], together.at(i));
            same(want[i], in_memory.at(i));
        }
    }
}

TEST_CASE("A sound that was sampled ends its own beams, and no others'", "[task]") {
    const auto transcribe = Transcriber::open(directory("whisper").string());
    const std::vector<std::filesystem::path> files{
        directory("whisper") / "long.wav", directory("whisper") / "again.wav", directory("whisper") / "short.wav"};
    const SpeechOptions options{
        .timestamps = true, .temperatures = {0, 1e-4}, .logprob_threshold = -0.885, .generation = {.num_beams = 3}};
    const auto together = transcribe(std::span<const std::filesystem::path>(files), options);
    for (std::size_t i = 0; i < files.size(); ++i) same(transcribe(files[i], options), together.at(i));
}

TEST_CASE("Segments come while the rest is at work, and a caller may end it", "[task]") {
    const auto transcribe = Transcriber::open(directory("whisper").string());
    const auto file = directory("whisper") / "long.wav";
    std::vector<std::string> said;
    SpeechHooks hooks;
    hooks.on_segment = [&](std::size_t sound, const generate::Segment& segment) {
        CHECK(sound == 0);
        said.push_back(segment.text);
        return said.size() < 2;
    };
    const auto all = transcribe(file), some = transcribe(file, {}, hooks);
    CHECK_FALSE(some.complete);
    REQUIRE(said.size() == 2);
    CHECK(said[0] == all.segments[0].text);
    CHECK(some.segments.size() < all.segments.size());
    int left = 10;
    const auto none = transcribe(file, {}, {.go_on = [&] { return --left > 0; }});
    CHECK(none.segments.empty());
    CHECK_FALSE(none.complete);
}

TEST_CASE("Text comes as its tokens are written where it stays, and else with its segment", "[task]") {
    const auto transcribe = Transcriber::open(directory("whisper").string());
    std::string text;
    int pieces = 0;
    SpeechHooks hooks;
    hooks.on_text = [&](std::size_t sound, std::string_view piece) {
        CHECK(sound == 0);
        text += piece;
        ++pieces;
    };
    const auto heard = transcribe(directory("whisper") / "short.wav", {}, hooks);
    CHECK(text == heard.text);
    CHECK(pieces > 3);
    pieces = 0;
    static_cast<void>(transcribe(directory("whisper") / "long.wav", {}, hooks));
    static_cast<void>(transcribe(directory("whisper") / "short.wav", {.no_speech_threshold = 0.5}, hooks));
    CHECK(pieces == 0);
}

TEST_CASE("A sound in pieces is what is heard of each, joined where they overlap", "[task]") {
    const auto transcribe = Transcriber::open(directory("whisper").string());
    const auto file = directory("whisper") / "long.wav";
    const task::CtcCutting cutting{.chunk_seconds = 0.8, .stride_seconds = 0.1, .right_stride_seconds = 0.2};
    for (const bool timed : {false, true}) {
        const auto whole = audio::read(file, 16000);
        std::vector<generate::HeardPiece> pieces;
        for (std::int64_t at = 0;; at += 8000) {  // 0.8 s less its ends
            const auto rest = whole.mono().subspan(static_cast<std::size_t>(at));
            const auto some = rest.first(std::min<std::size_t>(rest.size(), 12800));
            const auto heard = transcribe(audio::Samples({some.begin(), some.end()}, 16000), {.timestamps = timed});
            auto& piece = pieces.emplace_back();
            for (const auto& s : heard.segments)
                piece.tokens.insert(piece.tokens.end(), s.tokens.begin(), s.tokens.end());
            piece.seconds = static_cast<double>(some.size()) / 16000;
            piece.left = at == 0 ? 0 : 0.1;
            if (rest.size() <= 12800) break;
            piece.right = 0.2;
        }
        REQUIRE(pieces.size() == 4);
        const auto& tokens = transcribe.scribe().tokenizer();
        const auto want =
            generate::joined_pieces(pieces, {.first_time = *tokens.token_to_id("<|notimestamps|>") + 1,
                                             .is_special = [&](std::int64_t id) { return tokens.is_special(id); },
                                             .most = 50});
        const auto got = transcribe.in_pieces(file, cutting, {.timestamps = timed});
        REQUIRE(got.segments.size() == want.size());
        for (std::size_t i = 0; i < want.size(); ++i) {
            CHECK(got.segments[i].tokens == want[i].tokens);
            if (want[i].start) CHECK(std::abs(got.segments[i].start - *want[i].start) < 1e-9);
            if (want[i].end) CHECK(std::abs(got.segments[i].end - *want[i].end) < 1e-9);
        }
        CHECK(std::abs(got.seconds - whole.seconds()) < 1e-9);
    }
    refuses<InputError>([&] { static_cast<void>(transcribe.in_pieces(file, cutting, {.words = true})); }, {"words"});
    refuses<InputError>([&] { static_cast<void>(transcribe.in_pieces(file)); }, {"30.0", "1.0", "at once"});
}

TEMPLATE_TEST_CASE("Sounds are transcribed in half precisions and on MPS", "[task]",
                   (Model<arch::WhisperForConditionalGeneration, device::Cpu, precision::Bf16>),
                   (Model<arch::WhisperForConditionalGeneration, device::Mps, precision::Fp16>)) {
    if (!test::present<typename TestType::Exec::home>()) return;
    const auto transcribe = task::Transcriber<TestType>::open(directory("whisper").string());
    const auto exact = Transcriber::open(directory("whisper").string());
    for (const auto* name : {"short.wav", "long.wav"}) {
        const auto file = directory("whisper") / name;
        const auto got = transcribe(file, {.words = true}), want = exact(file, {.words = true});
        CHECK(got.complete);
        CHECK(got.language == want.language);
        REQUIRE_FALSE(got.segments.empty());
        CHECK(std::abs(got.segments.front().avg_logprob - want.segments.front().avg_logprob) < 1);
        for (const auto& segment : got.segments) {
            CHECK(segment.end >= segment.start);
            for (const auto& word : segment.words) CHECK(word.end >= word.start);
        }
    }
}

TEST_CASE("Samples above temperature 0 depend on the seed alone", "[task]") {
    const auto transcribe = Transcriber::open(directory("whisper").string());
    const auto file = directory("whisper") / "long.wav";
    const auto with = [&](std::uint64_t seed) {
        return transcribe(file, {.temperatures = {1.5}, .generation = {.seed = seed}});
    };
    same(with(3), with(3));
    CHECK(with(3).text != with(4).text);
    CHECK(std::abs(with(3).segments.front().temperature - 1.5) < 1e-12);
    // The first that is good enough: none is.
    const auto last = transcribe(file, {.temperatures = {0, 0.4, 1}, .logprob_threshold = 0.0});
    CHECK(std::abs(last.segments.front().temperature - 1) < 1e-12);
}

TEST_CASE("What Whisper cannot transcribe is refused", "[task]") {
    const auto transcribe = Transcriber::open(directory("whisper").string());
    const auto file = directory("whisper") / "short.wav";
    const auto refused = [&](const SpeechOptions& o, std::initializer_list<std::string_view> words) {
        refuses<InputError>([&] { static_cast<void>(transcribe(file, o)); }, words);
    };
    refused({.language = "klingon"}, {"'klingon'", "zh"});
    refused({.language = "fi"}, {"'fi'", "de"});
    refused({.task = "sing"}, {"'sing'"});
    refused({.prompt_text = "say <|endoftext|>"}, {"<|endoftext|>"});
    refused({.prompt_text = std::string(200, 'a')}, {"The prompt has"});
    refused({.generation = {.max_new_tokens = 48}}, {"max_new_tokens"});
    const auto english = Transcriber::open(directory("whisper_english").string());
    refuses<InputError>([&] { static_cast<void>(english(file, {.language = "en"})); }, {"English only"});
    refuses<InputError>([&] { static_cast<void>(transcribe(audio::Samples(std::vector<float>{0, 1, 0}, 8000))); },
                        {"8000", "16000"});
    refuses<InputError>([&] { static_cast<void>(transcribe(directory("whisper") / "config.json")); }, {"config.json"});
    refuses<ConfigError>([] { static_cast<void>(task::Scribe::open(directory("base"))); },
                         {"another model than Whisper"});
    refused({.prompt_text = "a", .prompt = {1}}, {"as text and as tokens"});
    refused({.generation = {.stop_strings = {{"a"}}}}, {"stop_strings"});
    const auto& scribe = transcribe.scribe();
    generate::ModelSpeech speech(transcribe.model());
    const generate::Recording* none = nullptr;
    refuses<InputError>([&] { static_cast<void>(scribe(speech, {&none, 1})); }, {"null pointer"});
    auto stream = audio::Stream::open(file, 16000);
    refuses<InputError>([&] { static_cast<void>(scribe.in_pieces(speech, stream, {}, {}, {}, 0)); }, {"0 pieces"});
    const auto heard = scribe.hear(file);
    std::vector<float> room(static_cast<std::size_t>(heard->mels() * 10));
    constexpr auto huge = std::numeric_limits<std::int64_t>::max();
    for (const auto& [begin, count] :
         {std::pair{std::int64_t{-5}, std::int64_t{10}}, {-huge, 10}, {0, -1}, {0, 11}, {0, huge}})
        refuses<InputError>([&, b = begin, n = count] { heard->window(b, n, room); }, {"A window of"});
    heard->window(huge, 10, room);
    CHECK(std::ranges::all_of(room, [](float x) { return x == 0; }));
    // What is moved from stays as it was.
    auto from = task::Scribe::open(directory("whisper"));
    const auto to = std::move(from);
    const auto again = from.hear(file);  // NOLINT(bugprone-use-after-move)
    const generate::Recording* sound = again.get();
    CHECK(from(speech, {&sound, 1}).front().text == transcribe(file).text);
}
