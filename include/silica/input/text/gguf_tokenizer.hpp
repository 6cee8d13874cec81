#pragma once
/// The tokenizer in the metadata of a GGUF file: the vocabulary, and what stands beside it in other checkpoints.

#include <silica/core/error.hpp>
#include <silica/core/gguf.hpp>
#include <silica/core/quote.hpp>
#include <silica/input/text/file.hpp>
#include <silica/input/text/model/bpe_merges.hpp>
#include <silica/input/text/model/vocabulary_reader.hpp>
#include <silica/input/text/tokenizer_class.hpp>
#include <silica/input/text/utf8.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// The GGUF file whose tokenizer `place` has: itself, or the one of a directory without files of a tokenizer.
[[nodiscard]] inline std::optional<std::filesystem::path> gguf_of(const std::filesystem::path& place) {
    for (const char* name : {"tokenizer.json", "tokenizer_config.json", "tokenizer.model", "spiece.model",
                             "sentencepiece.bpe.model", "vocab.txt", "vocab.json"})
        if (has_file(place, name)) return std::nullopt;
    return find_gguf(place);
}

/// How text is cut before byte-pair encoding, by the name that `tokenizer.ggml.pre` has for it.
struct GgufSplit {
    const char* pattern = nullptr;  ///< null: GPT-2's
    bool ignore_merges = false;     ///< a word that is a token is that token
    bool bos = false;               ///< a text begins with the bos token, where the file does not say
};

namespace detail {

inline constexpr const char* llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* tekken_pattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

inline constexpr const char* qwen2_splits = "qwen2 deepseek-r1-qwen megrez";

/// A list of strings that are UTF-8 and no longer than tokens are.
[[nodiscard]] inline std::vector<std::string_view> gguf_strings(const Gguf& gguf, std::string_view key,
                                                                std::size_t longest) {
    const auto* list = gguf.list(key);
    if (list == nullptr) gguf.fail("has no " + quote(key) + ", so it has no tokenizer");
    std::vector<std::string_view> made;
    made.reserve(list->size());
    for (const Json& item : *list) {
        if (!item.is_string()) gguf.fail("has " + quote(key) + " with " + item.brief() + ", where strings are wanted");
        if (item.string().size() > longest || utf8::first_invalid(item.string()) != std::string::npos)
            gguf.fail("has " + quote(key) + " with " + quote(utf8::lossy(item.string())) + ", which is no token");
        made.emplace_back(item.string());
    }
    return made;
}

[[nodiscard]] inline std::vector<std::string_view> gguf_tokens(const Gguf& gguf) {
    return gguf_strings(gguf, "tokenizer.ggml.tokens", longest_token);
}

/// A number for each of n tokens; empty where the file has none.
[[nodiscard]] inline std::vector<double> gguf_numbers(const Gguf& gguf, std::string_view key, std::size_t n) {
    const auto* list = gguf.list(key);
    std::vector<double> made;
    if (list == nullptr) return made;
    if (list->size() != n)
        gguf.fail("has " + std::to_string(list->size()) + " values of " + quote(key) + " for " + std::to_string(n) +
                  " tokens");
    for (const Json& item : *list) {
        if (!item.is_number() || !std::isfinite(item.number()))
            gguf.fail("has " + quote(key) + " with " + item.brief() + ", where numbers are wanted");
        made.push_back(item.number());
    }
    return made;
}

/// The merges that a vocabulary with scores implies, the best first; as transformers' `generate_merges` orders them.
[[nodiscard]] inline Merges scored_merges(const Vocabulary& vocabulary, const std::vector<double>& scores) {
    struct Merge {
        double score;
        std::size_t left_letters, right_letters;
        std::int32_t left, right, made;
    };
    std::vector<Merge> all;
    for (std::size_t id = 0; id < scores.size(); ++id) {
        const auto* token = vocabulary.token(static_cast<std::int64_t>(id));
        if (!token || vocabulary.find(*token) != static_cast<std::int32_t>(id)) continue;
        const std::string_view text = *token;
        std::size_t letters = 0;
        for (std::size_t at = 0; at < text.size(); at += utf8::length(text[at])) ++letters;
        std::size_t cut = text.empty() ? 0 : utf8::length(text[0]);
        for (std::size_t before = 1; cut < text.size(); cut += utf8::length(text[cut]), ++before) {
            const auto left = vocabulary.find(text.substr(0, cut));
            if (left < 0) continue;
            const auto right = vocabulary.find(text.substr(cut));
            if (right >= 0)
                all.push_back({scores[id], before, letters - before, left, right, static_cast<std::int32_t>(id)});
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const Merge& a, const Merge& b) {
        if (a.score != b.score) return a.score > b.score;
        return a.left_letters != b.left_letters ? a.left_letters > b.left_letters : a.right_letters > b.right_letters;
    });
    Merges made;
    made.reserve(all.size());
    for (const auto& merge : all) made.add(merge.left, merge.right, merge.made);
    return made;
}

}  // namespace detail

/// How the file's text is cut. ConfigError for a name that is not known.
[[nodiscard]] inline GgufSplit gguf_split(const Gguf& gguf) {
    const auto pre = gguf.text("tokenizer.ggml.pre");
    constexpr const char* llama3 = "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 dbrx smaug-bpe";
    if (pre.empty() || pre == "gpt-2" || detail::has_word(detail::qwen2_splits, pre)) return {};
    if (detail::has_word(llama3, pre)) return {detail::llama3_pattern, true, true};
    if (pre == "tekken") return {detail::tekken_pattern, true, true};
    throw ConfigError(gguf.path.string() + ": tokenizer.ggml.pre = " + quote(pre) + " is not supported.",
                      "Known are llama-bpe, tekken, qwen2, gpt-2 and their other names; put the model's tokenizer.json "
                      "beside the file.");
}

/// Tokens and merges of byte-pair encoding, those of SentencePiece from the scores where the file has no merges.
[[nodiscard]] inline std::pair<Vocabulary, Merges> gguf_pairs(const Gguf& gguf) {
    const auto tokens = detail::gguf_tokens(gguf);
    Vocabulary vocabulary;
    for (std::size_t id = 0; id < tokens.size(); ++id) vocabulary.add(tokens[id], static_cast<std::int32_t>(id));
    constexpr const char* key = "tokenizer.ggml.merges";
    if (gguf.find(key) == nullptr) {
        const auto scores = detail::gguf_numbers(gguf, "tokenizer.ggml.scores", tokens.size());
        if (scores.empty()) gguf.fail("has neither merges nor scores of its tokens");
        auto merges = detail::scored_merges(vocabulary, scores);
        return {std::move(vocabulary), std::move(merges)};
    }
    Merges merges;
    for (const auto merge : detail::gguf_strings(gguf, key, 2 * longest_token + 1)) {
        const auto space = merge.find(' ', 1);
        const auto missing = space == std::string_view::npos
                                 ? std::string(merge)
                                 : merges.add(merge.substr(0, space), merge.substr(space + 1), vocabulary, 0);
        if (!missing.empty())
            gguf.fail("has the merge " + quote(merge) + ", for which the tokens lack " + quote(missing));
    }
    return {std::move(vocabulary), std::move(merges)};
}

/// What tokenizer_config.json would say.
[[nodiscard]] inline Json gguf_tokenizer_config(const Gguf& gguf) {
    const auto model = gguf.text("tokenizer.ggml.model"), pre = gguf.text("tokenizer.ggml.pre");
    const bool pieces = model == "llama";
    if (!pieces && model != "gpt2")
        throw ConfigError(gguf.path.string() + ": tokenizer.ggml.model = " + quote(model) + " is not supported.",
                          "Known are llama and gpt2; put the model's tokenizer.json beside the file.");
    const auto split = pieces ? GgufSplit{.bos = true} : gguf_split(gguf);
    const auto tokens = detail::gguf_tokens(gguf);
    const auto types = detail::gguf_numbers(gguf, "tokenizer.ggml.token_type", tokens.size());
    Json::Object made;
    const bool qwen = !pieces && detail::has_word(detail::qwen2_splits, pre);
    made.emplace_back("tokenizer_class", Json(std::string(pieces ? "LlamaTokenizer"
                                                          : qwen ? "Qwen2Tokenizer"
                                                                 : "GPT2Tokenizer")));
    const auto role = [&](const char* name, const char* key, int type) {
        auto id = gguf.integer(std::string("tokenizer.ggml.") + key);
        if (!id && type > 0) {
            const auto at = std::find(types.begin(), types.end(), type);
            if (at != types.end()) id = at - types.begin();
        }
        if (id && (*id < 0 || static_cast<std::size_t>(*id) >= tokens.size()))
            gguf.fail("has the " + std::string(key) + " " + std::to_string(*id) + ", but " +
                      std::to_string(tokens.size()) + " tokens");
        made.emplace_back(name, id ? Json(std::string(tokens[static_cast<std::size_t>(*id)])) : Json());
    };
    role("bos_token", "bos_token_id", 0);
    role("eos_token", "eos_token_id", 0);
    role("unk_token", "unknown_token_id", pieces ? 2 : 0);
    role("pad_token", "padding_token_id", 0);
    made.emplace_back("add_bos_token", Json(gguf.boolean("tokenizer.ggml.add_bos_token").value_or(split.bos)));
    made.emplace_back("add_eos_token", Json(gguf.boolean("tokenizer.ggml.add_eos_token").value_or(false)));
    if (pieces)
        made.emplace_back("add_prefix_space", Json(gguf.boolean("tokenizer.ggml.add_space_prefix").value_or(true)));
    Json::Object added;
    for (std::size_t id = 0; id < types.size(); ++id) {
        const bool control = types[id] == 3, users = types[id] == 4;
        if ((!control && !users) || tokens[id].empty()) continue;
        added.emplace_back(std::to_string(id), Json(Json::Object{{"content", Json(std::string(tokens[id]))},
                                                                 {"normalized", Json(false)},
                                                                 {"special", Json(control)}}));
    }
    made.emplace_back("added_tokens_decoder", Json(std::move(added)));
    return Json(std::move(made));
}

}  // namespace silica::text
