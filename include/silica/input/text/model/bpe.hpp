#pragma once
/// Byte-pair encoding: characters, joined pair by pair in the order of the merges (Sennrich et al. 2016).

#include <silica/input/text/encoding.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/model/bpe_merges.hpp>
#include <silica/input/text/model/vocabulary_reader.hpp>
#include <silica/input/text/utf8.hpp>
#include <silica/input/text/word_cache.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// What a BPE model has besides tokens and merges. Dropout, a device of training, is not applied.
struct BpeOptions {
    std::optional<std::string> unknown = {};  ///< stands for characters without a token; else they are dropped
    std::string prefix = {};                  ///< before characters that do not start the word
    std::string suffix = {};                  ///< after the last character of the word
    bool fuse_unknown = false;                ///< neighbouring unknowns become one
    bool byte_fallback = false;               ///< unknown characters become tokens <0x00> to <0xFF>
    bool ignore_merges = false;               ///< a word that is a token is that token
};

/// The model of GPT-2, LLaMA, Qwen, Whisper, CLIP and many others.
class Bpe {
public:
    Bpe(Vocabulary vocabulary, Merges merges, BpeOptions options)
        : vocabulary_(std::move(vocabulary)), merges_(std::move(merges)), options_(std::move(options)) {
        if (options_.unknown) unknown_ = vocabulary_.find(*options_.unknown);
        for (int byte = 0; byte < 256; ++byte)
            bytes_[static_cast<std::size_t>(byte)] = vocabulary_.find(byte_token(byte));
    }

    [[nodiscard]] static Bpe read(const JsonPlace& place) {
        BpeOptions options;
        if (const auto unknown = place.find("unk_token")) options.unknown = unknown->string();
        options.prefix = place.string_or("continuing_subword_prefix", "");
        options.suffix = place.string_or("end_of_word_suffix", "");
        check_token(place, options.prefix);
        check_token(place, options.suffix);
        options.fuse_unknown = place.boolean_or("fuse_unk", false);
        options.byte_fallback = place.boolean_or("byte_fallback", false);
        options.ignore_merges = place.boolean_or("ignore_merges", false);
        if (const auto dropout = place.find("dropout")) (void)dropout->number();
        auto vocabulary = read_vocabulary(place.at("vocab"));
        auto merges = Merges::read(place.at("merges"), vocabulary, options.prefix.size());
        return {std::move(vocabulary), std::move(merges), std::move(options)};
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.size(); }

    /// Appends the tokens of a word.
    void operator()(std::string_view word, Tokens& out) const {
        if (options_.ignore_merges) {
            if (const auto id = vocabulary_.find(word); id >= 0) return out.add(id, word);
        }
        for (const WordToken& token :
             WordCache::mine().get(owner_, word, [&](auto& tokens) { encode(word, tokens); })) {
            out.add(token.id, *vocabulary_.token(token.id));
        }
    }

    /// "<0x0A>"
    [[nodiscard]] static std::string byte_token(int byte) {
        constexpr const char* digits = "0123456789ABCDEF";
        return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
    }

private:
    void encode(std::string_view word, std::vector<WordToken>& out) const {
        std::vector<std::int32_t> symbols;
        symbols.reserve(word.size());
        std::int32_t unknown = -1;  // one that is still to be added
        std::string key;
        for (std::size_t i = 0; i < word.size();) {
            const unsigned length = utf8::length(word[i]);
            std::string_view character = word.substr(i, length);
            const bool first = i == 0, last = (i += length) == word.size();
            if ((!first && !options_.prefix.empty()) || (last && !options_.suffix.empty())) {
                key = first ? "" : options_.prefix;
                key += character;
                if (last) key += options_.suffix;
                character = key;
            }
            if (const auto id = vocabulary_.find(character); id >= 0) {
                if (unknown >= 0) symbols.push_back(std::exchange(unknown, -1));
                symbols.push_back(id);
                continue;
            }
            if (options_.byte_fallback && add_bytes(character, symbols)) continue;
            if (!options_.unknown) continue;
            if (unknown_ < 0) missing_unknown(*options_.unknown);
            if (unknown >= 0 && !options_.fuse_unknown) symbols.push_back(unknown);
            unknown = unknown_;
        }
        if (unknown >= 0) symbols.push_back(unknown);
        merges_.apply(symbols);
        out.reserve(symbols.size());
        for (const std::int32_t id : symbols) out.push_back({id});
    }
    [[nodiscard]] bool add_bytes(std::string_view character, std::vector<std::int32_t>& symbols) const {
        for (char byte : character) {
            if (bytes_[static_cast<unsigned char>(byte)] < 0) return false;
        }
        for (char byte : character) symbols.push_back(bytes_[static_cast<unsigned char>(byte)]);
        return true;
    }

    Vocabulary vocabulary_;
    Merges merges_;
    BpeOptions options_;
    std::int32_t unknown_ = -1;
    std::array<std::int32_t, 256> bytes_{};
    std::uint64_t owner_ = WordCache::new_owner();
};

}  // namespace silica::text
