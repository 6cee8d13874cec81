#pragma once
/// Unigram: the most probable way to cut the word into tokens (Kudo 2018), by Viterbi.

#include <silica/input/text/byte_trie.hpp>
#include <silica/input/text/encoding.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/model/bpe.hpp>
#include <silica/input/text/model/vocabulary_reader.hpp>
#include <silica/input/text/utf8.hpp>
#include <silica/input/text/word_cache.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// T5's model.
class Unigram {
public:
    /// Tokens with their log probabilities, the id of the unknown token, whether unknown characters become bytes.
    Unigram(std::vector<std::pair<std::string, double>> tokens, std::optional<std::int32_t> unknown, bool byte_fallback)
        : unknown_(unknown.value_or(-1)), byte_fallback_(byte_fallback) {
        double lowest = std::numeric_limits<double>::infinity();
        for (const auto& [token, score] : tokens) {
            const auto id = static_cast<std::int32_t>(scores_.size());
            vocabulary_.add(token, id);
            if (!token.empty()) trie_.insert(token, id);
            scores_.push_back(score);
            lowest = std::min(lowest, score);
        }
        unknown_score_ = lowest - 10.0;
    }

    [[nodiscard]] static Unigram read(const JsonPlace& place) {
        auto tokens = read_tokens(place.at("vocab"));
        for (auto& [token, score] : tokens) score = as_the_crate_reads(score);
        std::optional<std::int32_t> unknown;
        if (const auto id = place.find("unk_id")) {
            unknown = id->id();
            if (static_cast<std::size_t>(*unknown) >= tokens.size()) id->fail("is no id of the vocabulary");
        }
        return {std::move(tokens), unknown, place.boolean_or("byte_fallback", false)};
    }
    /// The list [[token, score], ...].
    [[nodiscard]] static std::vector<std::pair<std::string, double>> read_tokens(const JsonPlace& vocab) {
        const std::size_t n = vocab.size();
        std::vector<std::pair<std::string, double>> tokens;
        tokens.reserve(n);
        for (std::size_t i = 0; i < n; ++i) {
            const Json& entry = vocab.raw().array()[i];
            if (!entry.is_array() || entry.array().size() != 2 || !entry.array()[0].is_string() ||
                !entry.array()[1].is_number() || !std::isfinite(entry.array()[1].number())) {
                vocab.at(i).fail("is not [token, score]");
            }
            check_token(vocab, entry.array()[0].string());
            tokens.emplace_back(entry.array()[0].string(), entry.array()[1].number());
        }
        return tokens;
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return scores_.size(); }

    /// Appends the tokens of a word.
    void operator()(std::string_view word, Tokens& out) const {
        const auto& tokens = WordCache::mine().get(owner_, word, [&](auto& made) { encode(word, made); });
        for (const WordToken& token : tokens) {
            out.add(token.id, token.length > 0 ? word.substr(token.start, token.length) : *vocabulary_.token(token.id));
        }
    }

private:
    struct Node {
        double score = 0;
        std::int32_t id = -1;
        std::uint32_t start = unreached;
    };
    static constexpr std::uint32_t unreached = ~std::uint32_t{0};

    /// The number that serde_json makes of the text of `score`: its digits as an integer, divided by a power of ten,
    /// which rounds twice. Where cuts of a word have equal scores, such a last bit decides.
    [[nodiscard]] static double as_the_crate_reads(double score) {
        const std::string text = shortest_text(std::fabs(score));
        std::uint64_t digits = 0;
        int exponent = 0;
        std::size_t i = 0;
        bool fraction = false;
        for (; i < text.size() && text[i] != 'e'; ++i) {
            if (text[i] == '.') {
                fraction = true;
                continue;
            }
            digits = digits * 10 + static_cast<std::uint64_t>(text[i] - '0');
            exponent -= fraction;
        }
        if (i < text.size()) exponent += std::atoi(text.c_str() + i + 1);
        double made = static_cast<double>(digits);
        for (; exponent < -308 && made != 0; exponent += 308) made /= 1e308;
        made = exponent < 0 ? made / power_of_ten(-exponent) : made * power_of_ten(exponent);
        return std::signbit(score) ? -made : made;
    }
    /// The fewest digits that read as this number again.
    [[nodiscard]] static std::string shortest_text(double value) {
        char text[40];
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
        const auto end = std::to_chars(text, text + sizeof text, value).ptr;
        return std::string(text, end);
#else
        for (int digits = 15; digits <= 17; ++digits) {
            std::snprintf(text, sizeof text, "%.*g", digits, value);
            if (std::strtod(text, nullptr) == value) break;
        }
        std::string made = text;
        std::replace_if(made.begin(), made.end(), [](char c) { return c == ','; }, '.');
        return made;
#endif
    }
    [[nodiscard]] static double power_of_ten(int n) {
        static const auto powers = [] {
            std::array<double, 309> made{};
            for (int i = 0; i < 309; ++i) {
                made[static_cast<std::size_t>(i)] = std::strtod(("1e" + std::to_string(i)).c_str(), nullptr);
            }
            return made;
        }();
        return powers[static_cast<std::size_t>(n)];
    }

    void encode(std::string_view word, std::vector<WordToken>& out) const {
        const std::size_t n = word.size();
        std::vector<Node> best(n + 1);
        for (std::size_t at = 0; at < n;) {
            const unsigned length = utf8::length(word[at]);
            const double so_far = best[at].score;
            bool single = false;
            const auto offer = [&](std::size_t end, double score, std::int32_t id) {
                Node& node = best[end];
                if (node.start != unreached && !(score > node.score)) return;
                if (id < 0) missing_unknown("unk_id");
                node = {score, id, static_cast<std::uint32_t>(at)};
            };
            trie_.each_prefix(word.substr(at), [&](std::int32_t id, std::size_t bytes) {
                offer(at + bytes, scores_[static_cast<std::size_t>(id)] + so_far, id);
                single |= bytes == length;
            });
            if (!single) offer(at + length, unknown_score_ + so_far, unknown_);
            at += length;
        }
        // Backwards; neighbouring unknowns are one.
        std::vector<std::pair<std::uint32_t, std::uint32_t>> spans;
        bool after_unknown = false;
        for (auto end = static_cast<std::uint32_t>(n); end > 0;) {
            const Node& node = best[end];
            const bool unknown = node.id == unknown_;
            if (unknown && after_unknown) {
                spans.back().first = node.start;
            } else {
                spans.emplace_back(node.start, end);
            }
            after_unknown = unknown;
            end = node.start;
        }
        for (auto span = spans.rbegin(); span != spans.rend(); ++span) add(word, span->first, span->second, out);
    }
    void add(std::string_view word, std::uint32_t start, std::uint32_t end, std::vector<WordToken>& out) const {
        const std::string_view piece = word.substr(start, end - start);
        if (const auto id = vocabulary_.find(piece); id >= 0) {
            out.push_back({id, start, end - start});
            return;
        }
        if (byte_fallback_) {
            const std::size_t before = out.size();
            for (char byte : piece) {
                const auto id = vocabulary_.find(Bpe::byte_token(static_cast<unsigned char>(byte)));
                if (id < 0) break;
                out.push_back({id});
            }
            if (out.size() - before == piece.size()) return;
            out.resize(before, WordToken{-1});
        }
        if (unknown_ < 0) missing_unknown("unk_id");
        out.push_back({unknown_, start, end - start});
    }

    Vocabulary vocabulary_;
    ByteTrie trie_;
    std::vector<double> scores_;
    double unknown_score_ = 0;
    std::int32_t unknown_;
    bool byte_fallback_;
    std::uint64_t owner_ = WordCache::new_owner();
};

}  // namespace silica::text
