#pragma once
/// The reading of preprocessor_config.json and its kin, as AutoFeatureExtractor of transformers 5.23 does.

#include "silica/core/error.hpp"
#include "silica/core/json.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/audio/extractor.hpp"
#include "silica/input/audio/sizes.hpp"
#include "silica/input/text/file.hpp"
#include "silica/input/text/json_place.hpp"

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::audio {

namespace detail {

using text::JsonPlace;

/// Reads the keys of an extractor. One that is absent leaves what stands there.
class ExtractorKeys {
public:
    explicit ExtractorKeys(JsonPlace place) : place_(std::move(place)) {}

    void read(std::string_view key, std::int64_t low, std::int64_t high, std::int64_t& value) const {
        if (has(key)) value = place_.at(key).integer(low, high);
    }
    void read(std::string_view key, double& value) const {
        if (!has(key)) return;
        value = place_.at(key).number();
        if (!std::isfinite(value)) place_.at(key).fail("is no finite number");
    }
    void read(std::string_view key, float& value) const {
        double wide = static_cast<double>(value);
        read(key, wide);
        value = static_cast<float>(wide);
        if (!std::isfinite(value)) place_.at(key).fail("is too large for float32");
    }
    /// Null is false.
    void read(std::string_view key, bool& value) const {
        if (!has(key)) return;
        const auto found = place_.find(key);
        value = found && (found->raw().is_integer() ? found->integer(0, 1) == 1 : found->boolean());
    }
    /// Null is no word.
    void read(std::string_view key, std::string& value) const {
        if (!has(key)) return;
        const auto found = place_.find(key);
        value = found ? found->string() : std::string();
    }
    /// padding_side.
    void read_side(bool& left) const {
        if (!has("padding_side")) return;
        const auto side = place_.at("padding_side");
        left = side.string() == "left";
        if (!left && side.string() != "right") side.fail("is " + quote(side.string()) + ", neither left nor right");
    }
    /// The extractor of what was read. ConfigError, which names the file, for numbers that cannot be.
    template <class Made, class Config>
    [[nodiscard]] Made make(const Config& config) const try {
        return Made(config);
    } catch (const ConfigError& e) {
        throw ConfigError(place_.file() + ": " + e.problem(), e.remedy());
    }
    [[nodiscard]] const JsonPlace& place() const noexcept { return place_; }

private:
    [[nodiscard]] bool has(std::string_view key) const { return place_.raw().find(key) != nullptr; }

    JsonPlace place_;
};

inline WhisperExtractor whisper_of(const ExtractorKeys& keys) {
    WhisperExtractorConfig c;
    keys.read("feature_size", 1, most_mels, c.feature_size);
    keys.read("sampling_rate", 1, largest_rate, c.sampling_rate);
    keys.read("hop_length", 1, largest_window, c.hop_length);
    keys.read("chunk_length", 1, longest_chunk, c.chunk_length);
    keys.read("n_fft", 2, largest_window, c.n_fft);
    keys.read("padding_value", c.padding_value);
    keys.read("return_attention_mask", c.return_attention_mask);
    keys.read_side(c.pads_left);
    double dither = 0;
    keys.read("dither", dither);
    if (dither != 0) {
        throw ConfigError(keys.place().file() + " asks for a dither of " + std::to_string(dither) +
                              ", which adds random noise that only PyTorch's generator gives.",
                          "Set dither to 0.");
    }
    return keys.make<WhisperExtractor>(c);
}

inline Wav2Vec2Extractor wav2vec2_of(const ExtractorKeys& keys) {
    Wav2Vec2ExtractorConfig c;
    std::int64_t features = 1;
    keys.read("feature_size", 1, 1, features);
    keys.read("sampling_rate", 1, largest_rate, c.sampling_rate);
    keys.read("padding_value", c.padding_value);
    keys.read("return_attention_mask", c.return_attention_mask);
    keys.read("do_normalize", c.do_normalize);
    keys.read_side(c.pads_left);
    return keys.make<Wav2Vec2Extractor>(c);
}

inline ClapExtractor clap_of(const ExtractorKeys& keys) {
    ClapExtractorConfig c;
    keys.read("feature_size", 1, most_mels, c.feature_size);
    keys.read("sampling_rate", 1, largest_rate, c.sampling_rate);
    keys.read("hop_length", 1, largest_window, c.hop_length);
    keys.read("max_length_s", 1, longest_chunk, c.max_length_s);
    keys.read("fft_window_size", 2, largest_window, c.fft_window_size);
    keys.read("frequency_min", c.frequency_min);
    keys.read("frequency_max", c.frequency_max);
    keys.read("truncation", c.truncation);
    keys.read("padding", c.padding);
    return keys.make<ClapExtractor>(c);
}

/// What makes the extractor of a class, or null.
using MakeExtractor = Extractor::Kind (*)(const ExtractorKeys&);
inline MakeExtractor maker_of_class(std::string_view name) {
    if (name == "WhisperFeatureExtractor")
        return [](const ExtractorKeys& k) -> Extractor::Kind { return whisper_of(k); };
    if (name == "Wav2Vec2FeatureExtractor")
        return [](const ExtractorKeys& k) -> Extractor::Kind { return wav2vec2_of(k); };
    if (name == "ClapFeatureExtractor") return [](const ExtractorKeys& k) -> Extractor::Kind { return clap_of(k); };
    return nullptr;
}

/// By a model_type of config.json, or null.
inline MakeExtractor maker_of_model(std::string_view type) {
    for (const std::string_view whisper : {"whisper", "qwen2_audio", "voxtral"}) {
        if (type == whisper) return maker_of_class("WhisperFeatureExtractor");
    }
    for (const std::string_view wav2vec2 :
         {"wav2vec2", "hubert", "wavlm", "data2vec-audio", "moonshine", "sew", "sew-d", "unispeech", "unispeech-sat",
          "wav2vec2-bert", "wav2vec2-conformer"}) {
        if (type == wav2vec2) return maker_of_class("Wav2Vec2FeatureExtractor");
    }
    return type == "clap" ? maker_of_class("ClapFeatureExtractor") : nullptr;
}

/// A file of JSON.
struct ExtractorFile {
    ExtractorFile(const std::filesystem::path& directory, const char* file)
        : path((directory / file).string()), json(text::parse_json(text::read_file(path), path)) {}

    std::string path;
    Json json;
};

/// Calls f(place, class, maker) for the extractor of a directory. `class` is where its class stands, if it does;
/// `maker` is null where the class is not known. Returns f's value, or none() where no file describes an extractor.
template <class F, class None>
auto with_extractor(const std::filesystem::path& directory, const F& f, const None& none) {
    const auto found = [&](const JsonPlace& place) {
        if (!place.is_object()) place.fail("is no JSON object");
        if (const auto type = place.find("feature_extractor_type"))
            return f(place, type, maker_of_class(type->string()));
        if (place.find("image_processor_type") || !text::has_file(directory, "config.json"))
            return f(place, std::optional<JsonPlace>(), MakeExtractor{});
        const ExtractorFile config(directory, "config.json");
        const JsonPlace top(config.json, config.path);
        if (const auto type = top.find("feature_extractor_type")) return f(place, type, maker_of_class(type->string()));
        return f(place, std::optional<JsonPlace>(), maker_of_model(top.string_or("model_type", "")));
    };
    if (text::has_file(directory, "processor_config.json")) {
        const ExtractorFile file(directory, "processor_config.json");
        const JsonPlace top(file.json, file.path);
        if (!top.is_object()) top.fail("is no JSON object");
        for (const char* key : {"feature_extractor", "audio_processor"}) {
            if (file.json.find(key) == nullptr) continue;
            if (const auto nested = top.find(key)) return found(*nested);
            break;  // null: as if it were absent
        }
    }
    if (!text::has_file(directory, "preprocessor_config.json")) return none();
    const ExtractorFile file(directory, "preprocessor_config.json");
    return found({file.json, file.path});
}

}  // namespace detail

SILICA_INLINE Extractor Extractor::open(const std::filesystem::path& directory) {
    return detail::with_extractor(
        directory,
        [](const detail::JsonPlace& place, const std::optional<detail::JsonPlace>& type, detail::MakeExtractor maker) {
            if (maker != nullptr) return Extractor(maker(detail::ExtractorKeys(place)));
            if (type) {
                throw ConfigError(type->file() + ": " + type->key() + " is " + quote(type->string()) +
                                      ", a feature extractor that Silica does not know.",
                                  "Use a checkpoint whose feature extractor is Whisper's, Wav2Vec2's or CLAP's.");
            }
            throw ConfigError(place.file() +
                                  " names no feature_extractor_type, and config.json beside it does not say whose "
                                  "extractor this is.",
                              "Add a feature_extractor_type, as \"WhisperFeatureExtractor\".");
        },
        [&]() -> Extractor {
            throw ConfigError(
                directory.string() +
                    " has no feature extractor: neither preprocessor_config.json nor processor_config.json "
                    "with a feature_extractor.",
                "Download the processor's files of the model into that directory.");
        });
}

SILICA_INLINE bool Extractor::is_in(const std::filesystem::path& directory) {
    return detail::with_extractor(
        directory,
        [](const detail::JsonPlace&, const std::optional<detail::JsonPlace>&, detail::MakeExtractor maker) {
            return maker != nullptr;
        },
        [] { return false; });
}

SILICA_INLINE Features Extractor::operator()(std::span<const Samples> sounds) const {
    NumpyRandom random;
    return (*this)(sounds, random);
}

SILICA_INLINE Features Extractor::operator()(std::span<const Samples> sounds, NumpyRandom& random) const {
    if (const auto* clap = std::get_if<ClapExtractor>(&kind_)) return (*clap)(sounds, random);
    if (const auto* wav2vec2 = std::get_if<Wav2Vec2Extractor>(&kind_)) return (*wav2vec2)(sounds);
    return std::get<WhisperExtractor>(kind_)(sounds);
}

SILICA_INLINE int Extractor::rate() const noexcept {
    return static_cast<int>(std::visit([](const auto& kind) { return kind.config().sampling_rate; }, kind_));
}

SILICA_INLINE std::int64_t Extractor::most_samples() const noexcept {
    const auto* whisper = std::get_if<WhisperExtractor>(&kind_);
    return whisper != nullptr ? whisper->chunk_samples() : std::numeric_limits<std::int64_t>::max();
}

}  // namespace silica::audio
