#pragma once
/// The byte-level BPE tokenizers of GPT-2, Qwen2, RoBERTa, CLIP and Whisper, as transformers builds them from a
/// vocabulary.

#include <silica/input/text/family/whisper.hpp>
#include <silica/input/text/parts.hpp>
#include <silica/input/text/source.hpp>

#include <string>
#include <utility>
#include <vector>

namespace silica::text {

namespace detail {

inline constexpr const char* qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* clip_pattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

/// How CLIP cuts text into words.
inline void add_clip_words(Parts& parts) {
    NormalizerSequence normalizers;
    normalizers.steps.push_back({NormalForm{unicode::nfc}});
    normalizers.steps.push_back({Replace{Pattern(Regex(R"(\s+)", "CLIPTokenizer")), " "}});
    normalizers.steps.push_back({Lowercase{}});
    parts.normalizer = Normalizer{std::move(normalizers)};
    PreTokenizerSequence pre;
    pre.steps.push_back({Split{Pattern(Regex(clip_pattern, "CLIPTokenizer")), Behavior::removed, true}});
    pre.steps.push_back({ByteLevel(false, true)});
    parts.pre_tokenizer = PreTokenizer{std::move(pre)};
    DecoderSequence decoders;
    decoders.steps.push_back({ByteLevelDecoder{}});
    decoders.steps.push_back({ReplaceDecoder{Pattern("</w>"), " "}});
    decoders.steps.push_back({Trim{}});
    parts.decoder = Decoder{std::move(decoders)};
}

}  // namespace detail

/// The tokenizer of config.family, which is one of the five.
[[nodiscard]] inline Parts byte_level_parts(const Source& source, const TokenizerConfig& config) {
    const bool clip = config.family == "CLIP", qwen = config.family == "Qwen2", roberta = config.family == "Roberta";
    auto [vocabulary, merges] = source.pairs();
    BpeOptions options;
    if (clip) options.suffix = "</w>", options.unknown = config.content("unk_token");
    const auto split = source.gguf() ? gguf_split(*source.gguf()) : GgufSplit{};
    options.ignore_merges = split.ignore_merges;
    Parts made{Model{Bpe(std::move(vocabulary), std::move(merges), std::move(options))}};

    const bool space = config.place().boolean_or("add_prefix_space", false);
    made.decoder = Decoder{ByteLevelDecoder{}};
    if (clip) {
        detail::add_clip_words(made);
    } else if (qwen || split.pattern != nullptr) {
        if (qwen) made.normalizer = Normalizer{NormalForm{unicode::nfc}};
        const auto* pattern = qwen ? detail::qwen2_pattern : split.pattern;
        PreTokenizerSequence pre;
        pre.steps.push_back({Split{Pattern(Regex(pattern, config.family)), Behavior::isolated, false}});
        pre.steps.push_back({ByteLevel(space, false)});
        made.pre_tokenizer = PreTokenizer{std::move(pre)};
    } else {
        made.pre_tokenizer = PreTokenizer{ByteLevel(space, true)};
    }

    if (source.has_json()) made.read_processing(source.place());
    made.add_special_tokens(config);
    if (qwen) {
        std::vector<AddedToken> special;
        for (const auto& [role, token] : config.special_tokens) special.push_back(NamedToken::of(token.content));
        for (const auto& token : Parts::extra(config)) special.push_back(NamedToken::of(token.content));
        made.added.add(special, made.model, made.normalizer);
    }
    if (clip || roberta) {
        const auto cls = made.special(config, clip ? "bos_token" : "cls_token");
        const auto sep = made.special(config, clip ? "eos_token" : "sep_token");
        made.post_processor = PostProcessor(roberta_template(cls, sep));
    } else if (config.family == "Whisper") {
        made.post_processor = whisper_template(made, config);
    } else {
        made.add_boundary_template(config, source.has_json());
    }
    return made;
}

}  // namespace silica::text
