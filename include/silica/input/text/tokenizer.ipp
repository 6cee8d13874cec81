#pragma once
/// The bodies of Tokenizer. What they are made of is included here alone.

#include <silica/core/error.hpp>
#include <silica/input/text/decoder/wordpiece.hpp>
#include <silica/input/text/family/open.hpp>
#include <silica/input/text/parts.hpp>
#include <silica/input/text/tokenizer_config.hpp>
#include "silica/input/text/tokenizer.hpp"

#include <algorithm>
#include <system_error>
#include <variant>

namespace silica::text {

namespace detail {

[[nodiscard]] inline std::optional<Side> side_of(const std::optional<std::string>& name) {
    if (!name) return std::nullopt;
    return *name == "left" ? Side::left : Side::right;
}

}  // namespace detail

SILICA_INLINE Tokenizer::Tokenizer(Parts parts) : Tokenizer(std::move(parts), TokenizerConfig{}) {}

SILICA_INLINE Tokenizer::Tokenizer(Parts parts, TokenizerConfig config)
    : config_(std::make_shared<const TokenizerConfig>(std::move(config))),
      truncation_(parts.truncation),
      padding_(parts.padding) {
    parts.added.split_special(config_->split_special_tokens);
    parts_ = std::make_shared<const Parts>(std::move(parts));
}

SILICA_INLINE Tokenizer Tokenizer::open(const std::filesystem::path& directory) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(directory, ignored) && !gguf_of(directory)) {
        throw ConfigError(directory.string() + " is no directory.",
                          "Give the directory of a checkpoint, with tokenizer.json in it.");
    }
    auto config = TokenizerConfig::open(directory);
    auto parts = detail::open_parts(directory, config);
    return Tokenizer(std::move(parts), std::move(config));
}

SILICA_INLINE Tokenizer Tokenizer::parse(std::string_view json, const std::string& file) {
    const auto parsed = parse_json(json, file);
    const JsonPlace top(parsed, file);
    if (!top.is_object()) top.fail("is no JSON object");
    return Tokenizer(Parts::read(top));
}

SILICA_INLINE Encoding Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
    auto made = finish(one(text, 0), std::nullopt, add_special_tokens);
    if (padding_) (*padding_)(made);
    return made;
}

SILICA_INLINE Encoding Tokenizer::encode_pair(std::string_view text, std::string_view pair,
                                              bool add_special_tokens) const {
    auto made = finish(one(text, 0), one(pair, 1), add_special_tokens);
    if (padding_) (*padding_)(made);
    return made;
}

SILICA_INLINE std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::string> texts,
                                                            bool add_special_tokens) const {
    std::vector<Encoding> made;
    made.reserve(texts.size());
    for (const auto& text : texts) made.push_back(finish(one(text, 0), std::nullopt, add_special_tokens));
    if (padding_) (*padding_)(made);
    return made;
}

SILICA_INLINE std::vector<Encoding> Tokenizer::encode_batch(std::span<const std::pair<std::string, std::string>> pairs,
                                                            bool add_special_tokens) const {
    std::vector<Encoding> made;
    made.reserve(pairs.size());
    for (const auto& [a, b] : pairs) made.push_back(finish(one(a, 0), one(b, 1), add_special_tokens));
    if (padding_) (*padding_)(made);
    return made;
}

SILICA_INLINE std::string Tokenizer::decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const {
    const bool whisper = config_->family == "Whisper";
    if (whisper && skip_special_tokens) ids = without_prompt(*parts_, *config_, ids);
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const std::int64_t id : ids) {
        const auto* token = parts_->token(id);
        if (token && !(skip_special_tokens && parts_->added.is_special(*token))) tokens.push_back(*token);
    }
    if (parts_->decoder) (*parts_->decoder)(tokens);
    std::string out;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (i > 0 && !parts_->decoder) out.push_back(' ');
        out += tokens[i];
    }
    const bool bpe = std::holds_alternative<Bpe>(parts_->model.kind);
    if (config_->clean_up_spaces && (!bpe || config_->clean_up_spaces_of_bpe)) clean_up(out);
    if (whisper) remove_timestamps(out);
    return out;
}

SILICA_INLINE std::optional<std::int64_t> Tokenizer::token_to_id(const std::string& token) const {
    const auto id = parts_->id(token);
    return id < 0 ? std::nullopt : std::optional<std::int64_t>(id);
}

SILICA_INLINE std::optional<std::string> Tokenizer::id_to_token(std::int64_t id) const {
    const auto* token = parts_->token(id);
    return token ? std::optional<std::string>(*token) : std::nullopt;
}

SILICA_INLINE std::size_t Tokenizer::vocab_size(bool with_added_tokens) const {
    return parts_->model.size() + (with_added_tokens ? parts_->added.beyond(parts_->model) : 0);
}

SILICA_INLINE bool Tokenizer::is_special(std::int64_t id) const {
    const auto* token = parts_->token(id);
    return token && parts_->added.is_special(*token);
}

SILICA_INLINE std::optional<std::string> Tokenizer::special_token(const std::string& role) const {
    const auto* token = config_->find(role);
    return token ? std::optional(token->content) : std::nullopt;
}

SILICA_INLINE std::optional<std::int64_t> Tokenizer::model_max_length() const { return config_->model_max_length; }

SILICA_INLINE std::optional<Side> Tokenizer::truncation_side() const {
    return detail::side_of(config_->truncation_side);
}

SILICA_INLINE std::optional<Side> Tokenizer::padding_side() const { return detail::side_of(config_->padding_side); }

SILICA_INLINE void Tokenizer::lower_first() {
    auto parts = std::make_shared<Parts>(*parts_);
    NormalizerSequence steps{{Normalizer{Lowercase{}}}};
    const auto lowers = [](const Normalizer& each) { return std::holds_alternative<Lowercase>(each.step); };
    if (auto& now = parts->normalizer) {
        const auto* several = std::get_if<NormalizerSequence>(&now->step);
        if (lowers(*now) || (several && std::any_of(several->steps.begin(), several->steps.end(), lowers))) return;
        if (several)
            steps.steps.insert(steps.steps.end(), several->steps.begin(), several->steps.end());
        else
            steps.steps.push_back(*now);
    }
    parts->normalizer = Normalizer{std::move(steps)};
    parts_ = std::move(parts);
}

SILICA_INLINE Encoding Tokenizer::one(std::string_view text, std::int64_t type_id) const {
    if (const auto bad = utf8::first_invalid(text); bad != std::string_view::npos) {
        throw InputError("The text is not UTF-8: byte " + std::to_string(bad) + " starts no valid character.",
                         "Convert the text to UTF-8.");
    }
    Pieces pieces;
    if (!text.empty()) pieces.list.push_back({text, -1, true});
    parts_->added.cut_plain(pieces);
    if (parts_->normalizer) {
        for (Piece& piece : pieces.list) {
            if (piece.id >= 0) continue;
            Text normalized{std::string(piece.text), piece.at_origin};
            (*parts_->normalizer)(normalized);
            piece.text = pieces.keep(std::move(normalized.value));
            piece.at_origin = normalized.at_origin;
        }
    }
    std::erase_if(pieces.list, [](const Piece& piece) { return piece.text.empty(); });
    parts_->added.cut_normalized(pieces);
    if (parts_->pre_tokenizer) (*parts_->pre_tokenizer)(pieces);
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
        parts_->model.kind);
    return detail::plain(std::move(tokens), type_id);
}

SILICA_INLINE Encoding Tokenizer::finish(Encoding first, std::optional<Encoding> second,
                                         bool add_special_tokens) const {
    if (truncation_) {
        const std::size_t added =
            add_special_tokens && parts_->post_processor ? parts_->post_processor->added(second.has_value()) : 0;
        (*truncation_)(first, second, added);
    }
    std::vector<Encoding> texts;
    texts.push_back(std::move(first));
    if (second) texts.push_back(*std::move(second));
    const PostProcessor none;
    return (parts_->post_processor ? *parts_->post_processor : none)(std::move(texts), add_special_tokens);
}

}  // namespace silica::text
