// Features against those of transformers' extractors, and every key of their files.
#include "silica/input/audio/extractor.hpp"

#include <cstdint>
#include <limits>

#include "silica/input/audio/log_mel.hpp"
#include "silica/input/audio/read.hpp"
#include "sounds.hpp"
#include "support/refuses.hpp"

namespace silica::test {
namespace {

using audio::Extractor;
using audio::Samples;

std::filesystem::path features(const std::string& name) { return sound("features") / name; }

std::vector<Samples> noises(std::initializer_list<std::size_t> lengths, std::int64_t rate) {
    std::vector<Samples> made;
    for (const auto n : lengths) made.emplace_back(noise(n, static_cast<std::uint32_t>(n)), rate);
    return made;
}

/// The values, then the mask, then is_longer.
std::vector<float> all_of(const audio::Features& features) {
    auto made = features.values;
    if (features.mask) made.insert(made.end(), features.mask->begin(), features.mask->end());
    if (features.is_longer) made.insert(made.end(), features.is_longer->begin(), features.is_longer->end());
    return made;
}

TEST_CASE("features are those of transformers") {
    using Shape = std::vector<std::int64_t>;
    struct Case {
        const char* name;
        std::initializer_list<std::size_t> lengths;
        const char* tensor;
        Shape shape;
        double bound;
    };
    const Case cases[] = {
        {"whisper", {3000, 9000}, "input_features", {2, 20, 100}, 1e-3},
        {"whisper_left", {4321}, "input_features", {1, 7, 100}, 1e-3},
        {"wav2vec2", {300, 500}, "input_values", {2, 500}, 1e-4},
        {"wav2vec2_mask", {300, 500, 1}, "input_values", {3, 500}, 1e-4},
        {"wav2vec2_plain", {500}, "input_values", {1, 500}, 0},
        {"clap_fusion", {3000, 30000, 8500}, "input_features", {3, 4, 9, 64}, 1e-3},
        {"clap_short", {3000, 7999}, "input_features", {2, 4, 9, 64}, 1e-3},
        {"clap_crop", {25000, 3000}, "input_features", {2, 1, 9, 16}, 1e-3},
    };
    for (const auto& each : cases) {
        CAPTURE(each.name);
        const auto extractor = Extractor::open(features(each.name));
        audio::NumpyRandom random(5);
        const auto made = extractor(noises(each.lengths, extractor.rate()), random);
        CHECK(made.name == each.tensor);
        CHECK(made.shape == each.shape);
        CHECK(made.is_longer.has_value() == (std::string(each.name).substr(0, 4) == "clap"));
        CHECK(largest_difference(all_of(made), numbers_of<float>(features(each.name) / "expected.f32")) <= each.bound);
    }
}

TEST_CASE("from a file to features") {
    const auto directory = features("whisper");
    const auto file = sound("s16.flac");
    const auto extractor = audio::Extractor::open(directory);           // by preprocessor_config.json
    const audio::Samples speech = audio::read(file, extractor.rate());  // 8000 samples in a second
    const audio::Features made = extractor({&speech, 1});               // (1, 20, 100)
    CHECK(speech.rate() == 8000);
    CHECK(made.shape == std::vector<std::int64_t>{1, 20, 100});
}

TEST_CASE("whether a directory has an extractor of sounds") {
    const Directory directory;
    CHECK_FALSE(Extractor::is_in(directory.path()));
    const auto is_in = [&](const std::string& text) {
        write_file(directory / "preprocessor_config.json", text);
        return Extractor::is_in(directory.path());
    };
    CHECK(is_in(R"({"feature_extractor_type": "WhisperFeatureExtractor"})"));
    CHECK_FALSE(is_in(R"({"feature_extractor_type": "CLIPFeatureExtractor"})"));
    CHECK_FALSE(is_in(R"({"image_processor_type": "ViTImageProcessor"})"));
    CHECK_FALSE(is_in("{}"));
    write_file(directory / "config.json", R"({"model_type": "wav2vec2"})");
    CHECK(is_in("{}"));
    write_file(directory / "config.json", R"({"model_type": "vit"})");
    CHECK_FALSE(is_in("{}"));
    refuses<ConfigError>([&] { (void)is_in("{"); }, {"preprocessor_config.json"});
}

TEST_CASE("silence is the floor, and what comes after a chunk is not looked at") {
    const auto extractor = Extractor::open(features("whisper"));
    const std::vector<Samples> silence = {Samples(std::vector<float>(5000), 8000)};
    for (const float x : extractor(silence).values) REQUIRE(x == -1.5F);
    CHECK(extractor.most_samples() == 8000);
    const auto full = noise(9000, 2);
    const std::vector<Samples> both = {Samples(full, 8000), Samples({full.begin(), full.begin() + 8000}, 8000)};
    const auto made = extractor(both);
    const std::vector<float> first(made.values.begin(), made.values.begin() + 2000);
    CHECK(largest_difference(first, std::vector<float>(made.values.begin() + 2000, made.values.end())) == 0);
    const auto& whisper = std::get<audio::WhisperExtractor>(extractor.kind());
    CHECK(whisper.chunk_frames() == 100);
    CHECK(whisper.frames_of(0) == 0);
    CHECK(whisper.frames_of(1) == 1);
    CHECK(whisper.frames_of(80) == 1);
    CHECK(whisper.frames_of(81) == 2);
    CHECK(whisper.frames_of(90000) == 100);
}

TEST_CASE("the spectrogram of a whole recording, in pieces of any size") {
    const auto extractor = Extractor::open(features("whisper_long"));
    const auto& whisper = std::get<audio::WhisperExtractor>(extractor.kind());
    const auto recording = noise(20000, 20000);
    const auto want = numbers_of<float>(features("whisper_long") / "expected.f32");
    for (const std::size_t piece : {1U, 7U, 100U, 101U, 4096U, 20000U}) {
        CAPTURE(piece);
        audio::LogMel mel(whisper);
        for (std::size_t at = 0; at < recording.size(); at += piece)
            mel.add(std::span(recording).subspan(at, std::min(piece, recording.size() - at)));
        mel.finish();
        REQUIRE(mel.frames() == 250);
        CHECK(mel.samples() == 20000);
        std::vector<float> all(8 * 250);
        mel.window(0, 250, all);
        CHECK(largest_difference(all, want) <= 1e-3);
        // A window over the end, where the rest is 0.
        std::vector<float> end(8 * 100);
        mel.window(200, 100, end);
        for (std::size_t m = 0; m < 8; ++m) {
            for (std::size_t t = 0; t < 100; ++t) REQUIRE(end[m * 100 + t] == (t < 50 ? all[m * 250 + 200 + t] : 0.0F));
        }
    }
    audio::LogMel mel(whisper);
    mel.add(std::span(recording).first(100));
    refuses<InputError>([&] { mel.finish(); }, {"100 samples", "too short"});
    audio::LogMel shortest(whisper);
    shortest.add(std::span(recording).first(101));
    shortest.finish();
    CHECK(shortest.frames() == 1);
    std::vector<float> room(8);
    refuses<InputError>([&] { shortest.window(-1, 1, room); }, {"window"});
    refuses<InputError>([&] { shortest.window(0, 2, room); }, {"window"});
}

TEST_CASE("numbers of numpy.random.seed") {
    audio::NumpyRandom random(5);
    // np.random.seed(5); [np.random.randint(0, n) for n in (10, 1, 1000, 7, 2**32)]
    std::vector<std::uint32_t> drawn;
    for (const std::uint64_t n : {10ULL, 1ULL, 1000ULL, 7ULL, 4294967296ULL}) drawn.push_back(random.below(n));
    CHECK(drawn == std::vector<std::uint32_t>{3, 0, 206, 5, 887852006});
}

TEST_CASE("sounds that an extractor does not take") {
    for (const auto* name : {"whisper", "wav2vec2", "clap_fusion"}) {
        const auto extractor = Extractor::open(features(name));
        refuses<InputError>([&] { (void)extractor({}); }, {"no sound"});
        refuses<InputError>([&] { (void)extractor(noises({50}, 44100)); }, {"44100", std::to_string(extractor.rate())});
    }
}

/// The extractor of a preprocessor_config.json, and of a config.json beside it.
Extractor made_of(const std::string& text, const std::string& config = "") {
    const Directory directory;
    write_file(directory / "preprocessor_config.json", text);
    if (!config.empty()) write_file(directory / "config.json", config);
    return Extractor::open(directory.path());
}

TEST_CASE("an extractor is found where transformers finds it") {
    const auto is_clap = [](const Extractor& e) { return std::holds_alternative<audio::ClapExtractor>(e.kind()); };
    CHECK(is_clap(made_of(R"({"feature_extractor_type": "ClapFeatureExtractor"})")));
    CHECK(is_clap(made_of("{}", R"({"model_type": "clap"})")));
    CHECK(is_clap(made_of("{}", R"({"feature_extractor_type": "ClapFeatureExtractor", "model_type": "bert"})")));
    CHECK(std::holds_alternative<audio::Wav2Vec2Extractor>(made_of("{}", R"({"model_type": "hubert"})").kind()));
    CHECK(std::holds_alternative<audio::WhisperExtractor>(made_of("{}", R"({"model_type": "whisper"})").kind()));
    const Directory directory;
    write_file(directory / "preprocessor_config.json", R"({"feature_extractor_type": "ClapFeatureExtractor"})");
    write_file(directory / "processor_config.json", R"({"processor_class": "ClapProcessor"})");
    CHECK(is_clap(Extractor::open(directory.path())));
    for (const std::string key : {"feature_extractor", "audio_processor"}) {
        write_file(
            directory / "processor_config.json",
            "{\"" + key + "\": {\"feature_extractor_type\": \"Wav2Vec2FeatureExtractor\", \"sampling_rate\": 8000}}");
        CHECK(Extractor::open(directory.path()).rate() == 8000);
    }
    write_file(directory / "processor_config.json", R"({"feature_extractor": null})");
    CHECK(is_clap(Extractor::open(directory.path())));
}

TEST_CASE("what a file does not say is as in transformers") {
    const auto whisper =
        std::get<audio::WhisperExtractor>(made_of(R"({"feature_extractor_type": "WhisperFeatureExtractor",
        "n_samples": 3, "nb_max_frames": 1, "mel_filters": [[1]], "return_attention_mask": null})")
                                              .kind());
    CHECK(whisper.config().feature_size == 80);
    CHECK(whisper.chunk_samples() == 480000);
    CHECK(whisper.chunk_frames() == 3000);
    CHECK_FALSE(whisper.config().return_attention_mask);
    const auto clap = std::get<audio::ClapExtractor>(made_of(R"({"feature_extractor_type": "ClapFeatureExtractor",
        "top_db": 80, "padding": null, "nb_max_samples": 5})")
                                                         .kind());
    CHECK(clap.most_samples() == 480000);
    CHECK(clap.config().truncation == "fusion");
    CHECK(clap.config().padding.empty());
    CHECK(clap.config().frequency_min == 0);
    const auto wav2vec2 = std::get<audio::Wav2Vec2Extractor>(made_of(R"({"feature_extractor_type":
        "Wav2Vec2FeatureExtractor"})")
                                                                 .kind());
    CHECK(wav2vec2.config().do_normalize);
    CHECK_FALSE(wav2vec2.config().return_attention_mask);
}

TEST_CASE("files of extractors that are refused") {
    const auto refused = [](const std::string& text, std::initializer_list<std::string_view> words,
                            const std::string& config = "") {
        CAPTURE(text);
        refuses<ConfigError>([&] { (void)made_of(text, config); }, words);
        refuses<ConfigError>([&] { (void)made_of(text, config); }, {"preprocessor_config.json"});
    };
    refuses<ConfigError>([] { (void)Extractor::open(Directory().path()); }, {"no feature extractor"});
    refused("{}", {"feature_extractor_type"});
    refused("{}", {"feature_extractor_type"}, R"({"model_type": "bert"})");
    refused("[]", {"object"});
    refused("{", {"line"});
    refused(R"({"feature_extractor_type": "EncodecFeatureExtractor"})", {"EncodecFeatureExtractor", "Whisper's"});
    const auto with = [](const std::string& kind, const std::string& key) {
        return R"({"feature_extractor_type": ")" + kind + R"(FeatureExtractor", )" + key + "}";
    };
    for (const auto* key :
         {R"("feature_size": 0)", R"("feature_size": "80")", R"("feature_size": null)", R"("hop_length": 0)",
          R"("chunk_length": 30.5)", R"("chunk_length": 0)", R"("chunk_length": 100000)", R"("n_fft": 401)",
          R"("n_fft": 1)", R"("n_fft": 1000000)", R"("sampling_rate": -1)", R"("padding_side": "up")",
          R"("padding_value": 1e300)", R"("dither": 0.1)", R"("return_attention_mask": 2)"})
        refused(with("Whisper", key), {});
    refused(with("Whisper", R"("sampling_rate": 100, "chunk_length": 1)"), {"half a window"});
    refused(with("Whisper", R"("sampling_rate": 300, "chunk_length": 1, "hop_length": 400)"), {"hop_length"});
    refused(with("Wav2Vec2", R"("feature_size": 2)"), {"feature_size"});
    refused(with("Wav2Vec2", R"("do_normalize": "yes")"), {"do_normalize"});
    refused(with("Clap", R"("frequency_min": 15000)"), {"frequency_min"});
    refused(with("Clap", R"("truncation": 5)"), {"truncation"});
    refused(with("Clap", R"("fft_window_size": 3)"), {"fft_window_size", "odd"});
    refused(with("Clap", R"("max_length_s": 9999999)"), {"max_length_s"});
}

TEST_CASE("numbers that a program gives are checked as those of a file") {
    const auto whisper = [](std::string_view word, const auto& change) {
        audio::WhisperExtractorConfig config;
        change(config);
        refuses<ConfigError>([&] { audio::WhisperExtractor{config}; }, {word});
    };
    whisper("feature_size is 0", [](auto& c) { c.feature_size = 0; });
    whisper("feature_size is -1", [](auto& c) { c.feature_size = -1; });
    whisper("sampling_rate is 0", [](auto& c) { c.sampling_rate = 0; });
    whisper("hop_length is 0", [](auto& c) { c.hop_length = 0; });
    whisper("n_fft is 0", [](auto& c) { c.n_fft = 0; });
    whisper("n_fft is 401", [](auto& c) { c.n_fft = 401; });
    whisper("chunk_length is 0", [](auto& c) { c.chunk_length = 0; });
    whisper("chunk_length is 9223372036854775807", [](auto& c) { c.chunk_length = INT64_MAX; });
    whisper("padding_value", [](auto& c) { c.padding_value = std::numeric_limits<float>::quiet_NaN(); });
    const auto clap = [](std::string_view word, const auto& change) {
        audio::ClapExtractorConfig config;
        change(config);
        refuses<ConfigError>([&] { audio::ClapExtractor{config}; }, {word});
    };
    clap("feature_size is 0", [](auto& c) { c.feature_size = 0; });
    clap("sampling_rate is -48000", [](auto& c) { c.sampling_rate = -48000; });
    clap("hop_length is 0", [](auto& c) { c.hop_length = 0; });
    clap("fft_window_size is 1", [](auto& c) { c.fft_window_size = 1; });
    clap("max_length_s is 0", [](auto& c) { c.max_length_s = 0; });
    clap("frequency_min", [](auto& c) { c.frequency_min = std::numeric_limits<double>::quiet_NaN(); });
    clap("frequency_max", [](auto& c) { c.frequency_max = std::numeric_limits<double>::infinity(); });
    refuses<ConfigError>([] { audio::Wav2Vec2Extractor{audio::Wav2Vec2ExtractorConfig{.sampling_rate = 0}}; },
                         {"sampling_rate is 0"});
}

TEST_CASE("an unknown truncation is told of when it is needed") {
    const auto extractor = made_of(R"({"feature_extractor_type": "ClapFeatureExtractor", "sampling_rate": 8000,
        "max_length_s": 1, "frequency_max": 4000, "truncation": "middle"})");
    CHECK(extractor(noises({8000}, 8000)).is_longer->at(0) == 0);
    refuses<InputError>([&] { (void)extractor(noises({8001}, 8000)); }, {"'middle'", "rand_trunc"});
    const auto fusion = made_of(R"({"feature_extractor_type": "ClapFeatureExtractor", "sampling_rate": 8000,
        "max_length_s": 1, "frequency_max": 4000, "feature_size": 32})");
    refuses<InputError>([&] { (void)fusion(noises({20000}, 8000)); }, {"64 mels"});
}

}  // namespace
}  // namespace silica::test
