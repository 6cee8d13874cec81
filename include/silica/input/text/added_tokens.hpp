#pragma once
/// Added tokens: found in the text before the model sees it ([CLS], <|endoftext|>, words of a fine-tuned model).

#include <silica/input/text/added_token.hpp>
#include <silica/input/text/byte_trie.hpp>
#include <silica/input/text/model.hpp>
#include <silica/input/text/normalizer.hpp>
#include <silica/input/text/pieces.hpp>
#include <silica/input/text/unicode.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace silica::text {

/// The added tokens of a tokenizer, and the search for them.
class AddedTokens {
public:
    /// Adds tokens as the tokenizer's file lists them. One that the model has keeps the model's id, others get the next
    /// free one, whatever id the file names.
    void add(const std::vector<AddedToken>& tokens, const Model& model, const std::optional<Normalizer>& normalizer) {
        for (const AddedToken& token : tokens) check(token.content);
        const auto size = static_cast<std::int32_t>(model.size());
        std::int32_t next = size;
        if (!by_id_.empty() && (by_id_.rbegin()->first >= size || size == 0)) next = by_id_.rbegin()->first + 1;
        for (const AddedToken& token : tokens) {
            if (token.content.empty()) continue;
            const auto known = ids_.find(token.content);
            if (known != ids_.end() && by_id_.at(known->second).token == token) continue;
            std::int32_t id = known != ids_.end() ? known->second : model.id(token.content);
            if (id < 0) id = next++;
            ids_[token.content] = id;
            if (token.special) special_.insert(token.content);
            const auto before = by_id_.find(id);
            std::string shown = before == by_id_.end() ? token.content : before->second.shown;
            if (token.normalized && normalizer) {
                Text text{token.content};
                (*normalizer)(text);
                if (text.value != token.content) shown = std::move(text.value);
            }
            by_id_.insert_or_assign(id, Entry{token, std::move(shown)});
        }
        plain_ = normalized_ = ByteTrie{};
        for (const auto& [id, entry] : by_id_) {
            const std::string& pattern = entry.token.normalized ? entry.shown : entry.token.content;
            if (!pattern.empty()) (entry.token.normalized ? normalized_ : plain_).insert(pattern, id);
        }
    }

    /// The id of an added token, or -1.
    [[nodiscard]] std::int32_t id(const std::string& token) const {
        const auto found = ids_.find(token);
        return found == ids_.end() ? -1 : found->second;
    }
    /// The text of an added token as decoding shows it, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const {
        if (id < 0 || id > JsonPlace::max_id) return nullptr;
        const auto found = by_id_.find(static_cast<std::int32_t>(id));
        return found == by_id_.end() ? nullptr : &found->second.shown;
    }
    [[nodiscard]] bool is_special(const std::string& token) const { return special_.count(token) != 0; }
    /// How many tokens are not in the model.
    [[nodiscard]] std::size_t beyond(const Model& model) const {
        std::size_t n = 0;
        for (const auto& [token, id] : ids_) n += model.id(token) < 0;
        return n;
    }
    /// The token's options, or null.
    [[nodiscard]] const AddedToken* find(const std::string& token) const {
        const auto found = ids_.find(token);
        return found == ids_.end() ? nullptr : &by_id_.at(found->second).token;
    }

    /// Whether special tokens are ordinary text where they stand in one.
    void split_special(bool split) { split_special_ = split; }

    /// Cuts the text at the tokens that are looked for before normalization.
    void cut_plain(Pieces& pieces) const { cut(pieces, plain_); }
    /// Cuts the normalized text at the other ones.
    void cut_normalized(Pieces& pieces) const { cut(pieces, normalized_); }

private:
    struct Entry {
        AddedToken token;
        std::string shown;
    };

    static void check(const std::string& content) {
        if (content.size() <= longest_token) return;
        throw ConfigError("An added token of the tokenizer has " + std::to_string(content.size()) +
                              " bytes, more than " + std::to_string(longest_token) + ": " + quote(content) + ".",
                          "Take the tokenizer's files from the model's repository again.");
    }
    void cut(Pieces& pieces, const ByteTrie& trie) const {
        if (trie.empty()) return;
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) { cut(piece, trie, out); });
    }
    void cut(const Piece& piece, const ByteTrie& trie, std::vector<Piece>& out) const {
        const std::string_view text = piece.text;
        const auto& classes = unicode::Classes::get();
        std::size_t done = 0;
        for (std::size_t i = 0; i < text.size();) {
            if (!trie.starts(text[i])) {
                ++i;
                continue;
            }
            const auto [id, length] = trie.longest(text.substr(i));
            if (id < 0) {
                ++i;
                continue;
            }
            std::size_t start = i, stop = i + length;
            i = stop;
            const AddedToken& token = by_id_.at(id).token;
            if (split_special_ && is_special(token.content)) continue;
            if (token.single_word) {
                const auto word = [&](char32_t c) { return classes.is(c, unicode::is_word); };
                if (start > 0 && word(utf8::decode_before(text, start).value)) continue;
                if (stop < text.size() && word(utf8::decode(text.data() + stop).value)) continue;
            }
            if (token.lstrip) {
                while (start > done) {
                    const auto [c, width] = utf8::decode_before(text, start);
                    if (!classes.is(c, unicode::is_space)) break;
                    start -= width;
                }
            }
            if (token.rstrip) {
                while (stop < text.size()) {
                    const auto [c, width] = utf8::decode(text.data() + stop);
                    if (!classes.is(c, unicode::is_space)) break;
                    stop += width;
                }
            }
            Pieces::add(out, piece, done, std::max(start, done));
            out.push_back({text.substr(start, stop - start), id, false});
            done = stop;
        }
        Pieces::add(out, piece, std::min(done, text.size()), text.size());
    }

    std::unordered_map<std::string, std::int32_t> ids_;
    std::map<std::int32_t, Entry> by_id_;
    std::set<std::string> special_;
    ByteTrie plain_, normalized_;
    bool split_special_ = false;
};

}  // namespace silica::text
