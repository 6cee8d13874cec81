// Speech to text with Whisper against transformers' generate (golden/transcribe/whisper*, make_transcribe_whisper.py):
// files, streams and memory, several at once, from two threads, piece by piece; what is refused.
#include "silica/task/transcribe.hpp"

#include <thread>

#include "silica/arch/whisper.hpp"
#include "silica/core/json.hpp"
#include "silica/device/cpu.hpp"
#include "support/catch.hpp"
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
}
