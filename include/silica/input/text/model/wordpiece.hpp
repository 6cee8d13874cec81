#pragma once
/// WordPiece: the longest token that starts the word, then the longest that continues it (Schuster and Nakajima 2012).

#include <silica/input/text/encoding.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/model/vocabulary_reader.hpp>
#include <silica/input/text/utf8.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// BERT's model.
class WordPiece {
public:
    /// The vocabulary; the token of words that cannot be made; what opens a continuing token; the longest word in
    /// characters that is tried.
    WordPiece(Vocabulary vocabulary, std::string unknown, std::string prefix, std::size_t longest_word)
        : vocabulary_(std::move(vocabulary)), unknown_(std::move(unknown)), longest_word_(longest_word) {
        unknown_id_ = vocabulary_.find(unknown_);
        for (std::size_t id = 0; id < vocabulary_.id_end(); ++id) {
            const auto* token = vocabulary_.token(static_cast<std::int64_t>(id));
            if (!token || token->size() < prefix.size() || token->compare(0, prefix.size(), prefix) != 0) continue;
            if (vocabulary_.find(*token) != static_cast<std::int32_t>(id)) continue;
            continuing_.insert(std::string_view(*token).substr(prefix.size()), static_cast<std::int32_t>(id));
        }
    }

    [[nodiscard]] static WordPiece read(const JsonPlace& place) {
        auto unknown = place.at("unk_token").string();
        auto prefix = place.at("continuing_subword_prefix").string();
        const auto longest = place.at("max_input_chars_per_word").integer(0, INT64_MAX);
        check_token(place, prefix);
        return {read_vocabulary(place.at("vocab")), std::move(unknown), std::move(prefix),
                static_cast<std::size_t>(longest)};
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.size(); }

    /// Appends the tokens of a word.
    void operator()(std::string_view word, Tokens& out) const {
        if (word.size() > longest_word_ && utf8::count(word) > longest_word_) return add_unknown(out);
        const std::size_t before = out.ids.size();
        for (std::size_t start = 0; start < word.size();) {
            const auto [id, length] = longest_match(start == 0 ? vocabulary_.table() : continuing_, word.substr(start));
            if (length == 0) {
                out.ids.resize(before);
                out.texts.resize(before);
                return add_unknown(out);
            }
            out.add(id, *vocabulary_.token(id));
            start += length;
        }
    }

private:
    struct Match {
        std::int32_t id;
        std::size_t length;
    };
    /// The longest key of the table that starts `text`; length 0 where there is none.
    [[nodiscard]] static Match longest_match(const StringTable& table, std::string_view text) {
        const std::size_t reach = std::min(text.size(), table.longest());
        constexpr std::size_t usual = 128;
        std::uint64_t on_stack[usual + 1];
        std::vector<std::uint64_t> on_heap(reach > usual ? reach + 1 : 0);
        std::uint64_t* const hashes = reach > usual ? on_heap.data() : on_stack;
        Fnv hash;
        for (std::size_t i = 0; i < reach; ++i) {
            hash.add(text[i]);
            hashes[i + 1] = hash.value();
        }
        for (std::size_t length = reach; length > 0; --length) {
            if (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) continue;
            if (const auto id = table.find(text.substr(0, length), hashes[length]); id >= 0) return {id, length};
        }
        return {-1, 0};
    }
    void add_unknown(Tokens& out) const {
        if (unknown_id_ < 0) missing_unknown(unknown_);
        out.add(unknown_id_, unknown_);
    }

    Vocabulary vocabulary_;
    StringTable continuing_;  // without their prefix
    std::string unknown_;
    std::int32_t unknown_id_ = -1;
    std::size_t longest_word_;
};

}  // namespace silica::text
