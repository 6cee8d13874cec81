#pragma once
/// LLaMA's and T5's tokenizers, as transformers builds them from a vocabulary, and what it makes of a SentencePiece
/// model that no class is named for.

#include <silica/input/text/parts.hpp>
#include <silica/input/text/source.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

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

[[nodiscard]] inline std::pair<Vocabulary, Merges> pairs_of(const SentencePieceModel& model) {
    Vocabulary vocabulary;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
        vocabulary.add(model.pieces[i].text, static_cast<std::int32_t>(i));
    }
    auto merges = implied_merges(vocabulary);
    return {std::move(vocabulary), std::move(merges)};
}

/// The pieces that are never cut: control symbols (special) and user-defined ones.
[[nodiscard]] inline std::vector<NamedToken> symbols(const SentencePieceModel& model) {
    std::vector<NamedToken> made;
    for (const auto& piece : model.pieces) {
        if (piece.type != SentencePieceModel::control && piece.type != SentencePieceModel::user_defined) continue;
        NamedToken token;
        token.content = piece.text;
        token.normalized = false, token.normalized_given = true;
        token.special = piece.type == SentencePieceModel::control;
        made.push_back(token);
    }
    return made;
}

inline constexpr const char* visible_space = "\xE2\x96\x81";

}  // namespace detail

[[nodiscard]] inline Parts llama_parts(const Source& source, TokenizerConfig config) {
    std::pair<Vocabulary, Merges> pairs;
    if (source.has_json() || source.gguf()) {
        pairs = source.pairs();
    } else {
        const auto model = source.read_sentencepiece();
        pairs = detail::pairs_of(model);
        config.additional = detail::symbols(model);
    }
    BpeOptions options;
    options.fuse_unknown = options.byte_fallback = true;
    Parts made{Model{Bpe(std::move(pairs.first), std::move(pairs.second), std::move(options))}};

    const auto place = config.place();
    const bool space = place.boolean_or("add_prefix_space", true);
    Metaspace metaspace;
    metaspace.split = false;
    metaspace.scheme = !space                              ? Metaspace::Scheme::never
                       : place.boolean_or("legacy", false) ? Metaspace::Scheme::always
                                                           : Metaspace::Scheme::first;
    made.pre_tokenizer = PreTokenizer{metaspace};
    DecoderSequence decoders;
    decoders.steps.push_back({ReplaceDecoder{Pattern(detail::visible_space), " "}});
    decoders.steps.push_back({ByteFallback{}});
    decoders.steps.push_back({Fuse{}});
    if (space) decoders.steps.push_back({StripDecoder{" ", 1, 0}});
    made.decoder = Decoder{std::move(decoders)};
    if (source.has_json()) made.read_processing(source.place());
    made.add_special_tokens(config);
    made.add_boundary_template(config, source.has_json());
    return made;
}

[[nodiscard]] inline Parts t5_parts(const Source& source, TokenizerConfig config) {
    const auto place = config.place();
    const auto extra = place.find("extra_ids");
    const auto extra_ids = extra ? extra->integer(0, 10'000) : 100;
    const auto sentinel = [](std::int64_t i) { return "<extra_id_" + std::to_string(i) + ">"; };
    std::vector<std::pair<std::string, double>> tokens;
    std::optional<Precompiled> charsmap;
    if (source.has_json()) {
        const auto vocab = source.place().at("model").at("vocab");
        if (!vocab.is_array()) vocab.fail("is no list of tokens and scores, as T5Tokenizer needs");
        tokens = Unigram::read_tokens(vocab);
        charsmap = source.charsmap();
    } else {
        const auto model = source.read_sentencepiece();
        for (const auto& piece : model.pieces) tokens.emplace_back(piece.text, piece.score);
        for (auto i = extra_ids; i-- > 0;) tokens.emplace_back(sentinel(i), 0.0);
        if (!model.charsmap.empty()) charsmap.emplace(model.charsmap, "The SentencePiece model");
        config.additional = detail::symbols(model);
    }
    if (tokens.size() < 3) {
        throw ConfigError("The vocabulary of T5Tokenizer has fewer than three tokens.",
                          "Take the file from the model's repository again.");
    }
    const auto is_sentinel = [](const NamedToken& token) {
        return token.content.find("<extra_id_") != std::string::npos;
    };
    const auto given = config.additional
                           ? std::count_if(config.additional->begin(), config.additional->end(), is_sentinel)
                           : std::ptrdiff_t{0};
    if (given > 0 && extra_ids > 0 && given != extra_ids) {
        throw ConfigError(config.file + ": extra_ids is " + std::to_string(extra_ids) +
                              ", but additional_special_tokens has " + std::to_string(given) + " of them.",
                          "Set extra_ids to that number.");
    }
    if (given == 0) {
        if (!config.additional) config.additional.emplace();
        for (std::int64_t i = 0; i < extra_ids; ++i) config.additional->push_back(NamedToken::of(sentinel(i)));
    }

    Parts made{Model{Unigram(std::move(tokens), 2, false)}};
    if (charsmap) made.normalizer = Normalizer{*std::move(charsmap)};
    PreTokenizerSequence pre;
    pre.steps.push_back({SplitAt{.classes = unicode::is_space}});
    pre.steps.push_back({Metaspace{}});
    made.pre_tokenizer = PreTokenizer{std::move(pre)};
    made.decoder = Decoder{Metaspace{}};
    if (source.has_json()) made.read_processing(source.place());
    made.add_special_tokens(config);
    auto eos = made.special(config, "eos_token");
    eos.tokens = {"</s>"};  // whatever its name is
    made.post_processor =
        PostProcessor(TemplateProcessing({{0, 0}, {-1, 0, eos}}, {{0, 0}, {-1, 0, eos}, {1, 0}, {-1, 0, eos}}));
    return made;
}

/// What TokenizersBackend makes of tokenizer.model: no space is put in front, and none is taken away.
[[nodiscard]] inline Parts sentencepiece_parts(const Source& source, TokenizerConfig config) {
    const auto model = source.read_sentencepiece();
    const bool bytes = model.byte_fallback;
    std::optional<Model> kind;
    if (model.model_type == SentencePieceModel::unigram) {
        std::vector<std::pair<std::string, double>> tokens;
        for (const auto& piece : model.pieces) tokens.emplace_back(piece.text, piece.score);
        kind = Model{Unigram(std::move(tokens), model.unknown_id(), bytes)};
    } else {
        auto [vocabulary, merges] = detail::pairs_of(model);
        BpeOptions options;
        options.unknown = model.unknown_piece;
        options.fuse_unknown = true;
        options.byte_fallback = bytes;
        kind = Model{Bpe(std::move(vocabulary), std::move(merges), std::move(options))};
    }
    Parts made{*std::move(kind)};
    NormalizerSequence normalizers;
    if (!model.charsmap.empty()) normalizers.steps.push_back({Precompiled(model.charsmap, "The SentencePiece model")});
    normalizers.steps.push_back({Replace{Pattern(" "), detail::visible_space}});
    made.normalizer = Normalizer{std::move(normalizers)};
    DecoderSequence decoders;
    decoders.steps.push_back({ReplaceDecoder{Pattern(detail::visible_space), " "}});
    if (bytes) decoders.steps.push_back({ByteFallback{}});
    if (bytes) decoders.steps.push_back({Fuse{}});
    made.decoder = Decoder{std::move(decoders)};
    config.additional = detail::symbols(model);
    const auto offer = [&](const char* role, bool has, const std::string& token) {
        if (!has || config.find(role) || config.without.count(role) > 0) return;
        config.special_tokens.emplace_back(role, NamedToken::of(token));
    };
    offer("bos_token", model.has_bos, model.bos_piece);
    offer("eos_token", model.has_eos, model.eos_piece);
    offer("unk_token", model.unknown_at >= 0, model.unknown_piece);
    config.become(config.family);  // in their order
    made.add_special_tokens(config);
    made.add_boundary_template(config, false);
    return made;
}

}  // namespace silica::text
