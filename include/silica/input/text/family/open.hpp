#pragma once
/// The tokenizer of a directory: that of its family, or tokenizer.json as it is.

#include <silica/core/error.hpp>
#include <silica/input/text/family/bert.hpp>
#include <silica/input/text/family/byte_level.hpp>
#include <silica/input/text/family/sentencepiece.hpp>
#include <silica/input/text/parts.hpp>
#include <silica/input/text/source.hpp>
#include <silica/input/text/tokenizer_class.hpp>
#include <silica/input/text/tokenizer_config.hpp>

#include <filesystem>

namespace silica::text::detail {

/// A tokenizer.json as it is, with what the files beside it add.
[[nodiscard]] inline Parts json_parts(const Source& source, TokenizerConfig& config) {
    auto made = Parts::read(source.place());
    if (made.padding && !config.find("pad_token") && config.without.count("pad_token") == 0) {
        config.special_tokens.emplace_back("pad_token", NamedToken::of(made.padding->token));
        config.become(config.family);  // in their order
    }
    made.add_special_tokens(config);
    made.add_boundary_template(config, true);
    return made;
}

/// The parts of the tokenizer of a directory.
[[nodiscard]] inline Parts open_parts(const std::filesystem::path& directory, TokenizerConfig& config) {
    const Source source(directory);
    if (config.family == "Wav2Vec2CTC") {
        throw ConfigError(directory.string() +
                              " has the symbols of a CTC model (Wav2Vec2CTCTokenizer), which make text "
                              "of what it hears, and no tokenizer.",
                          "decode its outputs with silica::text::CtcDecoder.");
    }
    if (source.has_json() && !config.added_tokens_listed) {
        if (const auto place = source.place().find("added_tokens")) {
            for (std::size_t i = 0; i < place->size(); ++i) {
                const auto token = place->at(i);
                config.added_tokens[token.at("id").id()] = TokenizerConfig::read_added_token(token);
            }
            config.match_added_tokens();
        }
    }
    if (config.family == "Bert") return bert_parts(source, config);
    if (config.family == "Llama") return llama_parts(source, config);
    if (config.family == "T5") return t5_parts(source, config);
    if (has_word("GPT2 Qwen2 CLIP Roberta Whisper", config.family)) return byte_level_parts(source, config);
    if (source.has_json()) return json_parts(source, config);
    if (config.family.empty() || config.family == backend_family) {
        if (source.has("tokenizer.model")) return sentencepiece_parts(source, config);
        if (source.sentencepiece()) {
            const bool unigram = source.read_sentencepiece().model_type == SentencePieceModel::unigram;
            config.become(unigram ? "T5" : "Llama");
            return unigram ? t5_parts(source, config) : llama_parts(source, config);
        }
        if (!source.has("vocab.json")) {
            source.missing("tokenizer.json, vocab.txt, vocab.json with merges.txt, tokenizer.model, spiece.model");
        }
    }
    throw ConfigError("The tokenizer class \"" + config.family + "\" of " + directory.string() +
                          " cannot be built without a tokenizer.json; those of BERT, GPT-2, Qwen2, Whisper, CLIP, "
                          "RoBERTa, LLaMA and T5 can.",
                      "Set tokenizer_class in tokenizer_config.json, or write a tokenizer.json with "
                      "AutoTokenizer.from_pretrained(...).save_pretrained(...) in Python.");
}

}  // namespace silica::text::detail
