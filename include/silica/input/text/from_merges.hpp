#pragma once
/// Byte-level BPE tokenizers from vocab.json and merges.txt (GPT-2, Qwen2, Whisper, CLIP, RoBERTa), as transformers
/// builds them where there is no tokenizer.json.

#include <silica/input/text/parts.hpp>
#include <silica/input/text/tokenizer_config.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

namespace detail {

/// Reads merges.txt: two tokens a line.
[[nodiscard]] inline Merges read_merges_txt(const std::string& bytes, const Vocabulary& vocabulary) {
    Merges made;
    std::size_t number = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        std::size_t end = bytes.find('\n', at);
        if (end == std::string::npos) end = bytes.size();
        std::string_view line = std::string_view(bytes).substr(at, end - at);
        at = end + 1;
        ++number;
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.empty() || line.substr(0, 8) == "#version") continue;
        const auto refuse = [&](const std::string& why) {
            throw ConfigError("merges.txt: line " + std::to_string(number) + " " + why + ".",
                              "Take merges.txt and vocab.json from the model's repository again.");
        };
        const auto space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            refuse("is not two tokens with a space between");
        }
        const auto missing = made.add(line.substr(0, space), line.substr(space + 1), vocabulary, 0);
        if (!missing.empty())
            refuse("needs the token \"" + utf8::lossy(missing.substr(0, 100)) + "\", which is not in vocab.json");
    }
    return made;
}

inline constexpr const char* qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* clip_pattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

/// What Whisper puts before a transcript: language and task where the configuration names them.
inline void add_whisper_template(Parts& parts, const TokenizerConfig& config) {
    const auto place = config.place();
    std::vector<TemplateProcessing::Part> single, pair;
    const auto add = [&](const std::string& token) {
        const auto id = parts.id(token);
        if (id >= 0) single.push_back({-1, 0, {{id}, {token}}});
    };
    add("<|startoftranscript|>");
    if (const auto language = place.find("language")) {
        if (language->string().size() != 2) language->fail("is no two-letter code");
        add("<|" + language->string() + "|>");
    }
    if (const auto task = place.find("task"); task) add("<|" + task->string() + "|>");
    if (!place.boolean_or("predict_timestamps", false)) add("<|notimestamps|>");
    const auto eos = parts.special(config, "eos_token", "<|endoftext|>");
    pair = single;
    single.push_back({0, 0});
    single.push_back({-1, 0, eos});
    pair.push_back({0, 0});
    pair.push_back({1, 1});
    pair.push_back({-1, 1, eos});
    parts.post_processor = PostProcessor(TemplateProcessing(std::move(single), std::move(pair)));
}

}  // namespace detail

/// The tokenizer of a directory with vocab.json and merges.txt.
[[nodiscard]] inline Parts read_merges(const std::filesystem::path& directory, const TokenizerConfig& given) {
    TokenizerConfig config = given;
    const auto name = config.family();
    const bool clip = name == "CLIP", qwen = name == "Qwen2", whisper = name == "Whisper", roberta = name == "Roberta";
    if (!clip && !qwen && !whisper && !roberta && name != "GPT2") {
        throw ConfigError("The tokenizer class \"" + name +
                              "\" cannot be built from vocab.json and merges.txt; known are " +
                              "GPT2Tokenizer, Qwen2Tokenizer, WhisperTokenizer, CLIPTokenizer and RobertaTokenizer.",
                          "Set tokenizer_class in tokenizer_config.json, or write a tokenizer.json with "
                          "AutoTokenizer.from_pretrained(...).save_pretrained(...) in Python.");
    }
    const std::string end = "<|endoftext|>";
    if (clip) {
        config.default_tokens(
            {{"unk_token", end}, {"bos_token", "<|startoftext|>"}, {"eos_token", end}, {"pad_token", end}});
    } else if (roberta) {
        config.default_tokens({{"bos_token", "<s>"},
                               {"eos_token", "</s>"},
                               {"sep_token", "</s>"},
                               {"cls_token", "<s>"},
                               {"unk_token", "<unk>"},
                               {"pad_token", "<pad>"},
                               {"mask_token", "<mask>"}});
    } else if (qwen) {
        config.default_tokens({{"unk_token", end}, {"eos_token", end}, {"pad_token", end}});
    } else {
        config.default_tokens({{"unk_token", end}, {"bos_token", end}, {"eos_token", end}});
    }
    const auto json = parse_json(read_file(directory / "vocab.json"), "vocab.json");
    auto vocabulary = read_vocabulary(JsonPlace(json, "vocab.json"));
    auto merges = detail::read_merges_txt(read_file(directory / "merges.txt"), vocabulary);
    BpeOptions options;
    if (clip) options.suffix = "</w>", options.unknown = config.token_or("unk_token", end);
    Parts made{Model{Bpe(std::move(vocabulary), std::move(merges), std::move(options))}};

    const bool space = config.place().boolean_or("add_prefix_space", false);
    PreTokenizerSequence pre;
    if (clip) {
        NormalizerSequence normalizers;
        normalizers.steps.push_back({NormalForm{unicode::nfc}});
        normalizers.steps.push_back({Replace{Pattern(Regex(R"(\s+)", "CLIPTokenizer")), " "}});
        normalizers.steps.push_back({Lowercase{}});
        made.normalizer = Normalizer{std::move(normalizers)};
        pre.steps.push_back({Split{Pattern(Regex(detail::clip_pattern, "CLIPTokenizer")), Behavior::removed, true}});
        pre.steps.push_back({ByteLevel(false, true)});
    } else if (qwen) {
        made.normalizer = Normalizer{NormalForm{unicode::nfc}};
        pre.steps.push_back(
            {Split{Pattern(Regex(detail::qwen2_pattern, "Qwen2Tokenizer")), Behavior::isolated, false}});
        pre.steps.push_back({ByteLevel(space, false)});
    } else {
        pre.steps.push_back({ByteLevel(space, true)});
    }
    made.pre_tokenizer = PreTokenizer{std::move(pre)};
    made.decoder = Decoder{ByteLevelDecoder{}};
    if (clip) {
        DecoderSequence decoders;
        decoders.steps.push_back({ByteLevelDecoder{}});
        decoders.steps.push_back({ReplaceDecoder{Pattern("</w>"), " "}});
        decoders.steps.push_back({Trim{}});
        made.decoder = Decoder{std::move(decoders)};
    }

    made.add_special_tokens(config);
    if (clip || roberta) {
        const auto cls = made.special(config, clip ? "bos_token" : "cls_token", "<s>");
        const auto sep = made.special(config, clip ? "eos_token" : "sep_token", "</s>");
        made.post_processor = PostProcessor(roberta_template(cls, sep));
    } else if (whisper) {
        detail::add_whisper_template(made, config);
    } else {
        made.add_boundary_template(config);
    }
    return made;
}

}  // namespace silica::text
