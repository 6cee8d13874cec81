#pragma once
/// The tokenizer of a checkpoint: text to token ids and back, equal to Hugging Face `tokenizers` id for id.
///
///     auto tokenizer = silica::text::Tokenizer::open("all-MiniLM-L6-v2");
///     auto encoding = tokenizer.encode("Hello, world!");       // encoding.ids, .attention_mask, .type_ids, .tokens
///     std::string text = tokenizer.decode(encoding.ids, true);

#include <silica/core/error.hpp>
#include <silica/input/text/encoding.hpp>
#include <silica/input/text/from_merges.hpp>
#include <silica/input/text/from_sentencepiece.hpp>
#include <silica/input/text/from_vocab_txt.hpp>
#include <silica/input/text/parts.hpp>
#include <silica/input/text/tokenizer_config.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace silica::text {

/// A tokenizer. Its const members may be called from several threads at once.
class Tokenizer {
public:
    explicit Tokenizer(Parts parts, TokenizerConfig config = {})
        : parts_(std::move(parts)), config_(std::move(config)) {}

    /// The tokenizer of a checkpoint directory: tokenizer.json; or else vocab.txt (BERT), vocab.json with merges.txt
    /// (byte-level BPE), or a SentencePiece model (LLaMA, T5). ConfigError where there is none or it is damaged.
    [[nodiscard]] static Tokenizer open(const std::filesystem::path& directory) {
        std::error_code ignored;
        if (!std::filesystem::is_directory(directory, ignored)) {
            throw ConfigError(directory.string() + " is no directory.",
                              "Give the directory of a checkpoint, with tokenizer.json in it.");
        }
        auto config = TokenizerConfig::open(directory);
        if (has_file(directory, "tokenizer.json")) {
            return Tokenizer(Parts::read(read_file(directory / "tokenizer.json"), "tokenizer.json"), std::move(config));
        }
        if (has_file(directory, "vocab.txt")) {
            auto parts = read_vocab_txt(directory, config);
            return Tokenizer(std::move(parts), std::move(config));
        }
        if (has_file(directory, "vocab.json") && has_file(directory, "merges.txt")) {
            auto parts = read_merges(directory, config);
            return Tokenizer(std::move(parts), std::move(config));
        }
        for (const char* file : sentencepiece_files) {
            if (!has_file(directory, file)) continue;
            auto parts = read_sentencepiece(directory, file, config);
            return Tokenizer(std::move(parts), std::move(config));
        }
        throw ConfigError(directory.string() +
                              " has no tokenizer: none of tokenizer.json, vocab.txt, vocab.json with " +
                              "merges.txt, tokenizer.model, spiece.model.",
                          "Download the tokenizer's files of the model into that directory.");
    }
    /// A tokenizer from the text of a tokenizer.json.
    [[nodiscard]] static Tokenizer parse(std::string_view json, const std::string& file = "tokenizer.json") {
        return Tokenizer(Parts::read(json, file));
    }

    /// The tokens of a text, truncated and padded as the tokenizer's file says. InputError where it is not UTF-8.
    [[nodiscard]] Encoding encode(std::string_view text, bool add_special_tokens = true) const {
        auto made = finish(one(text, 0), std::nullopt, add_special_tokens);
        if (parts_.padding) (*parts_.padding)(made);
        return made;
    }
    /// The tokens of two texts that belong together (question and answer, premise and hypothesis).
    [[nodiscard]] Encoding encode_pair(std::string_view text, std::string_view pair,
                                       bool add_special_tokens = true) const {
        auto made = finish(one(text, 0), one(pair, 1), add_special_tokens);
        if (parts_.padding) (*parts_.padding)(made);
        return made;
    }
    /// The tokens of several texts, padded to one length where the tokenizer's file asks for padding.
    [[nodiscard]] std::vector<Encoding> encode_batch(std::span<const std::string> texts,
                                                     bool add_special_tokens = true) const {
        std::vector<Encoding> made;
        made.reserve(texts.size());
        for (const auto& text : texts) made.push_back(finish(one(text, 0), std::nullopt, add_special_tokens));
        if (parts_.padding) (*parts_.padding)(made);
        return made;
    }
    /// The same for pairs.
    [[nodiscard]] std::vector<Encoding> encode_batch(std::span<const std::pair<std::string, std::string>> pairs,
                                                     bool add_special_tokens = true) const {
        std::vector<Encoding> made;
        made.reserve(pairs.size());
        for (const auto& [a, b] : pairs) made.push_back(finish(one(a, 0), one(b, 1), add_special_tokens));
        if (parts_.padding) (*parts_.padding)(made);
        return made;
    }

    /// The text of token ids. Ids without a token are left out, and special tokens where asked.
    [[nodiscard]] std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens = false) const {
        std::vector<std::string> tokens;
        tokens.reserve(ids.size());
        for (const std::int64_t id : ids) {
            const auto* token = parts_.token(id);
            if (token && !(skip_special_tokens && parts_.added.is_special(*token))) tokens.push_back(*token);
        }
        if (parts_.decoder) (*parts_.decoder)(tokens);
        std::string out;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (i > 0 && !parts_.decoder) out.push_back(' ');
            out += tokens[i];
        }
        return out;
    }

    /// The id of a token, if there is such a token.
    [[nodiscard]] std::optional<std::int64_t> token_to_id(const std::string& token) const {
        const auto id = parts_.id(token);
        return id < 0 ? std::nullopt : std::optional<std::int64_t>(id);
    }
    /// The token of an id, if there is one.
    [[nodiscard]] std::optional<std::string> id_to_token(std::int64_t id) const {
        const auto* token = parts_.token(id);
        return token ? std::optional<std::string>(*token) : std::nullopt;
    }
    /// Number of tokens, with the added ones or without.
    [[nodiscard]] std::size_t vocab_size(bool with_added_tokens = true) const {
        return parts_.model.size() + (with_added_tokens ? parts_.added.beyond(parts_.model) : 0);
    }
    /// Whether decode(..., true) leaves this token out.
    [[nodiscard]] bool is_special(std::int64_t id) const {
        const auto* token = parts_.token(id);
        return token && parts_.added.is_special(*token);
    }
    /// The token of a role in tokenizer_config.json ("cls_token", "eos_token", "pad_token", ...), if it names one.
    [[nodiscard]] std::optional<std::string> special_token(const std::string& role) const {
        const auto found = config_.special_tokens.find(role);
        if (found == config_.special_tokens.end()) return std::nullopt;
        return found->second.content;
    }
    /// The number of tokens that tokenizer_config.json says the model takes.
    [[nodiscard]] std::optional<std::int64_t> model_max_length() const { return config_.model_max_length; }

    /// Puts small letters before everything else that is done to a text, where the tokenizer's file has no step that
    /// does that alone: "do_lower_case" of sentence-transformers.
    void lower_first() {
        NormalizerSequence steps{{Normalizer{Lowercase{}}}};
        const auto lowers = [](const Normalizer& each) { return std::holds_alternative<Lowercase>(each.step); };
        if (auto& now = parts_.normalizer) {
            const auto* several = std::get_if<NormalizerSequence>(&now->step);
            if (lowers(*now) || (several && std::any_of(several->steps.begin(), several->steps.end(), lowers))) return;
            if (several)
                steps.steps.insert(steps.steps.end(), several->steps.begin(), several->steps.end());
            else
                steps.steps.push_back(*now);
        }
        parts_.normalizer = Normalizer{std::move(steps)};
    }
    /// Replaces the truncation of the tokenizer's file (or switches it off).
    void set_truncation(std::optional<Truncation> truncation) { parts_.truncation = truncation; }
    /// Replaces the padding of the tokenizer's file (or switches it off).
    void set_padding(std::optional<Padding> padding) { parts_.padding = std::move(padding); }
    [[nodiscard]] const std::optional<Truncation>& truncation() const noexcept { return parts_.truncation; }
    [[nodiscard]] const std::optional<Padding>& padding() const noexcept { return parts_.padding; }

private:
    [[nodiscard]] Encoding one(std::string_view text, std::int64_t type_id) const {
        if (const auto bad = utf8::first_invalid(text); bad != std::string_view::npos) {
            throw InputError("The text is not UTF-8: byte " + std::to_string(bad) + " starts no valid character.",
                             "Convert the text to UTF-8.");
        }
        Pieces pieces;
        if (!text.empty()) pieces.list.push_back({text, -1, true});
        parts_.added.cut_plain(pieces);
        if (parts_.normalizer) {
            for (Piece& piece : pieces.list) {
                if (piece.id >= 0) continue;
                Text normalized{std::string(piece.text), piece.at_origin};
                (*parts_.normalizer)(normalized);
                piece.text = pieces.keep(std::move(normalized.value));
                piece.at_origin = normalized.at_origin;
            }
        }
        std::erase_if(pieces.list, [](const Piece& piece) { return piece.text.empty(); });
        parts_.added.cut_normalized(pieces);
        if (parts_.pre_tokenizer) (*parts_.pre_tokenizer)(pieces);
        Tokens tokens;
        tokens.ids.reserve(pieces.list.size());
        tokens.texts.reserve(pieces.list.size());
        std::visit(
            [&](const auto& model) {
                for (const Piece& piece : pieces.list) {
                    if (piece.id >= 0) {
                        tokens.add(piece.id, piece.text);
                    } else if (!piece.text.empty()) {
                        model(piece.text, tokens);
                    }
                }
            },
            parts_.model.kind);
        return detail::plain(std::move(tokens), type_id);
    }

    [[nodiscard]] Encoding finish(Encoding first, std::optional<Encoding> second, bool add_special_tokens) const {
        if (parts_.truncation) {
            const std::size_t added =
                add_special_tokens && parts_.post_processor ? parts_.post_processor->added(second.has_value()) : 0;
            (*parts_.truncation)(first, second, added);
        }
        std::vector<Encoding> texts;
        texts.push_back(std::move(first));
        if (second) texts.push_back(*std::move(second));
        const PostProcessor none;
        return (parts_.post_processor ? *parts_.post_processor : none)(std::move(texts), add_special_tokens);
    }

    Parts parts_;
    TokenizerConfig config_;
};

}  // namespace silica::text
