// Silica 0.1.0: what users have, to tensors. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

// ---- silica/input/text/added_tokens.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_ADDED_TOKENS_HPP
#define SILICA_SINGLE_INPUT_TEXT_ADDED_TOKENS_HPP
/// Added tokens: found in the text before the model sees it ([CLS], <|endoftext|>, words of a fine-tuned model).

// ---- silica/input/text/byte_trie.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_BYTE_TRIE_HPP
#define SILICA_SINGLE_INPUT_TEXT_BYTE_TRIE_HPP
/// A set of byte strings for prefix search: which keys start here?

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace silica::text {

/// Keys with a value each. The edges lie in one hash table, so a step is one look-up whatever the fan-out.
class ByteTrie {
public:
    /// The value (0 or more) of a key that is not empty; the last one stays.
    void insert(std::string_view key, std::int32_t value) {
        std::uint32_t node = 0;
        for (char c : key) {
            if ((edges_ + 1) * 2 > table_.size()) grow();
            Edge& edge = locate(label(node, c));
            if (edge.label == none) {
                edge = {label(node, c), static_cast<std::uint32_t>(values_.size())};
                values_.push_back(-1);
                ++edges_;
            }
            node = edge.child;
        }
        values_[node] = value;
        first_[static_cast<unsigned char>(key.front())] = true;
    }

    struct Match {
        std::int32_t value;  ///< -1: no key
        std::size_t length;
    };
    /// The longest key that starts `text`.
    [[nodiscard]] Match longest(std::string_view text) const {
        Match best{-1, 0};
        each_prefix(text, [&](std::int32_t value, std::size_t length) { best = {value, length}; });
        return best;
    }
    /// Calls `found(value, length)` for every key that starts `text`, shortest first.
    template <class Found>
    void each_prefix(std::string_view text, Found&& found) const {
        if (table_.empty()) return;
        std::uint32_t node = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const Edge& edge = const_cast<ByteTrie*>(this)->locate(label(node, text[i]));
            if (edge.label == none) return;
            node = edge.child;
            if (values_[node] >= 0) found(values_[node], i + 1);
        }
    }
    /// Whether any key starts with this byte.
    [[nodiscard]] bool starts(char c) const noexcept { return first_[static_cast<unsigned char>(c)]; }
    [[nodiscard]] bool empty() const noexcept { return edges_ == 0; }

private:
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    struct Edge {
        std::uint64_t label = none;
        std::uint32_t child = 0;
    };
    [[nodiscard]] static std::uint64_t label(std::uint32_t node, char c) noexcept {
        return std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
    }
    [[nodiscard]] Edge& locate(std::uint64_t label) noexcept {
        const std::size_t mask = table_.size() - 1;
        for (std::size_t i = label * 0x9E3779B97F4A7C15ULL >> 20 & mask;; i = (i + 1) & mask) {
            if (table_[i].label == label || table_[i].label == none) return table_[i];
        }
    }
    void grow() {
        std::vector<Edge> old(table_.empty() ? 64 : table_.size() * 2);
        old.swap(table_);
        for (const Edge& edge : old) {
            if (edge.label != none) locate(edge.label) = edge;
        }
    }

    std::vector<Edge> table_;
    std::vector<std::int32_t> values_{-1};
    std::array<bool, 256> first_{};
    std::size_t edges_ = 0;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_BYTE_TRIE_HPP
// ---- silica/input/text/json_place.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
/// A value inside a JSON file together with its address, so that whatever is wrong with it is said by file and key.

// ---- silica/core/error.hpp
#ifndef SILICA_SINGLE_CORE_ERROR_HPP
#define SILICA_SINGLE_CORE_ERROR_HPP
/// What Silica throws: one sentence that says what is wrong, then what to do about it.

#include <stdexcept>
#include <string>
#include <utility>

namespace silica {

/// Base of every exception thrown on purpose. `what()` reads "<problem> Remedy: <remedy>".
class Error : public std::runtime_error {
public:
    /// Both arguments are whole sentences: "config.json has heads 0." and "Set num_attention_heads to 1 or more."
    Error(std::string problem, std::string remedy)
        : std::runtime_error(remedy.empty() ? problem : problem + " Remedy: " + remedy),
          problem_(std::move(problem)),
          remedy_(std::move(remedy)) {}

    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }

private:
    std::string problem_, remedy_;
};

/// An argument, an input tensor or an input text is wrong (rank, dtype, range, option value).
class InputError : public Error {
    using Error::Error;
};

/// A configuration (config.json, tokenizer.json, ...) is missing a key, has a wrong value or an unsupported one.
class ConfigError : public Error {
    using Error::Error;
};

/// A file of weights, or the directory that should hold it, is missing, damaged or does not fit the model.
class CheckpointError : public Error {
    using Error::Error;
};

/// A device is absent, out of memory, or refuses an operation and nothing else may take it.
class DeviceError : public Error {
    using Error::Error;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_ERROR_HPP

#include <nlohmann/json.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text {

/// A place in a tokenizer file: "tokenizer.json", then "model.vocab" and so on. Reads typed values or throws
/// ConfigError.
class JsonPlace {
public:
    JsonPlace(const nlohmann::json& value, std::string file, std::string key = {})
        : value_(&value), file_(std::move(file)), key_(std::move(key)) {}

    [[nodiscard]] const nlohmann::json& raw() const noexcept { return *value_; }
    [[nodiscard]] bool is_null() const noexcept { return value_->is_null(); }
    [[nodiscard]] bool is_object() const noexcept { return value_->is_object(); }
    [[nodiscard]] bool is_array() const noexcept { return value_->is_array(); }
    [[nodiscard]] bool is_string() const noexcept { return value_->is_string(); }

    /// The member `name`, or nothing where it is absent or null.
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view name) const {
        require(value_->is_object(), "an object");
        const auto found = value_->find(std::string(name));
        if (found == value_->end() || found->is_null()) return std::nullopt;
        return JsonPlace(*found, file_, key_.empty() ? std::string(name) : key_ + "." + std::string(name));
    }
    /// The member `name`; an error where it is absent or null.
    [[nodiscard]] JsonPlace at(std::string_view name) const {
        auto found = find(name);
        if (!found) fail("lacks the key \"" + std::string(name) + "\"");
        return *std::move(found);
    }
    /// The element `index` of an array.
    [[nodiscard]] JsonPlace at(std::size_t index) const {
        require(value_->is_array(), "an array");
        if (index >= value_->size()) fail("has fewer than " + std::to_string(index + 1) + " elements");
        return JsonPlace((*value_)[index], file_, key_ + "[" + std::to_string(index) + "]");
    }
    [[nodiscard]] std::size_t size() const {
        require(value_->is_array(), "an array");
        return value_->size();
    }
    [[nodiscard]] const std::string& string() const {
        require(value_->is_string(), "a string");
        return value_->get_ref<const std::string&>();
    }
    [[nodiscard]] bool boolean() const {
        require(value_->is_boolean(), "true or false");
        return value_->get<bool>();
    }
    [[nodiscard]] double number() const {
        require(value_->is_number(), "a number");
        return value_->get<double>();
    }
    /// An integer within [low, high].
    [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const {
        require(value_->is_number_integer(), "an integer");
        const bool big = value_->is_number_unsigned() &&
                         value_->get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int64_t>::max());
        const std::int64_t n = big ? high : value_->get<std::int64_t>();
        if (big || n < low || n > high) {
            fail("is " + value_->dump() + ", outside " + std::to_string(low) + " to " + std::to_string(high));
        }
        return n;
    }
    /// A token id.
    [[nodiscard]] std::int32_t id() const { return static_cast<std::int32_t>(integer(0, max_id)); }

    [[nodiscard]] std::string string_or(std::string_view name, std::string fallback) const {
        const auto found = find(name);
        return found ? found->string() : fallback;
    }
    [[nodiscard]] bool boolean_or(std::string_view name, bool fallback) const {
        const auto found = find(name);
        return found ? found->boolean() : fallback;
    }
    /// The value of "type", which every component of a tokenizer.json has.
    [[nodiscard]] const std::string& type() const { return value_type().value_->get_ref<const std::string&>(); }

    /// Throws ConfigError: this place, and `problem` ("lacks the key ...").
    [[noreturn]] void fail(const std::string& problem) const {
        throw ConfigError(
            file_ + (key_.empty() ? "" : ": " + key_) + " " + problem + ".",
            "Take " + file_ + " from the model's repository again; it is damaged or of an unknown format.");
    }
    /// Throws ConfigError: a component of a type nobody here implements.
    [[noreturn]] void unknown(const std::string& kind) const {
        throw ConfigError(file_ + ": " + key_ + " has the " + kind + " type \"" + type().substr(0, 100) +
                              "\", which Silica does not know.",
                          "Use a checkpoint whose tokenizer has known components, or add the " + kind +
                              " under include/silica/input/text/.");
    }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] const std::string& key() const noexcept { return key_; }

    /// The largest token id taken for real; a vocabulary is dense, so larger ones are damage.
    static constexpr std::int64_t max_id = (1 << 26) - 1;

private:
    [[nodiscard]] JsonPlace value_type() const {
        auto place = at("type");
        place.require(place.is_string(), "a string");
        return place;
    }
    void require(bool holds, const char* wanted) const {
        if (!holds) fail(std::string("is ") + value_->type_name() + " where " + wanted + " belongs");
    }

    const nlohmann::json* value_;
    std::string file_, key_;
};

/// Components nest (Sequence in Sequence); deeper than this is damage.
inline constexpr int max_depth = 32;

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
// ---- silica/input/text/model.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_HPP
/// Models: words to tokens.

// ---- silica/input/text/encoding.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_ENCODING_HPP
#define SILICA_SINGLE_INPUT_TEXT_ENCODING_HPP
/// What a tokenizer makes of a text.

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::text {

/// The tokens of a text (or of a pair), one entry per token in every vector.
struct Encoding {
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> type_ids;             ///< 0 for the first text, 1 for the second (as the template says)
    std::vector<std::int64_t> attention_mask;       ///< 0 for padding
    std::vector<std::int64_t> special_tokens_mask;  ///< 1 for tokens that the template or padding added
    std::vector<std::string> tokens;
    std::vector<Encoding> overflowing = {};  ///< what truncation cut off, in stretches that overlap by its stride

    [[nodiscard]] std::size_t size() const noexcept { return ids.size(); }
};

/// Where models put the tokens they find.
struct Tokens {
    std::vector<std::int64_t> ids;
    std::vector<std::string> texts;

    void add(std::int32_t id, std::string_view text) {
        ids.push_back(id);
        texts.emplace_back(text);
    }
};

namespace detail {

/// An encoding of tokens, without special ones.
[[nodiscard]] inline Encoding plain(Tokens&& tokens, std::int64_t type_id) {
    const std::size_t n = tokens.ids.size();
    Encoding made;
    made.ids = std::move(tokens.ids);
    made.tokens = std::move(tokens.texts);
    made.type_ids.assign(n, type_id);
    made.attention_mask.assign(n, 1);
    made.special_tokens_mask.assign(n, 0);
    return made;
}

/// The tokens [start, stop).
[[nodiscard]] inline Encoding slice(const Encoding& from, std::size_t start, std::size_t stop) {
    const auto cut = [=](const auto& v) {
        using Vector = std::remove_cvref_t<decltype(v)>;
        return Vector(v.begin() + static_cast<std::ptrdiff_t>(start), v.begin() + static_cast<std::ptrdiff_t>(stop));
    };
    return {cut(from.ids), cut(from.type_ids), cut(from.attention_mask), cut(from.special_tokens_mask),
            cut(from.tokens)};
}

/// Appends the tokens of `next`, without what overflowed.
inline void append(Encoding& to, Encoding next) {
    const auto join = [](auto& a, auto& b) {
        a.insert(a.end(), std::make_move_iterator(b.begin()), std::make_move_iterator(b.end()));
    };
    join(to.ids, next.ids);
    join(to.type_ids, next.type_ids);
    join(to.attention_mask, next.attention_mask);
    join(to.special_tokens_mask, next.special_tokens_mask);
    join(to.tokens, next.tokens);
}

/// Appends `next`; every overflowing stretch of one meets the other and the other's.
inline void merge(Encoding& to, Encoding next) {
    std::vector<Encoding> overflowing;
    const auto joined = [&](const Encoding& a, const Encoding& b) {
        Encoding both = slice(a, 0, a.size());
        append(both, slice(b, 0, b.size()));
        overflowing.push_back(std::move(both));
    };
    for (const Encoding& mine : to.overflowing) {
        joined(mine, next);
        for (const Encoding& theirs : next.overflowing) joined(mine, theirs);
    }
    for (const Encoding& theirs : next.overflowing) joined(to, theirs);
    if (to.ids.empty()) {
        to = std::move(next);
    } else {
        append(to, std::move(next));
    }
    to.overflowing = std::move(overflowing);
}

}  // namespace detail
}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_ENCODING_HPP
// ---- silica/input/text/model/bpe.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_HPP
/// Byte-pair encoding: characters, joined pair by pair in the order of the merges (Sennrich et al. 2016).

// ---- silica/input/text/model/bpe_merges.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_MERGES_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_MERGES_HPP
/// The merges of a BPE model, and their application to a word.

// ---- silica/input/text/vocabulary.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_VOCABULARY_HPP
#define SILICA_SINGLE_INPUT_TEXT_VOCABULARY_HPP
/// Tokens and their ids, both ways.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// FNV-1a, which can be continued byte by byte: the hashes of all prefixes of a word cost one pass.
struct Fnv {
    std::uint64_t state = 14695981039346656037ULL;
    constexpr void add(char c) noexcept { state = (state ^ static_cast<unsigned char>(c)) * 1099511628211ULL; }
    constexpr void add(std::string_view text) noexcept {
        for (char c : text) add(c);
    }
    [[nodiscard]] constexpr std::uint64_t value() const noexcept { return state ^ state >> 32; }
    [[nodiscard]] static constexpr std::uint64_t of(std::string_view text) noexcept {
        Fnv hash;
        hash.add(text);
        return hash.value();
    }
};

/// A map from strings to small integers: open addressing, the strings in one buffer. Built once, then only read.
class StringTable {
public:
    /// Sets the value of `key` (the last one stays). False where the key was there.
    bool insert(std::string_view key, std::int32_t value) {
        if ((count_ + 1) * 2 > slots_.size()) grow();
        Slot* slot = locate(key, Fnv::of(key));
        const bool fresh = slot->value < 0;
        if (fresh) {
            slot->hash = static_cast<std::uint32_t>(Fnv::of(key));
            slot->offset = bytes_.size();
            slot->length = static_cast<std::uint32_t>(key.size());
            bytes_.append(key);
            longest_ = std::max(longest_, key.size());
            ++count_;
        }
        slot->value = value;
        return fresh;
    }
    /// The value of `key`, or -1.
    [[nodiscard]] std::int32_t find(std::string_view key) const noexcept { return find(key, Fnv::of(key)); }
    /// The same, with the key's `Fnv` hash at hand.
    [[nodiscard]] std::int32_t find(std::string_view key, std::uint64_t hash) const noexcept {
        if (slots_.empty()) return -1;
        return const_cast<StringTable*>(this)->locate(key, hash)->value;
    }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    /// Bytes of the longest key.
    [[nodiscard]] std::size_t longest() const noexcept { return longest_; }

private:
    struct Slot {
        std::size_t offset = 0;
        std::uint32_t length = 0, hash = 0;
        std::int32_t value = -1;
    };
    [[nodiscard]] Slot* locate(std::string_view key, std::uint64_t hash) noexcept {
        const std::size_t mask = slots_.size() - 1;
        for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
            Slot& slot = slots_[i];
            if (slot.value < 0) return &slot;
            if (slot.hash == static_cast<std::uint32_t>(hash) && slot.length == key.size() &&
                (key.empty() || std::memcmp(bytes_.data() + slot.offset, key.data(), key.size()) == 0)) {
                return &slot;
            }
        }
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.value < 0) continue;
            const std::string_view key(bytes_.data() + slot.offset, slot.length);
            *locate(key, Fnv::of(key)) = slot;
        }
    }

    std::vector<Slot> slots_;
    std::string bytes_;
    std::size_t count_ = 0, longest_ = 0;
};

/// The vocabulary of a model.
class Vocabulary {
public:
    /// Adds a token; a token met again takes the last id. False where the id already has another token.
    bool add(std::string_view token, std::int32_t id) {
        table_.insert(token, id);
        if (static_cast<std::size_t>(id) >= tokens_.size()) tokens_.resize(static_cast<std::size_t>(id) + 1);
        Entry& entry = tokens_[static_cast<std::size_t>(id)];
        const bool free = !entry.used || entry.token == token;
        entry.token = token, entry.used = true;
        return free;
    }
    /// The id of a token, or -1.
    [[nodiscard]] std::int32_t find(std::string_view token) const noexcept { return table_.find(token); }
    /// The token of an id, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const noexcept {
        if (id < 0 || static_cast<std::size_t>(id) >= tokens_.size()) return nullptr;
        const Entry& entry = tokens_[static_cast<std::size_t>(id)];
        return entry.used ? &entry.token : nullptr;
    }
    /// Number of different tokens.
    [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }
    /// One more than the largest id.
    [[nodiscard]] std::size_t id_end() const noexcept { return tokens_.size(); }
    [[nodiscard]] const StringTable& table() const noexcept { return table_; }

private:
    struct Entry {
        std::string token;
        bool used = false;
    };
    StringTable table_;
    std::vector<Entry> tokens_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_VOCABULARY_HPP

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Pairs of tokens that become one, the first listed first.
class Merges {
public:
    /// The next merge in rank. Of a pair listed twice the later one counts.
    void add(std::int32_t left, std::int32_t right, std::int32_t made) {
        if ((count_ + 1) * 3 > slots_.size() * 2) grow();
        Slot& slot = slots_[locate(key(left, right))];
        count_ += slot.pair == none;
        slot = {key(left, right), rank_++, made};
    }

    /// Adds the merge of two tokens by name. Empty, or the name of the token that is not in the vocabulary.
    [[nodiscard]] std::string add(std::string_view left, std::string_view right, const Vocabulary& vocabulary,
                                  std::size_t prefix) {
        const auto a = vocabulary.find(left), b = vocabulary.find(right);
        if (a < 0 || b < 0) return std::string(a < 0 ? left : right);
        std::string joined(left);
        if (right.size() >= prefix) joined += right.substr(prefix);
        const auto made = vocabulary.find(joined);
        if (made < 0 || right.size() < prefix) return joined.empty() ? "\"\"" : joined;
        add(a, b, made);
        return {};
    }

    /// Reads ["a b", ...] or [["a", "b"], ...]; `prefix` is the length of the continuing prefix.
    [[nodiscard]] static Merges read(const JsonPlace& place, const Vocabulary& vocabulary, std::size_t prefix) {
        Merges made;
        const std::size_t n = place.size();
        made.reserve(n);
        for (std::size_t i = 0; i < n; ++i) {
            const auto& merge = place.raw()[i];
            std::string_view left, right;
            if (merge.is_string()) {
                const std::string_view both = merge.get_ref<const std::string&>();
                if (both.substr(0, 8) == "#version") continue;
                const auto space = both.find(' ');
                if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
                    place.at(i).fail("is not two tokens with a space between");
                }
                left = both.substr(0, space), right = both.substr(space + 1);
            } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
                left = merge[0].get_ref<const std::string&>(), right = merge[1].get_ref<const std::string&>();
            } else {
                place.at(i).fail("is neither \"a b\" nor [\"a\", \"b\"]");
            }
            const auto missing = made.add(left, right, vocabulary, prefix);
            if (!missing.empty()) {
                place.at(i).fail("needs the token " +
                                 nlohmann::json(missing.substr(0, 100))
                                     .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                                 ", which is not in the vocabulary");
            }
        }
        return made;
    }

    void reserve(std::size_t n) {
        while (n * 3 > slots_.size() * 2) grow();
    }

    /// Joins the symbols of a word.
    void apply(std::vector<std::int32_t>& symbols) const {
        if (symbols.size() < 2 || slots_.empty()) return;
        symbols.size() <= 48 ? apply_short(symbols) : apply_long(symbols);
    }

private:
    static constexpr std::uint64_t none = ~std::uint64_t{0};
    static constexpr std::uint32_t no_rank = ~std::uint32_t{0};
    struct Slot {
        std::uint64_t pair = none;
        std::uint32_t rank = no_rank;
        std::int32_t made = -1;
    };

    [[nodiscard]] static std::uint64_t key(std::int32_t left, std::int32_t right) noexcept {
        return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
    }
    [[nodiscard]] std::size_t locate(std::uint64_t pair) const noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::uint64_t hash = pair * 0x9E3779B97F4A7C15ULL;
        hash ^= hash >> 32;
        for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
            if (slots_[i].pair == pair || slots_[i].pair == none) return i;
        }
    }
    [[nodiscard]] const Slot& find(std::int32_t left, std::int32_t right) const noexcept {
        return slots_[locate(key(left, right))];
    }
    void grow() {
        std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.pair != none) slots_[locate(slot.pair)] = slot;
        }
    }

    /// The best pair found by looking at all of them, again and again: fastest for words.
    void apply_short(std::vector<std::int32_t>& symbols) const {
        std::vector<Slot> pairs;
        pairs.reserve(symbols.size());
        for (std::size_t i = 0; i + 1 < symbols.size(); ++i) pairs.push_back(find(symbols[i], symbols[i + 1]));
        while (!pairs.empty()) {
            std::size_t best = 0;
            for (std::size_t i = 1; i < pairs.size(); ++i) {
                if (pairs[i].rank < pairs[best].rank) best = i;
            }
            if (pairs[best].rank == no_rank) return;
            symbols[best] = pairs[best].made;
            symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
            pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(best));
            if (best > 0) pairs[best - 1] = find(symbols[best - 1], symbols[best]);
            if (best < pairs.size()) pairs[best] = find(symbols[best], symbols[best + 1]);
        }
    }

    /// The best pair from a heap; what became stale is dropped when it comes up. For texts that are one word.
    void apply_long(std::vector<std::int32_t>& symbols) const {
        struct Candidate {
            std::uint64_t order;  // rank, then position
            std::int32_t left, right, made;
            bool operator>(const Candidate& other) const noexcept { return order > other.order; }
        };
        constexpr std::uint32_t end = ~std::uint32_t{0};
        const auto n = static_cast<std::uint32_t>(symbols.size());
        std::vector<std::uint32_t> next(n), previous(n);
        for (std::uint32_t i = 0; i < n; ++i) next[i] = i + 1 < n ? i + 1 : end, previous[i] = i > 0 ? i - 1 : end;
        std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
        const auto consider = [&](std::uint32_t i) {
            if (i == end || next[i] == end) return;
            const Slot& slot = find(symbols[i], symbols[next[i]]);
            if (slot.pair != none) {
                queue.push({std::uint64_t{slot.rank} << 32 | i, symbols[i], symbols[next[i]], slot.made});
            }
        };
        for (std::uint32_t i = 0; i + 1 < n; ++i) consider(i);
        while (!queue.empty()) {
            const Candidate top = queue.top();
            queue.pop();
            const auto i = static_cast<std::uint32_t>(top.order);
            if (symbols[i] != top.left || next[i] == end || symbols[next[i]] != top.right) continue;
            const std::uint32_t gone = next[i];
            symbols[i] = top.made;
            symbols[gone] = -1;
            next[i] = next[gone];
            if (next[i] != end) previous[next[i]] = i;
            consider(previous[i]);
            consider(i);
        }
        std::erase(symbols, -1);
    }

    std::vector<Slot> slots_;
    std::size_t count_ = 0;
    std::uint32_t rank_ = 0;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_MERGES_HPP
// ---- silica/input/text/model/vocabulary_reader.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_VOCABULARY_READER_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_VOCABULARY_READER_HPP
/// Reading "vocab": an object of tokens and ids.

#include <algorithm>
#include <string>

namespace silica::text {

/// The tokens of a JSON object {token: id}. Ids must be different and lie close together.
[[nodiscard]] inline Vocabulary read_vocabulary(const JsonPlace& place) {
    if (!place.is_object()) place.fail("is no object of tokens and their ids");
    Vocabulary made;
    const auto limit = std::min<std::uint64_t>(JsonPlace::max_id, 8 * place.raw().size() + 65536);
    for (const auto& [token, id] : place.raw().items()) {
        if (!id.is_number_unsigned() || id.template get<std::uint64_t>() > limit) {
            place.fail(
                "gives the token " +
                nlohmann::json(token.substr(0, 100)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                " the id " + id.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 100) +
                ", which is no id of a vocabulary of " + std::to_string(place.raw().size()));
        }
        if (!made.add(token, id.template get<std::int32_t>()))
            place.fail("gives the id " + id.dump() + " to two tokens");
    }
    return made;
}

/// Throws ConfigError: a word has no tokens, and the token that stands for such words is missing.
[[noreturn]] inline void missing_unknown(const std::string& token) {
    throw ConfigError("The tokenizer met a word that it has no tokens for, and its unknown token \"" + token +
                          "\" is not in the vocabulary.",
                      "Set model.unk_token in tokenizer.json to a token of the vocabulary.");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_VOCABULARY_READER_HPP
// ---- silica/input/text/utf8.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_UTF8_HPP
#define SILICA_SINGLE_INPUT_TEXT_UTF8_HPP
/// UTF-8: reading, writing and checking code points.

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace silica::text::utf8 {

/// One code point and the number of bytes it takes.
struct Decoded {
    char32_t value;
    unsigned length;
};

/// The code point that starts at `p`. The text must be valid UTF-8.
[[nodiscard]] inline Decoded decode(const char* p) noexcept {
    const auto byte = [p](int i) { return static_cast<char32_t>(static_cast<unsigned char>(p[i])); };
    const char32_t first = byte(0);
    if (first < 0x80) return {first, 1};
    if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
    if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
    return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

/// The code point that ends before byte `end` of `text`. The text must be valid UTF-8 and `end` positive.
[[nodiscard]] inline Decoded decode_before(std::string_view text, std::size_t end) noexcept {
    std::size_t start = end - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
    return decode(text.data() + start);
}

/// How many bytes the sequence that opens with this byte has (valid UTF-8).
[[nodiscard]] inline unsigned length(char first) noexcept {
    const auto byte = static_cast<unsigned char>(first);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Appends one code point.
inline void append(std::string& out, char32_t c) {
    const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
    } else {
        put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
    }
}

/// One code point as a string.
[[nodiscard]] inline std::string encode(char32_t c) {
    std::string out;
    append(out, c);
    return out;
}

/// The number of code points of valid UTF-8.
[[nodiscard]] inline std::size_t count(std::string_view text) noexcept {
    std::size_t n = 0;
    for (char c : text) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return n;
}

namespace detail {

/// The longest start of `text` that is valid (`well_formed` then true: a whole sequence) or could become so
/// (Unicode 3.9: "maximal subpart"); at least one byte. `text` is not empty.
struct Sequence {
    unsigned length;
    bool well_formed;
};
[[nodiscard]] inline Sequence sequence(std::string_view text) noexcept {
    const auto at = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = at(0);
    if (first < 0x80) return {1, true};
    const unsigned want = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (want == 0) return {1, false};
    unsigned low = 0x80, high = 0xBF;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    for (unsigned i = 1; i < want; ++i) {
        if (i >= text.size() || at(i) < low || at(i) > high) return {i, false};
        low = 0x80, high = 0xBF;
    }
    return {want, true};
}

}  // namespace detail

/// The offset of the first byte that is not UTF-8, or `npos`.
[[nodiscard]] inline std::size_t first_invalid(std::string_view text) noexcept {
    std::size_t i = 0;
    while (i < text.size()) {
        if (i + 8 <= text.size()) {
            unsigned long long word;
            std::memcpy(&word, text.data() + i, 8);
            if ((word & 0x8080808080808080ULL) == 0) {
                i += 8;
                continue;
            }
        }
        const auto found = detail::sequence(text.substr(i));
        if (!found.well_formed) return i;
        i += found.length;
    }
    return std::string_view::npos;
}

/// The text with every ill-formed sequence replaced by U+FFFD (one per maximal subpart).
[[nodiscard]] inline std::string lossy(std::string_view bytes) {
    if (first_invalid(bytes) == std::string_view::npos) return std::string(bytes);
    std::string out;
    for (std::size_t i = 0; i < bytes.size();) {
        const auto found = detail::sequence(bytes.substr(i));
        if (found.well_formed) {
            out.append(bytes.substr(i, found.length));
        } else {
            out.append("\xEF\xBF\xBD");
        }
        i += found.length;
    }
    return out;
}

}  // namespace silica::text::utf8
#endif  // SILICA_SINGLE_INPUT_TEXT_UTF8_HPP
// ---- silica/input/text/word_cache.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_WORD_CACHE_HPP
#define SILICA_SINGLE_INPUT_TEXT_WORD_CACHE_HPP
/// What models made of words they met before. One cache per thread, of bounded size, shared by all tokenizers.

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// A token of a word: its id, and where its text is not the vocabulary's, the bytes of the word.
struct WordToken {
    std::int32_t id;
    std::uint32_t start = 0, length = 0;
};

/// A direct-mapped cache. An owner is a model's number.
class WordCache {
public:
    /// The cache of this thread.
    [[nodiscard]] static WordCache& mine() {
        thread_local WordCache cache;
        return cache;
    }
    /// A number for a model, never given twice.
    [[nodiscard]] static std::uint64_t new_owner() {
        static std::atomic<std::uint64_t> last{0};
        return ++last;
    }

    /// The tokens of a word; `make(tokens)` finds those of a new one.
    template <class Make>
    const std::vector<WordToken>& get(std::uint64_t owner, std::string_view word, Make&& make) {
        if (word.size() > longest) {
            spare_.clear();
            make(spare_);
            return spare_;
        }
        const std::uint64_t hash = Fnv::of(word) ^ owner * 0x9E3779B97F4A7C15ULL;
        Slot& slot = slots_[(hash ^ hash >> 29) & (slots_.size() - 1)];
        if (slot.hash == hash && slot.owner == owner && slot.word == word) return slot.tokens;
        slot.owner = 0;  // should `make` throw
        slot.tokens.clear();
        make(slot.tokens);
        slot.word = word;
        slot.hash = hash;
        slot.owner = owner;
        return slot.tokens;
    }

private:
    static constexpr std::size_t longest = 128;
    struct Slot {
        std::uint64_t hash = 0, owner = 0;
        std::string word;
        std::vector<WordToken> tokens;
    };
    std::vector<Slot> slots_ = std::vector<Slot>(1 << 14);
    std::vector<WordToken> spare_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_WORD_CACHE_HPP

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
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_BPE_HPP
// ---- silica/input/text/model/unigram.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_UNIGRAM_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_UNIGRAM_HPP
/// Unigram: the most probable way to cut the word into tokens (Kudo 2018), by Viterbi.

#include <algorithm>
#include <cstdint>
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
        const auto vocab = place.at("vocab");
        const std::size_t n = vocab.size();
        std::vector<std::pair<std::string, double>> tokens;
        tokens.reserve(n);
        for (std::size_t i = 0; i < n; ++i) {
            const auto& entry = vocab.raw()[i];
            if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
                vocab.at(i).fail("is not [token, score]");
            }
            tokens.emplace_back(entry[0].get_ref<const std::string&>(), entry[1].get<double>());
        }
        std::optional<std::int32_t> unknown;
        if (const auto id = place.find("unk_id")) {
            unknown = id->id();
            if (static_cast<std::size_t>(*unknown) >= n) id->fail("is no id of the vocabulary");
        }
        return {std::move(tokens), unknown, place.boolean_or("byte_fallback", false)};
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
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_UNIGRAM_HPP
// ---- silica/input/text/model/word_level.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_WORD_LEVEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_WORD_LEVEL_HPP
/// WordLevel: a token per word.

#include <string>
#include <string_view>
#include <utility>

namespace silica::text {

/// Words are looked up; what is not there is unknown.
class WordLevel {
public:
    WordLevel(Vocabulary vocabulary, std::string unknown)
        : vocabulary_(std::move(vocabulary)), unknown_(std::move(unknown)) {}

    [[nodiscard]] static WordLevel read(const JsonPlace& place) {
        return {read_vocabulary(place.at("vocab")), place.at("unk_token").string()};
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.size(); }

    /// Appends the token of a word.
    void operator()(std::string_view word, Tokens& out) const {
        if (const auto id = vocabulary_.find(word); id >= 0) return out.add(id, word);
        const auto id = vocabulary_.find(unknown_);
        if (id < 0) missing_unknown(unknown_);
        out.add(id, unknown_);
    }

private:
    Vocabulary vocabulary_;
    std::string unknown_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_WORD_LEVEL_HPP
// ---- silica/input/text/model/wordpiece.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_MODEL_WORDPIECE_HPP
#define SILICA_SINGLE_INPUT_TEXT_MODEL_WORDPIECE_HPP
/// WordPiece: the longest token that starts the word, then the longest that continues it (Schuster and Nakajima 2012).

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
        const auto longest = place.at("max_input_chars_per_word").integer(0, 1 << 20);
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
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_WORDPIECE_HPP

#include <string_view>
#include <utility>
#include <variant>

namespace silica::text {

/// Any model of a tokenizer.json.
struct Model {
    std::variant<WordPiece, Bpe, Unigram, WordLevel> kind;

    [[nodiscard]] static Model read(const JsonPlace& place) {
        const auto& type = place.type();
        if (type == "WordPiece") return {WordPiece::read(place)};
        if (type == "BPE") return {Bpe::read(place)};
        if (type == "Unigram") return {Unigram::read(place)};
        if (type == "WordLevel") return {WordLevel::read(place)};
        place.unknown("model");
    }
    /// The id of a token, or -1.
    [[nodiscard]] std::int32_t id(std::string_view token) const {
        return std::visit([&](const auto& each) { return each.vocabulary().find(token); }, kind);
    }
    /// The token of an id, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const {
        return std::visit([&](const auto& each) { return each.vocabulary().token(id); }, kind);
    }
    /// Number of tokens.
    [[nodiscard]] std::size_t size() const {
        return std::visit([](const auto& each) { return each.size(); }, kind);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_MODEL_HPP
// ---- silica/input/text/normalizer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_HPP
/// Normalizers: what happens to the text before it is cut into words.

// ---- silica/input/text/normalizer/bert.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_BERT_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_BERT_HPP
/// BertNormalizer: cleaning, spaces around ideographs, accents, lower case (Devlin et al. 2018, `BasicTokenizer`).

// ---- silica/input/text/normal_forms.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMAL_FORMS_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMAL_FORMS_HPP
/// The normal forms NFC, NFD, NFKC, NFKD (UAX 15), as of the Unicode version that tokenizers use.

// ---- silica/input/text/unicode.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_UNICODE_HPP
#define SILICA_SINGLE_INPUT_TEXT_UNICODE_HPP
/// What a character is: the classes that normalizers, pre-tokenizers and patterns ask about, in one table look-up.

// ---- silica/input/text/unicode_tables.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_UNICODE_TABLES_HPP
#define SILICA_SINGLE_INPUT_TEXT_UNICODE_TABLES_HPP
/// Code point ranges that the checkpoints' tokenizers were trained with. Python `tokenizers` classifies characters by
/// several versions of Unicode (its Rust crates'); these are its answers, read off release 0.23.3 character by
/// character with tests/input/text/make_unicode_tables.py, so that ids do not change with the version of utf8proc.

namespace silica::text::unicode {

/// First and last code point of a run, both included.
struct Range {
    char32_t first, last;
};

/// What BertNormalizer removes as control characters (Cc, Cf, Co, U+0000 and U+FFFD).
inline constexpr Range control[] = {
    {0x0, 0x8},         {0xB, 0xC},         {0xE, 0x1F},        {0x7F, 0x9F},       {0xAD, 0xAD},
    {0x600, 0x605},     {0x61C, 0x61C},     {0x6DD, 0x6DD},     {0x70F, 0x70F},     {0x180E, 0x180E},
    {0x200B, 0x200F},   {0x202A, 0x202E},   {0x2060, 0x2064},   {0x2066, 0x206F},   {0xE000, 0xF8FF},
    {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFB},   {0xFFFD, 0xFFFD},   {0x110BD, 0x110BD}, {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A}, {0xE0001, 0xE0001}, {0xE0020, 0xE007F}, {0xF0000, 0xFFFFD}, {0x100000, 0x10FFFD}};

/// What BertPreTokenizer and Punctuation call punctuation (Unicode 8 and all ASCII punctuation).
inline constexpr Range punctuation[] = {
    {0x21, 0x2F},       {0x3A, 0x40},       {0x5B, 0x60},       {0x7B, 0x7E},       {0xA1, 0xA1},
    {0xA7, 0xA7},       {0xAB, 0xAB},       {0xB6, 0xB7},       {0xBB, 0xBB},       {0xBF, 0xBF},
    {0x37E, 0x37E},     {0x387, 0x387},     {0x55A, 0x55F},     {0x589, 0x58A},     {0x5BE, 0x5BE},
    {0x5C0, 0x5C0},     {0x5C3, 0x5C3},     {0x5C6, 0x5C6},     {0x5F3, 0x5F4},     {0x609, 0x60A},
    {0x60C, 0x60D},     {0x61B, 0x61B},     {0x61E, 0x61F},     {0x66A, 0x66D},     {0x6D4, 0x6D4},
    {0x700, 0x70D},     {0x7F7, 0x7F9},     {0x830, 0x83E},     {0x85E, 0x85E},     {0x964, 0x965},
    {0x970, 0x970},     {0xAF0, 0xAF0},     {0xDF4, 0xDF4},     {0xE4F, 0xE4F},     {0xE5A, 0xE5B},
    {0xF04, 0xF12},     {0xF14, 0xF14},     {0xF3A, 0xF3D},     {0xF85, 0xF85},     {0xFD0, 0xFD4},
    {0xFD9, 0xFDA},     {0x104A, 0x104F},   {0x10FB, 0x10FB},   {0x1360, 0x1368},   {0x1400, 0x1400},
    {0x166D, 0x166E},   {0x169B, 0x169C},   {0x16EB, 0x16ED},   {0x1735, 0x1736},   {0x17D4, 0x17D6},
    {0x17D8, 0x17DA},   {0x1800, 0x180A},   {0x1944, 0x1945},   {0x1A1E, 0x1A1F},   {0x1AA0, 0x1AA6},
    {0x1AA8, 0x1AAD},   {0x1B5A, 0x1B60},   {0x1BFC, 0x1BFF},   {0x1C3B, 0x1C3F},   {0x1C7E, 0x1C7F},
    {0x1CC0, 0x1CC7},   {0x1CD3, 0x1CD3},   {0x2010, 0x2027},   {0x2030, 0x2043},   {0x2045, 0x2051},
    {0x2053, 0x205E},   {0x207D, 0x207E},   {0x208D, 0x208E},   {0x2308, 0x230B},   {0x2329, 0x232A},
    {0x2768, 0x2775},   {0x27C5, 0x27C6},   {0x27E6, 0x27EF},   {0x2983, 0x2998},   {0x29D8, 0x29DB},
    {0x29FC, 0x29FD},   {0x2CF9, 0x2CFC},   {0x2CFE, 0x2CFF},   {0x2D70, 0x2D70},   {0x2E00, 0x2E2E},
    {0x2E30, 0x2E42},   {0x3001, 0x3003},   {0x3008, 0x3011},   {0x3014, 0x301F},   {0x3030, 0x3030},
    {0x303D, 0x303D},   {0x30A0, 0x30A0},   {0x30FB, 0x30FB},   {0xA4FE, 0xA4FF},   {0xA60D, 0xA60F},
    {0xA673, 0xA673},   {0xA67E, 0xA67E},   {0xA6F2, 0xA6F7},   {0xA874, 0xA877},   {0xA8CE, 0xA8CF},
    {0xA8F8, 0xA8FA},   {0xA8FC, 0xA8FC},   {0xA92E, 0xA92F},   {0xA95F, 0xA95F},   {0xA9C1, 0xA9CD},
    {0xA9DE, 0xA9DF},   {0xAA5C, 0xAA5F},   {0xAADE, 0xAADF},   {0xAAF0, 0xAAF1},   {0xABEB, 0xABEB},
    {0xFD3E, 0xFD3F},   {0xFE10, 0xFE19},   {0xFE30, 0xFE52},   {0xFE54, 0xFE61},   {0xFE63, 0xFE63},
    {0xFE68, 0xFE68},   {0xFE6A, 0xFE6B},   {0xFF01, 0xFF03},   {0xFF05, 0xFF0A},   {0xFF0C, 0xFF0F},
    {0xFF1A, 0xFF1B},   {0xFF1F, 0xFF20},   {0xFF3B, 0xFF3D},   {0xFF3F, 0xFF3F},   {0xFF5B, 0xFF5B},
    {0xFF5D, 0xFF5D},   {0xFF5F, 0xFF65},   {0x10100, 0x10102}, {0x1039F, 0x1039F}, {0x103D0, 0x103D0},
    {0x1056F, 0x1056F}, {0x10857, 0x10857}, {0x1091F, 0x1091F}, {0x1093F, 0x1093F}, {0x10A50, 0x10A58},
    {0x10A7F, 0x10A7F}, {0x10AF0, 0x10AF6}, {0x10B39, 0x10B3F}, {0x10B99, 0x10B9C}, {0x11047, 0x1104D},
    {0x110BB, 0x110BC}, {0x110BE, 0x110C1}, {0x11140, 0x11143}, {0x11174, 0x11175}, {0x111C5, 0x111C9},
    {0x111CD, 0x111CD}, {0x111DB, 0x111DB}, {0x111DD, 0x111DF}, {0x11238, 0x1123D}, {0x112A9, 0x112A9},
    {0x114C6, 0x114C6}, {0x115C1, 0x115D7}, {0x11641, 0x11643}, {0x1173C, 0x1173E}, {0x12470, 0x12474},
    {0x16A6E, 0x16A6F}, {0x16AF5, 0x16AF5}, {0x16B37, 0x16B3B}, {0x16B44, 0x16B44}, {0x1BC9F, 0x1BC9F},
    {0x1DA87, 0x1DA8B}};

/// What BertNormalizer strips as accents (Mn of Unicode 8).
inline constexpr Range nonspacing[] = {
    {0x300, 0x33F},     {0x342, 0x342},     {0x345, 0x36F},     {0x483, 0x487},     {0x591, 0x5BD},
    {0x5BF, 0x5BF},     {0x5C1, 0x5C2},     {0x5C4, 0x5C5},     {0x5C7, 0x5C7},     {0x610, 0x61A},
    {0x64B, 0x65F},     {0x670, 0x670},     {0x6D6, 0x6DC},     {0x6DF, 0x6E4},     {0x6E7, 0x6E8},
    {0x6EA, 0x6ED},     {0x711, 0x711},     {0x730, 0x74A},     {0x7A6, 0x7B0},     {0x7EB, 0x7F3},
    {0x816, 0x819},     {0x81B, 0x823},     {0x825, 0x827},     {0x829, 0x82D},     {0x859, 0x85B},
    {0x8E3, 0x902},     {0x93A, 0x93A},     {0x93C, 0x93C},     {0x941, 0x948},     {0x94D, 0x94D},
    {0x951, 0x957},     {0x962, 0x963},     {0x981, 0x981},     {0x9BC, 0x9BC},     {0x9C1, 0x9C4},
    {0x9CD, 0x9CD},     {0x9E2, 0x9E3},     {0xA01, 0xA02},     {0xA3C, 0xA3C},     {0xA41, 0xA42},
    {0xA47, 0xA48},     {0xA4B, 0xA4D},     {0xA51, 0xA51},     {0xA70, 0xA71},     {0xA75, 0xA75},
    {0xA81, 0xA82},     {0xABC, 0xABC},     {0xAC1, 0xAC5},     {0xAC7, 0xAC8},     {0xACD, 0xACD},
    {0xAE2, 0xAE3},     {0xB01, 0xB01},     {0xB3C, 0xB3C},     {0xB3F, 0xB3F},     {0xB41, 0xB44},
    {0xB4D, 0xB4D},     {0xB56, 0xB56},     {0xB62, 0xB63},     {0xB82, 0xB82},     {0xBC0, 0xBC0},
    {0xBCD, 0xBCD},     {0xC00, 0xC00},     {0xC3E, 0xC40},     {0xC46, 0xC47},     {0xC4A, 0xC4D},
    {0xC55, 0xC56},     {0xC62, 0xC63},     {0xC81, 0xC81},     {0xCBC, 0xCBC},     {0xCBF, 0xCBF},
    {0xCC6, 0xCC6},     {0xCCC, 0xCCD},     {0xCE2, 0xCE3},     {0xD01, 0xD01},     {0xD41, 0xD44},
    {0xD4D, 0xD4D},     {0xD62, 0xD63},     {0xDCA, 0xDCA},     {0xDD2, 0xDD4},     {0xDD6, 0xDD6},
    {0xE31, 0xE31},     {0xE34, 0xE3A},     {0xE47, 0xE4E},     {0xEB1, 0xEB1},     {0xEB4, 0xEB9},
    {0xEBB, 0xEBC},     {0xEC8, 0xECD},     {0xF18, 0xF19},     {0xF35, 0xF35},     {0xF37, 0xF37},
    {0xF39, 0xF39},     {0xF71, 0xF72},     {0xF74, 0xF74},     {0xF77, 0xF77},     {0xF79, 0xF7E},
    {0xF80, 0xF80},     {0xF82, 0xF84},     {0xF86, 0xF87},     {0xF8D, 0xF92},     {0xF94, 0xF97},
    {0xF99, 0xF9C},     {0xF9E, 0xFA1},     {0xFA3, 0xFA6},     {0xFA8, 0xFAB},     {0xFAD, 0xFB8},
    {0xFBA, 0xFBC},     {0xFC6, 0xFC6},     {0x102D, 0x1030},   {0x1032, 0x1037},   {0x1039, 0x103A},
    {0x103D, 0x103E},   {0x1058, 0x1059},   {0x105E, 0x1060},   {0x1071, 0x1074},   {0x1082, 0x1082},
    {0x1085, 0x1086},   {0x108D, 0x108D},   {0x109D, 0x109D},   {0x135D, 0x135F},   {0x1712, 0x1714},
    {0x1732, 0x1734},   {0x1752, 0x1753},   {0x1772, 0x1773},   {0x17B4, 0x17B5},   {0x17B7, 0x17BD},
    {0x17C6, 0x17C6},   {0x17C9, 0x17D3},   {0x17DD, 0x17DD},   {0x180B, 0x180D},   {0x18A9, 0x18A9},
    {0x1920, 0x1922},   {0x1927, 0x1928},   {0x1932, 0x1932},   {0x1939, 0x193B},   {0x1A17, 0x1A18},
    {0x1A1B, 0x1A1B},   {0x1A56, 0x1A56},   {0x1A58, 0x1A5E},   {0x1A60, 0x1A60},   {0x1A62, 0x1A62},
    {0x1A65, 0x1A6C},   {0x1A73, 0x1A7C},   {0x1A7F, 0x1A7F},   {0x1AB0, 0x1ABD},   {0x1B00, 0x1B03},
    {0x1B34, 0x1B34},   {0x1B36, 0x1B3A},   {0x1B3C, 0x1B3C},   {0x1B42, 0x1B42},   {0x1B6B, 0x1B73},
    {0x1B80, 0x1B81},   {0x1BA2, 0x1BA5},   {0x1BA8, 0x1BA9},   {0x1BAB, 0x1BAD},   {0x1BE6, 0x1BE6},
    {0x1BE8, 0x1BE9},   {0x1BED, 0x1BED},   {0x1BEF, 0x1BF1},   {0x1C2C, 0x1C33},   {0x1C36, 0x1C37},
    {0x1CD0, 0x1CD2},   {0x1CD4, 0x1CE0},   {0x1CE2, 0x1CE8},   {0x1CED, 0x1CED},   {0x1CF4, 0x1CF4},
    {0x1CF8, 0x1CF9},   {0x1DC0, 0x1DF5},   {0x1DFC, 0x1DFF},   {0x20D0, 0x20DC},   {0x20E1, 0x20E1},
    {0x20E5, 0x20F0},   {0x2CEF, 0x2CF1},   {0x2D7F, 0x2D7F},   {0x2DE0, 0x2DFF},   {0x302A, 0x302D},
    {0x3099, 0x309A},   {0xA66F, 0xA66F},   {0xA674, 0xA67D},   {0xA69E, 0xA69F},   {0xA6F0, 0xA6F1},
    {0xA802, 0xA802},   {0xA806, 0xA806},   {0xA80B, 0xA80B},   {0xA825, 0xA826},   {0xA8C4, 0xA8C4},
    {0xA8E0, 0xA8F1},   {0xA926, 0xA92D},   {0xA947, 0xA951},   {0xA980, 0xA982},   {0xA9B3, 0xA9B3},
    {0xA9B6, 0xA9B9},   {0xA9BC, 0xA9BC},   {0xA9E5, 0xA9E5},   {0xAA29, 0xAA2E},   {0xAA31, 0xAA32},
    {0xAA35, 0xAA36},   {0xAA43, 0xAA43},   {0xAA4C, 0xAA4C},   {0xAA7C, 0xAA7C},   {0xAAB0, 0xAAB0},
    {0xAAB2, 0xAAB4},   {0xAAB7, 0xAAB8},   {0xAABE, 0xAABF},   {0xAAC1, 0xAAC1},   {0xAAEC, 0xAAED},
    {0xAAF6, 0xAAF6},   {0xABE5, 0xABE5},   {0xABE8, 0xABE8},   {0xABED, 0xABED},   {0xFB1E, 0xFB1E},
    {0xFE00, 0xFE0F},   {0xFE20, 0xFE2F},   {0x101FD, 0x101FD}, {0x102E0, 0x102E0}, {0x10376, 0x1037A},
    {0x10A01, 0x10A03}, {0x10A05, 0x10A06}, {0x10A0C, 0x10A0F}, {0x10A38, 0x10A3A}, {0x10A3F, 0x10A3F},
    {0x10AE5, 0x10AE6}, {0x11001, 0x11001}, {0x11038, 0x11046}, {0x1107F, 0x11081}, {0x110B3, 0x110B6},
    {0x110B9, 0x110BA}, {0x11100, 0x11102}, {0x11127, 0x1112B}, {0x1112D, 0x1112D}, {0x11130, 0x11134},
    {0x11173, 0x11173}, {0x11180, 0x11181}, {0x111B6, 0x111BE}, {0x111CA, 0x111CC}, {0x1122F, 0x11231},
    {0x11234, 0x11234}, {0x11236, 0x11237}, {0x112DF, 0x112DF}, {0x112E3, 0x112EA}, {0x11300, 0x11301},
    {0x1133C, 0x1133C}, {0x11340, 0x11340}, {0x11366, 0x1136C}, {0x11370, 0x11374}, {0x114B3, 0x114B8},
    {0x114BA, 0x114BA}, {0x114BF, 0x114C0}, {0x114C2, 0x114C3}, {0x115B2, 0x115B5}, {0x115BC, 0x115BD},
    {0x115BF, 0x115C0}, {0x115DC, 0x115DD}, {0x11633, 0x1163A}, {0x1163D, 0x1163D}, {0x1163F, 0x11640},
    {0x116AB, 0x116AB}, {0x116AD, 0x116AD}, {0x116B0, 0x116B5}, {0x116B7, 0x116B7}, {0x1171D, 0x1171F},
    {0x11722, 0x11725}, {0x11727, 0x1172B}, {0x16AF0, 0x16AF4}, {0x16B30, 0x16B36}, {0x16F8F, 0x16F92},
    {0x1BC9D, 0x1BC9E}, {0x1D167, 0x1D169}, {0x1D17B, 0x1D182}, {0x1D185, 0x1D18B}, {0x1D1AA, 0x1D1AD},
    {0x1D242, 0x1D244}, {0x1DA00, 0x1DA36}, {0x1DA3B, 0x1DA6C}, {0x1DA75, 0x1DA75}, {0x1DA84, 0x1DA84},
    {0x1DA9B, 0x1DA9F}, {0x1DAA1, 0x1DAAF}, {0x1E8D0, 0x1E8D6}, {0xE0100, 0xE01EF}};

/// What StripAccents strips, and all that has a combining class in the normal forms (M of Unicode 9).
inline constexpr Range combining[] = {
    {0x300, 0x36F},     {0x483, 0x489},     {0x591, 0x5BD},     {0x5BF, 0x5BF},     {0x5C1, 0x5C2},
    {0x5C4, 0x5C5},     {0x5C7, 0x5C7},     {0x610, 0x61A},     {0x64B, 0x65F},     {0x670, 0x670},
    {0x6D6, 0x6DC},     {0x6DF, 0x6E4},     {0x6E7, 0x6E8},     {0x6EA, 0x6ED},     {0x711, 0x711},
    {0x730, 0x74A},     {0x7A6, 0x7B0},     {0x7EB, 0x7F3},     {0x816, 0x819},     {0x81B, 0x823},
    {0x825, 0x827},     {0x829, 0x82D},     {0x859, 0x85B},     {0x8D4, 0x8E1},     {0x8E3, 0x903},
    {0x93A, 0x93C},     {0x93E, 0x94F},     {0x951, 0x957},     {0x962, 0x963},     {0x981, 0x983},
    {0x9BC, 0x9BC},     {0x9BE, 0x9C4},     {0x9C7, 0x9C8},     {0x9CB, 0x9CD},     {0x9D7, 0x9D7},
    {0x9E2, 0x9E3},     {0xA01, 0xA03},     {0xA3C, 0xA3C},     {0xA3E, 0xA42},     {0xA47, 0xA48},
    {0xA4B, 0xA4D},     {0xA51, 0xA51},     {0xA70, 0xA71},     {0xA75, 0xA75},     {0xA81, 0xA83},
    {0xABC, 0xABC},     {0xABE, 0xAC5},     {0xAC7, 0xAC9},     {0xACB, 0xACD},     {0xAE2, 0xAE3},
    {0xB01, 0xB03},     {0xB3C, 0xB3C},     {0xB3E, 0xB44},     {0xB47, 0xB48},     {0xB4B, 0xB4D},
    {0xB56, 0xB57},     {0xB62, 0xB63},     {0xB82, 0xB82},     {0xBBE, 0xBC2},     {0xBC6, 0xBC8},
    {0xBCA, 0xBCD},     {0xBD7, 0xBD7},     {0xC00, 0xC03},     {0xC3E, 0xC44},     {0xC46, 0xC48},
    {0xC4A, 0xC4D},     {0xC55, 0xC56},     {0xC62, 0xC63},     {0xC81, 0xC83},     {0xCBC, 0xCBC},
    {0xCBE, 0xCC4},     {0xCC6, 0xCC8},     {0xCCA, 0xCCD},     {0xCD5, 0xCD6},     {0xCE2, 0xCE3},
    {0xD01, 0xD03},     {0xD3E, 0xD44},     {0xD46, 0xD48},     {0xD4A, 0xD4D},     {0xD57, 0xD57},
    {0xD62, 0xD63},     {0xD82, 0xD83},     {0xDCA, 0xDCA},     {0xDCF, 0xDD4},     {0xDD6, 0xDD6},
    {0xDD8, 0xDDF},     {0xDF2, 0xDF3},     {0xE31, 0xE31},     {0xE34, 0xE3A},     {0xE47, 0xE4E},
    {0xEB1, 0xEB1},     {0xEB4, 0xEB9},     {0xEBB, 0xEBC},     {0xEC8, 0xECD},     {0xF18, 0xF19},
    {0xF35, 0xF35},     {0xF37, 0xF37},     {0xF39, 0xF39},     {0xF3E, 0xF3F},     {0xF71, 0xF84},
    {0xF86, 0xF87},     {0xF8D, 0xF97},     {0xF99, 0xFBC},     {0xFC6, 0xFC6},     {0x102B, 0x103E},
    {0x1056, 0x1059},   {0x105E, 0x1060},   {0x1062, 0x1064},   {0x1067, 0x106D},   {0x1071, 0x1074},
    {0x1082, 0x108D},   {0x108F, 0x108F},   {0x109A, 0x109D},   {0x135D, 0x135F},   {0x1712, 0x1714},
    {0x1732, 0x1734},   {0x1752, 0x1753},   {0x1772, 0x1773},   {0x17B4, 0x17D3},   {0x17DD, 0x17DD},
    {0x180B, 0x180D},   {0x1885, 0x1886},   {0x18A9, 0x18A9},   {0x1920, 0x192B},   {0x1930, 0x193B},
    {0x1A17, 0x1A1B},   {0x1A55, 0x1A5E},   {0x1A60, 0x1A7C},   {0x1A7F, 0x1A7F},   {0x1AB0, 0x1ABE},
    {0x1B00, 0x1B04},   {0x1B34, 0x1B44},   {0x1B6B, 0x1B73},   {0x1B80, 0x1B82},   {0x1BA1, 0x1BAD},
    {0x1BE6, 0x1BF3},   {0x1C24, 0x1C37},   {0x1CD0, 0x1CD2},   {0x1CD4, 0x1CE8},   {0x1CED, 0x1CED},
    {0x1CF2, 0x1CF4},   {0x1CF8, 0x1CF9},   {0x1DC0, 0x1DF5},   {0x1DFB, 0x1DFF},   {0x20D0, 0x20F0},
    {0x2CEF, 0x2CF1},   {0x2D7F, 0x2D7F},   {0x2DE0, 0x2DFF},   {0x302A, 0x302F},   {0x3099, 0x309A},
    {0xA66F, 0xA672},   {0xA674, 0xA67D},   {0xA69E, 0xA69F},   {0xA6F0, 0xA6F1},   {0xA802, 0xA802},
    {0xA806, 0xA806},   {0xA80B, 0xA80B},   {0xA823, 0xA827},   {0xA880, 0xA881},   {0xA8B4, 0xA8C5},
    {0xA8E0, 0xA8F1},   {0xA926, 0xA92D},   {0xA947, 0xA953},   {0xA980, 0xA983},   {0xA9B3, 0xA9C0},
    {0xA9E5, 0xA9E5},   {0xAA29, 0xAA36},   {0xAA43, 0xAA43},   {0xAA4C, 0xAA4D},   {0xAA7B, 0xAA7D},
    {0xAAB0, 0xAAB0},   {0xAAB2, 0xAAB4},   {0xAAB7, 0xAAB8},   {0xAABE, 0xAABF},   {0xAAC1, 0xAAC1},
    {0xAAEB, 0xAAEF},   {0xAAF5, 0xAAF6},   {0xABE3, 0xABEA},   {0xABEC, 0xABED},   {0xFB1E, 0xFB1E},
    {0xFE00, 0xFE0F},   {0xFE20, 0xFE2F},   {0x101FD, 0x101FD}, {0x102E0, 0x102E0}, {0x10376, 0x1037A},
    {0x10A01, 0x10A03}, {0x10A05, 0x10A06}, {0x10A0C, 0x10A0F}, {0x10A38, 0x10A3A}, {0x10A3F, 0x10A3F},
    {0x10AE5, 0x10AE6}, {0x11000, 0x11002}, {0x11038, 0x11046}, {0x1107F, 0x11082}, {0x110B0, 0x110BA},
    {0x11100, 0x11102}, {0x11127, 0x11134}, {0x11173, 0x11173}, {0x11180, 0x11182}, {0x111B3, 0x111C0},
    {0x111CA, 0x111CC}, {0x1122C, 0x11237}, {0x1123E, 0x1123E}, {0x112DF, 0x112EA}, {0x11300, 0x11303},
    {0x1133C, 0x1133C}, {0x1133E, 0x11344}, {0x11347, 0x11348}, {0x1134B, 0x1134D}, {0x11357, 0x11357},
    {0x11362, 0x11363}, {0x11366, 0x1136C}, {0x11370, 0x11374}, {0x11435, 0x11446}, {0x114B0, 0x114C3},
    {0x115AF, 0x115B5}, {0x115B8, 0x115C0}, {0x115DC, 0x115DD}, {0x11630, 0x11640}, {0x116AB, 0x116B7},
    {0x1171D, 0x1172B}, {0x11C2F, 0x11C36}, {0x11C38, 0x11C3F}, {0x11C92, 0x11CA7}, {0x11CA9, 0x11CB6},
    {0x16AF0, 0x16AF4}, {0x16B30, 0x16B36}, {0x16F51, 0x16F7E}, {0x16F8F, 0x16F92}, {0x1BC9D, 0x1BC9E},
    {0x1D165, 0x1D169}, {0x1D16D, 0x1D172}, {0x1D17B, 0x1D182}, {0x1D185, 0x1D18B}, {0x1D1AA, 0x1D1AD},
    {0x1D242, 0x1D244}, {0x1DA00, 0x1DA36}, {0x1DA3B, 0x1DA6C}, {0x1DA75, 0x1DA75}, {0x1DA84, 0x1DA84},
    {0x1DA9B, 0x1DA9F}, {0x1DAA1, 0x1DAAF}, {0x1E000, 0x1E006}, {0x1E008, 0x1E018}, {0x1E01B, 0x1E021},
    {0x1E023, 0x1E024}, {0x1E026, 0x1E02A}, {0x1E8D0, 0x1E8D6}, {0x1E944, 0x1E94A}, {0xE0100, 0xE01EF}};

/// Letters (L) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range letters_since_14[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x1123F, 0x11240}, {0x11380, 0x11389}, {0x1138B, 0x1138B},
    {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3},
    {0x11BC0, 0x11BE0}, {0x11F02, 0x11F02}, {0x11F04, 0x11F10}, {0x11F12, 0x11F33}, {0x1342F, 0x1342F},
    {0x13441, 0x13446}, {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF},
    {0x1B132, 0x1B132}, {0x1B155, 0x1B155}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E06D}, {0x1E4D0, 0x1E4EB},
    {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0}, {0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};

/// Upper case letters (Lu) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range upper_since_14[] = {
    {0x1C89, 0x1C89}, {0xA7CB, 0xA7CC}, {0xA7DA, 0xA7DA}, {0xA7DC, 0xA7DC}, {0x10D50, 0x10D65}};

/// Lower case letters (Ll) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range lower_since_14[] = {
    {0x1C8A, 0x1C8A}, {0xA7CD, 0xA7CD}, {0xA7DB, 0xA7DB}, {0x10D70, 0x10D85}, {0x1DF25, 0x1DF2A}};

/// Modifier letters (Lm) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range modifiers_since_14[] = {{0x10D4E, 0x10D4E}, {0x10D6F, 0x10D6F}, {0x16D40, 0x16D42},
                                               {0x16D6B, 0x16D6C}, {0x1E030, 0x1E06D}, {0x1E4EB, 0x1E4EB}};

/// Other letters (Lo) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range other_letters_since_14[] = {
    {0x105C0, 0x105F3}, {0x10D4A, 0x10D4D}, {0x10D4F, 0x10D4F}, {0x10EC2, 0x10EC4}, {0x1123F, 0x11240},
    {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7},
    {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0}, {0x11F02, 0x11F02}, {0x11F04, 0x11F10},
    {0x11F12, 0x11F33}, {0x1342F, 0x1342F}, {0x13441, 0x13446}, {0x13460, 0x143FA}, {0x16100, 0x1611D},
    {0x16D43, 0x16D6A}, {0x18CFF, 0x18CFF}, {0x1B132, 0x1B132}, {0x1B155, 0x1B155}, {0x1E4D0, 0x1E4EA},
    {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0}, {0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};

/// Marks (M) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range marks_since_14[] = {
    {0x897, 0x897},     {0xCF3, 0xCF3},     {0xECE, 0xECE},     {0x10D69, 0x10D6D}, {0x10EFC, 0x10EFF},
    {0x11241, 0x11241}, {0x113B8, 0x113C0}, {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA},
    {0x113CC, 0x113D0}, {0x113D2, 0x113D2}, {0x113E1, 0x113E2}, {0x11F00, 0x11F01}, {0x11F03, 0x11F03},
    {0x11F34, 0x11F3A}, {0x11F3E, 0x11F42}, {0x11F5A, 0x11F5A}, {0x13440, 0x13440}, {0x13447, 0x13455},
    {0x1611E, 0x1612F}, {0x1E08F, 0x1E08F}, {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF}};

/// Numbers (N) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range numbers_since_14[] = {
    {0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x11F50, 0x11F59}, {0x16130, 0x16139},
    {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1D2C0, 0x1D2D3}, {0x1E4F0, 0x1E4F9}, {0x1E5F1, 0x1E5FA}};

/// Punctuation (P) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range new_punctuation_since_14[] = {
    {0x1B4E, 0x1B4F},   {0x1B7F, 0x1B7F},   {0x10D6E, 0x10D6E}, {0x113D4, 0x113D5}, {0x113D7, 0x113D8},
    {0x11B00, 0x11B09}, {0x11BE1, 0x11BE1}, {0x11F43, 0x11F4F}, {0x16D6D, 0x16D6F}, {0x1E5FF, 0x1E5FF}};

/// Symbols (S) of Unicode 15 to 16: PCRE2 and utf8proc may be older.
inline constexpr Range symbols_since_14[] = {
    {0x2427, 0x2429},   {0x2FFC, 0x2FFF},   {0x31E4, 0x31E5},   {0x31EF, 0x31EF},   {0x10D8E, 0x10D8F},
    {0x1CC00, 0x1CCEF}, {0x1CD00, 0x1CEB3}, {0x1F6DC, 0x1F6DC}, {0x1F774, 0x1F776}, {0x1F77B, 0x1F77F},
    {0x1F7D9, 0x1F7D9}, {0x1F8B2, 0x1F8BB}, {0x1F8C0, 0x1F8C1}, {0x1FA75, 0x1FA77}, {0x1FA87, 0x1FA89},
    {0x1FA8F, 0x1FA8F}, {0x1FAAD, 0x1FAAF}, {0x1FABB, 0x1FABF}, {0x1FAC6, 0x1FAC6}, {0x1FACE, 0x1FACF},
    {0x1FADA, 0x1FADC}, {0x1FADF, 0x1FADF}, {0x1FAE8, 0x1FAE9}, {0x1FAF7, 0x1FAF8}, {0x1FBCB, 0x1FBEF}};

/// Numbers (N) of Unicode 17, which Digits knows and regular expressions do not.
inline constexpr Range numbers_17[] = {{0x11DE0, 0x11DE9}, {0x16FF4, 0x16FF6}};

/// Word characters of regular expressions that are no letters, marks, numbers (Nd, Nl) or connectors in Unicode 14.
inline constexpr Range word_others[] = {
    {0x897, 0x897},     {0xCF3, 0xCF3},     {0xECE, 0xECE},     {0x1C89, 0x1C8A},   {0x24B6, 0x24E9},
    {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D40, 0x10D65}, {0x10D69, 0x10D6D},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x10EFC, 0x10EFF}, {0x1123F, 0x11241}, {0x11380, 0x11389},
    {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113C0}, {0x113C2, 0x113C2},
    {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D3}, {0x113E1, 0x113E2}, {0x116D0, 0x116E3},
    {0x11BC0, 0x11BE0}, {0x11BF0, 0x11BF9}, {0x11F00, 0x11F10}, {0x11F12, 0x11F3A}, {0x11F3E, 0x11F42},
    {0x11F50, 0x11F5A}, {0x1342F, 0x1342F}, {0x13440, 0x13455}, {0x13460, 0x143FA}, {0x16100, 0x16139},
    {0x16D40, 0x16D6C}, {0x16D70, 0x16D79}, {0x18CFF, 0x18CFF}, {0x1B132, 0x1B132}, {0x1B155, 0x1B155},
    {0x1CCF0, 0x1CCF9}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E4D0, 0x1E4F9},
    {0x1E5D0, 0x1E5FA}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}, {0x2B739, 0x2B739},
    {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};

/// Characters younger than the normal forms in use (Unicode 9): they stay as they are.
inline constexpr Range undecomposed[] = {{0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x10785},
                                         {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x11938, 0x11938}, {0x1E030, 0x1E06D},
                                         {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

}  // namespace silica::text::unicode
#endif  // SILICA_SINGLE_INPUT_TEXT_UNICODE_TABLES_HPP

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

namespace silica::text::unicode {

/// Bits of `Classes::of`.
enum Class : std::uint16_t {
    is_control = 1 << 0,      ///< removed by BertNormalizer's clean_text
    is_space = 1 << 1,        ///< White_Space
    is_punctuation = 1 << 2,  ///< BertPreTokenizer and Punctuation split here
    is_nonspacing = 1 << 3,   ///< stripped by BertNormalizer as an accent
    is_ideograph = 1 << 4,    ///< set apart by BertNormalizer's handle_chinese_chars
    is_combining = 1 << 5,    ///< stripped by StripAccents; has a combining class
    is_number = 1 << 6,       ///< \p{N}
    is_letter = 1 << 7,       ///< \p{L}
    is_word = 1 << 8,         ///< \w
    is_numeric = 1 << 9,      ///< Digits splits here
    is_decomposable = 1 << 10,
    is_compatible = 1 << 11,  ///< has a compatibility decomposition
    is_unstable = 1 << 12,    ///< NFC may change it or join it with what stands before
    is_cased = 1 << 13,       ///< lower case is another character
    is_decimal = 1 << 14,     ///< \d
    is_mark = 1 << 15,        ///< \p{M}
};

namespace detail {

template <std::size_t N>
[[nodiscard]] inline bool in(const Range (&ranges)[N], char32_t c) noexcept {
    const auto* found = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                         [](char32_t v, const Range& r) { return v < r.first; });
    return found != std::begin(ranges) && c <= std::prev(found)->last;
}

[[nodiscard]] inline bool white_space(char32_t c) noexcept {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

[[nodiscard]] inline bool ideograph(char32_t c) noexcept {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0x2F800 && c <= 0x2FA1F);
}

/// The lower case of characters that utf8proc maps otherwise or, by its age, not at all (Rust's std, Unicode 17).
[[nodiscard]] inline char32_t lower(char32_t c) noexcept {
    if (c < 0x1C89) return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    if (c == 0x1C89 || c == 0xA7CC || c == 0xA7CE || c == 0xA7D2 || c == 0xA7D4 || c == 0xA7DA) return c + 1;
    if (c == 0xA7CB) return 0x264;
    if (c == 0xA7DC) return 0x19B;
    if (c >= 0x10D50 && c <= 0x10D65) return c + 0x20;
    if (c >= 0x16EA0 && c <= 0x16EB8) return c + 0x1B;
    return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

[[nodiscard]] inline std::uint16_t letter_classes(char32_t c) noexcept {
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LT:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO:
            return is_letter | is_word;
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_MC:
        case UTF8PROC_CATEGORY_ME:
            return is_mark | is_word;
        case UTF8PROC_CATEGORY_ND:
            return is_number | is_numeric | is_decimal | is_word;
        case UTF8PROC_CATEGORY_NL:
            return is_number | is_numeric | is_word;
        case UTF8PROC_CATEGORY_NO:
            return is_number | is_numeric;
        case UTF8PROC_CATEGORY_PC:
            return is_word;
        default:
            return 0;
    }
}

/// Characters that utf8proc may join with others and the normal forms in use do not know yet.
[[nodiscard]] inline bool too_young(char32_t c, unsigned bits) noexcept {
    return (c >= 0x105C0 && c <= 0x105FF) || (c >= 0x11380 && c <= 0x113FF) || (c >= 0x11900 && c <= 0x1195F) ||
           (c >= 0x16100 && c <= 0x1613F) || (c >= 0x16D40 && c <= 0x16D7F) ||
           ((bits & is_mark) && !(bits & is_combining));
}

[[nodiscard]] inline std::uint16_t classify(char32_t c) noexcept {
    unsigned bits = letter_classes(c);
    if (in(control, c)) bits |= is_control;
    if (white_space(c)) bits |= is_space;
    if (in(punctuation, c)) bits |= is_punctuation;
    if (in(nonspacing, c)) bits |= is_nonspacing;
    if (in(combining, c)) bits |= is_combining;
    if (ideograph(c)) bits |= is_ideograph;
    if (in(letters_since_14, c)) bits |= is_letter;
    if (in(marks_since_14, c)) bits |= is_mark;
    if (in(numbers_since_14, c)) bits |= is_number | is_numeric;
    if (in(numbers_17, c)) bits = (bits & ~unsigned{is_number}) | is_numeric;
    if (in(word_others, c) || c == 0x200C || c == 0x200D) bits |= is_word;
    if (lower(c) != c) bits |= is_cased;
    const bool hangul = c >= 0xAC00 && c <= 0xD7A3;
    const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
    if ((hangul || property->decomp_seqindex != UINT16_MAX) && !in(undecomposed, c)) {
        bits |= is_compatible;
        if (hangul || property->decomp_type == 0) bits |= is_decomposable;
    }
    if ((bits & is_combining) || too_young(c, bits) || (c >= 0x1161 && c <= 0x1175) || (c >= 0x11A8 && c <= 0x11C2))
        bits |= is_unstable;
    if ((bits & is_decomposable) && !hangul) {
        utf8proc_int32_t buffer[32];
        int boundary = 0;
        const auto n =
            utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, 32, UTF8PROC_DECOMPOSE, &boundary);
        const auto composed =
            utf8proc_normalize_utf32(buffer, n, static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        if (composed != 1 || buffer[0] != static_cast<utf8proc_int32_t>(c)) bits |= is_unstable;
    }
    return static_cast<std::uint16_t>(bits);
}

}  // namespace detail

/// The classes of every character: a table for the first two planes, computed for the others.
class Classes {
public:
    /// The one table (built on first use, in a few milliseconds; then read-only).
    [[nodiscard]] static const Classes& get() {
        static const Classes classes;
        return classes;
    }
    /// The class bits of a code point.
    [[nodiscard]] std::uint16_t of(char32_t c) const noexcept {
        return c < table_.size() ? table_[c] : detail::classify(c);
    }
    [[nodiscard]] bool is(char32_t c, unsigned mask) const noexcept { return (of(c) & mask) != 0; }

private:
    Classes() : table_(0x20000) {
        for (char32_t c = 0; c < table_.size(); ++c) table_[c] = c - 0xD800 < 0x800 ? 0 : detail::classify(c);
    }
    std::vector<std::uint16_t> table_;
};

/// Appends the lower case of a character (two characters for U+0130), without regard to context.
inline void append_lower(std::string& out, char32_t c) {
    if (c == 0x130) {
        out.append("i\xCC\x87");
    } else {
        utf8::append(out, detail::lower(c));
    }
}

/// Canonical combining class, 0 for what is younger than the normal forms in use.
[[nodiscard]] inline int combining_class(char32_t c) {
    if (!Classes::get().is(c, is_combining)) return 0;
    return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

}  // namespace silica::text::unicode
#endif  // SILICA_SINGLE_INPUT_TEXT_UNICODE_HPP

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::unicode {

/// Calls `put` with each character of the decomposition of `c` (canonical, or compatibility too).
template <class Put>
void decompose(char32_t c, bool compatible, Put&& put) {
    if (!Classes::get().is(c, compatible ? is_compatible : is_decomposable)) {
        put(c);
        return;
    }
    utf8proc_int32_t buffer[32];
    int boundary = 0;
    const int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, 32,
                                           static_cast<utf8proc_option_t>(options), &boundary);
    for (int i = 0; i < n && i < 32; ++i) put(static_cast<char32_t>(buffer[i]));
}

/// Canonical ordering: sorts each run of combining characters by class, stably.
inline void order(std::u32string& text) {
    for (std::size_t i = 0; i < text.size();) {
        if (combining_class(text[i]) == 0) {
            ++i;
            continue;
        }
        // Class, then place: sorting these keeps the order of equals.
        std::vector<std::pair<std::uint64_t, char32_t>> run;
        std::size_t end = i;
        for (; end < text.size(); ++end) {
            const auto order = static_cast<std::uint64_t>(combining_class(text[end]));
            if (order == 0) break;
            run.emplace_back(order << 56 | end, text[end]);
        }
        std::sort(run.begin(), run.end());
        for (std::size_t k = 0; k < run.size(); ++k) text[i + k] = run[k].second;
        i = end;
    }
}

namespace detail {

/// Canonical composition of decomposed, ordered text.
inline void compose(std::u32string& text) {
    std::u32string out;
    std::vector<utf8proc_int32_t> run;
    const auto flush = [&] {
        if (run.empty()) return;
        const auto n = utf8proc_normalize_utf32(run.data(), static_cast<utf8proc_ssize_t>(run.size()),
                                                static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        for (utf8proc_ssize_t i = 0; i < n; ++i) out.push_back(static_cast<char32_t>(run[static_cast<std::size_t>(i)]));
        run.clear();
    };
    for (char32_t c : text) {
        if (too_young(c, Classes::get().of(c))) {
            flush();
            out.push_back(c);
        } else {
            run.push_back(static_cast<utf8proc_int32_t>(c));
        }
    }
    flush();
    text.swap(out);
}

}  // namespace detail

/// Which normal form: compatibility decomposition or canonical; composed again or not.
struct Form {
    bool compatible, composed;
};
inline constexpr Form nfd{false, false}, nfc{false, true}, nfkd{true, false}, nfkc{true, true};

/// Rewrites valid UTF-8 into the normal form. Stretches that are in it already are copied.
inline void normalize(std::string& text, Form form) {
    const auto& classes = Classes::get();
    const unsigned unstable = (form.composed ? unsigned{is_unstable} : unsigned{is_decomposable} | is_combining) |
                              (form.compatible ? unsigned{is_compatible} : 0U);
    std::string out;
    std::u32string work;
    std::size_t copied = 0, last = 0;  // what is in `out`; the start of the last stable character before `i`
    for (std::size_t i = 0; i < text.size();) {
        if (static_cast<signed char>(text[i]) >= 0) {
            last = i++;
            continue;
        }
        const auto [c, length] = utf8::decode(text.data() + i);
        if (!classes.is(c, unstable)) {
            last = i, i += length;
            continue;
        }
        const std::size_t start = std::max(last, copied);
        out.append(text, copied, start - copied);
        work.clear();
        std::size_t j = start;
        for (; j < text.size();) {
            const auto next = utf8::decode(text.data() + j);
            if (j > i && !classes.is(next.value, unstable)) break;
            decompose(next.value, form.compatible, [&](char32_t part) { work.push_back(part); });
            j += next.length;
        }
        order(work);
        if (form.composed) detail::compose(work);
        for (char32_t part : work) utf8::append(out, part);
        copied = i = last = j;
    }
    if (copied == 0) return;
    out.append(text, copied, text.size() - copied);
    text.swap(out);
}

}  // namespace silica::text::unicode
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMAL_FORMS_HPP
// ---- silica/input/text/normalizer/text.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_TEXT_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_TEXT_HPP
/// The text that normalizers rewrite.

#include <string>

namespace silica::text {

/// A stretch of the input on its way to tokens.
struct Text {
    std::string value;
    /// Its first character stands for the first character of the input (Metaspace's "first" asks).
    bool at_origin = true;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_TEXT_HPP

#include <array>
#include <optional>
#include <string>

namespace silica::text {

/// The four steps of BERT's text clean-up, in one pass.
class BertNormalizer {
public:
    bool clean_text = true, handle_chinese_chars = true, lowercase = true;
    std::optional<bool> strip_accents = {};  ///< as `lowercase` where not set

    [[nodiscard]] static BertNormalizer read(const JsonPlace& place) {
        BertNormalizer made;
        made.clean_text = place.at("clean_text").boolean();
        made.handle_chinese_chars = place.at("handle_chinese_chars").boolean();
        if (const auto strip = place.find("strip_accents")) made.strip_accents = strip->boolean();
        made.lowercase = place.at("lowercase").boolean();
        return made;
    }

    void operator()(Text& text) const {
        const auto& classes = unicode::Classes::get();
        const bool strip = strip_accents.value_or(lowercase);
        std::array<char, 128> ascii;
        for (int c = 0; c < 128; ++c) ascii[static_cast<std::size_t>(c)] = simple(static_cast<char>(c), classes);
        std::string out;
        out.reserve(text.value.size() + text.value.size() / 8);
        Marks marks;
        const char* p = text.value.data();
        const char* const end = p + text.value.size();
        while (p < end) {
            if (const char c = *p; static_cast<signed char>(c) >= 0) {
                const char kept = ascii[static_cast<std::size_t>(c)];
                if (kept != dropped || (c == dropped && !clean_text)) {
                    if (!marks.empty()) marks.flush(out, lowercase);
                    out.push_back(kept);
                } else if (out.empty()) {
                    text.at_origin = false;
                }
                ++p;
                continue;
            }
            const auto [c, length] = utf8::decode(p);
            p += length;
            const unsigned bits = classes.of(c);
            if (clean_text && (bits & unicode::is_control)) {
                if (out.empty()) text.at_origin = false;
                continue;
            }
            if (clean_text && (bits & unicode::is_space)) {
                marks.flush(out, lowercase);
                out.push_back(' ');
                continue;
            }
            const bool apart = handle_chinese_chars && (bits & unicode::is_ideograph);
            if (apart) {
                marks.flush(out, lowercase);
                out.push_back(' ');
            }
            if (!strip) {
                put(out, c, bits);
            } else if (bits & unicode::is_decomposable) {
                unicode::decompose(c, false,
                                   [&](char32_t part) { put_unaccented(out, marks, part, classes.of(part)); });
            } else {
                put_unaccented(out, marks, c, bits);
            }
            if (apart) {
                marks.flush(out, lowercase);
                out.push_back(' ');
            }
        }
        marks.flush(out, lowercase);
        text.value.swap(out);
    }

private:
    static constexpr char dropped = '\0';

    /// Marks that are kept although accents are stripped, waiting to be put in canonical order.
    class Marks {
    public:
        [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
        void add(char32_t c) { waiting_.push_back(c); }
        void flush(std::string& out, bool lower) {
            if (waiting_.empty()) return;
            unicode::order(waiting_);
            for (char32_t c : waiting_) lower ? unicode::append_lower(out, c) : utf8::append(out, c);
            waiting_.clear();
        }

    private:
        std::u32string waiting_;
    };

    [[nodiscard]] char simple(char c, const unicode::Classes& classes) const {
        if (clean_text) {
            const unsigned bits = classes.of(static_cast<unsigned char>(c));
            if (bits & unicode::is_control) return dropped;
            if (bits & unicode::is_space) return ' ';
        }
        return lowercase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    void put(std::string& out, char32_t c, unsigned bits) const {
        if (lowercase && (bits & unicode::is_cased)) {
            unicode::append_lower(out, c);
        } else {
            utf8::append(out, c);
        }
    }
    void put_unaccented(std::string& out, Marks& marks, char32_t c, unsigned bits) const {
        if ((bits & unicode::is_combining) && unicode::combining_class(c) != 0) {
            if (!(bits & unicode::is_nonspacing)) marks.add(c);
            return;
        }
        if (!marks.empty()) marks.flush(out, lowercase);
        if (!(bits & unicode::is_nonspacing)) put(out, c, bits);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_BERT_HPP
// ---- silica/input/text/normalizer/precompiled.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_PRECOMPILED_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_PRECOMPILED_HPP
/// Precompiled: SentencePiece's normalization table, a double-array trie (darts-clone) and the texts it points to.

// ---- silica/input/text/grapheme.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_GRAPHEME_HPP
#define SILICA_SINGLE_INPUT_TEXT_GRAPHEME_HPP
/// Grapheme clusters (UAX 29, Unicode 16): utf8proc's, and the rule for Indic conjuncts that older releases lack.

#include <utf8proc.h>

#include <cstddef>
#include <string_view>

namespace silica::text::unicode {

namespace detail {

/// Indic_Conjunct_Break=Consonant.
[[nodiscard]] inline bool conjunct_consonant(char32_t c) noexcept {
    if (c < 0x915 || c > 0xD3A) return false;
    constexpr Range ranges[] = {
        {0x915, 0x939}, {0x958, 0x95F}, {0x978, 0x97F}, {0x995, 0x9A8}, {0x9AA, 0x9B0}, {0x9B2, 0x9B2}, {0x9B6, 0x9B9},
        {0x9DC, 0x9DD}, {0x9DF, 0x9DF}, {0x9F0, 0x9F1}, {0xA95, 0xAA8}, {0xAAA, 0xAB0}, {0xAB2, 0xAB3}, {0xAB5, 0xAB9},
        {0xAF9, 0xAF9}, {0xB15, 0xB28}, {0xB2A, 0xB30}, {0xB32, 0xB33}, {0xB35, 0xB39}, {0xB5C, 0xB5D}, {0xB5F, 0xB5F},
        {0xB71, 0xB71}, {0xC15, 0xC28}, {0xC2A, 0xC39}, {0xC58, 0xC5A}, {0xD15, 0xD3A}};
    for (const Range& range : ranges) {
        if (c >= range.first && c <= range.last) return true;
    }
    return false;
}

/// Indic_Conjunct_Break=Linker: the viramas that join.
[[nodiscard]] inline bool conjunct_linker(char32_t c) noexcept {
    return c == 0x94D || c == 0x9CD || c == 0xACD || c == 0xB4D || c == 0xC4D || c == 0xD4D;
}

/// Indic_Conjunct_Break=Extend.
[[nodiscard]] inline bool conjunct_extend(char32_t c) noexcept {
    const auto bound = utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->boundclass;
    return (bound == UTF8PROC_BOUNDCLASS_EXTEND || bound == UTF8PROC_BOUNDCLASS_ZWJ) && c != 0x200C;
}

}  // namespace detail

/// Where the grapheme that starts at byte `start` of valid UTF-8 ends.
[[nodiscard]] inline std::size_t grapheme_end(std::string_view text, std::size_t start) {
    auto [c, length] = utf8::decode(text.data() + start);
    std::size_t i = start + length;
    const auto ascii = [&](std::size_t at) { return static_cast<signed char>(text[at]) >= 0; };
    if (c < 0x80 && c != '\r' && (i >= text.size() || ascii(i))) return i;
    utf8proc_int32_t state = 0;
    bool conjunct = detail::conjunct_consonant(c), linked = false;  // consonant [extend linker]* so far; with a linker
    while (i < text.size()) {
        const auto next = utf8::decode(text.data() + i);
        const bool consonant = detail::conjunct_consonant(next.value);
        const bool breaks = utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(c),
                                                             static_cast<utf8proc_int32_t>(next.value), &state);
        if (breaks && !(linked && consonant)) break;
        if (consonant) {
            conjunct = true, linked = false;
        } else if (conjunct && detail::conjunct_linker(next.value)) {
            linked = true;
        } else if (!detail::conjunct_extend(next.value)) {
            conjunct = linked = false;
        }
        c = next.value;
        i += next.length;
    }
    return i;
}

}  // namespace silica::text::unicode
#endif  // SILICA_SINGLE_INPUT_TEXT_GRAPHEME_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// Replaces graphemes, or else characters, by what the table has for them.
class Precompiled {
public:
    /// The bytes of a precompiled_charsmap: the size of the trie, its units (little-endian), the texts with a NUL each.
    /// `where` names them in the error.
    Precompiled(std::string_view charsmap, const std::string& where) {
        const auto word = [&](std::size_t at) {
            std::uint32_t value = 0;
            for (unsigned i = 0; i < 4; ++i) {
                value |= std::uint32_t{static_cast<unsigned char>(charsmap[at + i])} << (8 * i);
            }
            return value;
        };
        const std::size_t bytes = charsmap.size() < 4 ? 0 : word(0);
        if (charsmap.size() < 4 || bytes > charsmap.size() - 4 || bytes % 4 != 0 || bytes == 0) {
            throw ConfigError(where + " has a precompiled_charsmap that is cut off or damaged.",
                              "Take the file from the model's repository again.");
        }
        units_.reserve(bytes / 4);
        for (std::size_t i = 0; i < bytes; i += 4) units_.push_back(word(4 + i));
        texts_ = charsmap.substr(4 + bytes);
        if (utf8::first_invalid(texts_) != std::string::npos) {
            throw ConfigError(where + " has a precompiled_charsmap whose texts are not UTF-8.",
                              "Take the file from the model's repository again.");
        }
    }

    [[nodiscard]] static Precompiled read(const JsonPlace& place) {
        const auto map = place.at("precompiled_charsmap");
        const auto bytes = from_base64(map.string());
        if (!bytes) map.fail("is not base64");
        return {*bytes, place.file() + ": " + place.key()};
    }

    void operator()(Text& text) const {
        const std::string& in = text.value;
        std::string out;
        out.reserve(in.size() + in.size() / 8);
        for (std::size_t i = 0; i < in.size();) {
            const std::size_t end = unicode::grapheme_end(in, i);
            if (end - i < 6) {
                if (const auto found = find(std::string_view(in).substr(i, end - i))) {
                    out += *found;
                    if (out.empty()) text.at_origin = false;
                    i = end;
                    continue;
                }
            }
            while (i < end) {
                const unsigned length = utf8::length(in[i]);
                const std::string_view part = std::string_view(in).substr(i, length);
                const auto found = find(part);
                out += found ? *found : part;
                if (out.empty()) text.at_origin = false;
                i += length;
            }
        }
        text.value.swap(out);
    }

    /// Decodes base64 (RFC 4648); nothing where it is none.
    [[nodiscard]] static std::optional<std::string> from_base64(std::string_view text) {
        std::string out;
        std::uint32_t bits = 0;
        unsigned held = 0;
        while (!text.empty() && text.back() == '=') text.remove_suffix(1);
        for (char c : text) {
            unsigned value = 0;
            if (c >= 'A' && c <= 'Z') {
                value = static_cast<unsigned>(c - 'A');
            } else if (c >= 'a' && c <= 'z') {
                value = static_cast<unsigned>(c - 'a') + 26;
            } else if (c >= '0' && c <= '9') {
                value = static_cast<unsigned>(c - '0') + 52;
            } else if (c == '+' || c == '/') {
                value = c == '+' ? 62 : 63;
            } else {
                return std::nullopt;
            }
            bits = bits << 6 | value;
            held += 6;
            if (held >= 8) {
                held -= 8;
                out.push_back(static_cast<char>(bits >> held & 0xFF));
            }
        }
        return out;
    }

private:
    /// What the shortest key that starts `text` becomes.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view text) const {
        const auto offset = [](std::uint32_t unit) { return (unit >> 10) << ((unit & (1U << 9)) >> 6); };
        std::size_t node = offset(units_[0]);
        for (char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte == 0) return std::nullopt;
            node ^= byte;
            if (node >= units_.size()) return std::nullopt;
            const std::uint32_t unit = units_[node];
            if ((unit & (1U << 31 | 0xFF)) != byte) return std::nullopt;
            node ^= offset(unit);
            if (!(unit >> 8 & 1)) continue;
            if (node >= units_.size()) return std::nullopt;
            const std::size_t at = units_[node] & ((1U << 31) - 1);
            if (at > texts_.size() || (at < texts_.size() && (static_cast<unsigned char>(texts_[at]) & 0xC0) == 0x80)) {
                return std::nullopt;
            }
            const auto end = texts_.find('\0', at);
            return std::string_view(texts_).substr(at, end == std::string::npos ? end : end - at);
        }
        return std::nullopt;
    }

    std::vector<std::uint32_t> units_;
    std::string texts_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_PRECOMPILED_HPP
// ---- silica/input/text/normalizer/simple.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_NORMALIZER_SIMPLE_HPP
#define SILICA_SINGLE_INPUT_TEXT_NORMALIZER_SIMPLE_HPP
/// The small normalizers: normal forms, lower case, accents, stripping, prepending, replacing, NMT, bytes.

// ---- silica/input/text/byte_level.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_BYTE_LEVEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_BYTE_LEVEL_HPP
/// GPT-2's alphabet: every byte as a printable character, so that any bytes can be tokens (Radford et al. 2019).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::byte_level {

/// The characters that stand for the bytes 0 to 255: printable Latin-1 for itself, the others from U+0100 on.
[[nodiscard]] inline const std::array<char32_t, 256>& alphabet() {
    static const auto made = [] {
        std::array<char32_t, 256> out{};
        char32_t next = 256;
        for (char32_t b = 0; b < 256; ++b) {
            const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            out[b] = printable ? b : next++;
        }
        return out;
    }();
    return made;
}

/// Appends the characters that stand for some bytes.
inline void append(std::string& out, std::string_view bytes) {
    const auto& characters = alphabet();
    for (char byte : bytes) {
        const char32_t c = characters[static_cast<unsigned char>(byte)];
        if (c < 0x80) {
            out.push_back(static_cast<char>(c));
        } else {
            out.push_back(static_cast<char>(0xC0 | c >> 6));
            out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
        }
    }
}

/// The bytes that a text of the alphabet stands for; nothing where a character is not of the alphabet.
[[nodiscard]] inline std::optional<std::string> bytes(std::string_view text) {
    static const auto reverse = [] {
        std::array<std::int16_t, 512> out{};
        out.fill(-1);
        for (std::size_t b = 0; b < 256; ++b) out[alphabet()[b]] = static_cast<std::int16_t>(b);
        return out;
    }();
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const auto [c, length] = utf8::decode(text.data() + i);
        if (c >= reverse.size() || reverse[c] < 0) return std::nullopt;
        out.push_back(static_cast<char>(reverse[c]));
        i += length;
    }
    return out;
}

/// GPT-2's cut into words: contractions, letters, numbers and others with the space before them, white space.
inline constexpr const char* gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace silica::text::byte_level
#endif  // SILICA_SINGLE_INPUT_TEXT_BYTE_LEVEL_HPP
// ---- silica/input/text/pattern.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PATTERN_HPP
#define SILICA_SINGLE_INPUT_TEXT_PATTERN_HPP
/// Patterns of Split and Replace: {"String": "..."} or {"Regex": "..."}.

// ---- silica/input/text/regex.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_REGEX_HPP
#define SILICA_SINGLE_INPUT_TEXT_REGEX_HPP
/// Regular expressions of tokenizer files (Oniguruma's Ruby syntax) through PCRE2.

// ---- silica/input/text/regex_syntax.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_REGEX_SYNTAX_HPP
#define SILICA_SINGLE_INPUT_TEXT_REGEX_SYNTAX_HPP
/// From Oniguruma's Ruby syntax, in which tokenizer files write patterns, to PCRE2's.
///
/// The classes \s \w \h and \p{..} mean what they mean in Oniguruma (Unicode 16), whatever Unicode PCRE2 was built
/// with.

#include <cstdio>
#include <string>
#include <string_view>

namespace silica::text::regex_syntax {

/// A pattern for PCRE2, or why there is none.
struct Translated {
    std::string pattern, problem;
};

namespace detail {

template <std::size_t N>
void append(std::string& out, const unicode::Range (&ranges)[N]) {
    for (const auto& range : ranges) {
        char text[48];
        std::snprintf(text, sizeof text, "\\x{%X}-\\x{%X}", static_cast<unsigned>(range.first),
                      static_cast<unsigned>(range.last));
        out += text;
    }
}

/// What the class \p{name} takes beyond PCRE2's, inside brackets.
[[nodiscard]] inline std::string additions(std::string_view name) {
    std::string out;
    if (name == "L" || name == "Letter") append(out, unicode::letters_since_14);
    if (name == "Lu" || name == "Uppercase_Letter") append(out, unicode::upper_since_14);
    if (name == "Ll" || name == "Lowercase_Letter") append(out, unicode::lower_since_14);
    if (name == "Lm" || name == "Modifier_Letter") append(out, unicode::modifiers_since_14);
    if (name == "Lo" || name == "Other_Letter") append(out, unicode::other_letters_since_14);
    if (name == "M" || name == "Mark") append(out, unicode::marks_since_14);
    if (name == "N" || name == "Number") append(out, unicode::numbers_since_14);
    if (name == "P" || name == "Punctuation") append(out, unicode::new_punctuation_since_14);
    if (name == "S" || name == "Symbol") append(out, unicode::symbols_since_14);
    return out;
}

inline constexpr const char* white_space =
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";

}  // namespace detail

/// Rewrites a pattern.
[[nodiscard]] inline Translated translate(std::string_view in) {
    std::string out;
    bool in_class = false, class_start = false;
    const auto put_class = [&](const std::string& members, bool negated) {
        out += in_class ? members : (negated ? "[^" : "[") + members + "]";
    };
    for (std::size_t i = 0; i < in.size(); ++i) {
        const char c = in[i];
        const bool first = class_start;
        class_start = false;
        if (c == '\\') {
            if (i + 1 >= in.size()) return {{}, "it ends with a backslash"};
            const char e = in[++i];
            if (e == 's') {
                put_class(detail::white_space, false);
            } else if (e == 'S' && !in_class) {
                put_class(detail::white_space, true);
            } else if (e == 'w' || (e == 'W' && !in_class)) {
                // Oniguruma counts the superscripts and fractions of Latin-1, too.
                std::string members = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
                detail::append(members, unicode::word_others);
                put_class(members, e == 'W');
            } else if (e == 'h' || (e == 'H' && !in_class)) {
                put_class("0-9a-fA-F", e == 'H');
            } else if (e == 'H' || e == 'W') {
                return {{}, std::string("\\") + e + " inside brackets is not supported"};
            } else if ((e == 'p' || e == 'P') && i + 1 < in.size() && in[i + 1] == '{') {
                const auto close = in.find('}', i);
                if (close == std::string_view::npos) return {{}, "\\p{ has no }"};
                std::string_view name = in.substr(i + 2, close - i - 2);
                const bool caret = !name.empty() && name.front() == '^';
                if (caret) name.remove_prefix(1);
                const bool negated = caret != (e == 'P');
                const std::string property = (negated && in_class ? "\\P{" : "\\p{") + std::string(name) + "}";
                if (negated && in_class) {
                    out += property;
                } else {
                    put_class(property + detail::additions(name), negated);
                }
                i = close;
            } else {
                out += '\\';
                out += e;
            }
        } else if (in_class) {
            if (c == '[' && i + 1 < in.size() && in[i + 1] == ':') {
                const auto close = in.find(":]", i);
                if (close == std::string_view::npos) return {{}, "[: has no :]"};
                out += in.substr(i, close + 2 - i);
                i = close + 1;
            } else if (c == '[') {
                return {{}, "a set inside a set is not supported"};
            } else if (c == '&' && i + 1 < in.size() && in[i + 1] == '&') {
                return {{}, "the intersection && of sets is not supported"};
            } else {
                if (c == ']' && !first) in_class = false;
                out += c;
            }
        } else {
            if (c == '[') {
                in_class = class_start = true;
                out += c;
                if (i + 1 < in.size() && in[i + 1] == '^') out += in[++i];
                continue;
            }
            // In Ruby {n,m}+ repeats again; in PCRE2 it would be possessive.
            if (c == '+' && !out.empty() && out.back() == '}' && i > 0 && in[i - 1] == '}') {
                const auto open = in.rfind('{', i);
                const auto inside = in.substr(open + 1, i - open - 2);
                if (!inside.empty() && inside.find_first_not_of("0123456789,") == std::string_view::npos) {
                    return {{}, "a repetition of {n,m} is not supported"};
                }
            }
            out += c;
        }
    }
    if (in_class) return {{}, "a [ has no ]"};
    return {std::move(out), {}};
}

}  // namespace silica::text::regex_syntax
#endif  // SILICA_SINGLE_INPUT_TEXT_REGEX_SYNTAX_HPP

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif
#include <pcre2.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace silica::text {

/// A compiled pattern. Matching is thread safe.
class Regex {
public:
    /// Compiles a pattern; `where` names it in the error ("tokenizer.json: pre_tokenizer.pattern").
    Regex(const std::string& pattern, const std::string& where) : where_(where) {
        const auto refuse = [&](const std::string& why) {
            throw ConfigError(where + " has a pattern that cannot be used: " + why + ".",
                              "Take the file from the model's repository again, or rewrite the pattern for PCRE2.");
        };
        if (pattern.size() > 100'000) refuse("it has " + std::to_string(pattern.size()) + " bytes");
        const auto translated = regex_syntax::translate(pattern);
        if (!translated.problem.empty()) refuse(translated.problem);
        const std::unique_ptr<pcre2_compile_context, Free> context(pcre2_compile_context_create(nullptr));
        if (!context) throw std::bad_alloc();
        pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit(context.get(), 100);
        int error = 0;
        PCRE2_SIZE at = 0;
        code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.pattern.data()), translated.pattern.size(),
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at,
                                  context.get()),
                    Free{});
        if (!code_) {
            PCRE2_UCHAR message[256];
            pcre2_get_error_message(error, message, sizeof message);
            refuse(reinterpret_cast<const char*>(message));
        }
        pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // without JIT, pcre2_match interprets
    }

    /// Calls `found(start, end)` for every match in valid UTF-8, from left to right. InputError where a match would
    /// take too many steps.
    template <class Found>
    void each_match(std::string_view text, Found&& found) const {
        State& state = State::mine();
        const std::unique_ptr<pcre2_match_data, Free> data(pcre2_match_data_create(1, nullptr));
        if (!data) throw std::bad_alloc();
        const auto* ovector = pcre2_get_ovector_pointer(data.get());
        std::size_t from = 0, last_end = std::string_view::npos;
        while (from <= text.size()) {
            const int n = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                      PCRE2_NO_UTF_CHECK, data.get(), state.context.get());
            if (n == PCRE2_ERROR_NOMATCH) return;
            if (n < 0) too_hard(n);
            const std::size_t start = ovector[0], end = ovector[1];
            if (end < start) return;  // \K in a look-around
            if (start == end && end == last_end) {
                // An empty match right after the last one is none: look from the next character.
                from += from < text.size() ? utf8::length(text[from]) : 1;
                continue;
            }
            found(start, end);
            from = last_end = end;
        }
    }

private:
    struct Free {
        void operator()(pcre2_code* p) const noexcept { pcre2_code_free(p); }
        void operator()(pcre2_compile_context* p) const noexcept { pcre2_compile_context_free(p); }
        void operator()(pcre2_match_context* p) const noexcept { pcre2_match_context_free(p); }
        void operator()(pcre2_match_data* p) const noexcept { pcre2_match_data_free(p); }
        void operator()(pcre2_jit_stack* p) const noexcept { pcre2_jit_stack_free(p); }
    };
    /// What a thread needs to match.
    struct State {
        std::unique_ptr<pcre2_jit_stack, Free> stack{pcre2_jit_stack_create(32 * 1024, 8 * 1024 * 1024, nullptr)};
        std::unique_ptr<pcre2_match_context, Free> context{pcre2_match_context_create(nullptr)};
        State() {
            if (!context) throw std::bad_alloc();
            pcre2_set_match_limit(context.get(), 20'000'000);
            pcre2_set_heap_limit(context.get(), 64 * 1024);  // KiB
            if (stack) pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
        }
        static State& mine() {
            thread_local State state;
            return state;
        }
    };
    [[noreturn]] void too_hard(int error) const {
        PCRE2_UCHAR message[256];
        pcre2_get_error_message(error, message, sizeof message);
        throw InputError(
            "The pattern of " + where_ + " gave up on the text: " + reinterpret_cast<const char*>(message) + ".",
            "Encode the text in shorter parts.");
    }

    std::shared_ptr<pcre2_code> code_;
    std::string where_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_REGEX_HPP

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text {

/// A literal text or a regular expression.
class Pattern {
public:
    explicit Pattern(std::string literal) : literal_(std::move(literal)) {}
    explicit Pattern(Regex regex) : regex_(std::move(regex)) {}

    [[nodiscard]] static Pattern read(const JsonPlace& place) {
        if (place.is_string()) return Pattern(place.string());
        if (const auto literal = place.find("String")) return Pattern(literal->string());
        if (const auto regex = place.find("Regex"))
            return Pattern(Regex(regex->string(), regex->file() + ": " + regex->key()));
        place.fail("is neither {\"String\": ...} nor {\"Regex\": ...}");
    }

    /// Calls `found(start, end)` for every match in the text, from left to right.
    template <class Found>
    void each_match(std::string_view text, Found&& found) const {
        if (regex_) {
            regex_->each_match(text, found);
            return;
        }
        if (literal_.empty()) {
            // The empty pattern matches between all characters.
            for (std::size_t i = 0; i < text.size(); i += utf8::length(text[i])) found(i, i);
            if (!text.empty()) found(text.size(), text.size());
            return;
        }
        for (std::size_t at = text.find(literal_); at != std::string_view::npos;) {
            found(at, at + literal_.size());
            at = text.find(literal_, at + literal_.size());
        }
    }

    /// Every match becomes `content`.
    void replace(std::string& text, std::string_view content) const {
        std::string out;
        std::size_t done = 0;
        bool any = false;
        each_match(text, [&](std::size_t start, std::size_t end) {
            out.append(text, done, start - done).append(content);
            done = end;
            any = true;
        });
        if (!any) return;
        out.append(text, done);
        text.swap(out);
    }

private:
    std::string literal_;
    std::optional<Regex> regex_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PATTERN_HPP

#include <string>
#include <utility>

namespace silica::text {

/// NFC, NFD, NFKC, NFKD.
struct NormalForm {
    unicode::Form form;
    void operator()(Text& text) const { unicode::normalize(text.value, form); }
};

namespace detail {

/// Rewrites a text character by character: `put(out, c, bits)` appends what `c` becomes.
template <class Put>
void rewrite(Text& text, Put&& put) {
    const auto& classes = unicode::Classes::get();
    std::string out;
    out.reserve(text.value.size() + 4);
    for (std::size_t i = 0; i < text.value.size();) {
        const auto [c, length] = utf8::decode(text.value.data() + i);
        put(out, c, classes.of(c));
        if (out.empty()) text.at_origin = false;
        i += length;
    }
    text.value.swap(out);
}

}  // namespace detail

/// Lower case, character by character.
struct Lowercase {
    void operator()(Text& text) const {
        detail::rewrite(text, [](std::string& out, char32_t c, unsigned bits) {
            (bits & unicode::is_cased) ? unicode::append_lower(out, c) : utf8::append(out, c);
        });
    }
};

/// Removes combining marks (after NFD: accents).
struct StripAccents {
    void operator()(Text& text) const {
        detail::rewrite(text, [](std::string& out, char32_t c, unsigned bits) {
            if (!(bits & unicode::is_combining)) utf8::append(out, c);
        });
    }
};

/// The clean-up of neural machine translation: control characters out, odd spaces to spaces.
struct Nmt {
    void operator()(Text& text) const {
        detail::rewrite(text, [](std::string& out, char32_t c, unsigned) {
            if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
                return;
            const bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                               (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                               c == 0xFEFF || c == 0xFFFD;
            utf8::append(out, space ? U' ' : c);
        });
    }
};

/// Removes white space at the ends.
struct Strip {
    bool left = true, right = true;

    [[nodiscard]] static Strip read(const JsonPlace& place) {
        return {place.at("strip_left").boolean(), place.at("strip_right").boolean()};
    }
    void operator()(Text& text) const {
        const auto& classes = unicode::Classes::get();
        std::string& value = text.value;
        std::size_t start = 0, end = value.size();
        while (right && end > start) {
            const auto [c, length] = utf8::decode_before(value, end);
            if (!classes.is(c, unicode::is_space)) break;
            end -= length;
        }
        while (left && start < end) {
            const auto [c, length] = utf8::decode(value.data() + start);
            if (!classes.is(c, unicode::is_space)) break;
            start += length;
        }
        if (start > 0) text.at_origin = false;
        value.erase(end);
        value.erase(0, start);
    }
};

/// Puts a text before one that is not empty.
struct Prepend {
    std::string prefix;

    [[nodiscard]] static Prepend read(const JsonPlace& place) { return {place.at("prepend").string()}; }
    void operator()(Text& text) const {
        if (!text.value.empty()) text.value.insert(0, prefix);
    }
};

/// Replaces every match of a pattern.
struct Replace {
    Pattern pattern;
    std::string content;

    [[nodiscard]] static Replace read(const JsonPlace& place) {
        return {Pattern::read(place.at("pattern")), place.at("content").string()};
    }
    void operator()(Text& text) const { pattern.replace(text.value, content); }
};

/// Every byte as a character of GPT-2's alphabet.
struct ByteLevelNormalizer {
    void operator()(Text& text) const {
        std::string out;
        out.reserve(text.value.size() * 2);
        byte_level::append(out, text.value);
        text.value.swap(out);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_SIMPLE_HPP

#include <variant>
#include <vector>

namespace silica::text {

struct Normalizer;

/// Several normalizers, one after another.
struct NormalizerSequence {
    std::vector<Normalizer> steps;
    void operator()(Text& text) const;
};

/// Any normalizer of a tokenizer.json.
struct Normalizer {
    std::variant<BertNormalizer, NormalForm, Lowercase, StripAccents, Nmt, Strip, Prepend, Replace, ByteLevelNormalizer,
                 Precompiled, NormalizerSequence>
        step;

    [[nodiscard]] static Normalizer read(const JsonPlace& place, int depth = 0);
    void operator()(Text& text) const {
        std::visit([&](const auto& each) { each(text); }, step);
    }
};

inline void NormalizerSequence::operator()(Text& text) const {
    for (const auto& each : steps) each(text);
}

inline Normalizer Normalizer::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto& type = place.type();
    if (type == "BertNormalizer") return {BertNormalizer::read(place)};
    if (type == "NFC") return {NormalForm{unicode::nfc}};
    if (type == "NFD") return {NormalForm{unicode::nfd}};
    if (type == "NFKC") return {NormalForm{unicode::nfkc}};
    if (type == "NFKD") return {NormalForm{unicode::nfkd}};
    if (type == "Lowercase") return {Lowercase{}};
    if (type == "StripAccents") return {StripAccents{}};
    if (type == "Nmt") return {Nmt{}};
    if (type == "Strip") return {Strip::read(place)};
    if (type == "Prepend") return {Prepend::read(place)};
    if (type == "Replace") return {Replace::read(place)};
    if (type == "ByteLevel") return {ByteLevelNormalizer{}};
    if (type == "Precompiled") return {Precompiled::read(place)};
    if (type == "Sequence") {
        NormalizerSequence made;
        const auto steps = place.at("normalizers");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    place.unknown("normalizer");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_NORMALIZER_HPP
// ---- silica/input/text/pieces.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PIECES_HPP
#define SILICA_SINGLE_INPUT_TEXT_PIECES_HPP
/// The text cut into pieces: added tokens found in it, and words for the model.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// A stretch of text for the model, or an added token.
struct Piece {
    std::string_view text;
    std::int32_t id = -1;    ///< the added token, or -1
    bool at_origin = false;  ///< starts where the input starts
};

/// Pieces in order, with the buffers of those whose text was rewritten.
class Pieces {
public:
    std::vector<Piece> list;

    /// Keeps a rewritten text alive as long as the pieces.
    std::string_view keep(std::string&& text) { return kept_.emplace_back(std::move(text)); }

    /// An empty buffer that lives as long and holds `capacity` bytes without moving: pieces may point into it.
    std::string& buffer(std::size_t capacity) {
        std::string& made = kept_.emplace_back();
        made.reserve(capacity);
        return made;
    }

    /// The bytes of all pieces that are no added tokens, and `more` for each.
    [[nodiscard]] std::size_t bytes(std::size_t more) const {
        std::size_t n = 0;
        for (const Piece& piece : list) n += piece.id >= 0 ? 0 : piece.text.size() + more;
        return n;
    }

    /// Replaces every piece that is no added token by what `cut(piece, out)` appends to `out`; empty ones are dropped.
    template <class Cut>
    void split(Cut&& cut) {
        scratch_.clear();
        for (const Piece& piece : list) {
            if (piece.id >= 0) {
                scratch_.push_back(piece);
            } else {
                cut(piece, scratch_);
            }
        }
        list.swap(scratch_);
    }

    /// Appends the bytes [start, end) of a piece, unless there are none.
    static void add(std::vector<Piece>& out, const Piece& from, std::size_t start, std::size_t end) {
        if (end > start) out.push_back({from.text.substr(start, end - start), -1, from.at_origin && start == 0});
    }

private:
    std::deque<std::string> kept_;
    std::vector<Piece> scratch_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PIECES_HPP

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace silica::text {

/// One token of "added_tokens".
struct AddedToken {
    std::string content;
    bool single_word = false;  ///< only where no word character touches it
    bool lstrip = false;       ///< takes the white space on its left with it
    bool rstrip = false;       ///< takes the white space on its right with it
    bool normalized = true;    ///< looked for in the normalized text, in its own normalized form
    bool special = false;      ///< left out by decode(..., skip_special_tokens)

    bool operator==(const AddedToken&) const = default;

    [[nodiscard]] static AddedToken read(const JsonPlace& place) {
        return {place.at("content").string(), place.at("single_word").boolean(), place.at("lstrip").boolean(),
                place.at("rstrip").boolean(), place.at("normalized").boolean(),  place.at("special").boolean()};
    }
};

/// The added tokens of a tokenizer, and the search for them.
class AddedTokens {
public:
    /// Adds tokens as the tokenizer's file lists them. One that the model has keeps the model's id, others get the next
    /// free one, whatever id the file names.
    void add(const std::vector<AddedToken>& tokens, const Model& model, const std::optional<Normalizer>& normalizer) {
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
            std::string shown = token.content;
            if (token.normalized && normalizer) {
                Text text{token.content};
                (*normalizer)(text);
                shown = std::move(text.value);
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

    /// Cuts the text at the tokens that are looked for before normalization.
    void cut_plain(Pieces& pieces) const { cut(pieces, plain_); }
    /// Cuts the normalized text at the other ones.
    void cut_normalized(Pieces& pieces) const { cut(pieces, normalized_); }

private:
    struct Entry {
        AddedToken token;
        std::string shown;
    };

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
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_ADDED_TOKENS_HPP
// ---- silica/input/text/decoder.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_DECODER_HPP
#define SILICA_SINGLE_INPUT_TEXT_DECODER_HPP
/// Decoders: tokens back to text.

// ---- silica/input/text/decoder/simple.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_DECODER_SIMPLE_HPP
#define SILICA_SINGLE_INPUT_TEXT_DECODER_SIMPLE_HPP
/// The small decoders: ByteLevel, ByteFallback, Fuse, Strip, Replace, CTC, BPEDecoder.

// ---- silica/input/text/decoder/wordpiece.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_DECODER_WORDPIECE_HPP
#define SILICA_SINGLE_INPUT_TEXT_DECODER_WORDPIECE_HPP
/// The WordPiece decoder: joins continuing tokens, and tidies the spaces around punctuation.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Every occurrence of `from`, left to right, becomes `to`.
inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
    if (from.empty()) return;
    std::size_t at = text.find(from);
    if (at == std::string::npos) return;
    std::string out;
    std::size_t done = 0;
    for (; at != std::string::npos; at = text.find(from, done)) {
        out.append(text, done, at - done).append(to);
        done = at + from.size();
    }
    out.append(text, done);
    text.swap(out);
}

/// Undoes the spaces that word splitting left before punctuation and in English contractions.
inline void tidy_spaces(std::string& text) {
    if (text.find(' ') == std::string::npos) return;
    constexpr std::pair<const char*, const char*> rules[] = {
        {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
        {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : rules) replace_all(text, from, to);
}

/// "token ##s" reads "tokens".
struct WordPieceDecoder {
    std::string prefix = "##";
    bool cleanup = true;

    [[nodiscard]] static WordPieceDecoder read(const JsonPlace& place) {
        return {place.at("prefix").string(), place.at("cleanup").boolean()};
    }
    void operator()(std::vector<std::string>& tokens) const {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            std::string& token = tokens[i];
            if (i > 0) {
                if (token.compare(0, prefix.size(), prefix) == 0) {
                    token.erase(0, prefix.size());
                } else {
                    token.insert(0, 1, ' ');
                }
            }
            if (cleanup) tidy_spaces(token);
        }
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_DECODER_WORDPIECE_HPP

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Tokens of GPT-2's byte alphabet to text; tokens with other characters (added ones) stay.
struct ByteLevelDecoder {
    void operator()(std::vector<std::string>& tokens) const {
        std::string all;
        for (const auto& token : tokens) {
            if (const auto bytes = byte_level::bytes(token)) {
                all += *bytes;
            } else {
                all += token;
            }
        }
        tokens.assign(1, utf8::lossy(all));
    }
};

/// Runs of tokens <0x00> to <0xFF> to the characters they spell, or one U+FFFD each where they spell none.
struct ByteFallback {
    void operator()(std::vector<std::string>& tokens) const {
        std::vector<std::string> out;
        std::string bytes;
        const auto flush = [&] {
            if (bytes.empty()) return;
            if (utf8::first_invalid(bytes) == std::string::npos) {
                out.push_back(std::move(bytes));
            } else {
                out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
            }
            bytes.clear();
        };
        for (auto& token : tokens) {
            if (const int byte = value(token); byte >= 0) {
                bytes.push_back(static_cast<char>(byte));
            } else {
                flush();
                out.push_back(std::move(token));
            }
        }
        flush();
        tokens.swap(out);
    }

private:
    [[nodiscard]] static int value(std::string_view token) {
        if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return -1;
        const auto digit = [](char c) {
            return c >= '0' && c <= '9'   ? c - '0'
                   : c >= 'A' && c <= 'F' ? c - 'A' + 10
                   : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                          : -1;
        };
        // Rust's parser of numbers takes a leading plus.
        const int high = token[3] == '+' ? 0 : digit(token[3]), low = digit(token[4]);
        return high < 0 || low < 0 ? -1 : high * 16 + low;
    }
};

/// Removes white space from the ends of each token (after Fuse or ByteLevel: of the text).
struct Trim {
    void operator()(std::vector<std::string>& tokens) const {
        const auto& classes = unicode::Classes::get();
        const auto space = [&](char32_t c) { return classes.is(c, unicode::is_space) || (c >= 0x1C && c <= 0x1F); };
        for (auto& token : tokens) {
            std::size_t start = 0, end = token.size();
            while (end > 0 && space(utf8::decode_before(token, end).value))
                end -= utf8::decode_before(token, end).length;
            while (start < end && space(utf8::decode(token.data() + start).value)) start += utf8::length(token[start]);
            token = token.substr(start, end - start);
        }
    }
};

/// All tokens become one.
struct Fuse {
    void operator()(std::vector<std::string>& tokens) const {
        std::string all;
        for (const auto& token : tokens) all += token;
        tokens.assign(1, std::move(all));
    }
};

/// Removes up to so many of a character from the ends of each token.
struct StripDecoder {
    std::string content;
    std::size_t start = 0, stop = 0;

    [[nodiscard]] static StripDecoder read(const JsonPlace& place) {
        StripDecoder made{place.at("content").string(),
                          static_cast<std::size_t>(place.at("start").integer(0, INT32_MAX)),
                          static_cast<std::size_t>(place.at("stop").integer(0, INT32_MAX))};
        if (utf8::count(made.content) != 1) place.at("content").fail("is not one character");
        return made;
    }
    void operator()(std::vector<std::string>& tokens) const {
        for (auto& token : tokens) {
            const std::size_t n = content.size();
            std::size_t front = 0, back = token.size();
            for (std::size_t i = 0; i < start && token.compare(front, n, content) == 0; ++i) front += n;
            for (std::size_t i = 0; i < stop && back >= front + n && token.compare(back - n, n, content) == 0; ++i)
                back -= n;
            token = token.substr(front, back - front);
        }
    }
};

/// Replaces in each token.
struct ReplaceDecoder {
    Pattern pattern;
    std::string content;

    [[nodiscard]] static ReplaceDecoder read(const JsonPlace& place) {
        return {Pattern::read(place.at("pattern")), place.at("content").string()};
    }
    void operator()(std::vector<std::string>& tokens) const {
        for (auto& token : tokens) pattern.replace(token, content);
    }
};

/// Connectionist temporal classification: repeated tokens count once, padding goes, a token stands for spaces.
struct Ctc {
    std::string pad = "<pad>", delimiter = "|";
    bool cleanup = true;

    [[nodiscard]] static Ctc read(const JsonPlace& place) {
        return {place.at("pad_token").string(), place.at("word_delimiter_token").string(),
                place.at("cleanup").boolean()};
    }
    void operator()(std::vector<std::string>& tokens) const {
        tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
        for (auto& token : tokens) {
            replace_all(token, pad, "");
            if (!cleanup) continue;
            tidy_spaces(token);
            replace_all(token, delimiter, " ");
        }
        std::erase_if(tokens, [](const std::string& token) { return token.empty(); });
    }
};

/// Ends of words become spaces.
struct BpeDecoder {
    std::string suffix = "</w>";

    [[nodiscard]] static BpeDecoder read(const JsonPlace& place) { return {place.at("suffix").string()}; }
    void operator()(std::vector<std::string>& tokens) const {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
        }
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_DECODER_SIMPLE_HPP
// ---- silica/input/text/pre_tokenizer/metaspace.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_METASPACE_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_METASPACE_HPP
/// Metaspace: spaces become a visible character, as in SentencePiece; also its decoder.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Replaces spaces, puts one in front as `scheme` says, and cuts before each where asked.
struct Metaspace {
    enum class Scheme { first, never, always };

    std::string replacement = "\xE2\x96\x81";  // U+2581
    Scheme scheme = Scheme::always;
    bool split = true;

    [[nodiscard]] static Metaspace read(const JsonPlace& place) {
        Metaspace made;
        made.replacement = place.at("replacement").string();
        if (utf8::count(made.replacement) != 1) place.at("replacement").fail("is not one character");
        const auto scheme = place.find("prepend_scheme");
        if (scheme) {
            const auto& name = scheme->string();
            if (name != "first" && name != "never" && name != "always") scheme->fail("is none of first, never, always");
            made.scheme = name == "first" ? Scheme::first : name == "never" ? Scheme::never : Scheme::always;
        }
        if (const auto legacy = place.find("add_prefix_space"); legacy && !legacy->boolean()) {
            if (scheme && made.scheme != Scheme::never)
                legacy->fail("is false although prepend_scheme is not \"never\"");
            made.scheme = Scheme::never;
        }
        made.split = place.boolean_or("split", true);
        return made;
    }

    void operator()(Pieces& pieces) const {
        std::string& all = pieces.buffer(pieces.bytes(1) * std::max<std::size_t>(replacement.size(), 1));
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            const std::size_t from = all.size();
            const bool has = piece.text.substr(0, replacement.size()) == replacement || piece.text.front() == ' ';
            if (!has && (scheme == Scheme::always || (scheme == Scheme::first && piece.at_origin))) all += replacement;
            for (char c : piece.text) {
                if (c == ' ') {
                    all += replacement;
                } else {
                    all += c;
                }
            }
            const std::string_view text = std::string_view(all).substr(from);
            const Piece whole{text, -1, piece.at_origin};
            if (!split) return Pieces::add(out, whole, 0, text.size());
            std::size_t start = 0;
            for (std::size_t at = text.find(replacement, 0); at != std::string_view::npos;
                 at = text.find(replacement, at + replacement.size())) {
                Pieces::add(out, whole, start, at);
                start = at;
            }
            Pieces::add(out, whole, start, text.size());
        });
    }

    /// As a decoder: the characters become spaces again; those of the first token go, unless `scheme` is never.
    void operator()(std::vector<std::string>& tokens) const {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            std::string out;
            const std::string_view token = tokens[i];
            for (std::size_t at = 0; at < token.size();) {
                if (token.substr(at, replacement.size()) == replacement) {
                    if (i > 0 || scheme == Scheme::never) out += ' ';
                    at += replacement.size();
                } else {
                    out += token[at++];
                }
            }
            tokens[i] = std::move(out);
        }
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_METASPACE_HPP

#include <string>
#include <variant>
#include <vector>

namespace silica::text {

struct Decoder;

/// Several decoders, one after another.
struct DecoderSequence {
    std::vector<Decoder> steps;
    void operator()(std::vector<std::string>& tokens) const;
};

/// Any decoder of a tokenizer.json. It rewrites the list of tokens; joined, they are the text.
struct Decoder {
    std::variant<WordPieceDecoder, ByteLevelDecoder, ByteFallback, Metaspace, Fuse, StripDecoder, ReplaceDecoder, Ctc,
                 BpeDecoder, Trim, DecoderSequence>
        step;

    [[nodiscard]] static Decoder read(const JsonPlace& place, int depth = 0);
    void operator()(std::vector<std::string>& tokens) const {
        std::visit([&](const auto& each) { each(tokens); }, step);
    }
};

inline void DecoderSequence::operator()(std::vector<std::string>& tokens) const {
    for (const auto& each : steps) each(tokens);
}

inline Decoder Decoder::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto& type = place.type();
    if (type == "WordPiece") return {WordPieceDecoder::read(place)};
    if (type == "ByteLevel") return {ByteLevelDecoder{}};
    if (type == "ByteFallback") return {ByteFallback{}};
    if (type == "Metaspace") return {Metaspace::read(place)};
    if (type == "Fuse") return {Fuse{}};
    if (type == "Strip") return {StripDecoder::read(place)};
    if (type == "Replace") return {ReplaceDecoder::read(place)};
    if (type == "CTC") return {Ctc::read(place)};
    if (type == "BPEDecoder") return {BpeDecoder::read(place)};
    if (type == "Sequence") {
        DecoderSequence made;
        const auto steps = place.at("decoders");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    place.unknown("decoder");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_DECODER_HPP
// ---- silica/input/text/file.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FILE_HPP
#define SILICA_SINGLE_INPUT_TEXT_FILE_HPP
/// Reading tokenizer files.

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::text {

/// Whether a regular file of this name is in the directory.
[[nodiscard]] inline bool has_file(const std::filesystem::path& directory, const char* name) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(directory / name, ignored);
}

/// The bytes of a file. ConfigError where it cannot be read or is larger than any tokenizer.
[[nodiscard]] inline std::string read_file(const std::filesystem::path& path) {
    constexpr std::uintmax_t largest = std::uintmax_t{1} << 29;
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size > largest) {
        throw ConfigError(path.string() + " has " + std::to_string(size) + " bytes, more than any tokenizer file.",
                          "Take the file from the model's repository again.");
    }
    std::ifstream in(path, std::ios::binary);
    std::string bytes(error ? 0 : static_cast<std::size_t>(size), '\0');
    if (error || !in || !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        throw ConfigError(path.string() + " cannot be read.", "Check that the file exists and that you may read it.");
    }
    return bytes;
}

/// Parses JSON. `name` is the file, for the error.
[[nodiscard]] inline nlohmann::json parse_json(std::string_view text, const std::string& name) {
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception& error) {
        std::string what = error.what();
        if (const auto colon = what.find("] "); colon != std::string::npos) what.erase(0, colon + 2);
        // It quotes bytes of the file.
        what = utf8::lossy(std::string_view(what).substr(0, 300));
        throw ConfigError(name + " is not valid JSON (" + what + ").",
                          "Take the file from the model's repository again.");
    }
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FILE_HPP
// ---- silica/input/text/from_merges.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FROM_MERGES_HPP
#define SILICA_SINGLE_INPUT_TEXT_FROM_MERGES_HPP
/// Byte-level BPE tokenizers from vocab.json and merges.txt (GPT-2, Qwen2, Whisper, CLIP, RoBERTa), as transformers
/// builds them where there is no tokenizer.json.

// ---- silica/input/text/parts.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PARTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_PARTS_HPP
/// The parts of a tokenizer, however they were read.

// ---- silica/input/text/post_processor.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_HPP
#define SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_HPP
/// Post-processors: special tokens around the encoded texts.

// ---- silica/input/text/post_processor/bert.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_BERT_HPP
#define SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_BERT_HPP
/// BertProcessing and RobertaProcessing: fixed templates of older tokenizer files.

// ---- silica/input/text/post_processor/template.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_TEMPLATE_HPP
#define SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_TEMPLATE_HPP
/// TemplateProcessing: "[CLS] $A [SEP] $B [SEP]" around one text or a pair.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// Places special tokens around texts and sets the type ids.
class TemplateProcessing {
public:
    /// A special token of a template: often one id, sometimes several.
    struct Special {
        std::vector<std::int64_t> ids;
        std::vector<std::string> tokens;
    };
    /// One element of a template: text 0 or 1, or (-1) a special token.
    struct Part {
        int text = -1;
        std::int64_t type_id = 0;
        Special special = {};
    };

    TemplateProcessing(std::vector<Part> single, std::vector<Part> pair)
        : single_(std::move(single)), pair_(std::move(pair)) {}

    [[nodiscard]] static TemplateProcessing read(const JsonPlace& place) {
        const auto specials = place.find("special_tokens");
        auto single = read_parts(place.at("single"), specials);
        auto pair = read_parts(place.at("pair"), specials);
        for (const Part& part : single) {
            if (part.text == 1) place.at("single").fail("uses a second text");
        }
        return {std::move(single), std::move(pair)};
    }

    [[nodiscard]] std::size_t added(bool pair) const {
        std::size_t n = 0;
        for (const Part& part : pair ? pair_ : single_) n += part.special.ids.size();
        return n;
    }

    /// One element per place in the template.
    void operator()(std::vector<Encoding>& parts, bool add_special_tokens) const {
        const auto& wanted = parts.size() > 1 ? pair_ : single_;
        std::vector<Encoding> out;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            const Part& part = wanted[i];
            if (part.text >= 0) {
                Encoding& text = parts[static_cast<std::size_t>(part.text)];
                text.type_ids.assign(text.size(), part.type_id);
                const bool again = std::any_of(wanted.begin() + static_cast<std::ptrdiff_t>(i) + 1, wanted.end(),
                                               [&](const Part& later) { return later.text == part.text; });
                out.push_back(again ? text : std::move(text));
            } else if (add_special_tokens) {
                out.push_back(special(part.special.ids, part.special.tokens, part.type_id));
            }
        }
        parts = std::move(out);
    }

    /// An encoding of special tokens only.
    [[nodiscard]] static Encoding special(std::vector<std::int64_t> ids, std::vector<std::string> tokens,
                                          std::int64_t type_id) {
        Encoding made;
        made.type_ids.assign(ids.size(), type_id);
        made.attention_mask.assign(ids.size(), 1);
        made.special_tokens_mask.assign(ids.size(), 1);
        made.ids = std::move(ids);
        made.tokens = std::move(tokens);
        return made;
    }

private:
    [[nodiscard]] static std::vector<Part> read_parts(const JsonPlace& place,
                                                      const std::optional<JsonPlace>& specials) {
        std::vector<Part> parts;
        for (std::size_t i = 0; i < place.size(); ++i) {
            const auto element = place.at(i);
            if (const auto text = element.find("Sequence")) {
                const auto id = text->at("id");
                if (id.string() != "A" && id.string() != "B") id.fail("is neither \"A\" nor \"B\"");
                parts.push_back({id.string() == "B", text->at("type_id").integer(0, INT32_MAX)});
            } else if (const auto token = element.find("SpecialToken")) {
                const auto& name = token->at("id").string();
                if (!specials) place.fail("names the special token \"" + name + "\" but there are no special_tokens");
                const auto entry = specials->at(name);
                Part part{-1, token->at("type_id").integer(0, INT32_MAX)};
                const auto ids = entry.at("ids"), tokens = entry.at("tokens");
                if (ids.size() != tokens.size()) entry.fail("has a different number of ids and tokens");
                for (std::size_t k = 0; k < ids.size(); ++k) {
                    part.special.ids.push_back(ids.at(k).id());
                    part.special.tokens.push_back(tokens.at(k).string());
                }
                parts.push_back(std::move(part));
            } else {
                element.fail("is neither a Sequence nor a SpecialToken");
            }
        }
        return parts;
    }

    std::vector<Part> single_, pair_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_TEMPLATE_HPP

namespace silica::text {

/// Reads the pair ["[SEP]", 102] under `key`.
[[nodiscard]] inline TemplateProcessing::Special read_special_pair(const JsonPlace& place, const char* key) {
    const auto pair = place.at(key);
    if (pair.size() != 2) pair.fail("is no pair of a token and its id");
    return {{pair.at(std::size_t{1}).id()}, {pair.at(std::size_t{0}).string()}};
}

/// BertProcessing: [CLS] A [SEP], then B [SEP] of type 1.
[[nodiscard]] inline TemplateProcessing read_bert_processing(const JsonPlace& place) {
    const auto sep = read_special_pair(place, "sep"), cls = read_special_pair(place, "cls");
    return {{{-1, 0, cls}, {0, 0}, {-1, 0, sep}}, {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {1, 1}, {-1, 1, sep}}};
}

/// RoBERTa's template: <s> A </s>, then </s> B </s>, all of type 0.
[[nodiscard]] inline TemplateProcessing roberta_template(const TemplateProcessing::Special& cls,
                                                         const TemplateProcessing::Special& sep) {
    return {{{-1, 0, cls}, {0, 0}, {-1, 0, sep}},
            {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {-1, 0, sep}, {1, 0}, {-1, 0, sep}}};
}

/// RobertaProcessing. Its other options concern offsets.
[[nodiscard]] inline TemplateProcessing read_roberta_processing(const JsonPlace& place) {
    (void)place.at("trim_offsets").boolean();
    (void)place.at("add_prefix_space").boolean();
    return roberta_template(read_special_pair(place, "cls"), read_special_pair(place, "sep"));
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_BERT_HPP

#include <utility>
#include <vector>

namespace silica::text {

/// The post-processors of a tokenizer.json, in order. All of them come down to templates.
class PostProcessor {
public:
    PostProcessor() = default;
    explicit PostProcessor(TemplateProcessing only) { steps_.push_back(std::move(only)); }

    [[nodiscard]] static PostProcessor read(const JsonPlace& place) {
        PostProcessor made;
        made.add(place, 0);
        return made;
    }

    /// How many special tokens it adds.
    [[nodiscard]] std::size_t added(bool pair) const {
        std::size_t n = 0;
        for (const auto& each : steps_) n += each.added(pair);
        return n;
    }

    /// The texts (one or two) with their special tokens, as one encoding.
    [[nodiscard]] Encoding operator()(std::vector<Encoding> parts, bool add_special_tokens) const {
        for (const auto& each : steps_) each(parts, add_special_tokens);
        Encoding made;
        if (!parts.empty()) made = std::move(parts.front());
        for (std::size_t i = 1; i < parts.size(); ++i) detail::merge(made, std::move(parts[i]));
        return made;
    }

private:
    void add(const JsonPlace& place, int depth) {
        if (depth > max_depth) place.fail("nests too deep");
        const auto& type = place.type();
        if (type == "TemplateProcessing") {
            steps_.push_back(TemplateProcessing::read(place));
        } else if (type == "BertProcessing") {
            steps_.push_back(read_bert_processing(place));
        } else if (type == "RobertaProcessing") {
            steps_.push_back(read_roberta_processing(place));
        } else if (type == "ByteLevel") {
            // It trims offsets, which Silica does not report; ids stay.
        } else if (type == "Sequence") {
            const auto steps = place.at("processors");
            for (std::size_t i = 0; i < steps.size(); ++i) add(steps.at(i), depth + 1);
        } else {
            place.unknown("post-processor");
        }
        if (steps_.size() > 1) place.fail("has more than one template");
    }

    std::vector<TemplateProcessing> steps_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_POST_PROCESSOR_HPP
// ---- silica/input/text/pre_tokenizer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_HPP
/// Pre-tokenizers: how the normalized text is cut into the words that the model takes one by one.

// ---- silica/input/text/pre_tokenizer/bert.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BERT_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BERT_HPP
/// BertPreTokenizer: words between white space, every punctuation mark a word of its own.

namespace silica::text {

/// Cuts at white space (dropped) and around punctuation (kept).
struct BertPreTokenizer {
    void operator()(Pieces& pieces) const {
        const auto& classes = unicode::Classes::get();
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            const std::string_view text = piece.text;
            std::size_t start = 0;
            for (std::size_t i = 0; i < text.size();) {
                const auto [c, length] = utf8::decode(text.data() + i);
                const unsigned bits = classes.of(c) & (unicode::is_space | unicode::is_punctuation);
                if (bits == 0) {
                    i += length;
                    continue;
                }
                Pieces::add(out, piece, start, i);
                if (!(bits & unicode::is_space)) Pieces::add(out, piece, i, i + length);
                start = i += length;
            }
            Pieces::add(out, piece, start, text.size());
        });
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BERT_HPP
// ---- silica/input/text/pre_tokenizer/byte_level.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BYTE_LEVEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BYTE_LEVEL_HPP
/// The ByteLevel pre-tokenizer: GPT-2's words, their bytes as characters.

#include <optional>
#include <string>
#include <vector>

namespace silica::text {

/// Cuts into words (where asked) and writes them in the byte alphabet.
class ByteLevel {
public:
    ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space) {
        if (use_regex) regex_.emplace(byte_level::gpt2_pattern, "ByteLevel");
    }
    [[nodiscard]] static ByteLevel read(const JsonPlace& place) {
        return {place.boolean_or("add_prefix_space", true), place.boolean_or("use_regex", true)};
    }

    void operator()(Pieces& pieces) const {
        std::string& bytes = pieces.buffer(pieces.bytes(1) * 2);
        pieces.split([&](const Piece& original, std::vector<Piece>& out) {
            Piece piece = original;
            if (add_prefix_space_ && piece.text.front() != ' ') {
                piece.text = pieces.keep(" " + std::string(piece.text));
            }
            const auto add = [&](std::size_t start, std::size_t end) {
                if (start == end) return;
                const std::size_t from = bytes.size();
                byte_level::append(bytes, piece.text.substr(start, end - start));
                out.push_back({std::string_view(bytes).substr(from), -1, piece.at_origin && start == 0});
            };
            std::size_t done = 0;
            if (regex_) {
                regex_->each_match(piece.text, [&](std::size_t start, std::size_t end) {
                    add(done, start);
                    add(start, end);
                    done = end;
                });
            }
            add(done, piece.text.size());
        });
    }

private:
    bool add_prefix_space_;
    std::optional<Regex> regex_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_BYTE_LEVEL_HPP
// ---- silica/input/text/pre_tokenizer/split.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SPLIT_HPP
#define SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SPLIT_HPP
/// Pre-tokenizers that cut at matches: Split, Whitespace, WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// What happens to the matches a text is cut at.
enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

[[nodiscard]] inline Behavior read_behavior(const JsonPlace& place) {
    constexpr std::pair<const char*, Behavior> names[] = {{"Removed", Behavior::removed},
                                                          {"Isolated", Behavior::isolated},
                                                          {"MergedWithPrevious", Behavior::merged_with_previous},
                                                          {"MergedWithNext", Behavior::merged_with_next},
                                                          {"Contiguous", Behavior::contiguous}};
    for (const auto& [name, behavior] : names) {
        if (place.string() == name) return behavior;
    }
    place.fail("is none of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

/// A text seen as stretches that match or do not.
class Stretches {
public:
    void clear() { list_.clear(), done_ = 0; }
    /// A match; what lies between it and the last is no match.
    void match(std::size_t start, std::size_t end) {
        if (done_ != start) list_.push_back({done_, start, false});
        list_.push_back({start, end, true});
        done_ = end;
    }
    /// The rest of a text of this many bytes.
    void finish(std::size_t size) {
        if (done_ != size) list_.push_back({done_, size, false});
    }
    /// Appends the pieces; `invert` swaps matches and the rest.
    void cut(const Piece& piece, Behavior behavior, bool invert, std::vector<Piece>& out) const {
        const std::size_t n = list_.size();
        const auto matches = [&](std::size_t i) { return list_[i].match != invert; };
        if (behavior == Behavior::removed || behavior == Behavior::isolated) {
            for (std::size_t i = 0; i < n; ++i) {
                if (behavior == Behavior::isolated || !matches(i))
                    Pieces::add(out, piece, list_[i].start, list_[i].end);
            }
            return;
        }
        if (n == 0) return;
        // Neighbours are joined where the rule says so; `before(i)` looks at the one that was handled last.
        std::size_t start = list_[0].start;
        for (std::size_t i = 1; i <= n; ++i) {
            if (i < n && joined(behavior, matches, i, n)) continue;
            Pieces::add(out, piece, start, list_[i - 1].end);
            if (i < n) start = list_[i].start;
        }
    }

private:
    struct Stretch {
        std::size_t start, end;
        bool match;
    };
    template <class Matches>
    [[nodiscard]] static bool joined(Behavior behavior, const Matches& matches, std::size_t i, std::size_t) {
        // Whether stretch i belongs to the piece of stretch i - 1.
        switch (behavior) {
            case Behavior::contiguous:
                return matches(i) == matches(i - 1);
            case Behavior::merged_with_previous:
                return matches(i) && !matches(i - 1);
            case Behavior::merged_with_next:
                return matches(i - 1) && !matches(i);
            default:
                return false;
        }
    }

    std::vector<Stretch> list_;
    std::size_t done_ = 0;
};

/// Split: cuts at the matches of a pattern.
struct Split {
    Pattern pattern;
    Behavior behavior;
    bool invert;

    [[nodiscard]] static Split read(const JsonPlace& place) {
        return {Pattern::read(place.at("pattern")), read_behavior(place.at("behavior")), place.at("invert").boolean()};
    }
    void operator()(Pieces& pieces) const {
        Stretches stretches;
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            stretches.clear();
            pattern.each_match(piece.text, [&](std::size_t start, std::size_t end) { stretches.match(start, end); });
            stretches.finish(piece.text.size());
            stretches.cut(piece, behavior, invert, out);
        });
    }
};

/// Cuts at characters of a class (WhitespaceSplit, Punctuation, Digits) or at one character (CharDelimiterSplit).
struct SplitAt {
    unsigned classes = 0;  ///< bits of unicode::Class
    char32_t character = 0xFFFFFFFF;
    Behavior behavior = Behavior::removed;

    void operator()(Pieces& pieces) const {
        const auto& table = unicode::Classes::get();
        Stretches stretches;
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            stretches.clear();
            for (std::size_t i = 0; i < piece.text.size();) {
                const auto [c, length] = utf8::decode(piece.text.data() + i);
                if (c == character || table.is(c, classes)) stretches.match(i, i + length);
                i += length;
            }
            stretches.finish(piece.text.size());
            stretches.cut(piece, behavior, false, out);
        });
    }
};

/// Whitespace: runs of word characters, and runs of what is neither word nor white space.
struct Whitespace {
    void operator()(Pieces& pieces) const {
        const auto& table = unicode::Classes::get();
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            std::size_t start = 0;
            int kind = 0;  // 0 white space, 1 word, 2 other
            for (std::size_t i = 0; i < piece.text.size();) {
                const auto [c, length] = utf8::decode(piece.text.data() + i);
                const int now = table.is(c, unicode::is_word) ? 1 : table.is(c, unicode::is_space) ? 0 : 2;
                if (now != kind) {
                    if (kind != 0) Pieces::add(out, piece, start, i);
                    start = i, kind = now;
                }
                i += length;
            }
            if (kind != 0) Pieces::add(out, piece, start, piece.text.size());
        });
    }
};

/// FixedLength: pieces of so many characters.
struct FixedLength {
    std::size_t length = 5;

    void operator()(Pieces& pieces) const {
        pieces.split([&](const Piece& piece, std::vector<Piece>& out) {
            std::size_t start = 0, characters = 0;
            for (std::size_t i = 0; i < piece.text.size(); i += utf8::length(piece.text[i])) {
                if (characters++ == length) {
                    Pieces::add(out, piece, start, i);
                    start = i, characters = 1;
                }
            }
            Pieces::add(out, piece, start, piece.text.size());
        });
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_SPLIT_HPP

#include <variant>
#include <vector>

namespace silica::text {

struct PreTokenizer;

/// Several pre-tokenizers, one after another.
struct PreTokenizerSequence {
    std::vector<PreTokenizer> steps;
    void operator()(Pieces& pieces) const;
};

/// Any pre-tokenizer of a tokenizer.json.
struct PreTokenizer {
    std::variant<BertPreTokenizer, ByteLevel, Metaspace, Split, SplitAt, Whitespace, FixedLength, PreTokenizerSequence>
        step;

    [[nodiscard]] static PreTokenizer read(const JsonPlace& place, int depth = 0);
    void operator()(Pieces& pieces) const {
        std::visit([&](const auto& each) { each(pieces); }, step);
    }
};

inline void PreTokenizerSequence::operator()(Pieces& pieces) const {
    for (const auto& each : steps) each(pieces);
}

inline PreTokenizer PreTokenizer::read(const JsonPlace& place, int depth) {
    if (depth > max_depth) place.fail("nests too deep");
    const auto& type = place.type();
    if (type == "BertPreTokenizer") return {BertPreTokenizer{}};
    if (type == "ByteLevel") return {ByteLevel::read(place)};
    if (type == "Metaspace") return {Metaspace::read(place)};
    if (type == "Split") return {Split::read(place)};
    if (type == "Whitespace") return {Whitespace{}};
    if (type == "WhitespaceSplit") return {SplitAt{.classes = unicode::is_space}};
    if (type == "Punctuation") {
        const auto behavior = place.find("behavior");
        return {SplitAt{.classes = unicode::is_punctuation,
                        .behavior = behavior ? read_behavior(*behavior) : Behavior::isolated}};
    }
    if (type == "Digits") {
        return {
            SplitAt{.classes = unicode::is_numeric,
                    .behavior = place.at("individual_digits").boolean() ? Behavior::isolated : Behavior::contiguous}};
    }
    if (type == "CharDelimiterSplit") {
        const auto delimiter = place.at("delimiter");
        if (utf8::count(delimiter.string()) != 1) delimiter.fail("is not one character");
        return {SplitAt{.character = utf8::decode(delimiter.string().data()).value}};
    }
    if (type == "FixedLength") {
        const auto length = place.find("length");
        return {FixedLength{static_cast<std::size_t>(length ? length->integer(1, INT32_MAX) : 5)}};
    }
    if (type == "Sequence") {
        PreTokenizerSequence made;
        const auto steps = place.at("pretokenizers");
        for (std::size_t i = 0; i < steps.size(); ++i) made.steps.push_back(read(steps.at(i), depth + 1));
        return {std::move(made)};
    }
    place.unknown("pre-tokenizer");
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PRE_TOKENIZER_HPP
// ---- silica/input/text/tokenizer_config.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_HPP
#define SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_HPP
/// tokenizer_config.json, special_tokens_map.json, added_tokens.json: what stands beside the vocabulary.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// What tokenizer_config.json says. Everything is optional in it.
struct TokenizerConfig {
    nlohmann::json json = nlohmann::json::object();
    std::string file = "tokenizer_config.json";
    std::optional<std::int64_t> model_max_length = {};      ///< tokens the model was made for, where the file sets it
    std::map<std::string, AddedToken> special_tokens = {};  ///< by role: "cls_token", "eos_token", ...
    std::vector<AddedToken> added_tokens = {};              ///< "added_tokens_decoder", by id, and extra special tokens
    std::vector<AddedToken> extra = {};                     ///< additional special tokens
    std::set<std::string> without = {};                     ///< roles that are null
    std::string tokenizer_class = {}, model_type = {};      ///< model_type is config.json's

    /// The roles in the order in which missing special tokens are given ids.
    static constexpr const char* roles[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                            "pad_token", "cls_token", "mask_token"};

    /// Reads the files of a directory; defaults where there are none.
    [[nodiscard]] static TokenizerConfig open(const std::filesystem::path& directory) {
        TokenizerConfig made;
        for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
            if (!has_file(directory, name)) continue;
            made.json = parse_json(read_file(directory / name), name);
            made.file = name;
            made.read_tokens();
        }
        if (made.file != "tokenizer_config.json") made.json = nlohmann::json::object();
        made.read_rest();
        if (has_file(directory, "config.json")) {
            const auto config = parse_json(read_file(directory / "config.json"), "config.json");
            const auto type = config.is_object() ? config.find("model_type") : config.end();
            if (type != config.end() && type->is_string()) made.model_type = type->get<std::string>();
        }
        return made;
    }

    /// The tokenizer's class without "Tokenizer" and "Fast" ("Llama", "T5", "CLIP"); where no class is named, that of
    /// the family in config.json; else empty.
    [[nodiscard]] std::string family() const {
        std::string name = tokenizer_class;
        for (const std::string ending : {"Fast", "Tokenizer"}) {
            if (name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0) {
                name.erase(name.size() - ending.size());
            }
        }
        if (!name.empty() && name != "PreTrained") return name;
        constexpr std::pair<const char*, const char*> families[] = {
            {"gpt2", "GPT2"},    {"qwen2", "Qwen2"},     {"whisper", "Whisper"}, {"clip", "CLIP"},   {"xclip", "CLIP"},
            {"clap", "Roberta"}, {"roberta", "Roberta"}, {"llama", "Llama"},     {"llava", "Llama"}, {"t5", "T5"}};
        for (const auto& [type, family] : families) {
            if (model_type == type) return family;
        }
        return {};
    }

    /// Gives roles that the files do not mention their usual token.
    void default_tokens(const std::vector<std::pair<std::string, std::string>>& tokens) {
        for (const auto& [role, token] : tokens) {
            if (without.count(role) == 0) {
                special_tokens.try_emplace(role, AddedToken{.content = token, .normalized = false, .special = true});
            }
        }
    }

    [[nodiscard]] JsonPlace place() const { return {json, file}; }

    /// The token of a role, or the fallback.
    [[nodiscard]] std::string token_or(const std::string& role, std::string fallback) const {
        const auto found = special_tokens.find(role);
        return found == special_tokens.end() ? fallback : found->second.content;
    }

    /// A token written as a string or as an object with options.
    [[nodiscard]] static AddedToken read_token(const JsonPlace& place, bool special) {
        AddedToken made{.content = {}, .normalized = !special, .special = special};
        if (place.is_string()) {
            made.content = place.string();
            return made;
        }
        made.content = place.at("content").string();
        made.single_word = place.boolean_or("single_word", false);
        made.lstrip = place.boolean_or("lstrip", false);
        made.rstrip = place.boolean_or("rstrip", false);
        made.special = place.boolean_or("special", special);
        made.normalized = place.boolean_or("normalized", !made.special);
        return made;
    }

private:
    void read_tokens() {
        const auto top = place();
        if (!top.is_object()) top.fail("is no JSON object");
        for (const char* role : roles) {
            if (const auto token = top.find(role)) {
                special_tokens[role] = read_token(*token, true);
                without.erase(role);
            } else if (json.contains(role)) {
                special_tokens.erase(role);
                without.insert(role);
            }
        }
    }
    void read_rest() {
        const auto top = place();
        if (const auto length = top.find("model_max_length"); length && length->raw().is_number()) {
            // "No limit" is written as 1e30.
            if (const double n = length->number(); n >= 1 && n < 1e15) model_max_length = static_cast<std::int64_t>(n);
        }
        tokenizer_class = top.string_or("tokenizer_class", "");
        if (const auto decoder = top.find("added_tokens_decoder")) {
            if (!decoder->is_object()) decoder->fail("is no object of ids and tokens");
            std::map<std::int64_t, AddedToken> by_id;
            for (const auto& [id, ignored] : decoder->raw().items()) {
                if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) {
                    decoder->fail("has a key that is no id");
                }
                by_id[std::stoll(id)] = read_token(decoder->at(id), false);
            }
            for (auto& [id, token] : by_id) added_tokens.push_back(std::move(token));
        }
        for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
            const auto list = top.find(key);
            if (!list || !list->is_array()) continue;
            for (std::size_t i = 0; i < list->size(); ++i) extra.push_back(read_token(list->at(i), true));
        }
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_TOKENIZER_CONFIG_HPP
// ---- silica/input/text/truncation.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_TRUNCATION_HPP
#define SILICA_SINGLE_INPUT_TEXT_TRUNCATION_HPP
/// Truncation and padding of encodings, as "truncation" and "padding" of tokenizer.json ask.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// Which end of a text is cut or filled.
enum class Side { left, right };

namespace detail {

[[nodiscard]] inline Side read_side(const JsonPlace& place) {
    if (place.string() == "Left") return Side::left;
    if (place.string() == "Right") return Side::right;
    place.fail("is neither \"Left\" nor \"Right\"");
}

/// Lengths and counts in a file beyond this are damage: no model takes that many tokens.
inline constexpr std::int64_t longest_sequence = 1 << 24;

}  // namespace detail

/// Cuts encodings to a length.
struct Truncation {
    enum class Strategy { longest_first, only_first, only_second };

    std::size_t max_length = 512, stride = 0;
    Strategy strategy = Strategy::longest_first;
    Side direction = Side::right;

    [[nodiscard]] static Truncation read(const JsonPlace& place) {
        Truncation made;
        if (const auto side = place.find("direction")) made.direction = detail::read_side(*side);
        // "No limit" is written as a huge number.
        made.max_length = static_cast<std::size_t>(place.at("max_length").integer(0, INT64_MAX));
        made.stride = static_cast<std::size_t>(place.at("stride").integer(0, detail::longest_sequence));
        const auto strategy = place.at("strategy");
        if (strategy.string() == "LongestFirst") {
            made.strategy = Strategy::longest_first;
        } else if (strategy.string() == "OnlyFirst") {
            made.strategy = Strategy::only_first;
        } else if (strategy.string() == "OnlySecond") {
            made.strategy = Strategy::only_second;
        } else {
            strategy.fail("is none of \"LongestFirst\", \"OnlyFirst\", \"OnlySecond\"");
        }
        return made;
    }

    /// Cuts both so that they and `added` special tokens fit.
    void operator()(Encoding& first, std::optional<Encoding>& second, std::size_t added) const {
        if (max_length < added) {
            throw InputError("The tokenizer cuts texts to " + std::to_string(max_length) + " tokens, fewer than the " +
                                 std::to_string(added) + " special tokens it adds.",
                             "Raise truncation.max_length, or encode without special tokens.");
        }
        const std::size_t limit = max_length - added;
        if (limit == 0) {
            cut(first, 0);
            if (second) cut(*second, 0);
            return;
        }
        const std::size_t total = first.size() + (second ? second->size() : 0);
        if (total <= limit) return;
        if (strategy == Strategy::longest_first) {
            if (!second) return cut(first, limit);
            std::size_t n1 = first.size(), n2 = second->size();
            const bool swapped = n1 > n2;
            if (swapped) std::swap(n1, n2);
            n2 = n1 > limit ? n1 : std::max(n1, limit - n1);
            if (n1 + n2 > limit) {
                n1 = limit / 2;
                n2 = n1 + limit % 2;
            }
            if (swapped) std::swap(n1, n2);
            cut(first, n1);
            cut(*second, n2);
            return;
        }
        const bool only_first = strategy == Strategy::only_first;
        if (!only_first && !second) {
            throw InputError("The tokenizer truncates the second text only, and there is none.",
                             "Encode a pair, or set truncation.strategy to \"LongestFirst\".");
        }
        Encoding& target = only_first ? first : *second;
        const std::size_t surplus = total - limit;
        if (target.size() <= surplus) {
            throw InputError("The text to truncate has " + std::to_string(target.size()) + " tokens and should lose " +
                                 std::to_string(surplus) + ".",
                             "Shorten the other text, or set truncation.strategy to \"LongestFirst\".");
        }
        cut(target, target.size() - surplus);
    }

private:
    /// Keeps `length` tokens; the rest goes to `overflowing` in stretches of that length which overlap by `stride`.
    void cut(Encoding& encoding, std::size_t length) const {
        const std::size_t n = encoding.size();
        if (length >= n) return;
        if (length == 0) {
            Encoding rest = std::move(encoding);
            encoding = Encoding{};
            encoding.overflowing.push_back(std::move(rest));
            return;
        }
        if (stride >= length) {
            throw InputError("The tokenizer's stride of " + std::to_string(stride) +
                                 " tokens is not shorter than the " + std::to_string(length) +
                                 " tokens left for the text.",
                             "Lower truncation.stride or raise truncation.max_length.");
        }
        std::vector<Encoding> parts;
        const std::size_t step = length - stride;
        if (direction == Side::right) {
            for (std::size_t start = 0;; start += step) {
                const std::size_t stop = std::min(start + length, n);
                parts.push_back(detail::slice(encoding, start, stop));
                if (stop == n) break;
            }
        } else {
            for (std::size_t stop = n;; stop -= step) {
                const std::size_t start = stop > length ? stop - length : 0;
                parts.push_back(detail::slice(encoding, start, stop));
                if (start == 0) break;
            }
        }
        encoding = std::move(parts.front());
        encoding.overflowing.assign(std::make_move_iterator(parts.begin() + 1), std::make_move_iterator(parts.end()));
    }
};

/// Fills encodings up to a length.
struct Padding {
    std::optional<std::size_t> fixed = {};  ///< a length; else that of the longest in the batch
    std::size_t multiple = 0;               ///< rounded up to a multiple of this, where not 0
    Side direction = Side::right;
    std::int64_t id = 0, type_id = 0;
    std::string token = "[PAD]";

    [[nodiscard]] static Padding read(const JsonPlace& place) {
        Padding made;
        const auto strategy = place.at("strategy");
        if (strategy.is_object()) {
            made.fixed = static_cast<std::size_t>(strategy.at("Fixed").integer(0, detail::longest_sequence));
        } else if (strategy.string() != "BatchLongest") {
            strategy.fail("is neither \"BatchLongest\" nor {\"Fixed\": length}");
        }
        if (const auto multiple = place.find("pad_to_multiple_of")) {
            made.multiple = static_cast<std::size_t>(multiple->integer(0, detail::longest_sequence));
        }
        made.direction = detail::read_side(place.at("direction"));
        made.id = place.at("pad_id").id();
        made.type_id = place.at("pad_type_id").integer(0, INT32_MAX);
        made.token = place.at("pad_token").string();
        return made;
    }

    /// Pads the encodings of a batch.
    void operator()(std::vector<Encoding>& batch) const {
        std::size_t length = 0;
        for (const Encoding& each : batch) length = std::max(length, each.size());
        pad(batch, fixed.value_or(length));
    }
    /// Pads one encoding.
    void operator()(Encoding& encoding) const { pad(encoding, rounded(fixed.value_or(encoding.size()))); }

private:
    [[nodiscard]] std::size_t rounded(std::size_t length) const {
        return multiple > 0 && length % multiple > 0 ? length + multiple - length % multiple : length;
    }
    void pad(std::vector<Encoding>& batch, std::size_t length) const {
        for (Encoding& each : batch) pad(each, rounded(length));
    }
    void pad(Encoding& encoding, std::size_t length) const {
        for (Encoding& each : encoding.overflowing) pad(each, length);
        if (encoding.size() >= length) return;
        const std::size_t n = length - encoding.size();
        const auto fill = [&](auto& v, const auto& value) {
            v.insert(direction == Side::left ? v.begin() : v.end(), n, value);
        };
        fill(encoding.ids, id);
        fill(encoding.type_ids, type_id);
        fill(encoding.attention_mask, std::int64_t{0});
        fill(encoding.special_tokens_mask, std::int64_t{1});
        fill(encoding.tokens, token);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_TRUNCATION_HPP

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// Everything a tokenizer.json can hold.
struct Parts {
    Model model;
    std::optional<Normalizer> normalizer = {};
    std::optional<PreTokenizer> pre_tokenizer = {};
    std::optional<PostProcessor> post_processor = {};
    std::optional<Decoder> decoder = {};
    std::optional<Truncation> truncation = {};
    std::optional<Padding> padding = {};
    AddedTokens added = {};

    /// Reads the text of a tokenizer.json; `file` is its name in errors.
    [[nodiscard]] static Parts read(std::string_view json, const std::string& file) {
        const auto parsed = parse_json(json, file);
        const JsonPlace top(parsed, file);
        if (!top.is_object()) top.fail("is no JSON object");
        if (const auto version = top.find("version"); version && version->string() != "1.0") {
            version->fail("is \"" + version->string() + "\" where \"1.0\" is known");
        }
        Parts made{Model::read(top.at("model"))};
        if (const auto place = top.find("normalizer")) made.normalizer = Normalizer::read(*place);
        if (const auto place = top.find("pre_tokenizer")) made.pre_tokenizer = PreTokenizer::read(*place);
        if (const auto place = top.find("post_processor")) made.post_processor = PostProcessor::read(*place);
        if (const auto place = top.find("decoder")) made.decoder = Decoder::read(*place);
        if (const auto place = top.find("truncation")) made.truncation = Truncation::read(*place);
        if (const auto place = top.find("padding")) made.padding = Padding::read(*place);
        if (const auto place = top.find("added_tokens")) {
            std::vector<AddedToken> tokens;
            for (std::size_t i = 0; i < place->size(); ++i) {
                (void)place->at(i).at("id").id();
                tokens.push_back(AddedToken::read(place->at(i)));
            }
            made.added.add(tokens, made.model, made.normalizer);
        }
        return made;
    }

    /// Adds the tokens that tokenizer_config.json lists and the special tokens, as transformers does.
    void add_special_tokens(const TokenizerConfig& config) {
        std::vector<AddedToken> tokens;
        const auto listed = [&](const std::string& content) {
            return added.find(content) || std::any_of(tokens.begin(), tokens.end(), [&](const AddedToken& token) {
                       return token.content == content;
                   });
        };
        for (const AddedToken& token : config.added_tokens) {
            const auto* known = added.find(token.content);
            if (!known || !(*known == token)) tokens.push_back(token);
        }
        for (const char* role : TokenizerConfig::roles) {
            const auto found = config.special_tokens.find(role);
            if (found != config.special_tokens.end() && !listed(found->second.content)) tokens.push_back(found->second);
        }
        for (const AddedToken& token : config.extra) {
            if (!listed(token.content)) tokens.push_back(token);
        }
        for (AddedToken& token : tokens) {
            for (const auto& [role, special] : config.special_tokens) token.special |= special.content == token.content;
        }
        added.add(tokens, model, normalizer);
    }

    /// The special token of a role, as templates hold it.
    [[nodiscard]] TemplateProcessing::Special special(const TokenizerConfig& config, const std::string& role,
                                                      const std::string& fallback) const {
        const auto token = config.token_or(role, fallback);
        const auto found = id(token);
        if (found < 0) {
            throw ConfigError("The tokenizer has no token \"" + token + "\" for the role " + role + ".",
                              "Set " + role + " in tokenizer_config.json to a token of the vocabulary.");
        }
        return {{found}, {token}};
    }

    /// The beginning and end of sequence tokens around texts, as add_bos_token and add_eos_token ask.
    void add_boundary_template(const TokenizerConfig& config) {
        std::vector<TemplateProcessing::Part> single, pair;
        for (int text = 0; text < 2; ++text) {
            const auto add = [&](const char* option, const char* role) {
                if (!config.place().boolean_or(option, false) || config.special_tokens.count(role) == 0) return;
                pair.push_back({-1, text, special(config, role, "")});
            };
            add("add_bos_token", "bos_token");
            pair.push_back({text, text});
            add("add_eos_token", "eos_token");
            if (text == 0) single = pair;
        }
        post_processor = PostProcessor(TemplateProcessing(std::move(single), std::move(pair)));
    }

    /// The id of a token, added ones first, or -1.
    [[nodiscard]] std::int32_t id(const std::string& token) const {
        const auto found = added.id(token);
        return found >= 0 ? found : model.id(token);
    }
    /// The token of an id, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const {
        const auto* found = added.token(id);
        return found ? found : model.token(id);
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PARTS_HPP

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

namespace detail {

/// Reads merges.txt: two tokens a line.
[[nodiscard]] inline Merges read_merges_txt(const std::string& bytes, const Vocabulary& vocabulary) {
    Merges made;
    std::size_t number = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        std::size_t end = bytes.find('\n', at);
        if (end == std::string::npos) end = bytes.size();
        std::string_view line = std::string_view(bytes).substr(at, end - at);
        at = end + 1;
        ++number;
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.empty() || line.substr(0, 8) == "#version") continue;
        const auto refuse = [&](const std::string& why) {
            throw ConfigError("merges.txt: line " + std::to_string(number) + " " + why + ".",
                              "Take merges.txt and vocab.json from the model's repository again.");
        };
        const auto space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
            refuse("is not two tokens with a space between");
        }
        const auto missing = made.add(line.substr(0, space), line.substr(space + 1), vocabulary, 0);
        if (!missing.empty())
            refuse("needs the token \"" + utf8::lossy(missing.substr(0, 100)) + "\", which is not in vocab.json");
    }
    return made;
}

inline constexpr const char* qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr const char* clip_pattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

/// What Whisper puts before a transcript: language and task where the configuration names them.
inline void add_whisper_template(Parts& parts, const TokenizerConfig& config) {
    const auto place = config.place();
    std::vector<TemplateProcessing::Part> single, pair;
    const auto add = [&](const std::string& token) {
        const auto id = parts.id(token);
        if (id >= 0) single.push_back({-1, 0, {{id}, {token}}});
    };
    add("<|startoftranscript|>");
    if (const auto language = place.find("language")) {
        if (language->string().size() != 2) language->fail("is no two-letter code");
        add("<|" + language->string() + "|>");
    }
    if (const auto task = place.find("task"); task) add("<|" + task->string() + "|>");
    if (!place.boolean_or("predict_timestamps", false)) add("<|notimestamps|>");
    const auto eos = parts.special(config, "eos_token", "<|endoftext|>");
    pair = single;
    single.push_back({0, 0});
    single.push_back({-1, 0, eos});
    pair.push_back({0, 0});
    pair.push_back({1, 1});
    pair.push_back({-1, 1, eos});
    parts.post_processor = PostProcessor(TemplateProcessing(std::move(single), std::move(pair)));
}

}  // namespace detail

/// The tokenizer of a directory with vocab.json and merges.txt.
[[nodiscard]] inline Parts read_merges(const std::filesystem::path& directory, const TokenizerConfig& given) {
    TokenizerConfig config = given;
    const auto name = config.family();
    const bool clip = name == "CLIP", qwen = name == "Qwen2", whisper = name == "Whisper", roberta = name == "Roberta";
    if (!clip && !qwen && !whisper && !roberta && name != "GPT2") {
        throw ConfigError("The tokenizer class \"" + name +
                              "\" cannot be built from vocab.json and merges.txt; known are " +
                              "GPT2Tokenizer, Qwen2Tokenizer, WhisperTokenizer, CLIPTokenizer and RobertaTokenizer.",
                          "Set tokenizer_class in tokenizer_config.json, or write a tokenizer.json with "
                          "AutoTokenizer.from_pretrained(...).save_pretrained(...) in Python.");
    }
    const std::string end = "<|endoftext|>";
    if (clip) {
        config.default_tokens(
            {{"unk_token", end}, {"bos_token", "<|startoftext|>"}, {"eos_token", end}, {"pad_token", end}});
    } else if (roberta) {
        config.default_tokens({{"bos_token", "<s>"},
                               {"eos_token", "</s>"},
                               {"sep_token", "</s>"},
                               {"cls_token", "<s>"},
                               {"unk_token", "<unk>"},
                               {"pad_token", "<pad>"},
                               {"mask_token", "<mask>"}});
    } else if (qwen) {
        config.default_tokens({{"unk_token", end}, {"eos_token", end}, {"pad_token", end}});
    } else {
        config.default_tokens({{"unk_token", end}, {"bos_token", end}, {"eos_token", end}});
    }
    const auto json = parse_json(read_file(directory / "vocab.json"), "vocab.json");
    auto vocabulary = read_vocabulary(JsonPlace(json, "vocab.json"));
    auto merges = detail::read_merges_txt(read_file(directory / "merges.txt"), vocabulary);
    BpeOptions options;
    if (clip) options.suffix = "</w>", options.unknown = config.token_or("unk_token", end);
    Parts made{Model{Bpe(std::move(vocabulary), std::move(merges), std::move(options))}};

    const bool space = config.place().boolean_or("add_prefix_space", false);
    PreTokenizerSequence pre;
    if (clip) {
        NormalizerSequence normalizers;
        normalizers.steps.push_back({NormalForm{unicode::nfc}});
        normalizers.steps.push_back({Replace{Pattern(Regex(R"(\s+)", "CLIPTokenizer")), " "}});
        normalizers.steps.push_back({Lowercase{}});
        made.normalizer = Normalizer{std::move(normalizers)};
        pre.steps.push_back({Split{Pattern(Regex(detail::clip_pattern, "CLIPTokenizer")), Behavior::removed, true}});
        pre.steps.push_back({ByteLevel(false, true)});
    } else if (qwen) {
        made.normalizer = Normalizer{NormalForm{unicode::nfc}};
        pre.steps.push_back(
            {Split{Pattern(Regex(detail::qwen2_pattern, "Qwen2Tokenizer")), Behavior::isolated, false}});
        pre.steps.push_back({ByteLevel(space, false)});
    } else {
        pre.steps.push_back({ByteLevel(space, true)});
    }
    made.pre_tokenizer = PreTokenizer{std::move(pre)};
    made.decoder = Decoder{ByteLevelDecoder{}};
    if (clip) {
        DecoderSequence decoders;
        decoders.steps.push_back({ByteLevelDecoder{}});
        decoders.steps.push_back({ReplaceDecoder{Pattern("</w>"), " "}});
        decoders.steps.push_back({Trim{}});
        made.decoder = Decoder{std::move(decoders)};
    }

    made.add_special_tokens(config);
    if (clip || roberta) {
        const auto cls = made.special(config, clip ? "bos_token" : "cls_token", "<s>");
        const auto sep = made.special(config, clip ? "eos_token" : "sep_token", "</s>");
        made.post_processor = PostProcessor(roberta_template(cls, sep));
    } else if (whisper) {
        detail::add_whisper_template(made, config);
    } else {
        made.add_boundary_template(config);
    }
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FROM_MERGES_HPP
// ---- silica/input/text/from_sentencepiece.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FROM_SENTENCEPIECE_HPP
#define SILICA_SINGLE_INPUT_TEXT_FROM_SENTENCEPIECE_HPP
/// LLaMA's and T5's tokenizers from a SentencePiece model, as transformers builds them where there is no
/// tokenizer.json.

// ---- silica/input/text/sentencepiece_model.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_SENTENCEPIECE_MODEL_HPP
#define SILICA_SINGLE_INPUT_TEXT_SENTENCEPIECE_MODEL_HPP
/// SentencePiece's model file (sentencepiece_model.proto): pieces with scores and types, and how they were trained.

// ---- silica/input/text/protobuf.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_PROTOBUF_HPP
#define SILICA_SINGLE_INPUT_TEXT_PROTOBUF_HPP
/// Reading protobuf messages field by field, never past their end.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace silica::text {

/// Walks over the fields of a message. After `next()` returned true, `field()` and `wire()` tell what there is; then
/// `number()` or `bytes()` hold its value. `damaged()` says whether the message broke off.
class ProtobufReader {
public:
    explicit ProtobufReader(std::string_view message) : rest_(message) {}

    [[nodiscard]] bool next() {
        if (damaged_ || rest_.empty()) return false;
        const std::uint64_t tag = varint();
        field_ = tag >> 3;
        wire_ = static_cast<unsigned>(tag & 7);
        if (field_ == 0) damaged_ = true;
        switch (wire_) {
            case 0:
                number_ = varint();
                break;
            case 1:
                number_ = fixed(8);
                break;
            case 2:
                take(varint());
                break;
            case 5:
                number_ = fixed(4);
                break;
            default:
                damaged_ = true;
        }
        return !damaged_;
    }
    [[nodiscard]] std::uint64_t field() const noexcept { return field_; }
    [[nodiscard]] unsigned wire() const noexcept { return wire_; }
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
    [[nodiscard]] bool damaged() const noexcept { return damaged_; }

private:
    [[nodiscard]] std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) break;
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= std::uint64_t{byte & 0x7FU} << shift;
            if (byte < 0x80) return value;
        }
        damaged_ = true;
        return 0;
    }
    [[nodiscard]] std::uint64_t fixed(std::size_t n) {
        if (rest_.size() < n) {
            damaged_ = true;
            return 0;
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
        }
        rest_.remove_prefix(n);
        return value;
    }
    void take(std::uint64_t n) {
        if (damaged_ || n > rest_.size()) {
            damaged_ = true;
            return;
        }
        bytes_ = rest_.substr(0, static_cast<std::size_t>(n));
        rest_.remove_prefix(static_cast<std::size_t>(n));
    }

    std::string_view rest_, bytes_;
    std::uint64_t field_ = 0, number_ = 0;
    unsigned wire_ = 0;
    bool damaged_ = false;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_PROTOBUF_HPP

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// What tokenizer.model, spiece.model or sentencepiece.bpe.model hold, as far as tokenizing needs it.
struct SentencePieceModel {
    enum PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
    struct Piece {
        std::string text = {};
        float score = 0;
        int type = normal;
    };
    enum ModelType { unigram = 1, bpe = 2, word = 3, character = 4 };

    std::vector<Piece> pieces = {};
    int model_type = unigram;
    bool byte_fallback = false;
    std::string charsmap = {};  ///< precompiled_charsmap of the normalizer

    /// Reads the bytes of a model file. ConfigError, with the file's name, where they are damaged.
    [[nodiscard]] static SentencePieceModel read(std::string_view bytes, const std::string& file) {
        SentencePieceModel made;
        ProtobufReader top(bytes);
        while (top.next()) {
            if (top.wire() != 2) continue;
            if (top.field() == 1) made.pieces.push_back(read_piece(top.bytes(), file));
            if (top.field() == 2) made.read_trainer(top.bytes(), file);
            if (top.field() == 3) made.read_normalizer(top.bytes(), file);
        }
        if (top.damaged()) damaged(file, "breaks off in the middle of a field");
        if (made.pieces.empty()) damaged(file, "holds no pieces");
        return made;
    }

private:
    [[noreturn]] static void damaged(const std::string& file, const std::string& why) {
        throw ConfigError(file + " is no SentencePiece model: it " + why + ".",
                          "Take the file from the model's repository again.");
    }
    [[nodiscard]] static Piece read_piece(std::string_view bytes, const std::string& file) {
        Piece made;
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 1 && in.wire() == 2) made.text = in.bytes();
            if (in.field() == 2 && in.wire() == 5)
                made.score = std::bit_cast<float>(static_cast<std::uint32_t>(in.number()));
            if (in.field() == 3 && in.wire() == 0) made.type = static_cast<int>(in.number() & 0x7F);
        }
        if (in.damaged()) damaged(file, "has a piece that breaks off");
        if (utf8::first_invalid(made.text) != std::string::npos) damaged(file, "has a piece that is not UTF-8");
        if (!std::isfinite(made.score)) damaged(file, "has a piece whose score is no number");
        return made;
    }
    void read_trainer(std::string_view bytes, const std::string& file) {
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 3 && in.wire() == 0) model_type = static_cast<int>(in.number() & 0x7F);
            if (in.field() == 35 && in.wire() == 0) byte_fallback = in.number() != 0;
        }
        if (in.damaged()) damaged(file, "has a trainer_spec that breaks off");
    }
    void read_normalizer(std::string_view bytes, const std::string& file) {
        ProtobufReader in(bytes);
        while (in.next()) {
            if (in.field() == 2 && in.wire() == 2) charsmap = in.bytes();
        }
        if (in.damaged()) damaged(file, "has a normalizer_spec that breaks off");
    }
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_SENTENCEPIECE_MODEL_HPP

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
#endif  // SILICA_SINGLE_INPUT_TEXT_FROM_SENTENCEPIECE_HPP
// ---- silica/input/text/from_vocab_txt.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FROM_VOCAB_TXT_HPP
#define SILICA_SINGLE_INPUT_TEXT_FROM_VOCAB_TXT_HPP
/// A BERT tokenizer from vocab.txt and tokenizer_config.json, as transformers' BertTokenizer builds it.

#include <filesystem>
#include <string>
#include <utility>

namespace silica::text {

/// The tokens of vocab.txt: one a line, the id is the line's number from 0. Lines end with LF, CRLF or CR.
[[nodiscard]] inline Vocabulary read_vocab_txt(const std::string& bytes) {
    if (const auto bad = utf8::first_invalid(bytes); bad != std::string::npos) {
        throw ConfigError("vocab.txt is not UTF-8 (byte " + std::to_string(bad) + ").",
                          "Take the file from the model's repository again.");
    }
    Vocabulary made;
    std::int32_t id = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        std::size_t end = bytes.find_first_of("\r\n", at);
        if (end == std::string::npos) end = bytes.size();
        made.add(std::string_view(bytes).substr(at, end - at), id++);
        at = end + (bytes.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    }
    if (id == 0) throw ConfigError("vocab.txt is empty.", "Take the file from the model's repository again.");
    return made;
}

/// The tokenizer of a directory with vocab.txt and, perhaps, tokenizer_config.json.
[[nodiscard]] inline Parts read_vocab_txt(const std::filesystem::path& directory, const TokenizerConfig& config) {
    const auto place = config.place();
    BertNormalizer normalizer;
    normalizer.lowercase = place.boolean_or("do_lower_case", true);
    normalizer.handle_chinese_chars = place.boolean_or("tokenize_chinese_chars", true);
    if (const auto strip = place.find("strip_accents")) normalizer.strip_accents = strip->boolean();

    Parts made{Model{WordPiece(read_vocab_txt(read_file(directory / "vocab.txt")),
                               config.token_or("unk_token", "[UNK]"), "##", 100)}};
    made.normalizer = Normalizer{normalizer};
    made.pre_tokenizer = PreTokenizer{BertPreTokenizer{}};
    made.decoder = Decoder{WordPieceDecoder{}};

    TokenizerConfig full = config;
    full.default_tokens({{"unk_token", "[UNK]"},
                         {"sep_token", "[SEP]"},
                         {"pad_token", "[PAD]"},
                         {"cls_token", "[CLS]"},
                         {"mask_token", "[MASK]"}});
    made.add_special_tokens(full);
    const auto cls = made.special(full, "cls_token", "[CLS]"), sep = made.special(full, "sep_token", "[SEP]");
    made.post_processor = PostProcessor(TemplateProcessing({{-1, 0, cls}, {0, 0}, {-1, 0, sep}},
                                                           {{-1, 0, cls}, {0, 0}, {-1, 0, sep}, {1, 1}, {-1, 1, sep}}));
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FROM_VOCAB_TXT_HPP
// ---- silica/input/text/tokenizer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_TOKENIZER_HPP
#define SILICA_SINGLE_INPUT_TEXT_TOKENIZER_HPP
/// The tokenizer of a checkpoint: text to token ids and back, equal to Hugging Face `tokenizers` id for id.
///
///     auto tokenizer = silica::text::Tokenizer::open("all-MiniLM-L6-v2");
///     auto encoding = tokenizer.encode("Hello, world!");       // encoding.ids, .attention_mask, .type_ids, .tokens
///     std::string text = tokenizer.decode(encoding.ids, true);

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
#endif  // SILICA_SINGLE_INPUT_TEXT_TOKENIZER_HPP
