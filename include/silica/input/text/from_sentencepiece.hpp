#pragma once
/// LLaMA's and T5's tokenizers from a SentencePiece model, as transformers builds them where there is no
/// tokenizer.json.

#include <silica/input/text/parts.hpp>
#include <silica/input/text/sentencepiece_model.hpp>
#include <silica/input/text/tokenizer_config.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// The names under which checkpoints keep a SentencePiece model.
inline constexpr const char* sentencepiece_files[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model"};

namespace detail {

/// The merges that a BPE vocabulary implies: every way to cut a token into two, in the order of the tokens.
[[nodiscard]] inline Merges implied_merges(const Vocabulary& vocabulary) {
    Merges made;
    for (std::size_t id = 0; id < vocabulary.id_end(); ++id) {
        const auto* token = vocabulary.token(static_cast<std::int64_t>(id));
        if (!token || vocabulary.find(*token) != static_cast<std::int32_t>(id)) continue;
        const std::string_view text = *token;
        for (std::size_t cut = text.empty() ? 0 : utf8::length(text[0]); cut < text.size();
             cut += utf8::length(text[cut])) {
            const auto left = vocabulary.find(text.substr(0, cut));
            if (left < 0) continue;
            const auto right = vocabulary.find(text.substr(cut));
            if (right >= 0) made.add(left, right, static_cast<std::int32_t>(id));
        }
    }
    return made;
}

/// The pieces that are never cut: control symbols (special) and user-defined ones.
inline void add_symbols(const SentencePieceModel& model, TokenizerConfig& config) {
    for (const auto& piece : model.pieces) {
        if (piece.type != SentencePieceModel::control && piece.type != SentencePieceModel::user_defined) continue;
        config.extra.push_back(
            {.content = piece.text, .normalized = false, .special = piece.type == SentencePieceModel::control});
    }
}

[[nodiscard]] inline Parts llama_parts(const SentencePieceModel& model, TokenizerConfig config) {
    Vocabulary vocabulary;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
        vocabulary.add(model.pieces[i].text, static_cast<std::int32_t>(i));
    }
    auto merges = implied_merges(vocabulary);
    BpeOptions options;
    options.fuse_unknown = options.byte_fallback = true;
    Parts made{Model{Bpe(std::move(vocabulary), std::move(merges), std::move(options))}};

    const auto place = config.place();
    const bool space = place.boolean_or("add_prefix_space", true);
    Metaspace metaspace;
    metaspace.split = false;
    metaspace.scheme = !space                              ? Metaspace::Scheme::never
                       : place.boolean_or("legacy", false) ? Metaspace::Scheme::always
                                                           : Metaspace::Scheme::first;
    made.pre_tokenizer = PreTokenizer{metaspace};
    DecoderSequence decoders;
    decoders.steps.push_back({ReplaceDecoder{Pattern("\xE2\x96\x81"), " "}});
    decoders.steps.push_back({ByteFallback{}});
    decoders.steps.push_back({Fuse{}});
    if (space) decoders.steps.push_back({StripDecoder{" ", 1, 0}});
    made.decoder = Decoder{std::move(decoders)};

    config.default_tokens({{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}});
    add_symbols(model, config);
    made.add_special_tokens(config);
    made.add_boundary_template(config);
    return made;
}

[[nodiscard]] inline Parts t5_parts(const SentencePieceModel& model, TokenizerConfig config) {
    const auto place = config.place();
    const auto extra = place.find("extra_ids");
    const auto extra_ids = extra ? extra->integer(0, 10'000) : 100;
    std::vector<std::pair<std::string, double>> tokens;
    for (const auto& piece : model.pieces) tokens.emplace_back(piece.text, piece.score);
    for (auto i = extra_ids; i-- > 0;) tokens.emplace_back("<extra_id_" + std::to_string(i) + ">", 0.0);
    if (tokens.size() < 3) {
        throw ConfigError("The SentencePiece model has fewer than three pieces.",
                          "Take the file from the model's repository again.");
    }
    Parts made{Model{Unigram(std::move(tokens), 2, false)}};
    if (!model.charsmap.empty()) made.normalizer = Normalizer{Precompiled(model.charsmap, "The SentencePiece model")};
    PreTokenizerSequence pre;
    pre.steps.push_back({SplitAt{.classes = unicode::is_space}});
    pre.steps.push_back({Metaspace{}});
    made.pre_tokenizer = PreTokenizer{std::move(pre)};
    made.decoder = Decoder{Metaspace{}};

    config.default_tokens({{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}});
    add_symbols(model, config);
    for (std::int64_t i = 0; i < extra_ids; ++i) {
        config.extra.push_back(
            {.content = "<extra_id_" + std::to_string(i) + ">", .normalized = false, .special = true});
    }
    made.add_special_tokens(config);
    const auto eos = made.special(config, "eos_token", "</s>");
    made.post_processor =
        PostProcessor(TemplateProcessing({{0, 0}, {-1, 0, eos}}, {{0, 0}, {-1, 0, eos}, {1, 0}, {-1, 0, eos}}));
    return made;
}

}  // namespace detail

/// The tokenizer of a directory with a SentencePiece model in `file`.
[[nodiscard]] inline Parts read_sentencepiece(const std::filesystem::path& directory, const char* file,
                                              const TokenizerConfig& config) {
    const auto model = SentencePieceModel::read(read_file(directory / file), file);
    const auto name = config.family();
    if (model.model_type == SentencePieceModel::bpe && (name.empty() || name == "Llama")) {
        return detail::llama_parts(model, config);
    }
    if (model.model_type == SentencePieceModel::unigram && (name.empty() || name == "T5")) {
        return detail::t5_parts(model, config);
    }
    throw ConfigError(std::string(file) + " is a SentencePiece model of type " + std::to_string(model.model_type) +
                          " for the tokenizer class \"" + name + "\"; LlamaTokenizer (BPE) and T5Tokenizer (unigram) " +
                          "can be built without a tokenizer.json.",
                      "Write a tokenizer.json with AutoTokenizer.from_pretrained(...).save_pretrained(...) in Python.");
}

}  // namespace silica::text
