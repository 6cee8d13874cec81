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
// ---- silica/input/text/chat_template.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_HPP
#define SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_HPP
/// The chat template of a checkpoint: messages to the prompt that the model was trained on, as
/// transformers' apply_chat_template renders it.

// ---- silica/core/json.hpp
#ifndef SILICA_SINGLE_CORE_JSON_HPP
#define SILICA_SINGLE_CORE_JSON_HPP
/// JSON documents kept as values: configurations. Built on the reader that checkpoint headers use; small, since every
/// program that opens a model compiles it.

// ---- silica/core/json_reader.hpp
#ifndef SILICA_SINGLE_CORE_JSON_READER_HPP
#define SILICA_SINGLE_CORE_JSON_READER_HPP
/// Reads JSON front to back without keeping it: the headers and indexes of checkpoints, which come from strangers and
/// may be 100 MB. One pass, memory only for the string at hand, nesting bounded. (`core/json.hpp` keeps whole
/// documents.)

// ---- silica/core/quote.hpp
#ifndef SILICA_SINGLE_CORE_QUOTE_HPP
#define SILICA_SINGLE_CORE_QUOTE_HPP
/// Names from files and users, made fit to print in an error.

#include <cstddef>
#include <string>
#include <string_view>

namespace silica {

/// `name` in single quotes, fit to print: cut after 120 bytes, control bytes shown as '?'.
[[nodiscard]] inline std::string quote(std::string_view name) {
    constexpr std::size_t longest = 120;
    std::string out = "'";
    for (const char c : name.substr(0, longest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (name.size() > longest) {
        while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
        if (static_cast<unsigned char>(out.back()) >= 0xc0U) out.pop_back();
        out += "...";
    }
    return out + "'";
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_QUOTE_HPP
// ---- silica/core/utf8.hpp
#ifndef SILICA_SINGLE_CORE_UTF8_HPP
#define SILICA_SINGLE_CORE_UTF8_HPP
/// UTF-8: checking it, writing it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace silica {

/// The position of the first byte that is not well-formed UTF-8 (RFC 3629), or text.size().
[[nodiscard]] inline std::size_t first_bad_utf8(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t i = 0;
    while (i < text.size()) {
        if (text.size() - i >= 8) {  // eight ASCII bytes at a time
            std::uint64_t word = 0;
            std::memcpy(&word, text.data() + i, 8);
            if ((word & 0x8080808080808080U) == 0) {
                i += 8;
                continue;
            }
        }
        const unsigned lead = at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return i;
        const unsigned second = at(i + 1);
        const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;   // no overlong forms
        const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;  // no surrogates, nothing over 10FFFF
        if (second < low || second > high) return i;
        for (std::size_t k = 2; k < length; ++k)
            if ((at(i + k) & 0xc0U) != 0x80U) return i;
        i += length;
    }
    return i;
}

/// Appends the UTF-8 form of a code point (at most 0x10FFFF, no surrogate).
inline void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
        put(0xc0U | code >> 6U);
    } else {
        if (code < 0x10000) {
            put(0xe0U | code >> 12U);
        } else {
            put(0xf0U | code >> 18U);
            put(0x80U | (code >> 12U & 0x3fU));
        }
        put(0x80U | (code >> 6U & 0x3fU));
    }
    put(0x80U | (code & 0x3fU));
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_UTF8_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace silica {

/// A cursor over JSON text. Every function reads one thing or throws a CheckpointError that says where and why.
class JsonReader {
public:
    /// `source` names the text in errors ("model.safetensors: header"); `remedy` is their second half.
    JsonReader(std::string_view text, std::string source, std::string remedy)
        : text_(text), source_(std::move(source)), remedy_(std::move(remedy)) {
        at_ = first_bad_utf8(text_);
        if (at_ != text_.size()) fail("is not UTF-8");
        at_ = 0;
    }

    /// Throws: the text, at this line and column, `problem` ("has no member 'dtype'").
    [[noreturn]] void fail(std::string_view problem) const {
        const auto before = text_.substr(0, std::min(at_, text_.size()));
        const auto line = 1 + std::count(before.begin(), before.end(), '\n');
        const auto newline = before.rfind('\n');
        const auto column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
        throw CheckpointError(source_ + " (line " + std::to_string(line) + ", column " + std::to_string(column) + ") " +
                                  std::string(problem) + ".",
                              remedy_);
    }

    /// The next byte that is not white space, not consumed; 0 at the end.
    [[nodiscard]] char peek() noexcept {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
            ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    /// Reads an object; `member(key)` must read the value that follows.
    template <class Member>
    void object(Member&& member) {
        sequence('{', '}', "an object", [&] {
            std::string key = string();
            expect(':');
            member(std::move(key));
        });
    }

    /// Reads an array; `item()` must read one value.
    template <class Item>
    void array(Item&& item) {
        sequence('[', ']', "an array", item);
    }

    /// Reads a string, with its escapes replaced.
    [[nodiscard]] std::string string() {
        if (peek() != '"') fail("should have a string here");
        ++at_;
        std::string out;
        while (true) {
            const auto end = std::find_if(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.end(), [](char c) {
                return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
            });
            const auto stop = static_cast<std::size_t>(end - text_.begin());
            out.append(text_, at_, stop - at_);
            at_ = stop;
            if (at_ == text_.size()) fail("ends inside a string");
            if (text_[at_] == '"') break;
            if (text_[at_] != '\\') fail("has a control character in a string");
            escape(out);
        }
        ++at_;
        return out;
    }

    /// Reads a whole number from 0 to 2^64 - 1; `what()` names it in errors.
    template <class What>
    [[nodiscard]] std::uint64_t number(What&& what) {
        const char first = peek();
        if (first < '0' || first > '9') fail(what() + " should be a whole number, 0 or more");
        const std::size_t begin = at_;
        std::uint64_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
            if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) fail(what() + " is 2^64 or more");
            value = value * 10 + digit;
        }
        if (first == '0' && at_ - begin > 1) fail(what() + " has a leading zero");
        if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
            fail(what() + " should be a whole number");
        return value;
    }

    /// Reads `null` if that comes next.
    [[nodiscard]] bool null() {
        if (peek() != 'n') return false;
        literal("null");
        return true;
    }

    /// Reads `word`: true, false, null, and what Python writes besides.
    void literal(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) fail("is not valid JSON");
        at_ += word.size();
    }

    /// Whether this comes next.
    [[nodiscard]] bool starts_with(std::string_view word) const noexcept {
        return text_.substr(at_, word.size()) == word;
    }

    /// Reads a number of any kind and returns its text.
    [[nodiscard]] std::string_view number_literal() {
        static_cast<void>(peek());
        const std::size_t begin = at_;
        const auto next = [this](std::string_view set) {
            return at_ < text_.size() && set.find(text_[at_]) != std::string_view::npos && (++at_, true);
        };
        static_cast<void>(next("-"));
        if (!next("0")) digits();
        if (next(".")) digits();
        if (next("eE")) {
            static_cast<void>(next("+-"));
            digits();
        }
        return text_.substr(begin, at_ - begin);
    }

    /// Reads any value and forgets it.
    void skip() {
        switch (peek()) {
            case '{':
                return object([this](const std::string&) { skip(); });
            case '[':
                return array([this] { skip(); });
            case '"':
                return static_cast<void>(string());
            case 't':
                return literal("true");
            case 'f':
                return literal("false");
            case 'n':
                return literal("null");
            default:
                static_cast<void>(number_literal());
        }
    }

    /// Throws unless nothing but white space is left.
    void end() {
        if (peek() != '\0' || at_ != text_.size()) fail("has more text after the end of the JSON");
    }

private:
    template <class Item>
    void sequence(char open, char close, std::string_view what, Item&& item) {
        constexpr int deepest = 64;
        if (peek() != open) fail("should have " + std::string(what) + " here");
        if (++depth_ > deepest) fail("is nested more than 64 deep");
        ++at_;
        if (peek() == close) {
            ++at_;
        } else {
            while (true) {
                item();
                const char c = peek();
                if (c != ',' && c != close) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
                ++at_;
                if (c == close) break;
            }
        }
        --depth_;
    }

    void expect(char c) {
        if (peek() != c) fail(std::string("should have '") + c + "' here");
        ++at_;
    }

    void digits() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        if (at_ == begin) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
    }

    unsigned hex4() {
        unsigned value = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = at_ < text_.size() ? text_[at_] : '\0';
            const char lower = static_cast<char>(c | 0x20);
            if (c >= '0' && c <= '9')
                value = value * 16 + static_cast<unsigned>(c - '0');
            else if (lower >= 'a' && lower <= 'f')
                value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
            else
                fail("has a bad \\u escape");
        }
        return value;
    }

    void escape(std::string& out) {
        constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        ++at_;
        const char c = at_ < text_.size() ? text_[at_] : '\0';
        ++at_;
        if (const auto k = letters.find(c); c != '\0' && k != std::string_view::npos) {
            out += meanings[k];
            return;
        }
        if (c != 'u') fail("has a bad escape in a string");
        std::uint32_t code = hex4();
        if (code >= 0xd800 && code < 0xdc00 && text_.substr(std::min(at_, text_.size()), 2) == "\\u") {
            at_ += 2;
            const std::uint32_t low = hex4();
            if (low < 0xdc00 || low > 0xdfff) fail("has half of a surrogate pair");
            code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
        } else if (code >= 0xd800 && code < 0xe000) {
            fail("has half of a surrogate pair");
        }
        append_utf8(out, code);
    }

    std::string_view text_;
    std::string source_, remedy_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_READER_HPP

#include <cstdint>
#include <limits>
#include <locale>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica {

/// A parsed value. Objects keep the order of the file; a name that stands twice in one object is an error of parsing.
class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<std::pair<std::string, Json>>;

    Json() = default;
    template <class T>
        requires(!std::is_same_v<std::remove_cvref_t<T>, Json>)
    explicit Json(T value) : value_(std::move(value)) {}

    /// Parses a whole text (RFC 8259, and the NaN and Infinity that Python writes). `source` names it in errors:
    /// ConfigError with line and column.
    [[nodiscard]] static Json parse(std::string_view text, const std::string& source);

    [[nodiscard]] bool is_null() const { return holds<std::monostate>(); }
    [[nodiscard]] bool is_bool() const { return holds<bool>(); }
    [[nodiscard]] bool is_integer() const { return holds<std::int64_t>(); }
    [[nodiscard]] bool is_number() const { return holds<std::int64_t>() || holds<double>(); }
    [[nodiscard]] bool is_string() const { return holds<std::string>(); }
    [[nodiscard]] bool is_array() const { return holds<Array>(); }
    [[nodiscard]] bool is_object() const { return holds<Object>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
    [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(value_); }
    [[nodiscard]] double number() const {
        return holds<double>() ? std::get<double>(value_) : static_cast<double>(integer());
    }
    [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
    [[nodiscard]] const Array& array() const { return std::get<Array>(value_); }
    [[nodiscard]] const Object& object() const { return std::get<Object>(value_); }

    /// The value of a name; null when this is no object or has no such name.
    [[nodiscard]] const Json* find(std::string_view name) const {
        if (!is_object()) return nullptr;
        for (const auto& [key, value] : object()) {
            if (key == name) return &value;
        }
        return nullptr;
    }

    /// The value as short text for an error: `true`, `-3`, `"gelu"`, `a list`.
    [[nodiscard]] std::string brief() const {
        if (is_null()) return "null";
        if (is_bool()) return boolean() ? "true" : "false";
        if (is_integer()) return std::to_string(integer());
        if (is_string()) return quote(string());
        if (is_array()) return "a list";
        if (is_object()) return "an object";
        std::ostringstream text;
        text.imbue(std::locale::classic());
        text << number();
        return text.str();
    }

private:
    template <class T>
    [[nodiscard]] bool holds() const {
        return std::holds_alternative<T>(value_);
    }
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

namespace detail {

/// The value of a JSON number: an integer where it is one and fits, else the nearest double.
inline Json json_number(std::string_view literal) {
    std::istringstream in{std::string(literal)};
    in.imbue(std::locale::classic());
    if (literal.find_first_of(".eE") == std::string_view::npos) {
        std::int64_t whole = 0;
        if (in >> whole) return Json(whole);
        in.clear();
        in.str(std::string(literal));
    }
    double value = 0;
    if (!(in >> value) && value != 0)
        value = value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return Json(value);
}

inline Json json_value(JsonReader& in) {
    switch (in.peek()) {
        case '{': {
            Json::Object members;
            std::set<std::string> seen;
            in.object([&](std::string name) {
                if (!seen.insert(name).second) in.fail("has the name " + quote(name) + " twice in one object");
                members.emplace_back(std::move(name), json_value(in));
            });
            return Json(std::move(members));
        }
        case '[': {
            Json::Array items;
            in.array([&] { items.push_back(json_value(in)); });
            return Json(std::move(items));
        }
        case '"':
            return Json(in.string());
        case 't':
            in.literal("true");
            return Json(true);
        case 'f':
            in.literal("false");
            return Json(false);
        case 'n':
            in.literal("null");
            return {};
        case 'N':
            in.literal("NaN");
            return Json(std::numeric_limits<double>::quiet_NaN());
        case 'I':
            in.literal("Infinity");
            return Json(std::numeric_limits<double>::infinity());
        default:
            break;
    }
    if (in.starts_with("-I")) {
        in.literal("-Infinity");
        return Json(-std::numeric_limits<double>::infinity());
    }
    return json_number(in.number_literal());
}

}  // namespace detail

inline Json Json::parse(std::string_view text, const std::string& source) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    try {
        JsonReader in(text, source, "Correct the file, or download it again.");
        Json value = detail::json_value(in);
        in.end();
        return value;
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_HPP
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
// ---- silica/input/text/jinja/template.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_HPP
/// A Jinja template: parsed once, rendered often.

// ---- silica/input/text/jinja/interpreter.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_INTERPRETER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_INTERPRETER_HPP
/// Runs statements.

// ---- silica/input/text/jinja/blocks.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_BLOCKS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_BLOCKS_HPP
/// What blocks share: scopes, captured output, assignment, and macros.

// ---- silica/input/text/jinja/evaluator.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_EVALUATOR_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_EVALUATOR_HPP
/// Computes expressions.

// ---- silica/input/text/jinja/arithmetic.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_ARITHMETIC_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_ARITHMETIC_HPP
/// Python's arithmetic: + - * / // % **. Integers have 64 bits; more is a Problem.

// ---- silica/input/text/jinja/operators.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_OPERATORS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_OPERATORS_HPP
/// Python's operators on values: truth, equality, order, membership, length, iteration.

// ---- silica/input/text/jinja/print.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_PRINT_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_PRINT_HPP
/// Python's str() and repr() of values.

// ---- silica/input/text/jinja/session.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SESSION_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SESSION_HPP
/// What bounds one rendering: templates are untrusted, so steps, memory and nesting are counted.

// ---- silica/input/text/jinja/value.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_VALUE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_VALUE_HPP
/// The values of a template: Python's, as far as templates can see them. Cheap to copy; all but namespaces, iterators
/// and loops are immutable.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace silica::text::jinja {

struct List;
struct Dict;
struct Range;
struct Iterator;
struct View;
struct Namespace;
struct Callable;
struct Loop;

/// Jinja's Undefined: prints as nothing, is false, and cannot be used otherwise. `problem` says what is missing.
struct Undefined {
    std::shared_ptr<const std::string> problem = {};
};
/// Python's None.
struct None {};

/// One value.
class Value {
public:
    using Text = std::shared_ptr<const std::string>;

    Value() = default;  ///< undefined
    Value(Undefined v) : data_(std::move(v)) {}
    Value(None v) : data_(v) {}
    explicit Value(bool v) : data_(v) {}
    explicit Value(std::int64_t v) : data_(v) {}
    explicit Value(double v) : data_(v) {}
    explicit Value(std::string v) : data_(std::make_shared<const std::string>(std::move(v))) {}
    explicit Value(const char* v) : Value(std::string(v)) {}
    template <class T>
    explicit Value(std::shared_ptr<T> v) : data_(std::move(v)) {}

    template <class T>
    [[nodiscard]] bool is() const noexcept {
        return std::holds_alternative<T>(data_);
    }
    /// Whether it holds a reference to a T.
    template <class T>
    [[nodiscard]] bool holds() const noexcept {
        return is<std::shared_ptr<T>>();
    }
    template <class T>
    [[nodiscard]] const std::shared_ptr<T>& ref() const {
        return std::get<std::shared_ptr<T>>(data_);
    }

    [[nodiscard]] bool is_undefined() const noexcept { return is<Undefined>(); }
    [[nodiscard]] bool is_none() const noexcept { return is<None>(); }
    [[nodiscard]] bool is_bool() const noexcept { return is<bool>(); }
    /// An int; True and False are no ints here (`is_whole` counts them as such).
    [[nodiscard]] bool is_integer() const noexcept { return is<std::int64_t>(); }
    [[nodiscard]] bool is_whole() const noexcept { return is_integer() || is_bool(); }
    [[nodiscard]] bool is_real() const noexcept { return is<double>(); }
    [[nodiscard]] bool is_number() const noexcept { return is_whole() || is_real(); }
    [[nodiscard]] bool is_text() const noexcept { return is<Text>(); }
    [[nodiscard]] bool is_sequence() const noexcept { return holds<const List>(); }
    [[nodiscard]] bool is_dict() const noexcept { return holds<const Dict>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(data_); }
    [[nodiscard]] std::int64_t whole() const { return is_bool() ? boolean() : std::get<std::int64_t>(data_); }
    [[nodiscard]] double number() const { return is_real() ? std::get<double>(data_) : static_cast<double>(whole()); }
    [[nodiscard]] const std::string& text() const { return *std::get<Text>(data_); }
    [[nodiscard]] const List& list() const { return *ref<const List>(); }
    [[nodiscard]] const Dict& dict() const { return *ref<const Dict>(); }
    [[nodiscard]] const Undefined& undefined() const { return std::get<Undefined>(data_); }

private:
    std::variant<Undefined, None, bool, std::int64_t, double, Text, std::shared_ptr<const List>,
                 std::shared_ptr<const Dict>, std::shared_ptr<const Range>, std::shared_ptr<Iterator>,
                 std::shared_ptr<const View>, std::shared_ptr<Namespace>, std::shared_ptr<const Callable>,
                 std::shared_ptr<Loop>>
        data_;
};

using Values = std::vector<Value>;

/// A list or a tuple.
struct List {
    Values items = {};
    bool is_tuple = false;
    unsigned depth = 1;  ///< of nesting
};
/// A dict: pairs in order, keys differ.
struct Dict {
    std::vector<std::pair<Value, Value>> items = {};
    unsigned depth = 1;
};
/// range(start, stop, step).
struct Range {
    std::int64_t start = 0, stop = 0, step = 1;
    [[nodiscard]] std::int64_t size() const noexcept {
        if (step > 0) return start < stop ? (stop - start - 1) / step + 1 : 0;
        return start > stop ? (start - stop - 1) / -step + 1 : 0;
    }
};
/// What map, select, reverse and their like return: passes once.
struct Iterator {
    Values items = {};
    std::size_t next = 0;
};
/// dict.keys(), dict.values(), dict.items().
struct View {
    std::shared_ptr<const Dict> of;
    std::string name;  ///< "keys", "values", "items"
};
/// namespace(...): its attributes can be set.
struct Namespace {
    Dict attributes = {};
};

/// The arguments of a call, a filter or a test.
struct Args {
    Values at = {};
    std::vector<std::pair<std::string, Value>> named = {};
};

struct Statement;
struct Scope;

/// What can be called: a global function, a method with its object, or a macro with the scope it stands in.
struct Callable {
    std::string name;
    Value self = {};
    bool is_method = false;
    const Statement* macro = nullptr;
    std::shared_ptr<Scope> scope = {};
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_VALUE_HPP

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Something a template does that cannot be done. The template's name and the line are added where it is caught.
struct Problem : std::runtime_error {
    using std::runtime_error::runtime_error;
};
/// The text that a template passed to raise_exception.
struct Raised : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Local time; tests pass their own.
using Clock = std::function<std::tm()>;

/// One rendering: what it has spent, where it is, and the namespaces it made.
class Session {
public:
    static constexpr std::size_t most_steps = 10'000'000;            ///< about a second
    static constexpr std::size_t most_bytes = std::size_t{1} << 28;  ///< of all values ever made
    static constexpr unsigned most_depth = 400;     ///< of calls, blocks and expressions inside each other
    static constexpr unsigned deepest_value = 100;  ///< of lists in lists

    explicit Session(Clock now) : clock(std::move(now)) {}
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        for (const auto& made : namespaces_) made->attributes.items.clear();  // they may hold each other
    }

    /// Counts work. Problem when there was too much.
    void spend(std::size_t steps) {
        if (steps > most_steps - steps_) {
            throw Problem("takes more than " + std::to_string(most_steps) + " steps; it may loop for ever");
        }
        steps_ += steps;
    }
    /// Counts memory before it is taken.
    void take(std::size_t bytes) {
        if (bytes > most_bytes - bytes_) {
            throw Problem("makes more than " + std::to_string(most_bytes >> 20) + " MB of text and lists");
        }
        bytes_ += bytes;
        spend(bytes / 64);
    }

    /// A string value.
    [[nodiscard]] Value text(std::string s) {
        take(s.size() + 32);
        return Value(std::move(s));
    }
    [[nodiscard]] Value list(Values items, bool is_tuple = false) {
        take((items.size() + 2) * sizeof(Value));
        unsigned deepest = 0;
        for (const auto& item : items) deepest = std::max(deepest, depth_of(item));
        return Value(std::shared_ptr<const List>(new List{std::move(items), is_tuple, deeper(deepest)}));
    }
    [[nodiscard]] Value tuple(Values items) { return list(std::move(items), true); }
    [[nodiscard]] Value pair(Value a, Value b) { return tuple({std::move(a), std::move(b)}); }
    [[nodiscard]] Value dict(Dict made) {
        take((made.items.size() + 1) * 2 * sizeof(Value));
        unsigned deepest = 0;
        for (const auto& [key, value] : made.items) deepest = std::max(deepest, depth_of(value));
        made.depth = deeper(deepest);
        return Value(std::make_shared<const Dict>(std::move(made)));
    }
    [[nodiscard]] Value iterator(Values items) {
        take((items.size() + 2) * sizeof(Value));
        unsigned deepest = 0;
        for (const auto& item : items) deepest = std::max(deepest, depth_of(item));
        if (deepest > 0) static_cast<void>(deeper(deepest));
        return Value(std::make_shared<Iterator>(Iterator{std::move(items), 0}));
    }
    [[nodiscard]] Value make_namespace(Dict attributes) {
        take(128);
        auto made = std::make_shared<Namespace>(Namespace{std::move(attributes)});
        namespaces_.push_back(made);
        return Value(std::move(made));
    }
    /// Undefined, with the reason for whoever uses it.
    [[nodiscard]] Value missing(std::string problem) {
        take(problem.size() + 32);
        return Undefined{std::make_shared<const std::string>(std::move(problem))};
    }

    Clock clock;
    unsigned line = 1, depth = 0;

private:
    [[nodiscard]] static unsigned depth_of(const Value& v) {
        if (v.is_sequence()) return v.list().depth;
        if (v.is_dict()) return v.dict().depth;
        if (v.holds<const View>()) return v.ref<const View>()->of->depth + 1;
        if (v.holds<Iterator>()) return 20;
        if (v.holds<const Callable>()) return 1 + depth_of(v.ref<const Callable>()->self);
        return 0;
    }
    [[nodiscard]] static unsigned deeper(unsigned below) {
        if (below >= deepest_value) {
            throw Problem("nests lists more than " + std::to_string(deepest_value) + " deep");
        }
        return below + 1;
    }

    std::size_t steps_ = 0, bytes_ = 0;
    std::vector<std::shared_ptr<Namespace>> namespaces_;
};

/// Counts a level of nesting while it lives.
class Level {
public:
    explicit Level(Session& session) : session_(session) {
        if (session_.depth >= Session::most_depth) {
            throw Problem("nests calls, blocks or expressions more than " + std::to_string(Session::most_depth) +
                          " deep");
        }
        ++session_.depth;
    }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --session_.depth; }

private:
    Session& session_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SESSION_HPP
// ---- silica/input/text/jinja/strings.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_STRINGS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_STRINGS_HPP
/// Python's str: case, white space, code points.

#include <utf8proc.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text::jinja {

/// str.isspace of one character.
[[nodiscard]] inline bool is_space(char32_t c) noexcept {
    return unicode::detail::white_space(c) || (c >= 0x1C && c <= 0x1F);
}

/// The characters of valid UTF-8.
[[nodiscard]] inline std::u32string characters(std::string_view text) {
    std::u32string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = utf8::decode(text.data() + i);
        out.push_back(c.value);
        i += c.length;
    }
    return out;
}
[[nodiscard]] inline std::string utf8_of(std::u32string_view text) {
    std::string out;
    for (const char32_t c : text) utf8::append(out, c);
    return out;
}

/// The text without characters of `set` (white space where there is none) at its ends.
[[nodiscard]] inline std::string_view strip(std::string_view text, bool left, bool right,
                                            const std::optional<std::u32string>& set = std::nullopt) {
    const auto gone = [&set](char32_t c) { return set ? set->find(c) != std::u32string::npos : is_space(c); };
    while (left && !text.empty()) {
        const auto c = utf8::decode(text.data());
        if (!gone(c.value)) break;
        text.remove_prefix(c.length);
    }
    while (right && !text.empty()) {
        const auto c = utf8::decode_before(text, text.size());
        if (!gone(c.value)) break;
        text.remove_suffix(c.length);
    }
    return text;
}

namespace detail {

[[nodiscard]] inline utf8proc_category_t category(char32_t c) {
    return static_cast<utf8proc_category_t>(utf8proc_category(static_cast<utf8proc_int32_t>(c)));
}
[[nodiscard]] inline bool upper_case(char32_t c) {
    const auto k = category(c);
    return k == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216F) || (c >= 0x24B6 && c <= 0x24CF);
}
[[nodiscard]] inline bool lower_case(char32_t c) {
    const auto k = category(c);
    return k == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA || (c >= 0x2170 && c <= 0x217F) ||
           (c >= 0x24D0 && c <= 0x24E9) || (c >= 0x2B0 && c <= 0x2B8);
}
[[nodiscard]] inline bool cased(char32_t c) {
    return upper_case(c) || lower_case(c) || category(c) == UTF8PROC_CATEGORY_LT;
}
[[nodiscard]] inline bool letter(char32_t c) { return unicode::Classes::get().is(c, unicode::is_letter); }

/// Characters whose upper case is several characters.
[[nodiscard]] inline std::u32string_view long_upper(char32_t c) {
    switch (c) {
        case 0xDF:
            return U"SS";
        case 0x149:
            return U"\u02BCN";
        case 0x1F0:
            return U"J\u030C";
        case 0x390:
            return U"\u0399\u0308\u0301";
        case 0x3B0:
            return U"\u03A5\u0308\u0301";
        case 0x587:
            return U"\u0535\u0552";
        case 0xFB00:
            return U"FF";
        case 0xFB01:
            return U"FI";
        case 0xFB02:
            return U"FL";
        case 0xFB03:
            return U"FFI";
        case 0xFB04:
            return U"FFL";
        case 0xFB05:
        case 0xFB06:
            return U"ST";
        default:
            return {};
    }
}
inline void put_upper(std::u32string& out, char32_t c) {
    if (const auto several = long_upper(c); !several.empty()) {
        out.append(several);
    } else {
        out.push_back(static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
    }
}
inline void put_title(std::u32string& out, char32_t c) {
    if (const auto several = long_upper(c); !several.empty()) {
        out.push_back(several[0]);
        for (std::size_t i = 1; i < several.size(); ++i) {
            out.push_back(c == 0x390 || c == 0x3B0 || c == 0x149 || c == 0x1F0
                              ? several[i]
                              : static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(several[i]))));
        }
    } else {
        out.push_back(static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
    }
}
/// The lower case of text[i]; a sigma that ends a word is another letter.
inline void put_lower(std::u32string& out, std::u32string_view text, std::size_t i) {
    const char32_t c = text[i];
    if (c == 0x130) {
        out.append(U"i\u0307");
    } else if (c == 0x3A3) {
        const auto ignored = [](char32_t k) {
            const auto kind = category(k);
            return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_LM ||
                   kind == UTF8PROC_CATEGORY_SK || k == U'\'' || k == U'.' || k == U':' || k == 0x2019 || k == 0xB7;
        };
        std::size_t before = i, after = i + 1;
        while (before > 0 && ignored(text[before - 1])) --before;
        while (after < text.size() && ignored(text[after])) ++after;
        const bool last = before > 0 && cased(text[before - 1]) && !(after < text.size() && cased(text[after]));
        out.push_back(last ? 0x3C2 : 0x3C3);
    } else {
        out.push_back(unicode::detail::lower(c));
    }
}

}  // namespace detail

/// str.upper.
[[nodiscard]] inline std::string upper(std::string_view text) {
    std::u32string out;
    for (const char32_t c : characters(text)) detail::put_upper(out, c);
    return utf8_of(out);
}
/// str.lower.
[[nodiscard]] inline std::string lower(std::string_view text) {
    const auto all = characters(text);
    std::u32string out;
    for (std::size_t i = 0; i < all.size(); ++i) detail::put_lower(out, all, i);
    return utf8_of(out);
}
/// str.capitalize.
[[nodiscard]] inline std::string capitalize(std::string_view text) {
    const auto all = characters(text);
    std::u32string out;
    if (!all.empty()) detail::put_title(out, all[0]);
    for (std::size_t i = 1; i < all.size(); ++i) detail::put_lower(out, all, i);
    return utf8_of(out);
}
/// str.title.
[[nodiscard]] inline std::string title(std::string_view text) {
    const auto all = characters(text);
    std::u32string out;
    bool inside = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
        inside ? detail::put_lower(out, all, i) : detail::put_title(out, all[i]);
        inside = detail::cased(all[i]);
    }
    return utf8_of(out);
}

/// Replaces the first `count` occurrences, all where it is negative.
[[nodiscard]] inline std::string replace(std::string_view text, std::string_view old, std::string_view now,
                                         std::int64_t count) {
    std::string out;
    std::size_t from = 0;
    if (old.empty()) {
        while (count != 0) {
            out.append(now);
            --count;
            if (from >= text.size()) break;
            const auto n = utf8::length(text[from]);
            out.append(text.substr(from, n));
            from += n;
        }
        return out.append(text.substr(std::min(from, text.size())));
    }
    for (; count != 0; --count) {
        const auto found = text.find(old, from);
        if (found == std::string_view::npos) break;
        out.append(text.substr(from, found - from)).append(now);
        from = found + old.size();
    }
    return out.append(text.substr(from));
}

/// str.splitlines.
[[nodiscard]] inline std::vector<std::string> split_lines(std::string_view text, bool keep = false) {
    std::vector<std::string> lines;
    std::size_t start = 0;
    for (std::size_t i = 0; i < text.size();) {
        const auto c = utf8::decode(text.data() + i);
        const std::size_t at = i;
        i += c.length;
        const bool ends = (c.value >= 10 && c.value <= 13) || (c.value >= 0x1C && c.value <= 0x1E) || c.value == 0x85 ||
                          c.value == 0x2028 || c.value == 0x2029;
        if (!ends) continue;
        if (c.value == 13 && i < text.size() && text[i] == '\n') ++i;
        lines.emplace_back(text.substr(start, (keep ? i : at) - start));
        start = i;
    }
    if (start < text.size()) lines.emplace_back(text.substr(start));
    return lines;
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_STRINGS_HPP

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica::text::jinja {

/// The name of a value's type in Python.
[[nodiscard]] inline const char* type_name(const Value& v) {
    if (v.is_undefined()) return "Undefined";
    if (v.is_none()) return "NoneType";
    if (v.is_bool()) return "bool";
    if (v.is_integer()) return "int";
    if (v.is_real()) return "float";
    if (v.is_text()) return "str";
    if (v.is_sequence()) return v.list().is_tuple ? "tuple" : "list";
    if (v.is_dict()) return "dict";
    if (v.holds<const Range>()) return "range";
    if (v.holds<Iterator>()) return "generator";
    if (v.holds<const View>()) return "dict view";
    if (v.holds<Namespace>()) return "Namespace";
    if (v.holds<Loop>()) return "LoopContext";
    return "function";
}

/// repr of a float: the shortest digits that read back as the same number.
[[nodiscard]] inline std::string real_text(double x) {
    if (std::isnan(x)) return "nan";
    if (std::isinf(x)) return x < 0 ? "-inf" : "inf";
    char buffer[40];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::scientific).ptr;
    std::string_view all(buffer, static_cast<std::size_t>(end - buffer));
    std::string out;
    if (all.front() == '-') {
        out = "-";
        all.remove_prefix(1);
    }
    const auto e = all.find('e');
    std::string digits(all.substr(0, 1));
    if (e > 1) digits += all.substr(2, e - 2);
    int exponent = 0;
    const auto* first = all.data() + e + (all[e + 1] == '+' ? 2 : 1);
    std::from_chars(first, all.data() + all.size(), exponent);
    const int count = static_cast<int>(digits.size());
    if (exponent < -4 || exponent >= 16) {
        out += digits.substr(0, 1);
        if (count > 1) out += "." + digits.substr(1);
        out += exponent < 0 ? "e-" : "e+";
        const int size = std::abs(exponent);
        return out + (size < 10 ? "0" : "") + std::to_string(size);
    }
    if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    if (count <= exponent + 1)
        return out + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
    const auto point = static_cast<std::size_t>(exponent + 1);
    return out + digits.substr(0, point) + "." + digits.substr(point);
}

/// repr of a str.
[[nodiscard]] inline std::string python_quoted(std::string_view text) {
    const bool twice = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = twice ? '"' : '\'';
    std::string out(1, quote);
    const auto hex = [&out](char32_t c, int digits) {
        for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += "0123456789abcdef"[c >> shift & 15U];
    };
    for (const char32_t c : characters(text)) {
        if (c == U'\\' || c == static_cast<char32_t>(quote)) {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c == U'\n' || c == U'\r' || c == U'\t') {
            out += c == U'\n' ? "\\n" : c == U'\r' ? "\\r" : "\\t";
        } else if (c >= 0x20 && c < 0x7F) {
            out += static_cast<char>(c);
        } else {
            const auto kind = detail::category(c);
            const bool printable = kind != UTF8PROC_CATEGORY_CC && kind != UTF8PROC_CATEGORY_CF &&
                                   kind != UTF8PROC_CATEGORY_CS && kind != UTF8PROC_CATEGORY_CO &&
                                   kind != UTF8PROC_CATEGORY_CN && kind != UTF8PROC_CATEGORY_ZL &&
                                   kind != UTF8PROC_CATEGORY_ZP && kind != UTF8PROC_CATEGORY_ZS;
            if (printable) {
                utf8::append(out, c);
            } else if (c < 0x100) {
                out += "\\x", hex(c, 2);
            } else if (c < 0x10000) {
                out += "\\u", hex(c, 4);
            } else {
                out += "\\U", hex(c, 8);
            }
        }
    }
    return out + quote;
}

/// Appends repr(v).
inline void put_repr(Session& session, std::string& out, const Value& v);

namespace detail {

template <class Items, class Put>
void put_joined(Session& session, std::string& out, const Items& items, const char* open, const char* close,
                Put&& put) {
    const Level level(session);
    out += open;
    bool first = true;
    for (const auto& item : items) {
        if (!first) out += ", ";
        first = false;
        put(item);
    }
    out += close;
}
inline void put_dict(Session& session, std::string& out, const Dict& dict) {
    put_joined(session, out, dict.items, "{", "}", [&](const auto& item) {
        put_repr(session, out, item.first);
        out += ": ";
        put_repr(session, out, item.second);
    });
}

}  // namespace detail

inline void put_repr(Session& session, std::string& out, const Value& v) {
    session.spend(1);
    const std::size_t before = out.size();
    if (v.is_undefined()) {
        out += "Undefined";
    } else if (v.is_none()) {
        out += "None";
    } else if (v.is_bool()) {
        out += v.boolean() ? "True" : "False";
    } else if (v.is_integer()) {
        out += std::to_string(v.whole());
    } else if (v.is_real()) {
        out += real_text(v.number());
    } else if (v.is_text()) {
        out += python_quoted(v.text());
    } else if (v.is_sequence()) {
        const auto& list = v.list();
        const char* close = !list.is_tuple ? "]" : list.items.size() == 1 ? ",)" : ")";
        detail::put_joined(session, out, list.items, list.is_tuple ? "(" : "[", close,
                           [&](const Value& item) { put_repr(session, out, item); });
        return;
    } else if (v.is_dict()) {
        return detail::put_dict(session, out, v.dict());
    } else if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        out += "range(" + std::to_string(r.start) + ", " + std::to_string(r.stop);
        out += r.step == 1 ? ")" : ", " + std::to_string(r.step) + ")";
    } else if (v.holds<const View>()) {
        const auto& view = *v.ref<const View>();
        out += "dict_" + view.name + "(";
        detail::put_joined(session, out, view.of->items, "[", "]", [&](const auto& item) {
            if (view.name != "items") return put_repr(session, out, view.name == "keys" ? item.first : item.second);
            out += "(";
            put_repr(session, out, item.first);
            out += ", ";
            put_repr(session, out, item.second);
            out += ")";
        });
        out += ")";
        return;
    } else if (v.holds<Namespace>()) {
        out += "<Namespace ";
        detail::put_dict(session, out, v.ref<Namespace>()->attributes);
        out += ">";
        return;
    } else if (v.holds<const Callable>() && v.ref<const Callable>()->macro) {
        out += "<Macro " + python_quoted(v.ref<const Callable>()->name) + ">";
    } else {
        throw Problem(std::string("prints a ") + type_name(v) + ", which has no text of its own");
    }
    session.take(out.size() - before);
}

/// str(v).
[[nodiscard]] inline std::string text_of(Session& session, const Value& v) {
    if (v.is_text()) return v.text();
    if (v.is_undefined()) return {};
    std::string out;
    put_repr(session, out, v);
    return out;
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_PRINT_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace silica::text::jinja {

/// Problem when the value is undefined: nothing can be done with it.
inline void require_defined(const Value& v) {
    if (v.is_undefined()) throw Problem(v.undefined().problem ? *v.undefined().problem : "uses an undefined value");
}
/// Throws: this cannot be done with a value of this type.
[[noreturn]] inline void wrong_type(const std::string& what, const Value& v) {
    require_defined(v);
    throw Problem(what + " a value of type " + type_name(v));
}

/// Python's truth of a value.
[[nodiscard]] inline bool truth(const Value& v) {
    if (v.is_undefined() || v.is_none()) return false;
    if (v.is_whole()) return v.whole() != 0;
    if (v.is_real()) return v.number() != 0;
    if (v.is_text()) return !v.text().empty();
    if (v.is_sequence()) return !v.list().items.empty();
    if (v.is_dict()) return !v.dict().items.empty();
    if (v.holds<const Range>()) return v.ref<const Range>()->size() != 0;
    if (v.holds<const View>()) return !v.ref<const View>()->of->items.empty();
    return true;
}

/// a == b.
[[nodiscard]] inline bool equal(Session& session, const Value& a, const Value& b) {
    session.spend(1);
    if (a.is_number() && b.is_number()) {
        return a.is_whole() && b.is_whole() ? a.whole() == b.whole()
                                            : !(a.number() < b.number() || a.number() > b.number()) &&
                                                  !std::isnan(a.number()) && !std::isnan(b.number());
    }
    if (a.is_text() && b.is_text()) {
        session.spend(a.text().size() == b.text().size() ? a.text().size() / 64 : 0);
        return a.text() == b.text();
    }
    if (a.is_none() || a.is_undefined()) return a.is_none() ? b.is_none() : b.is_undefined();
    if (a.is_sequence() && b.is_sequence()) {
        const auto &x = a.list(), &y = b.list();
        if (x.is_tuple != y.is_tuple || x.items.size() != y.items.size()) return false;
        const Level level(session);
        for (std::size_t i = 0; i < x.items.size(); ++i) {
            if (!equal(session, x.items[i], y.items[i])) return false;
        }
        return true;
    }
    if (a.is_dict() && b.is_dict()) {
        const auto &x = a.dict().items, &y = b.dict().items;
        if (x.size() != y.size()) return false;
        const Level level(session);
        for (const auto& [key, value] : x) {
            bool found = false;
            for (const auto& [other, its] : y) {
                if (!equal(session, key, other)) continue;
                if (!equal(session, value, its)) return false;
                found = true;
                break;
            }
            if (!found) return false;
        }
        return true;
    }
    if (a.holds<const Range>() && b.holds<const Range>()) {
        const auto &x = *a.ref<const Range>(), &y = *b.ref<const Range>();
        return x.size() == y.size() && (x.size() == 0 || (x.start == y.start && (x.size() == 1 || x.step == y.step)));
    }
    if (a.holds<Namespace>() && b.holds<Namespace>()) return a.ref<Namespace>() == b.ref<Namespace>();
    if (a.holds<const Callable>() && b.holds<const Callable>()) {
        const auto &x = *a.ref<const Callable>(), &y = *b.ref<const Callable>();
        return &x == &y || (!x.macro && !y.macro && !x.is_method && !y.is_method && x.name == y.name);
    }
    return false;
}

/// a < b. Problem where Python knows no order.
[[nodiscard]] inline bool less(Session& session, const Value& a, const Value& b) {
    session.spend(1);
    if (a.is_number() && b.is_number()) {
        return a.is_whole() && b.is_whole() ? a.whole() < b.whole() : a.number() < b.number();
    }
    if (a.is_text() && b.is_text()) return a.text() < b.text();  // bytes of UTF-8 order as code points do
    if (a.is_sequence() && b.is_sequence() && a.list().is_tuple == b.list().is_tuple) {
        const auto &x = a.list().items, &y = b.list().items;
        const Level level(session);
        for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
            if (!equal(session, x[i], y[i])) return less(session, x[i], y[i]);
        }
        return x.size() < y.size();
    }
    require_defined(a);
    require_defined(b);
    throw Problem(std::string("orders a value of type ") + type_name(a) + " and one of type " + type_name(b));
}
[[nodiscard]] inline bool less_equal(Session& session, const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) {
        return a.is_whole() && b.is_whole() ? a.whole() <= b.whole() : a.number() <= b.number();
    }
    return !less(session, b, a);
}

/// Whether the value can be a key: what Python can hash.
[[nodiscard]] inline bool hashable(const Value& v) {
    if (v.is_dict() || v.holds<const View>()) return false;
    if (!v.is_sequence()) return true;
    if (!v.list().is_tuple) return false;
    for (const auto& item : v.list().items) {
        if (!hashable(item)) return false;
    }
    return true;
}

/// The value of a key; null where there is none.
[[nodiscard]] inline const Value* find(Session& session, const Dict& dict, const Value& key) {
    for (const auto& [name, value] : dict.items) {
        if (key.is_text() ? name.is_text() && name.text() == key.text() : equal(session, name, key)) return &value;
    }
    session.spend(dict.items.size() / 8);
    return nullptr;
}
[[nodiscard]] inline const Value* find(Session& session, const Dict& dict, std::string_view key) {
    session.spend(dict.items.size() / 8);
    for (const auto& [name, value] : dict.items) {
        if (name.is_text() && name.text() == key) return &value;
    }
    return nullptr;
}
/// Sets the value of a key, which keeps its place.
inline void assign(Session& session, Dict& dict, const Value& key, Value value) {
    if (!hashable(key)) wrong_type("has as a key", key);
    session.spend(dict.items.size() / 8);
    for (auto& [name, held] : dict.items) {
        if (equal(session, name, key)) {
            held = std::move(value);
            return;
        }
    }
    session.take(2 * sizeof(Value));
    dict.items.emplace_back(key, std::move(value));
}

/// len(v); nothing where Python has none.
[[nodiscard]] inline std::optional<std::int64_t> length(const Value& v) {
    std::size_t n = 0;
    if (v.is_text()) {
        n = utf8::count(v.text());
    } else if (v.is_sequence()) {
        n = v.list().items.size();
    } else if (v.is_dict()) {
        n = v.dict().items.size();
    } else if (v.holds<const View>()) {
        n = v.ref<const View>()->of->items.size();
    } else if (v.holds<const Range>()) {
        return v.ref<const Range>()->size();
    } else if (!v.is_undefined()) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(n);
}

/// Whether iter(v) works.
[[nodiscard]] inline bool iterable(const Value& v) {
    return length(v).has_value() || v.holds<Iterator>() || v.holds<Loop>();
}

/// All that iterating gives. An iterator is used up.
[[nodiscard]] inline Values iterate(Session& session, const Value& v) {
    Values out;
    if (const auto n = length(v)) {
        session.spend(static_cast<std::size_t>(*n));
        session.take(static_cast<std::size_t>(*n) * sizeof(Value));
        out.reserve(static_cast<std::size_t>(*n));
    }
    if (v.is_sequence()) {
        out = v.list().items;
    } else if (v.is_dict()) {
        for (const auto& item : v.dict().items) out.push_back(item.first);
    } else if (v.is_text()) {
        const std::string& text = v.text();
        session.take(utf8::count(text) * 48);
        for (std::size_t i = 0; i < text.size();) {
            const auto n = utf8::length(text[i]);
            out.emplace_back(text.substr(i, n));
            i += n;
        }
    } else if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        for (std::int64_t i = 0; i < r.size(); ++i) out.emplace_back(r.start + i * r.step);
    } else if (v.holds<Iterator>()) {
        auto& it = *v.ref<Iterator>();
        session.take((it.items.size() - it.next) * sizeof(Value));
        out.assign(it.items.begin() + static_cast<std::ptrdiff_t>(it.next), it.items.end());
        it.next = it.items.size();
    } else if (v.holds<const View>()) {
        const auto& view = *v.ref<const View>();
        for (const auto& [key, value] : view.of->items) {
            out.push_back(view.name == "keys" ? key : view.name == "values" ? value : session.pair(key, value));
        }
    } else if (!v.is_undefined()) {
        wrong_type("goes through", v);
    }
    return out;
}

/// item in v.
[[nodiscard]] inline bool contains(Session& session, const Value& v, const Value& item) {
    if (v.is_text()) {
        if (!item.is_text()) wrong_type("looks in a string for", item);
        session.spend(v.text().size() / 64);
        return v.text().find(item.text()) != std::string::npos;
    }
    if (v.is_dict()) {
        if (!hashable(item)) wrong_type("looks in a dict for", item);
        return find(session, v.dict(), item) != nullptr;
    }
    if (v.is_sequence()) {
        for (const auto& held : v.list().items) {
            if (equal(session, held, item)) return true;
        }
        return false;
    }
    for (const auto& held : iterate(session, v)) {
        if (equal(session, held, item)) return true;
    }
    return false;
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_OPERATORS_HPP
// ---- silica/input/text/jinja/percent_format.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_PERCENT_FORMAT_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_PERCENT_FORMAT_HPP
/// Python's `"..." % values`: %s %r %d %i %f %x %% with width, precision and the flags - 0 +.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// A number with `precision` digits after the point, as Python's %f.
[[nodiscard]] inline std::string fixed(double x, int precision) {
    if (std::isnan(x) || std::isinf(x)) return real_text(x);
    std::string out(400 + static_cast<std::size_t>(precision), '\0');
    const auto end = std::to_chars(out.data(), out.data() + out.size(), x, std::chars_format::fixed, precision).ptr;
    out.resize(static_cast<std::size_t>(end - out.data()));
    return out;
}

}  // namespace detail

/// `format % value`; a tuple gives several values, a dict named ones.
[[nodiscard]] inline std::string percent_format(Session& session, std::string_view format, const Value& value) {
    std::string out;
    std::size_t used = 0;
    const bool several = value.is_sequence() && value.list().is_tuple;
    const Value* named = nullptr;
    const auto next = [&]() -> const Value& {
        if (named) return *named;
        if (several ? used >= value.list().items.size() : used > 0) throw Problem("formats fewer values than it names");
        ++used;
        return several ? value.list().items[used - 1] : value;
    };
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%') {
            out += format[i];
            continue;
        }
        bool left = false, zero = false, plus = false;
        std::size_t width = 0;
        int precision = -1;
        named = nullptr;
        if (++i < format.size() && format[i] == '(') {
            const auto end = format.find(')', i);
            if (!value.is_dict() || end == std::string_view::npos) throw Problem("formats a name without a dict");
            named = find(session, value.dict(), format.substr(i + 1, end - i - 1));
            if (!named) throw Problem("formats a name that the dict does not have");
            used = 1;
            i = end + 1;
        }
        for (; i < format.size(); ++i) {
            if (format[i] == '-')
                left = true;
            else if (format[i] == '0')
                zero = true;
            else if (format[i] == '+')
                plus = true;
            else
                break;
        }
        const auto number = [&] {
            std::size_t n = 0;
            for (; i < format.size() && format[i] >= '0' && format[i] <= '9' && n < 10000; ++i) {
                n = n * 10 + static_cast<std::size_t>(format[i] - '0');
            }
            if (n > 1000) throw Problem("formats to a width over 1000");
            return n;
        };
        width = number();
        if (i < format.size() && format[i] == '.') {
            ++i;
            precision = static_cast<int>(number());
        }
        if (i >= format.size()) throw Problem("has an incomplete format");
        const char kind = format[i];
        if (kind == '%') {
            out += '%';
            continue;
        }
        std::string item;
        if (kind == 's' || kind == 'r') {
            const Value& v = next();
            if (kind == 's')
                item = text_of(session, v);
            else
                put_repr(session, item, v);
            if (precision >= 0) {
                item = utf8_of(std::u32string_view(characters(item)).substr(0, static_cast<std::size_t>(precision)));
            }
            zero = false;
        } else if (kind == 'd' || kind == 'i' || kind == 'f' || kind == 'x') {
            const Value& v = next();
            if (!v.is_number() || (kind == 'x' && !v.is_whole())) wrong_type("formats as a number", v);
            if (kind == 'f')
                item = detail::fixed(v.number(), precision < 0 ? 6 : precision);
            else if (kind == 'x') {
                char buffer[24];
                const std::int64_t n = v.whole();
                std::snprintf(buffer, sizeof buffer, "%llx", static_cast<unsigned long long>(n < 0 ? -n : n));
                item = (n < 0 ? "-" : "") + std::string(buffer);
            } else if (v.is_whole())
                item = std::to_string(v.whole());
            else if (std::abs(v.number()) < 9e18)
                item = std::to_string(static_cast<std::int64_t>(v.number()));
            else
                throw Problem("formats a number that is too large");
            if (plus && item.front() != '-') item.insert(0, 1, '+');
        } else {
            throw Problem(std::string("has the format %") + kind + ", which Silica does not know");
        }
        const std::size_t size = utf8::count(item), gap = width > size ? width - size : 0;
        if (left)
            item.append(gap, ' ');
        else if (zero)
            item.insert(item.front() == '-' || item.front() == '+' ? 1 : 0, gap, '0');
        else
            item.insert(0, gap, ' ');
        session.take(item.size());
        out += item;
    }
    if (several ? used < value.list().items.size()
                : used == 0 && !value.is_dict() && !value.is_sequence() && !value.holds<const Range>()) {
        throw Problem("formats more values than it names");
    }
    return out;
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_PERCENT_FORMAT_HPP

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

namespace silica::text::jinja {

namespace detail {

using Int = std::int64_t;
using IntLimits = std::numeric_limits<Int>;

[[noreturn]] inline void too_large() { throw Problem("makes an integer of more than 64 bits"); }
[[nodiscard]] inline Int add(Int a, Int b) {
    if (b > 0 ? a > IntLimits::max() - b : a < IntLimits::min() - b) too_large();
    return a + b;
}
[[nodiscard]] inline Int multiply(Int a, Int b) {
    if (a == 0 || b == 0) return 0;
    if (a == IntLimits::min() || b == IntLimits::min()) {
        if (a != 1 && b != 1) too_large();
        return IntLimits::min();
    }
    const Int x = a < 0 ? -a : a, y = b < 0 ? -b : b;
    if (x > IntLimits::max() / y) too_large();
    return a * b;
}
[[nodiscard]] inline Int floor_divide(Int a, Int b) {
    if (a == IntLimits::min() && b == -1) too_large();
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}
[[nodiscard]] inline Int modulo(Int a, Int b) {
    if (b == -1) return 0;
    const Int r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
[[nodiscard]] inline double modulo(double a, double b) {
    const double r = std::fmod(a, b);
    if (r == 0) return std::copysign(0.0, b);
    return (r < 0) != (b < 0) ? r + b : r;
}
[[nodiscard]] inline double floor_divide(double a, double b) {
    const double m = modulo(a, b), q = (a - m) / b;
    if (q == 0) return std::copysign(0.0, a / b);
    const double floor = std::floor(q);
    return q - floor > 0.5 ? floor + 1 : floor;
}
[[nodiscard]] inline Value power(const Value& a, const Value& b) {
    if (a.is_whole() && b.is_whole() && b.whole() >= 0) {
        Int base = a.whole(), result = 1;
        for (Int n = b.whole(); n > 0;) {
            if (n % 2 == 1) result = multiply(result, base);
            n /= 2;
            if (base == 0 || base == 1) return Value(b.whole() == 0 ? Int{1} : base);
            if (n > 0) base = multiply(base, base);
        }
        return Value(result);
    }
    const double x = a.number(), y = b.number();
    if (x == 0 && y < 0) throw Problem("raises zero to a negative power");
    const double result = std::pow(x, y);
    if (std::isnan(result) && !std::isnan(x) && !std::isnan(y)) throw Problem("makes a complex number");
    if (std::isinf(result) && !std::isinf(x) && !std::isinf(y)) throw Problem("makes a number that is too large");
    return Value(result);
}
[[nodiscard]] inline Value repeat(Session& session, const Value& v, Int count) {
    const auto n = static_cast<std::size_t>(count < 0 ? 0 : count);
    const std::size_t size = v.is_text() ? v.text().size() : v.list().items.size() * sizeof(Value);
    if (size != 0 && n > Session::most_bytes / size) session.take(Session::most_bytes + 1);
    session.take(size * n);
    if (v.is_text()) {
        std::string out;
        out.reserve(size * n);
        for (std::size_t i = 0; size != 0 && i < n; ++i) out += v.text();
        return session.text(std::move(out));
    }
    Values out;
    for (std::size_t i = 0; size != 0 && i < n; ++i)
        out.insert(out.end(), v.list().items.begin(), v.list().items.end());
    return session.list(std::move(out), v.list().is_tuple);
}
[[nodiscard]] inline Value joined(Session& session, const Value& a, const Value& b) {
    if (a.is_text()) {
        session.take(a.text().size() + b.text().size());
        return session.text(a.text() + b.text());
    }
    Values out = a.list().items;
    out.insert(out.end(), b.list().items.begin(), b.list().items.end());
    return session.list(std::move(out), a.list().is_tuple);
}

}  // namespace detail

/// `a op b` for op one of + - * / // % **.
[[nodiscard]] inline Value arithmetic(Session& session, const std::string& op, const Value& a, const Value& b) {
    using namespace detail;
    require_defined(a);
    if (op == "%" && a.is_text()) return session.text(percent_format(session, a.text(), b));
    require_defined(b);
    if (op == "+" && a.is_text() && b.is_text()) return joined(session, a, b);
    if (op == "+" && a.is_sequence() && b.is_sequence() && a.list().is_tuple == b.list().is_tuple) {
        return joined(session, a, b);
    }
    const auto repeats = [](const Value& v) { return v.is_text() || v.is_sequence(); };
    if (op == "*" && repeats(a) && b.is_whole()) return repeat(session, a, b.whole());
    if (op == "*" && a.is_whole() && repeats(b)) return repeat(session, b, a.whole());
    if (!a.is_number() || !b.is_number()) {
        throw Problem(std::string("computes ") + type_name(a) + " " + op + " " + type_name(b));
    }
    if (op == "**") return power(a, b);
    const bool whole = a.is_whole() && b.is_whole();
    if ((op == "/" || op == "//" || op == "%") && b.number() == 0) throw Problem("divides by zero");
    if (op == "/") return Value(a.number() / b.number());
    if (whole) {
        const Int x = a.whole(), y = b.whole();
        if (op == "+") return Value(add(x, y));
        if (op == "-") return Value(y == IntLimits::min() ? add(add(x, 1), IntLimits::max()) : add(x, -y));
        if (op == "*") return Value(multiply(x, y));
        return Value(op == "//" ? floor_divide(x, y) : modulo(x, y));
    }
    const double x = a.number(), y = b.number();
    if (op == "+") return Value(x + y);
    if (op == "-") return Value(x - y);
    if (op == "*") return Value(x * y);
    return Value(op == "//" ? floor_divide(x, y) : modulo(x, y));
}

/// -v, or +v.
[[nodiscard]] inline Value signed_value(const Value& v, bool negative) {
    if (!v.is_number()) wrong_type("takes the negative of", v);
    if (v.is_real()) return Value(negative ? -v.number() : v.number());
    if (!negative) return Value(v.whole());
    if (v.whole() == detail::IntLimits::min()) detail::too_large();
    return Value(-v.whole());
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_ARITHMETIC_HPP
// ---- silica/input/text/jinja/functions.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_FUNCTIONS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_FUNCTIONS_HPP
/// The global functions, and the methods of lists and dicts.

// ---- silica/input/text/jinja/filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_FILTERS_HPP
/// Filters: what follows a pipe.

// ---- silica/input/text/jinja/list_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_LIST_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_LIST_FILTERS_HPP
/// Filters on lists and dicts; `map`, which calls other filters, is in filters.hpp.

// ---- silica/input/text/jinja/sort_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SORT_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SORT_FILTERS_HPP
/// Filters that compare: sort, dictsort, min, max, unique.

// ---- silica/input/text/jinja/arguments.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_ARGUMENTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_ARGUMENTS_HPP
/// The arguments of filters, methods and functions, by the names they have in Python.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Arguments in the order of their names. Those from `required` on may be absent.
class Bound {
public:
    Bound(const std::string& what, const Args& args, std::initializer_list<std::string_view> names,
          std::size_t required = 0)
        : what_(what), held_(names.size(), nullptr) {
        if (args.at.size() > names.size()) refuse("takes fewer arguments");
        for (std::size_t i = 0; i < args.at.size(); ++i) held_[i] = &args.at[i];
        for (const auto& [name, value] : args.named) {
            std::size_t i = 0;
            for (const auto known : names) {
                if (known == name) break;
                ++i;
            }
            if (i == names.size()) refuse("has no argument " + quote(name));
            if (held_[i]) refuse("is given the argument " + quote(name) + " twice");
            held_[i] = &value;
        }
        for (std::size_t i = 0; i < required; ++i) {
            if (!held_[i]) refuse("needs more arguments");
        }
    }

    /// The argument, or null.
    [[nodiscard]] const Value* operator[](std::size_t i) const { return held_[i]; }
    [[nodiscard]] bool absent(std::size_t i) const { return !held_[i] || held_[i]->is_none(); }
    [[nodiscard]] const std::string& text(std::size_t i) const {
        require_defined(*held_[i]);
        if (!held_[i]->is_text()) refuse(std::string("takes no ") + type_name(*held_[i]) + " there");
        return held_[i]->text();
    }
    [[nodiscard]] std::int64_t whole(std::size_t i, std::int64_t otherwise) const {
        if (!held_[i]) return otherwise;
        require_defined(*held_[i]);
        if (!held_[i]->is_whole()) refuse(std::string("takes no ") + type_name(*held_[i]) + " there");
        return held_[i]->whole();
    }
    [[nodiscard]] bool flag(std::size_t i, bool otherwise) const { return held_[i] ? truth(*held_[i]) : otherwise; }
    [[noreturn]] void refuse(const std::string& why) const {
        throw Problem("calls " + quote(what_) + ", which " + why);
    }

private:
    std::string what_;
    std::vector<const Value*> held_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_ARGUMENTS_HPP
// ---- silica/input/text/jinja/attributes.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_ATTRIBUTES_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_ATTRIBUTES_HPP
/// value.name, value[key] and value[a:b:c], as Jinja's immutable sandbox looks them up.

// ---- silica/input/text/jinja/loop.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_LOOP_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_LOOP_HPP
/// `loop`: what a for loop knows about itself. Looks ahead only when it is asked, as Jinja does.

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// A for loop that runs.
struct Loop {
    std::function<bool(Value&)> pull = {};  ///< the next item; empty when the loop is over
    std::int64_t index0 = -1;
    std::optional<Value> ahead = {};
    Value current = {}, before = {};
    std::optional<std::int64_t> known_length = {};
    std::optional<Values> changed = {};

    /// Goes on to the next item.
    [[nodiscard]] bool next() {
        if (index0 >= 0) before = current;
        if (ahead) {
            current = *std::exchange(ahead, std::nullopt);
        } else if (!pull || !pull(current)) {
            return false;
        }
        ++index0;
        return true;
    }
    /// Lets go of everything.
    void finish() {
        pull = {};
        ahead.reset();
        changed.reset();
        current = before = Value();
    }
    [[nodiscard]] bool peek() {
        if (ahead) return true;
        Value item;
        if (!pull || !pull(item)) return false;
        ahead = std::move(item);
        return true;
    }
    [[nodiscard]] std::int64_t length() {
        if (!known_length) {
            Values rest;
            if (ahead) rest.push_back(*std::exchange(ahead, std::nullopt));
            for (Value item; pull && pull(item);) rest.push_back(item);
            known_length = index0 + 1 + static_cast<std::int64_t>(rest.size());
            pull = [rest = std::move(rest), at = std::size_t{0}](Value& item) mutable {
                if (at == rest.size()) return false;
                item = rest[at++];
                return true;
            };
        }
        return *known_length;
    }

    [[nodiscard]] static bool has(std::string_view name) {
        constexpr std::string_view names[] = {"index",  "index0", "revindex", "revindex0", "first",
                                              "last",   "length", "previtem", "nextitem",  "depth",
                                              "depth0", "cycle",  "changed"};
        return std::find(std::begin(names), std::end(names), name) != std::end(names);
    }
    [[nodiscard]] Value attribute(Session& session, const Value& self, std::string_view name) {
        if (name == "index") return Value(index0 + 1);
        if (name == "index0") return Value(index0);
        if (name == "revindex") return Value(length() - index0);
        if (name == "revindex0") return Value(length() - index0 - 1);
        if (name == "first") return Value(index0 == 0);
        if (name == "last") return Value(!peek());
        if (name == "length") return Value(length());
        if (name == "depth") return Value(std::int64_t{1});
        if (name == "depth0") return Value(std::int64_t{0});
        if (name == "previtem") return index0 > 0 ? before : session.missing("uses the item before the first");
        if (name == "nextitem") return peek() ? *ahead : session.missing("uses the item after the last");
        return Value(
            std::make_shared<const Callable>(Callable{.name = std::string(name), .self = self, .is_method = true}));
    }
    /// loop.cycle(...) and loop.changed(...).
    [[nodiscard]] Value call(Session& session, std::string_view name, const Args& args) {
        if (!args.named.empty()) throw Problem("calls a method of loop with a named argument");
        if (name == "cycle") {
            if (args.at.empty()) throw Problem("cycles through nothing");
            return args.at[static_cast<std::size_t>(index0) % args.at.size()];
        }
        bool same = changed && changed->size() == args.at.size();
        for (std::size_t i = 0; same && i < args.at.size(); ++i) same = equal(session, (*changed)[i], args.at[i]);
        if (!same) changed = args.at;
        return Value(!same);
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_LOOP_HPP

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// Whether `name` is among the words of `list`.
[[nodiscard]] inline bool listed(std::string_view list, std::string_view name) {
    if (name.empty() || name.find(' ') != std::string_view::npos) return false;
    for (std::size_t at = 0; (at = list.find(name, at)) != std::string_view::npos; ++at) {
        const std::size_t end = at + name.size();
        if ((at == 0 || list[at - 1] == ' ') && (end == list.size() || list[end] == ' ')) return true;
    }
    return false;
}

/// The names that Python's own attributes take before a key of the same name is looked up.
[[nodiscard]] inline std::string_view python_names(const Value& v) {
    if (v.is_text()) {
        return "capitalize casefold center count encode endswith expandtabs find format format_map index isalnum "
               "isalpha "
               "isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join "
               "ljust "
               "lower lstrip maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition "
               "rsplit "
               "rstrip split splitlines startswith strip swapcase title translate upper zfill";
    }
    if (v.is_dict()) return "clear copy fromkeys get items keys pop popitem setdefault update values";
    if (v.is_sequence() && v.list().is_tuple) return "count index";
    if (v.is_sequence()) return "append clear copy count extend index insert pop remove reverse sort";
    return {};
}
[[nodiscard]] inline std::string_view mutating_names(const Value& v) {
    if (v.is_dict()) return "clear pop popitem setdefault update";
    if (v.is_sequence()) return "append clear pop reverse insert sort extend remove";
    return {};
}
[[nodiscard]] inline std::string described(const Value& v) {
    return v.is_none() ? "None" : quote(std::string(type_name(v)) + " object");
}

/// The attribute that Python's object has of this name.
[[nodiscard]] inline std::optional<Value> own_attribute(Session& session, const Value& v, std::string_view name) {
    if (v.holds<Namespace>()) {
        const auto* found = find(session, v.ref<Namespace>()->attributes, name);
        return found ? std::optional(*found) : std::nullopt;
    }
    if (v.holds<Loop>() && Loop::has(name)) return v.ref<Loop>()->attribute(session, v, name);
    if (v.holds<const Callable>() && v.ref<const Callable>()->macro && name == "name") {
        return session.text(v.ref<const Callable>()->name);
    }
    if (listed(mutating_names(v), name)) {
        return session.missing("changes a " + std::string(type_name(v)) + " by " + quote(name) +
                               ", which templates may not");
    }
    if (!listed(python_names(v), name)) return std::nullopt;
    session.take(128);
    return Value(std::make_shared<const Callable>(Callable{.name = std::string(name), .self = v, .is_method = true}));
}

/// What Python's obj[key] gives, where it gives something.
[[nodiscard]] inline std::optional<Value> own_item(Session& session, const Value& v, const Value& key) {
    const auto place = [&key](std::int64_t size) -> std::optional<std::size_t> {
        if (!key.is_whole()) return std::nullopt;
        const std::int64_t i = key.whole() < 0 ? key.whole() + size : key.whole();
        return i >= 0 && i < size ? std::optional(static_cast<std::size_t>(i)) : std::nullopt;
    };
    if (v.is_dict()) {
        const auto* found = hashable(key) ? find(session, v.dict(), key) : nullptr;
        return found ? std::optional(*found) : std::nullopt;
    }
    if (v.is_sequence()) {
        const auto i = place(static_cast<std::int64_t>(v.list().items.size()));
        return i ? std::optional(v.list().items[*i]) : std::nullopt;
    }
    if (v.is_text()) {
        session.spend(v.text().size() / 16);
        const auto i = place(*length(v));
        if (!i) return std::nullopt;
        std::size_t at = 0;
        for (std::size_t k = 0; k < *i; ++k) at += utf8::length(v.text()[at]);
        return session.text(v.text().substr(at, utf8::length(v.text()[at])));
    }
    if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        const auto i = place(r.size());
        return i ? std::optional(Value(r.start + static_cast<std::int64_t>(*i) * r.step)) : std::nullopt;
    }
    return std::nullopt;
}

}  // namespace detail

/// value.name: an attribute, else a key.
[[nodiscard]] inline Value attribute(Session& session, const Value& v, const std::string& name) {
    require_defined(v);
    if (auto own = detail::own_attribute(session, v, name)) return *std::move(own);
    if (v.is_dict()) {
        if (const auto* found = find(session, v.dict(), name)) return *found;
    }
    return session.missing("uses the attribute " + quote(name) + " of " + detail::described(v) +
                           ", which is not there");
}

/// value[key]: a key or a place, else an attribute.
[[nodiscard]] inline Value item(Session& session, const Value& v, const Value& key) {
    require_defined(v);
    if (auto own = detail::own_item(session, v, key)) return *std::move(own);
    if (key.is_text()) {
        if (auto own = detail::own_attribute(session, v, key.text())) return *std::move(own);
    }
    return session.missing("uses " + (key.is_text() ? quote(key.text()) : "an element") + " of " +
                           detail::described(v) + ", which is not there");
}

/// value[start:stop:step]; an absent bound is None.
[[nodiscard]] inline Value slice(Session& session, const Value& v, const Value& start, const Value& stop,
                                 const Value& step) {
    require_defined(v);
    const auto bound = [](const Value& b) { return b.is_none() || b.is_whole(); };
    if (!bound(start) || !bound(stop) || !bound(step) || !(v.is_text() || v.is_sequence() || v.holds<const Range>())) {
        throw Problem("slices " + detail::described(v) + ", or by something else than integers");
    }
    const std::int64_t by = step.is_none() ? 1 : std::max(step.whole(), -std::numeric_limits<std::int64_t>::max());
    if (by == 0) throw Problem("slices by steps of zero");
    const std::int64_t size = *length(v), low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
    const auto clamp = [&](const Value& b, std::int64_t otherwise) {
        if (b.is_none()) return otherwise;
        return std::clamp(b.whole() < 0 ? b.whole() + size : b.whole(), low, high);
    };
    const Range range{clamp(start, by > 0 ? low : high), clamp(stop, by > 0 ? high : low), by};
    const std::int64_t count = range.size();
    if (v.holds<const Range>()) {
        const auto& r = *v.ref<const Range>();
        const auto at = [&r](std::int64_t i) { return r.start + i * r.step; };
        const std::int64_t wide = std::clamp<std::int64_t>(by, -size - 1, size + 1);
        return Value(std::make_shared<const Range>(Range{at(range.start), at(range.stop), r.step * wide}));
    }
    session.spend(static_cast<std::size_t>(size) / 16 + static_cast<std::size_t>(count));
    if (v.is_text()) {
        const auto all = characters(v.text());
        std::string out;
        for (std::int64_t i = 0; i < count; ++i) utf8::append(out, all[static_cast<std::size_t>(range.start + i * by)]);
        return session.text(std::move(out));
    }
    Values out;
    for (std::int64_t i = 0; i < count; ++i) {
        out.push_back(v.list().items[static_cast<std::size_t>(range.start + i * by)]);
    }
    return session.list(std::move(out), v.list().is_tuple);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_ATTRIBUTES_HPP
// ---- silica/input/text/jinja/merge_sort.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_MERGE_SORT_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_MERGE_SORT_HPP
/// A sort that no comparison can harm: values of templates may have no consistent order.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace silica::text::jinja::detail {

/// A stable merge sort; safe with any comparison, which may throw.
template <class T, class Before>
void stable_sort(std::vector<T>& items, const Before& before) {
    if (items.size() < 2) return;
    const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    std::vector<T> left(items.begin(), middle), right(middle, items.end());
    stable_sort(left, before);
    stable_sort(right, before);
    std::merge(left.begin(), left.end(), right.begin(), right.end(), items.begin(), before);
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_MERGE_SORT_HPP

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja::detail {

/// "a.b.0" of a value, step by step.
[[nodiscard]] inline Value path(Session& session, const Value& v, const Value& path, const Value* otherwise = nullptr) {
    Value at = v;
    if (path.is_whole()) return item(session, v, path);
    if (!path.is_text()) wrong_type("looks up by", path);
    for (std::size_t start = 0;;) {
        const auto dot = path.text().find('.', start);
        const std::string part = path.text().substr(start, dot == std::string::npos ? dot : dot - start);
        const bool number =
            !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string::npos;
        at = item(session, at, number ? Value(static_cast<std::int64_t>(std::stoll(part))) : Value(part));
        if (otherwise && at.is_undefined()) at = *otherwise;
        if (dot == std::string::npos) return at;
        start = dot + 1;
    }
}
/// What a value is compared by: an attribute of it, in lower case where case does not matter.
[[nodiscard]] inline Value sort_key(Session& session, const Value& v, const Value* attribute, bool case_sensitive) {
    Value key = attribute && !attribute->is_none() ? path(session, v, *attribute) : v;
    return key.is_text() && !case_sensitive ? session.text(lower(key.text())) : key;
}
[[nodiscard]] inline Value sort(Session& session, const Value& v, const Args& args) {
    const Bound b("sort", args, {"reverse", "case_sensitive", "attribute"});
    std::vector<std::pair<Values, Value>> keyed;
    std::vector<Value> attributes;
    if (b.absent(2)) {
        attributes.push_back(None{});
    } else if (b[2]->is_text()) {
        std::string_view rest = b.text(2);
        for (auto comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
            attributes.emplace_back(std::string(rest.substr(0, comma)));
            rest.remove_prefix(comma + 1);
        }
        attributes.emplace_back(std::string(rest));
    } else {
        attributes.push_back(*b[2]);
    }
    for (const auto& item : iterate(session, v)) {
        Values keys;
        for (const auto& a : attributes) keys.push_back(sort_key(session, item, &a, b.flag(1, false)));
        keyed.emplace_back(std::move(keys), item);
    }
    const bool reverse = b.flag(0, false);
    stable_sort(keyed, [&](const auto& x, const auto& y) {
        const auto& [left, right] = reverse ? std::pair(&y.first, &x.first) : std::pair(&x.first, &y.first);
        for (std::size_t i = 0; i < left->size(); ++i) {
            if (!equal(session, (*left)[i], (*right)[i])) return less(session, (*left)[i], (*right)[i]);
        }
        return false;
    });
    Values out;
    for (auto& item : keyed) out.push_back(std::move(item.second));
    return session.list(std::move(out));
}
[[nodiscard]] inline Value extreme(Session& session, const std::string& name, const Value& v, const Args& args) {
    const Bound b(name, args, {"case_sensitive", "attribute"});
    const auto items = iterate(session, v);
    if (items.empty()) return session.missing("takes the " + name + " of an empty list");
    std::size_t best = 0;
    Value held = sort_key(session, items[0], b[1], b.flag(0, false));
    for (std::size_t i = 1; i < items.size(); ++i) {
        Value key = sort_key(session, items[i], b[1], b.flag(0, false));
        if (name == "min" ? less(session, key, held) : less(session, held, key)) {
            best = i;
            held = std::move(key);
        }
    }
    return items[best];
}
[[nodiscard]] inline Value unique(Session& session, const Value& v, const Args& args) {
    const Bound b("unique", args, {"case_sensitive", "attribute"});
    Values out, seen;
    for (const auto& item : iterate(session, v)) {
        Value key = sort_key(session, item, b[1], b.flag(0, false));
        if (!hashable(key)) wrong_type("finds the unique ones among", key);
        const bool known =
            std::any_of(seen.begin(), seen.end(), [&](const Value& k) { return equal(session, k, key); });
        if (known) continue;
        seen.push_back(std::move(key));
        out.push_back(item);
    }
    return session.iterator(std::move(out));
}
[[nodiscard]] inline Value dict_sort(Session& session, const Value& v, const Args& args) {
    const Bound b("dictsort", args, {"case_sensitive", "by", "reverse"});
    const std::string by = b[1] ? b.text(1) : "key";
    if (by != "key" && by != "value") b.refuse("sorts by key or by value");
    if (!v.is_dict()) wrong_type("sorts as a dict", v);
    auto items = v.dict().items;
    const bool reverse = b.flag(2, false);
    const auto key = [&](const auto& pair) {
        return sort_key(session, by == "key" ? pair.first : pair.second, nullptr, b.flag(0, false));
    };
    stable_sort(items, [&](const auto& x, const auto& y) {
        return reverse ? less(session, key(y), key(x)) : less(session, key(x), key(y));
    });
    Values out;
    for (const auto& [name, value] : items) out.push_back(session.pair(name, value));
    return session.list(std::move(out));
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SORT_FILTERS_HPP
// ---- silica/input/text/jinja/tests.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TESTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TESTS_HPP
/// Tests: what follows `is`.

// ---- silica/input/text/jinja/known.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_KNOWN_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_KNOWN_HPP
/// The filters and tests there are, by name: others are refused when the template is read.

#include <algorithm>
#include <iterator>
#include <string_view>

namespace silica::text::jinja {

/// Whether there is a filter of this name.
[[nodiscard]] inline bool known_filter(std::string_view name) {
    constexpr std::string_view names[] = {
        "abs",     "attr",   "batch", "capitalize", "count",      "d",         "default",  "dictsort",   "e",
        "escape",  "first",  "float", "format",     "indent",     "int",       "items",    "join",       "last",
        "length",  "list",   "lower", "map",        "max",        "min",       "reject",   "rejectattr", "replace",
        "reverse", "round",  "safe",  "select",     "selectattr", "slice",     "sort",     "string",     "sum",
        "title",   "tojson", "trim",  "unique",     "upper",      "urlencode", "wordcount"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Whether there is a test of this name.
[[nodiscard]] inline bool known_test(std::string_view name) {
    constexpr std::string_view names[] = {
        "boolean", "callable", "defined",  "divisibleby", "eq",      "equalto", "even",      "false",
        "filter",  "float",    "ge",       "greaterthan", "gt",      "in",      "integer",   "iterable",
        "le",      "lessthan", "lower",    "lt",          "mapping", "ne",      "none",      "number",
        "odd",     "sameas",   "sequence", "string",      "test",    "true",    "undefined", "upper"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_KNOWN_HPP
// ---- silica/input/text/jinja/text_methods.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_METHODS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_METHODS_HPP
/// The methods of str that templates call.

// ---- silica/input/text/jinja/text_parts.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_PARTS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_PARTS_HPP
/// Splitting, searching, padding, joining and formatting strings, as Python does.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

namespace detail {

/// str.split and str.rsplit: at `separator`, or at white space where there is none; at most `most` times.
[[nodiscard]] inline Value split(Session& session, std::string_view text, const std::string* separator,
                                 std::int64_t most, bool from_right) {
    Values out;
    const auto put = [&](std::string_view part) { out.push_back(session.text(std::string(part))); };
    const auto enough = [&] { return most >= 0 && static_cast<std::int64_t>(out.size()) >= most; };
    if (separator && separator->empty()) throw Problem("splits a string at an empty string");
    while (true) {
        if (!separator) {
            text = strip(text, !from_right, from_right);
            if (text.empty()) break;
            if (enough()) {
                put(strip(text, from_right, !from_right));
                break;
            }
            std::size_t end = from_right ? text.size() : 0;
            while (from_right ? end > 0 : end < text.size()) {
                const auto c = from_right ? utf8::decode_before(text, end) : utf8::decode(text.data() + end);
                if (is_space(c.value)) break;
                end = from_right ? end - c.length : end + c.length;
            }
            put(from_right ? text.substr(end) : text.substr(0, end));
            text = from_right ? text.substr(0, end) : text.substr(end);
            continue;
        }
        const auto found = enough()     ? std::string_view::npos
                           : from_right ? text.rfind(*separator)
                                        : text.find(*separator);
        if (found == std::string_view::npos) {
            put(text);
            break;
        }
        put(from_right ? text.substr(found + separator->size()) : text.substr(0, found));
        text = from_right ? text.substr(0, found) : text.substr(found + separator->size());
    }
    if (from_right) std::reverse(out.begin(), out.end());
    return session.list(std::move(out));
}

/// The part of a string between two places of characters, as Python's slices; nothing where start is beyond the end.
struct Window {
    std::string_view text;
    std::int64_t start;
    bool valid;
};
[[nodiscard]] inline Window window(std::string_view text, const Bound& args, std::size_t first) {
    const auto size = static_cast<std::int64_t>(utf8::count(text));
    const auto place = [&](std::size_t i, std::int64_t otherwise) {
        if (args.absent(i)) return otherwise;
        const std::int64_t n = args.whole(i, 0);
        return n < 0 ? std::max<std::int64_t>(n + size, 0) : n;
    };
    const std::int64_t start = place(first, 0), stop = std::min(place(first + 1, size), size);
    if (start > stop) return {{}, start, false};
    const auto offset = [&text](std::int64_t characters) {
        std::size_t at = 0;
        for (; characters > 0; --characters) at += utf8::length(text[at]);
        return at;
    };
    const auto from = offset(start);
    return {text.substr(from, offset(stop) - from), start, true};
}
/// str.find and its like: the place of a character, or -1.
[[nodiscard]] inline std::int64_t place_of(std::string_view text, const Bound& args, bool last) {
    const auto [part, start, valid] = window(text, args, 1);
    if (!valid) return -1;
    const auto found = last ? part.rfind(args.text(0)) : part.find(args.text(0));
    return found == std::string_view::npos ? -1 : start + static_cast<std::int64_t>(utf8::count(part.substr(0, found)));
}
/// str.startswith and str.endswith, of a string or a tuple.
[[nodiscard]] inline bool begins(std::string_view text, const Bound& args, bool ends) {
    const auto found = window(text, args, 1);
    const auto fits = [&found, ends](const Value& v) {
        if (!v.is_text()) wrong_type("compares the start or end of a string with", v);
        return found.valid && (ends ? found.text.ends_with(v.text()) : found.text.starts_with(v.text()));
    };
    if (!args[0]->is_sequence() || !args[0]->list().is_tuple) return fits(*args[0]);
    return std::any_of(args[0]->list().items.begin(), args[0]->list().items.end(), fits);
}
/// Whether there are characters and all are of a kind.
template <class Test>
[[nodiscard]] bool all_characters(std::string_view text, Test&& test) {
    const auto all = characters(text);
    return !all.empty() && std::all_of(all.begin(), all.end(), test);
}
[[nodiscard]] inline bool digit(char32_t c) {
    return category(c) == UTF8PROC_CATEGORY_ND || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 ||
           (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
}
/// str.isupper (`wanted` upper) and str.islower: something has case, and nothing has the other.
[[nodiscard]] inline bool all_case(std::string_view text, bool wanted_upper) {
    bool some = false;
    for (const char32_t c : characters(text)) {
        if (category(c) == UTF8PROC_CATEGORY_LT || (wanted_upper ? lower_case(c) : upper_case(c))) return false;
        some = some || (wanted_upper ? upper_case(c) : lower_case(c));
    }
    return some;
}
[[nodiscard]] inline std::string padded(Session& session, const std::string& text, const Bound& args, int side) {
    const std::int64_t size = static_cast<std::int64_t>(utf8::count(text)), width = args.whole(0, 0);
    const std::string fill = args[1] ? args.text(1) : " ";
    if (utf8::count(fill) != 1) throw Problem("fills a string with something else than one character");
    if (width <= size) return text;
    session.take(static_cast<std::size_t>(std::min(width, std::int64_t{1} << 40)) * fill.size());
    const std::int64_t gap = width - size;
    std::int64_t left = side < 0 ? 0 : gap;
    if (side == 0) left = gap / 2 + (gap & width & 1);
    std::string out;
    for (std::int64_t i = 0; i < left; ++i) out += fill;
    out += text;
    for (std::int64_t i = left; i < gap; ++i) out += fill;
    return out;
}
/// str.join, and the filter.
[[nodiscard]] inline Value join(Session& session, const std::string& glue, const Values& parts, bool convert) {
    std::string out;
    bool first = true;
    for (const auto& part : parts) {
        if (!convert && !part.is_text()) wrong_type("joins", part);
        const std::string text = text_of(session, part);
        session.take(text.size() + glue.size());
        if (!first) out += glue;
        first = false;
        out += text;
    }
    return session.text(std::move(out));
}
/// str.format with {}, {0} and {name}, without conversions.
[[nodiscard]] inline std::string brace_format(Session& session, const std::string& text, const Args& args) {
    std::string out;
    std::size_t next = 0;
    bool numbered = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '{' && text[i] != '}') {
            out += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == text[i]) {
            out += text[i++];
        } else {
            const auto end = text.find('}', i);
            if (text[i] == '}' || end == std::string::npos) throw Problem("formats a string with a single brace");
            const std::string name = text.substr(i + 1, end - i - 1);
            const Value* value = nullptr;
            if (name.find_first_not_of("0123456789") == std::string::npos && name.size() < 6) {
                numbered = numbered || !name.empty();
                const std::size_t at = name.empty() ? next++ : std::stoul(name);
                if (numbered && next > 0) throw Problem("formats a string by {} and by numbers");
                if (at < args.at.size()) value = &args.at[at];
            } else if (name.find_first_of(".[!:{") != std::string::npos) {
                throw Problem("formats a string by {" + name + "}, which Silica does not know");
            } else {
                for (const auto& [key, held] : args.named) value = key == name ? &held : value;
            }
            if (!value) throw Problem("formats a string with too few values");
            const std::string piece = text_of(session, *value);
            session.take(piece.size());
            out += piece;
            i = end;
        }
    }
    return out;
}

}  // namespace detail

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_PARTS_HPP

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// text.name(args).
[[nodiscard]] inline Value text_method(Session& session, const std::string& text, const std::string& name,
                                       const Args& args) {
    using namespace detail;
    session.spend(text.size() / 16);
    const auto set = [](const Bound& b) { return b.absent(0) ? std::nullopt : std::optional(characters(b.text(0))); };
    const auto plain = [&](std::string (*change)(std::string_view)) {
        static_cast<void>(Bound(name, args, {}));
        return session.text(change(text));
    };
    const auto whether = [&](const std::function<bool(char32_t)>& test) {
        static_cast<void>(Bound(name, args, {}));
        return Value(all_characters(text, test));
    };
    if (name == "strip" || name == "lstrip" || name == "rstrip") {
        const Bound b(name, args, {"chars"});
        return session.text(std::string(strip(text, name != "rstrip", name != "lstrip", set(b))));
    }
    if (name == "split" || name == "rsplit") {
        const Bound b(name, args, {"sep", "maxsplit"});
        return split(session, text, b.absent(0) ? nullptr : &b.text(0), b.whole(1, -1), name == "rsplit");
    }
    if (name == "startswith" || name == "endswith") {
        return Value(begins(text, Bound(name, args, {"prefix", "start", "end"}, 1), name == "endswith"));
    }
    if (name == "replace") {
        const Bound b(name, args, {"old", "new", "count"}, 2);
        const auto& now = b.text(1);
        const std::size_t places = b.text(0).empty() ? text.size() + 1 : text.size() / b.text(0).size();
        if (now.size() > 64 && places > 64)
            session.take(std::min<std::size_t>(places * now.size(), Session::most_bytes));
        return session.text(replace(text, b.text(0), now, b.whole(2, -1)));
    }
    if (name == "upper") return plain(upper);
    if (name == "lower" || name == "casefold") return plain(lower);
    if (name == "title") return plain(title);
    if (name == "capitalize") return plain(capitalize);
    if (name == "find" || name == "rfind" || name == "index" || name == "rindex") {
        const auto found = place_of(text, Bound(name, args, {"sub", "start", "end"}, 1), name[0] == 'r');
        if (found < 0 && name.ends_with("index")) throw Problem("looks by index for a string that is not there");
        return Value(found);
    }
    if (name == "count") {
        const Bound b(name, args, {"sub", "start", "end"}, 1);
        const auto [part, start, valid] = window(text, b, 1);
        if (!valid) return Value(std::int64_t{0});
        if (b.text(0).empty()) return Value(static_cast<std::int64_t>(utf8::count(part)) + 1);
        std::int64_t n = 0;
        for (std::size_t at = 0; (at = part.find(b.text(0), at)) != std::string_view::npos; at += b.text(0).size()) ++n;
        return Value(n);
    }
    if (name == "join") {
        return join(session, text, iterate(session, *Bound(name, args, {"iterable"}, 1)[0]), false);
    }
    if (name == "splitlines") {
        Values lines;
        for (auto& line : split_lines(text, Bound(name, args, {"keepends"}).flag(0, false))) {
            lines.push_back(session.text(std::move(line)));
        }
        return session.list(std::move(lines));
    }
    if (name == "partition" || name == "rpartition") {
        const Bound b(name, args, {"sep"}, 1);
        if (b.text(0).empty()) throw Problem("splits a string at an empty string");
        const bool last = name[0] == 'r';
        const auto found = last ? text.rfind(b.text(0)) : text.find(b.text(0));
        if (found == std::string::npos) {
            const Value none{std::string()};
            return session.tuple(last ? Values{none, none, Value(text)} : Values{Value(text), none, none});
        }
        return session.tuple({session.text(text.substr(0, found)), Value(b.text(0)),
                              session.text(text.substr(found + b.text(0).size()))});
    }
    if (name == "removeprefix" || name == "removesuffix") {
        const Bound b(name, args, {"affix"}, 1);
        const auto& affix = b.text(0);
        if (name == "removeprefix") return session.text(text.starts_with(affix) ? text.substr(affix.size()) : text);
        return session.text(text.ends_with(affix) ? text.substr(0, text.size() - affix.size()) : text);
    }
    if (name == "ljust" || name == "rjust" || name == "center") {
        const Bound b(name, args, {"width", "fillchar"}, 1);
        return session.text(padded(session, text, b, name == "ljust" ? -1 : name == "rjust" ? 1 : 0));
    }
    if (name == "zfill") {
        const Bound b(name, args, {"width"}, 1);
        const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
        Args inner{.at = {Value(b.whole(0, 0) - (sign ? 1 : 0)), Value("0")}};
        return session.text((sign ? text.substr(0, 1) : "") +
                            padded(session, sign ? text.substr(1) : text, Bound(name, inner, {"width", "fill"}), 1));
    }
    if (name == "format") return session.text(brace_format(session, text, args));
    if (name == "isspace") return whether(is_space);
    if (name == "isdecimal") return whether([](char32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; });
    if (name == "isdigit") return whether(digit);
    if (name == "isnumeric") {
        return whether([](char32_t c) { return unicode::Classes::get().is(c, unicode::is_numeric); });
    }
    if (name == "isalpha") return whether(letter);
    if (name == "isalnum") {
        return whether([](char32_t c) { return letter(c) || unicode::Classes::get().is(c, unicode::is_numeric); });
    }
    if (name == "isascii")
        return Value(
            std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
    if (name == "isupper" || name == "islower") return Value(all_case(text, name == "isupper"));
    throw Problem("calls the string method " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_METHODS_HPP

#include <string>

namespace silica::text::jinja {

/// `v is name(args)`.
[[nodiscard]] inline bool apply_test(Session& session, const std::string& name, const Value& v, const Args& args) {
    const auto alone = [&] { static_cast<void>(Bound(name, args, {})); };
    const auto other = [&]() -> const Value& { return *Bound(name, args, {"other"}, 1)[0]; };
    const auto remainder = [&](const Value& by) {
        if (v.is_text()) wrong_type("divides", v);
        return arithmetic(session, "%", v, by).number();
    };
    if (name == "eq" || name == "equalto" || name == "==") return equal(session, v, other());
    if (name == "ne" || name == "!=") return !equal(session, v, other());
    if (name == "lt" || name == "lessthan" || name == "<") return less(session, v, other());
    if (name == "gt" || name == "greaterthan" || name == ">") return less(session, other(), v);
    if (name == "le" || name == "<=") return less_equal(session, v, other());
    if (name == "ge" || name == ">=") return less_equal(session, other(), v);
    if (name == "in") return contains(session, other(), v);
    if (name == "divisibleby") return remainder(other()) == 0;
    if (name == "sameas") {
        const Value& o = other();
        if (v.is_none() || o.is_none()) return v.is_none() && o.is_none();
        if (v.is_bool() || o.is_bool()) return v.is_bool() && o.is_bool() && v.boolean() == o.boolean();
        if (v.is_sequence() && o.is_sequence()) return v.ref<const List>() == o.ref<const List>();
        if (v.is_dict() && o.is_dict()) return v.ref<const Dict>() == o.ref<const Dict>();
        if (v.is_integer() != o.is_integer() || v.is_real() != o.is_real()) return false;
        return equal(session, v, o);
    }
    alone();
    if (name == "defined") return !v.is_undefined();
    if (name == "undefined") return v.is_undefined();
    if (name == "none") return v.is_none();
    if (name == "boolean") return v.is_bool();
    if (name == "true") return v.is_bool() && v.boolean();
    if (name == "false") return v.is_bool() && !v.boolean();
    if (name == "integer") return v.is_integer();
    if (name == "float") return v.is_real();
    if (name == "number") return v.is_number();
    if (name == "string") return v.is_text();
    if (name == "mapping") return v.is_dict();
    if (name == "sequence") return length(v).has_value() && !v.holds<const View>();
    if (name == "iterable") return iterable(v);
    if (name == "callable") return v.holds<const Callable>() || v.is_undefined();
    if (name == "odd") return remainder(Value(std::int64_t{2})) == 1;
    if (name == "even") return remainder(Value(std::int64_t{2})) == 0;
    if (name == "lower") return detail::all_case(text_of(session, v), false);
    if (name == "upper") return detail::all_case(text_of(session, v), true);
    if (name == "filter") return v.is_text() && known_filter(v.text());
    if (name == "test") return v.is_text() && known_test(v.text());
    throw Problem("uses the test " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TESTS_HPP

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace silica::text::jinja {

namespace detail {

[[nodiscard]] inline Args without_first(const Args& args, std::size_t n) {
    return {.at = Values(args.at.begin() + static_cast<std::ptrdiff_t>(n), args.at.end()), .named = args.named};
}
[[nodiscard]] inline const std::string& word(const Args& args, std::size_t i, const std::string& what) {
    if (i >= args.at.size() || !args.at[i].is_text()) throw Problem(what + " is given no name");
    return args.at[i].text();
}

/// select, reject, selectattr, rejectattr.
[[nodiscard]] inline Value select(Session& session, const std::string& name, const Value& v, const Args& args) {
    const bool by_path = name.ends_with("attr"), wanted = name.starts_with("select");
    if (!truth(v)) return session.iterator({});
    const std::size_t first = by_path ? 1 : 0;
    if (by_path && args.at.empty()) throw Problem(name + " is given no attribute");
    const bool tests = args.at.size() > first;
    const std::string test = tests ? word(args, first, name) : "";
    const bool sign = test == "==" || test == "!=" || test == "<" || test == "<=" || test == ">" || test == ">=";
    if (tests && !known_test(test) && !sign) throw Problem(name + " names " + quote(test) + ", which is no test here");
    const Args rest = tests ? without_first(args, first + 1) : Args{};
    Values out;
    for (const auto& item : iterate(session, v)) {
        const Value at = by_path ? path(session, item, args.at[0]) : item;
        if ((tests ? apply_test(session, test, at, rest) : truth(at)) == wanted) out.push_back(item);
    }
    return session.iterator(std::move(out));
}
[[nodiscard]] inline Value batch(Session& session, const Value& v, const Args& args) {
    const Bound b("batch", args, {"linecount", "fill_with"}, 1);
    const std::int64_t size = b.whole(0, 1);
    Values out, row;
    for (const auto& item : iterate(session, v)) {
        if (static_cast<std::int64_t>(row.size()) == size) out.push_back(session.list(std::exchange(row, {})));
        row.push_back(item);
    }
    if (!row.empty()) {
        if (!b.absent(1)) {
            session.take(static_cast<std::size_t>(std::clamp<std::int64_t>(size, 0, 1 << 30)) * sizeof(Value));
            while (static_cast<std::int64_t>(row.size()) < size) row.push_back(*b[1]);
        }
        out.push_back(session.list(std::move(row)));
    }
    return session.iterator(std::move(out));
}
[[nodiscard]] inline Value slices(Session& session, const Value& v, const Args& args) {
    const Bound b("slice", args, {"slices", "fill_with"}, 1);
    const std::int64_t count = b.whole(0, 1);
    const auto items = iterate(session, v);
    if (count == 0) throw Problem("slices a list into no parts");
    if (count < 0) return session.iterator({});
    session.spend(static_cast<std::size_t>(count));
    const auto n = static_cast<std::size_t>(count), each = items.size() / n, more = items.size() % n;
    Values out;
    for (std::size_t i = 0, at = 0; i < n; ++i) {
        const std::size_t end = at + each + (i < more ? 1 : 0);
        Values part(items.begin() + static_cast<std::ptrdiff_t>(at), items.begin() + static_cast<std::ptrdiff_t>(end));
        if (!b.absent(1) && i >= more) part.push_back(*b[1]);
        out.push_back(session.list(std::move(part)));
        at = end;
    }
    return session.iterator(std::move(out));
}

/// The filter, where it is one of these.
[[nodiscard]] inline std::optional<Value> list_filter(Session& session, const std::string& name, const Value& v,
                                                      const Args& args) {
    if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
        return select(session, name, v, args);
    }
    if (name == "sort") return sort(session, v, args);
    if (name == "min" || name == "max") return extreme(session, name, v, args);
    if (name == "unique") return unique(session, v, args);
    if (name == "dictsort") return dict_sort(session, v, args);
    if (name == "batch") return batch(session, v, args);
    if (name == "slice") return slices(session, v, args);
    if (name == "join") {
        const Bound b(name, args, {"d", "attribute"});
        auto items = iterate(session, v);
        for (auto& item : items) item = b.absent(1) ? item : path(session, item, *b[1]);
        return join(session, b[0] ? text_of(session, *b[0]) : "", items, true);
    }
    if (name == "sum") {
        const Bound b(name, args, {"attribute", "start"});
        Value total = b[1] ? *b[1] : Value(std::int64_t{0});
        if (total.is_text()) wrong_type("sums from", total);
        for (const auto& item : iterate(session, v)) {
            total = arithmetic(session, "+", total, b.absent(0) ? item : path(session, item, *b[0]));
        }
        return total;
    }
    if (name == "attr") {
        const Bound b(name, args, {"name"}, 1);
        require_defined(v);
        auto own = own_attribute(session, v, b.text(0));
        return own ? *std::move(own)
                   : session.missing("uses the attribute " + quote(b.text(0)) + ", which is not there");
    }
    static_cast<void>(Bound(name, args, {}));
    if (name == "list") return session.list(iterate(session, v));
    if (name == "items") {
        if (v.is_undefined()) return session.iterator({});
        if (!v.is_dict()) wrong_type("takes the items of", v);
        Values out;
        for (const auto& [key, value] : v.dict().items) out.push_back(session.pair(key, value));
        return session.iterator(std::move(out));
    }
    if (name == "first") {
        if (v.holds<Iterator>()) {
            auto& it = *v.ref<Iterator>();
            return it.next < it.items.size() ? it.items[it.next++]
                                             : session.missing("takes the first of an empty list");
        }
        const auto items = iterate(session, v);
        return items.empty() ? session.missing("takes the first of an empty list") : items.front();
    }
    if (name == "last") {
        if (v.holds<Iterator>()) wrong_type("takes the last of", v);
        const auto items = iterate(session, v);
        return items.empty() ? session.missing("takes the last of an empty list") : items.back();
    }
    if (name == "reverse") {
        if (v.is_text()) {
            auto all = characters(v.text());
            std::reverse(all.begin(), all.end());
            return session.text(utf8_of(all));
        }
        auto items = iterate(session, v);
        std::reverse(items.begin(), items.end());
        return session.iterator(std::move(items));
    }
    return std::nullopt;
}

}  // namespace detail

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_LIST_FILTERS_HPP
// ---- silica/input/text/jinja/text_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_FILTERS_HPP
/// Filters on strings and numbers.

// ---- silica/input/text/jinja/json.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_JSON_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_JSON_HPP
/// Between JSON and values: json.dumps for the filter tojson, and Silica's documents as values.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A document as Python's json.loads makes it.
[[nodiscard]] inline Value from_json(Session& session, const Json& json) {
    if (json.is_null()) return None{};
    if (json.is_bool()) return Value(json.boolean());
    if (json.is_integer()) return Value(json.integer());
    if (json.is_number()) return Value(json.number());
    if (json.is_string()) return session.text(json.string());
    if (json.is_array()) {
        Values items;
        for (const auto& item : json.array()) items.push_back(from_json(session, item));
        return session.list(std::move(items));
    }
    Dict dict;
    for (const auto& [name, value] : json.object()) {
        dict.items.emplace_back(session.text(name), from_json(session, value));
    }
    return session.dict(std::move(dict));
}

/// What json.dumps is told.
struct JsonStyle {
    bool ascii = false, sorted = false, indented = false;
    std::string indent = {}, comma = ", ", colon = ": ";
};

namespace detail {

inline void put_json_text(std::string& out, std::string_view text, bool ascii) {
    const auto escape = [&out](char32_t unit) {
        out += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[unit >> shift & 15U];
    };
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto [c, n] = utf8::decode(text.data() + i);
        constexpr std::string_view plain = "\"\\\n\r\t\f\b", names = "\"\\nrtfb";
        if (const auto known = c < 0x80 ? plain.find(static_cast<char>(c)) : std::string_view::npos;
            known != std::string_view::npos) {
            out += '\\';
            out += names[known];
        } else if (c < 0x20 || (ascii && c > 0x7E && c < 0x10000)) {
            escape(c);
        } else if (ascii && c >= 0x10000) {
            escape(0xD7C0 + (c >> 10U));
            escape(0xDC00 + (c & 0x3FFU));
        } else {
            out.append(text.substr(i, n));
        }
        i += n;
    }
    out += '"';
}
[[nodiscard]] inline std::string json_real(double x) {
    return std::isnan(x) ? "NaN" : std::isinf(x) ? (x < 0 ? "-Infinity" : "Infinity") : real_text(x);
}
[[nodiscard]] inline std::string json_key(const Value& key) {
    if (key.is_text()) return key.text();
    if (key.is_none()) return "null";
    if (key.is_bool()) return key.boolean() ? "true" : "false";
    if (key.is_integer()) return std::to_string(key.whole());
    if (key.is_real()) return json_real(key.number());
    wrong_type("writes JSON with the key", key);
}

}  // namespace detail

/// Appends json.dumps(v).
inline void put_json(Session& session, std::string& out, const Value& v, const JsonStyle& style, std::size_t deep = 0) {
    session.spend(1);
    const Level level(session);
    const std::size_t before = out.size();
    const auto line = [&](std::size_t depth) {
        if (!style.indented) return;
        session.take(depth * style.indent.size());
        out += '\n';
        for (std::size_t i = 0; i < depth; ++i) out += style.indent;
    };
    const auto members = [&](char open, char close, const auto& items, const auto& put) {
        out += open;
        bool first = true;
        for (const auto& item : items) {
            if (!first) out += style.comma;
            first = false;
            line(deep + 1);
            put(item);
        }
        if (!first) line(deep);
        out += close;
    };
    if (v.is_none()) {
        out += "null";
    } else if (v.is_bool()) {
        out += v.boolean() ? "true" : "false";
    } else if (v.is_integer()) {
        out += std::to_string(v.whole());
    } else if (v.is_real()) {
        out += detail::json_real(v.number());
    } else if (v.is_text()) {
        detail::put_json_text(out, v.text(), style.ascii);
    } else if (v.is_sequence()) {
        return members('[', ']', v.list().items,
                       [&](const Value& item) { put_json(session, out, item, style, deep + 1); });
    } else if (v.is_dict()) {
        auto items = v.dict().items;
        session.take(items.size() * 2 * sizeof(Value));
        if (style.sorted) {
            detail::stable_sort(items, [&](const auto& a, const auto& b) { return less(session, a.first, b.first); });
        }
        return members('{', '}', items, [&](const auto& item) {
            const std::size_t start = out.size();
            detail::put_json_text(out, detail::json_key(item.first), style.ascii);
            out += style.colon;
            session.take(out.size() - start);
            put_json(session, out, item.second, style, deep + 1);
        });
    } else {
        wrong_type("writes as JSON", v);
    }
    session.take(out.size() - before);
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_JSON_HPP
// ---- silica/input/text/jinja/number_filters.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FILTERS_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FILTERS_HPP
/// Filters that make numbers: int, float, round.

#include <cmath>
#include <cstdint>
#include <limits>
#include <locale>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace silica::text::jinja::detail {

/// Python's float() of a string.
[[nodiscard]] inline std::optional<double> read_real(std::string_view text) {
    std::string s(strip(text, true, true));
    const std::string low = lower(s);
    const std::string_view bare = std::string_view(low).substr(low.starts_with('-') || low.starts_with('+') ? 1 : 0);
    const double sign = low.starts_with('-') ? -1 : 1;
    if (bare == "inf" || bare == "infinity") return sign * std::numeric_limits<double>::infinity();
    if (bare == "nan") return std::numeric_limits<double>::quiet_NaN();
    bool digits = false, before = false;
    for (std::size_t i = 0; i < s.size(); ++i) {
        const bool digit = s[i] >= '0' && s[i] <= '9';
        digits = digits || digit;
        if (s[i] == '_' && !(before && i + 1 < s.size() && s[i + 1] >= '0' && s[i + 1] <= '9')) return std::nullopt;
        before = digit;
    }
    std::erase(s, '_');
    if (!digits || s.find_first_not_of("0123456789+-.eE") != std::string::npos) return std::nullopt;
    std::istringstream in(s);
    in.imbue(std::locale::classic());
    double value = 0;
    in >> value;
    const bool failed = in.fail(), whole = in.eof();
    if (!whole || (failed && value == 0)) return std::nullopt;
    return failed ? sign * std::numeric_limits<double>::infinity() : value;
}
/// Python's int() of a string in base 10.
[[nodiscard]] inline std::optional<std::int64_t> read_whole(std::string_view text) {
    std::string_view s = strip(text, true, true);
    const bool negative = s.starts_with('-');
    if (negative || s.starts_with('+')) s.remove_prefix(1);
    if (s.empty()) return std::nullopt;
    Int n = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
        if (s[i] == '_' && i > 0 && s[i - 1] != '_' && i + 1 < s.size()) continue;
        if (s[i] < '0' || s[i] > '9') return std::nullopt;
        n = add(multiply(n, 10), s[i] - '0');
    }
    return negative ? -n : n;
}
[[nodiscard]] inline std::optional<std::int64_t> whole_of(double x) {
    if (std::isnan(x) || std::isinf(x)) return std::nullopt;
    if (std::abs(x) >= 9.2e18) too_large();
    return static_cast<std::int64_t>(x);
}
[[nodiscard]] inline Value to_whole(const Value& v, const Args& args) {
    const Bound b("int", args, {"default", "base"});
    if (b.whole(1, 10) != 10) b.refuse("knows base 10 only");
    require_defined(v);
    const auto otherwise = [&b] { return b[0] ? *b[0] : Value(std::int64_t{0}); };
    std::optional<std::int64_t> n;
    if (v.is_whole()) return Value(v.whole());
    if (v.is_text()) {
        n = read_whole(v.text());
        if (!n) {
            if (const auto x = read_real(v.text())) n = whole_of(*x);
        }
    } else if (v.is_real()) {
        if (std::isinf(v.number())) throw Problem("makes an integer of infinity");
        n = whole_of(v.number());
    }
    return n ? Value(*n) : otherwise();
}
[[nodiscard]] inline Value to_real(const Value& v, const Args& args) {
    const Bound b("float", args, {"default"});
    require_defined(v);
    if (v.is_number()) return Value(v.number());
    if (v.is_text()) {
        if (const auto x = read_real(v.text())) return Value(*x);
    }
    return b[0] ? *b[0] : Value(0.0);
}
[[nodiscard]] inline Value round(const Value& v, const Args& args) {
    const Bound c("round", args, {"precision", "method"});
    const std::string method = c[1] ? c.text(1) : "common";
    const std::int64_t precision = c.whole(0, 0);
    if (!v.is_number()) wrong_type("rounds", v);
    if (precision > 15 || precision < -15) c.refuse("knows 15 digits at most");
    const double x = v.number(), scale = std::pow(10.0, static_cast<double>(precision));
    if (method == "ceil" || method == "floor") {
        if (std::isnan(x) || std::isinf(x)) throw Problem("rounds a number that is not finite");
        const double scaled =
            precision < 0 && v.is_whole() ? x / std::pow(10.0, static_cast<double>(-precision)) : x * scale;
        return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
    }
    if (method != "common") c.refuse("knows the methods common, ceil and floor");
    if (v.is_whole() && precision >= 0) return Value(v.whole());
    if (std::isnan(x) || std::isinf(x)) return v;
    if (v.is_whole()) {
        Int unit = 1;
        for (std::int64_t i = 0; i < -precision; ++i) unit *= 10;
        const Int low = floor_divide(v.whole(), unit), rest = modulo(v.whole(), unit);
        const bool up = rest * 2 > unit || (rest * 2 == unit && low % 2 != 0);
        return Value(multiply(low + (up ? 1 : 0), unit));
    }
    if (precision < 0) return Value(std::nearbyint(x * scale) / scale);
    return Value(*read_real(fixed(x, static_cast<int>(precision))));  // correctly rounded, as Python's
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_NUMBER_FILTERS_HPP

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text::jinja::detail {

[[nodiscard]] inline Value indent(Session& session, const Value& v, const Args& args) {
    const Bound b("indent", args, {"width", "first", "blank"});
    std::string by;
    if (b[0] && b[0]->is_text()) {
        by = b.text(0);
    } else {
        const std::int64_t width = b.whole(0, 4);
        session.take(static_cast<std::size_t>(std::clamp<std::int64_t>(width, 0, std::int64_t{1} << 40)));
        by.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    }
    if (!v.is_text()) wrong_type("indents", v);
    std::string out;
    if (b.flag(1, false)) out += by;
    bool first = true;
    for (const auto& line : split_lines(v.text() + "\n")) {
        session.take(by.size() + line.size());
        if (!first) out += '\n';
        if (!first && (b.flag(2, false) || !line.empty())) out += by;
        first = false;
        out += line;
    }
    return session.text(std::move(out));
}
[[nodiscard]] inline Value to_json(Session& session, const Value& v, const Args& args) {
    const Bound b("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style{.ascii = b.flag(0, false), .sorted = b.flag(3, false)};
    if (!b.absent(1)) {
        style.indented = true;
        style.comma = ",";
        if (b[1]->is_text()) {
            style.indent = b.text(1);
        } else {
            style.indent.assign(static_cast<std::size_t>(std::clamp<std::int64_t>(b.whole(1, 0), 0, 1000)), ' ');
        }
    }
    if (!b.absent(2)) {
        const auto parts = iterate(session, *b[2]);
        if (parts.size() != 2 || !parts[0].is_text() || !parts[1].is_text()) b.refuse("takes two separators");
        style.comma = parts[0].text();
        style.colon = parts[1].text();
    }
    std::string out;
    put_json(session, out, v, style);
    return session.text(std::move(out));
}
/// The filter title: words begin after white space, a dash or an opening bracket.
[[nodiscard]] inline std::string filter_title(std::string_view text) {
    std::string out;
    std::u32string word;
    const auto flush = [&] {
        if (word.empty()) return;
        out += upper(utf8_of(word.substr(0, 1))) + lower(utf8_of(word.substr(1)));
        word.clear();
    };
    for (const char32_t c : characters(text)) {
        if (is_space(c) || c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<') {
            flush();
            utf8::append(out, c);
        } else {
            word.push_back(c);
        }
    }
    flush();
    return out;
}
[[nodiscard]] inline std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '&'    ? "&amp;"
               : c == '<'  ? "&lt;"
               : c == '>'  ? "&gt;"
               : c == '"'  ? "&#34;"
               : c == '\'' ? "&#39;"
                           : std::string(1, c);
    }
    return out;
}
[[nodiscard]] inline std::string url_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           std::string_view("_.-~/").find(c) != std::string_view::npos;
        if (plain)
            out += c;
        else
            (out += '%') += {"0123456789ABCDEF"[byte >> 4U], "0123456789ABCDEF"[byte & 15U]};
    }
    return out;
}
[[nodiscard]] inline std::int64_t word_count(std::string_view text) {
    std::int64_t n = 0;
    bool inside = false;
    for (const char32_t c : characters(text)) {
        const bool word = letter(c) || unicode::Classes::get().is(c, unicode::is_numeric) || c == U'_';
        n += word && !inside ? 1 : 0;
        inside = word;
    }
    return n;
}

/// The filter, where it is one of these.
[[nodiscard]] inline std::optional<Value> text_filter(Session& session, const std::string& name, const Value& v,
                                                      const Args& args) {
    const auto plain = [&](std::string (*change)(std::string_view)) {
        static_cast<void>(Bound(name, args, {}));
        return session.text(change(text_of(session, v)));
    };
    if (name == "trim") {
        const Bound b(name, args, {"chars"});
        const auto set = b.absent(0) ? std::nullopt : std::optional(characters(b.text(0)));
        return session.text(std::string(strip(text_of(session, v), true, true, set)));
    }
    if (name == "tojson") return to_json(session, v, args);
    if (name == "string" || name == "safe") return v.is_text() ? v : session.text(text_of(session, v));
    if (name == "upper") return plain(upper);
    if (name == "lower") return plain(lower);
    if (name == "capitalize") return plain(capitalize);
    if (name == "title") return plain(filter_title);
    if (name == "escape" || name == "e") return plain(escaped);
    if (name == "urlencode") {
        if (!v.is_text() && iterable(v)) throw Problem("encodes a list for a URL, which Silica does not know");
        return plain(url_encoded);
    }
    if (name == "replace") {
        const Bound b(name, args, {"old", "new", "count"}, 2);
        Args inner{.at = {session.text(text_of(session, *b[0])), session.text(text_of(session, *b[1]))}};
        inner.at.push_back(b.absent(2) ? Value(std::int64_t{-1}) : *b[2]);
        return text_method(session, text_of(session, v), "replace", inner);
    }
    if (name == "indent") return indent(session, v, args);
    if (name == "wordcount") return Value(word_count(text_of(session, v)));
    if (name == "int") return to_whole(v, args);
    if (name == "float") return to_real(v, args);
    if (name == "round") return round(v, args);
    if (name == "abs") {
        if (!v.is_number()) wrong_type("takes the absolute value of", v);
        return v.is_real() ? Value(std::abs(v.number())) : signed_value(v, v.whole() < 0);
    }
    if (name == "format") {
        if (args.named.empty())
            return session.text(percent_format(session, text_of(session, v), session.tuple(args.at)));
        if (!args.at.empty()) throw Problem("formats by places and by names");
        Dict named;
        for (const auto& [key, value] : args.named) named.items.emplace_back(session.text(key), value);
        return session.text(percent_format(session, text_of(session, v), session.dict(std::move(named))));
    }
    return std::nullopt;
}

}  // namespace silica::text::jinja::detail
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEXT_FILTERS_HPP

#include <string>
#include <utility>

namespace silica::text::jinja {

[[nodiscard]] inline Value apply_filter(Session& session, const std::string& name, const Value& v, const Args& args);

namespace detail {

[[nodiscard]] inline Value map(Session& session, const Value& v, const Args& args) {
    Values out;
    if (!truth(v)) return session.iterator({});
    const bool by_path = args.at.empty() && !args.named.empty();
    if (!by_path) {
        const auto& filter = word(args, 0, "map");
        if (!known_filter(filter)) throw Problem("maps by " + quote(filter) + ", which is no filter here");
        const Args rest = without_first(args, 1);
        for (const auto& item : iterate(session, v)) out.push_back(apply_filter(session, filter, item, rest));
        return session.iterator(std::move(out));
    }
    const Bound b("map", args, {"attribute", "default"}, 1);
    for (const auto& item : iterate(session, v))
        out.push_back(path(session, item, *b[0], b.absent(1) ? nullptr : b[1]));
    return session.iterator(std::move(out));
}

}  // namespace detail

/// `v | name(args)`.
inline Value apply_filter(Session& session, const std::string& name, const Value& v, const Args& args) {
    session.spend(1);
    if (name == "default" || name == "d") {
        const Bound b(name, args, {"default_value", "boolean"});
        if (!v.is_undefined() && !(b.flag(1, false) && !truth(v))) return v;
        return b[0] ? *b[0] : session.text({});
    }
    if (name == "length" || name == "count") {
        const auto n = length(v);
        if (!n) wrong_type("takes the length of", v);
        return Value(*n);
    }
    if (name == "map") return detail::map(session, v, args);
    if (auto made = detail::text_filter(session, name, v, args)) return *std::move(made);
    if (auto made = detail::list_filter(session, name, v, args)) return *std::move(made);
    throw Problem("uses the filter " + quote(name) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_FILTERS_HPP

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// Whether templates have a function of this name without defining it.
[[nodiscard]] inline bool known_function(std::string_view name) {
    return detail::listed("range dict namespace raise_exception strftime_now", name);
}

namespace detail {

[[nodiscard]] inline Value range(const Args& args) {
    const Bound b("range", args.named.empty() ? args : throw Problem("calls range with a named argument"),
                  {"start", "stop", "step"}, 1);
    Range made{0, b.whole(0, 0), b.whole(2, 1)};
    if (b[1]) made.start = b.whole(0, 0), made.stop = b.whole(1, 0);
    if (made.step == 0) throw Problem("makes a range with steps of zero");
    constexpr std::int64_t far = std::int64_t{1} << 40, most = 100000;  // Jinja's sandbox has the same limit
    for (const std::int64_t n : {made.start, made.stop, made.step}) {
        if (n > far || n < -far) throw Problem("makes a range of numbers that are too large");
    }
    if (made.size() > most) throw Problem("makes a range of more than " + std::to_string(most) + " numbers");
    return Value(std::make_shared<const Range>(made));
}
/// dict(...): of a dict or of pairs, and of names.
[[nodiscard]] inline Dict dict(Session& session, const Args& args) {
    Dict made;
    if (args.at.size() > 1) throw Problem("makes a dict of several values");
    if (!args.at.empty() && args.at[0].is_dict()) {
        made = args.at[0].dict();
    } else if (!args.at.empty()) {
        for (const auto& item : iterate(session, args.at[0])) {
            const auto pair = iterate(session, item);
            if (pair.size() != 2) throw Problem("makes a dict of something else than pairs");
            assign(session, made, pair[0], pair[1]);
        }
    }
    for (const auto& [name, value] : args.named) assign(session, made, session.text(name), value);
    return made;
}
inline void require_public(const Value& name) {
    if (name.is_text() && name.text().starts_with('_')) {
        throw Problem("sets the attribute " + quote(name.text()) + " of a namespace; names may not begin with '_'");
    }
}
[[nodiscard]] inline Value strftime_now(Session& session, const Args& args) {
    const Bound b("strftime_now", args, {"format"}, 1);
    const std::string format = b.text(0) + " ";  // so that the result is never empty
    if (format.size() > 1000) b.refuse("takes 1,000 bytes at most");
    const std::tm now = session.clock();
    std::string out(512, '\0');
    for (;;) {
        const std::size_t size = std::strftime(out.data(), out.size(), format.c_str(), &now);
        if (size != 0) {
            out.resize(size - 1);
            return session.text(std::move(out));
        }
        if (out.size() > 1000000) b.refuse("makes a text that is too long");
        out.resize(out.size() * 4);
    }
}

}  // namespace detail

/// name(args) of a global function.
[[nodiscard]] inline Value call_function(Session& session, const std::string& name, const Args& args) {
    if (name == "range") return detail::range(args);
    if (name == "dict") return session.dict(detail::dict(session, args));
    if (name == "strftime_now") return detail::strftime_now(session, args);
    if (name == "namespace") {
        auto attributes = detail::dict(session, args);
        for (const auto& [key, ignored] : attributes.items) detail::require_public(key);
        return session.make_namespace(std::move(attributes));
    }
    if (name == "raise_exception") throw Raised(text_of(session, *Bound(name, args, {"message"}, 1)[0]));
    throw Problem("calls " + quote(name) + ", which Silica does not know");
}

/// self.name(args).
[[nodiscard]] inline Value call_method(Session& session, const Value& self, const std::string& name, const Args& args) {
    session.spend(1);
    if (self.is_text()) return text_method(session, self.text(), name, args);
    if (self.holds<Loop>()) return self.ref<Loop>()->call(session, name, args);
    if (self.is_dict()) {
        if (name == "get") {
            const Bound b(name, args, {"key", "default"}, 1);
            if (!hashable(*b[0])) wrong_type("looks in a dict for", *b[0]);
            const auto* found = find(session, self.dict(), *b[0]);
            return found ? *found : b[1] ? *b[1] : Value(None{});
        }
        if (name == "keys" || name == "values" || name == "items") {
            static_cast<void>(Bound(name, args, {}));
            return Value(std::make_shared<const View>(View{self.ref<const Dict>(), name}));
        }
        if (name == "copy") return self;
    }
    if (self.is_sequence()) {
        if (name == "copy") return session.list(self.list().items);
        if (name == "count" || name == "index") {
            const Bound b(name, args, {"value"}, 1);
            const auto& items = self.list().items;
            std::int64_t n = 0;
            for (std::size_t i = 0; i < items.size(); ++i) {
                if (!equal(session, items[i], *b[0])) continue;
                if (name == "index") return Value(static_cast<std::int64_t>(i));
                ++n;
            }
            if (name == "index") throw Problem("looks by index for an element that is not there");
            return Value(n);
        }
    }
    throw Problem("calls the method " + quote(name) + " of a " + type_name(self) + ", which Silica does not know");
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_FUNCTIONS_HPP
// ---- silica/input/text/jinja/scope.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SCOPE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SCOPE_HPP
/// The variables of a block, within those of the block around it.

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A scope. Few names each, so a list serves.
struct Scope {
    std::vector<std::pair<std::string, Value>> names = {};
    std::shared_ptr<Scope> parent = {};

    /// The variable of a name here or around; null where there is none.
    [[nodiscard]] const Value* find(Session& session, const std::string& name) const {
        for (const Scope* at = this; at; at = at->parent.get()) {
            session.spend(at->names.size() / 16);
            for (const auto& [known, value] : at->names) {
                if (known == name) return &value;
            }
        }
        return nullptr;
    }
    /// Sets a variable of this scope.
    void set(Session& session, const std::string& name, Value value) {
        for (auto& [known, held] : names) {
            if (known == name) {
                held = std::move(value);
                return;
            }
        }
        session.take(sizeof(Value) + 64 + name.size());
        names.emplace_back(name, std::move(value));
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SCOPE_HPP
// ---- silica/input/text/jinja/syntax.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_SYNTAX_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_SYNTAX_HPP
/// The syntax tree of a template.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

/// What stands between the parentheses of a call, a filter or a test.
struct Arguments {
    std::vector<ExpressionPtr> at = {};
    std::vector<std::pair<std::string, ExpressionPtr>> named = {};
    ExpressionPtr all = {}, all_named = {};  ///< *args, **kwargs
};

/// An expression. Which members it uses depends on its kind.
struct Expression {
    enum class Kind {
        constant,    ///< value
        name,        ///< name
        list,        ///< items
        tuple,       ///< items
        dict,        ///< items: key, value, key, value
        attribute,   ///< items[0] . name
        item,        ///< items[0] [ items[1] ]
        slice,       ///< items[0] [ items[1] : items[2] : items[3] ]; absent ones are null
        call,        ///< items[0] ( arguments )
        filter,      ///< items[0] | name ( arguments ); in blocks items[0] is null
        test,        ///< items[0] is name ( arguments )
        negation,    ///< not items[0]
        sign,        ///< - or +, in name, of items[0]
        both,        ///< items[0] and items[1]
        either,      ///< items[0] or items[1]
        arithmetic,  ///< items[0] name items[1]
        comparison,  ///< items[0] operators[0] items[1] operators[1] items[2] ...
        concat,      ///< items[0] ~ items[1] ~ ...
        choice,      ///< items[0] if items[1] else items[2], which may be null
        set_member,  ///< name . member, as a target
    };
    Kind kind;
    unsigned line;
    std::string name = {}, member = {};
    Value value = {};
    std::vector<ExpressionPtr> items = {};
    std::vector<std::string> operators = {};
    Arguments arguments = {};
    unsigned depth = 1;  ///< of nesting

    Expression(Kind what, unsigned at) : kind(what), line(at) {}
    void add(ExpressionPtr item) {
        if (item) depth = std::max(depth, item->depth + 1);
        items.push_back(std::move(item));
    }
    void set_arguments(Arguments made) {
        const auto see = [this](const ExpressionPtr& e) { depth = e ? std::max(depth, e->depth + 1) : depth; };
        for (const auto& e : made.at) see(e);
        for (const auto& e : made.named) see(e.second);
        see(made.all), see(made.all_named);
        arguments = std::move(made);
    }
};

struct Statement;
using Body = std::vector<Statement>;

/// A condition and what it guards.
struct Branch {
    ExpressionPtr condition;  ///< null for else
    Body body;
};

/// A statement. Which members it uses depends on its kind.
struct Statement {
    enum class Kind {
        text,        ///< text
        output,      ///< value
        set,         ///< target = value
        set_block,   ///< target = body, through the filters in value
        choice,      ///< branches
        loop,        ///< for target in value if condition: body, otherwise: orelse
        macro,       ///< macro name(parameters): body
        call_block,  ///< call(parameters) value: body
        with,        ///< with parameters: body
        filter,      ///< body through the filters in value
        scope,       ///< body ({% generation %})
        leave,       ///< break
        again,       ///< continue
    };
    Kind kind;
    unsigned line;
    std::string text = {}, name = {};
    ExpressionPtr target = {}, value = {}, condition = {};
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> parameters = {};  ///< target, default or null
    std::vector<Branch> branches = {};
    Body body = {}, orelse = {};
    bool uses_varargs = false, uses_kwargs = false, uses_caller = false;  ///< the names occur in a macro

    Statement(Kind what, unsigned at) : kind(what), line(at) {}
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_SYNTAX_HPP

#include <memory>
#include <string>
#include <utility>

namespace silica::text::jinja {

/// Expressions in a scope. How a macro runs is left to the statements' interpreter.
class Evaluator {
public:
    Evaluator(Session& session, const Dict& context) : session_(session), context_(context) {}
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;
    virtual ~Evaluator() = default;

protected:
    using Ex = Expression::Kind;

    [[nodiscard]] virtual Value call_macro(const Callable& macro, Args args) = 0;

    [[nodiscard]] Value eval(const Expression& e) {
        const Level level(session_);
        session_.spend(1);
        session_.line = e.line;
        switch (e.kind) {
            case Ex::constant:
                return e.value;
            case Ex::name:
                return name(e.name);
            case Ex::list:
                return session_.list(all(e));
            case Ex::tuple:
                return session_.tuple(all(e));
            case Ex::dict:
                return dict(e);
            case Ex::attribute:
                return attribute(session_, eval(*e.items[0]), e.name);
            case Ex::item:
                return item(e);
            case Ex::slice:
                return slice(e);
            case Ex::call:
                return call(eval(*e.items[0]), arguments(e.arguments), e.line);
            case Ex::filter:
                return filter(e, eval(*e.items[0]));
            case Ex::test:
                return test(e);
            case Ex::negation:
                return Value(!truth(eval(*e.items[0])));
            case Ex::sign:
                return signed_value(eval(*e.items[0]), e.name == "-");
            case Ex::both: {
                Value left = eval(*e.items[0]);
                return truth(left) ? eval(*e.items[1]) : left;
            }
            case Ex::either: {
                Value left = eval(*e.items[0]);
                return truth(left) ? left : eval(*e.items[1]);
            }
            case Ex::arithmetic:
                return arithmetic(e);
            case Ex::comparison:
                return comparison(e);
            case Ex::concat:
                return concat(e);
            case Ex::choice:
                if (truth(eval(*e.items[1]))) return eval(*e.items[0]);
                return e.items[2] ? eval(*e.items[2])
                                  : session_.missing("uses a choice without else that was not taken");
            case Ex::set_member:
                break;
        }
        throw Problem("has an expression of an unknown kind");
    }
    [[nodiscard]] Args arguments(const Arguments& from) {
        Args made;
        for (const auto& e : from.at) made.at.push_back(eval(*e));
        for (const auto& [name, e] : from.named) made.named.emplace_back(name, eval(*e));
        if (from.all) {
            for (auto& item : iterate(session_, eval(*from.all))) made.at.push_back(std::move(item));
        }
        if (from.all_named) {
            const Value more = eval(*from.all_named);
            if (!more.is_dict()) wrong_type("passes as named arguments", more);
            for (const auto& [key, value] : more.dict().items) {
                if (!key.is_text()) wrong_type("names an argument by", key);
                for (const auto& given : made.named) {
                    if (given.first == key.text()) throw Problem("gives the argument " + quote(key.text()) + " twice");
                }
                made.named.emplace_back(key.text(), value);
            }
        }
        session_.take((made.at.size() + made.named.size()) * sizeof(Value));
        return made;
    }
    [[nodiscard]] Value call(const Value& callee, Args args, unsigned line) {
        session_.line = line;
        if (!callee.holds<const Callable>()) wrong_type("calls", callee);
        const auto& what = *callee.ref<const Callable>();
        if (what.macro) return call_macro(what, std::move(args));
        return what.is_method ? call_method(session_, what.self, what.name, args)
                              : call_function(session_, what.name, args);
    }
    /// A filter, its value given.
    [[nodiscard]] Value filter(const Expression& e, const Value& value) {
        const Args args = arguments(e.arguments);
        session_.line = e.line;
        return apply_filter(session_, e.name, value, args);
    }
    /// The filters of a block, innermost first.
    [[nodiscard]] Value filters(const Expression* e, Value value) {
        if (!e) return value;
        return filter(*e, filters(e->items[0].get(), std::move(value)));
    }

    Session& session_;
    const Dict& context_;
    std::shared_ptr<Scope> scope_ = std::make_shared<Scope>();

private:
    [[nodiscard]] Value name(const std::string& name) {
        if (const auto* found = scope_->find(session_, name)) return *found;
        if (const auto* found = find(session_, context_, name)) return *found;
        if (known_function(name)) return Value(std::make_shared<const Callable>(Callable{.name = name}));
        if (detail::listed("cycler joiner lipsum self", name)) {
            throw Problem("uses " + quote(name) + ", which Silica does not know");
        }
        return session_.missing("uses " + quote(name) + ", which is undefined");
    }
    [[nodiscard]] Values all(const Expression& e) {
        Values out;
        out.reserve(e.items.size());
        for (const auto& item : e.items) out.push_back(eval(*item));
        return out;
    }
    [[nodiscard]] Value dict(const Expression& e) {
        Dict made;
        for (std::size_t i = 0; i < e.items.size(); i += 2) {
            const Value key = eval(*e.items[i]);
            assign(session_, made, key, eval(*e.items[i + 1]));
        }
        return session_.dict(std::move(made));
    }
    [[nodiscard]] Value item(const Expression& e) {
        const Value of = eval(*e.items[0]);
        return jinja::item(session_, of, eval(*e.items[1]));
    }
    [[nodiscard]] Value slice(const Expression& e) {
        const Value of = eval(*e.items[0]);
        Values bounds;
        for (std::size_t i = 1; i < 4; ++i) bounds.push_back(e.items[i] ? eval(*e.items[i]) : Value(None{}));
        return jinja::slice(session_, of, bounds[0], bounds[1], bounds[2]);
    }
    [[nodiscard]] Value test(const Expression& e) {
        const Value of = eval(*e.items[0]);
        const Args args = arguments(e.arguments);
        session_.line = e.line;
        return Value(apply_test(session_, e.name, of, args));
    }
    [[nodiscard]] Value arithmetic(const Expression& e) {
        const Value left = eval(*e.items[0]);
        const Value right = eval(*e.items[1]);
        session_.line = e.line;
        return jinja::arithmetic(session_, e.name, left, right);
    }
    [[nodiscard]] Value comparison(const Expression& e) {
        Value left = eval(*e.items[0]);
        for (std::size_t i = 0; i < e.operators.size(); ++i) {
            Value right = eval(*e.items[i + 1]);
            session_.line = e.line;
            if (!compare(e.operators[i], left, right)) return Value(false);
            left = std::move(right);
        }
        return Value(true);
    }
    [[nodiscard]] bool compare(const std::string& op, const Value& a, const Value& b) {
        if (op == "==") return equal(session_, a, b);
        if (op == "!=") return !equal(session_, a, b);
        if (op == "<") return less(session_, a, b);
        if (op == ">") return less(session_, b, a);
        if (op == "<=") return less_equal(session_, a, b);
        if (op == ">=") return less_equal(session_, b, a);
        return contains(session_, b, a) == (op == "in");
    }
    [[nodiscard]] Value concat(const Expression& e) {
        std::string out;
        for (const auto& part : e.items) {
            const std::string text = text_of(session_, eval(*part));
            session_.take(text.size());
            out += text;
        }
        return session_.text(std::move(out));
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_EVALUATOR_HPP

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Scopes and output around the statements that the interpreter runs.
class Blocks : protected Evaluator {
public:
    Blocks(Session& session, const Dict& context) : Evaluator(session, context) {}
    Blocks(const Blocks&) = delete;
    Blocks& operator=(const Blocks&) = delete;
    ~Blocks() override {
        for (const auto& scope : captured_) scope->names.clear();  // macros and their scopes hold each other
    }

protected:
    /// Runs the statements of a macro, which write to `out_`.
    virtual void run_macro(const Body& body) = 0;

    /// A scope while it lives.
    class Entered {
    public:
        Entered(Blocks& in, std::shared_ptr<Scope> parent) : in_(in), before_(in.scope_) {
            in.session_.take(96);
            in.scope_ = std::make_shared<Scope>(Scope{.parent = std::move(parent)});
        }
        explicit Entered(Blocks& in) : Entered(in, in.scope_) {}
        Entered(const Entered&) = delete;
        Entered& operator=(const Entered&) = delete;
        ~Entered() { in_.scope_ = std::move(before_); }

    private:
        Blocks& in_;
        std::shared_ptr<Scope> before_;
    };
    /// Output goes into a string of its own while it lives.
    class Captured {
    public:
        explicit Captured(Blocks& in) : in_(in), before_(in.out_) { in.out_ = &text; }
        Captured(const Captured&) = delete;
        Captured& operator=(const Captured&) = delete;
        ~Captured() { in_.out_ = before_; }
        std::string text;

    private:
        Blocks& in_;
        std::string* before_;
    };

    void write(const std::string& text) {
        session_.take(text.size());
        *out_ += text;
    }

    void assign(const Expression& target, Value value) {
        if (target.kind == Ex::name) return scope_->set(session_, target.name, std::move(value));
        if (target.kind == Ex::set_member) {
            const auto* of = scope_->find(session_, target.name);
            if (!of) of = find(session_, context_, target.name);
            if (!of || !of->holds<Namespace>()) {
                throw Problem("sets the attribute " + quote(target.member) + " of " + quote(target.name) +
                              ", which is no namespace");
            }
            const Value name(target.member);
            detail::require_public(name);
            const auto held = of->ref<Namespace>();
            return jinja::assign(session_, held->attributes, name, std::move(value));
        }
        const auto parts = iterate(session_, value);
        if (parts.size() != target.items.size()) {
            throw Problem("assigns " + std::to_string(parts.size()) + " values to " +
                          std::to_string(target.items.size()) + " names");
        }
        for (std::size_t i = 0; i < parts.size(); ++i) assign(*target.items[i], parts[i]);
    }
    [[nodiscard]] Value macro(const Statement& s) {
        captured_.push_back(scope_);
        session_.take(192);
        return Value(std::make_shared<const Callable>(Callable{.name = s.name, .macro = &s, .scope = scope_}));
    }
    /// The named argument, taken out; nothing where there is none.
    [[nodiscard]] static std::optional<Value> take(Args& args, const std::string& name) {
        const auto found =
            std::find_if(args.named.begin(), args.named.end(), [&](const auto& n) { return n.first == name; });
        if (found == args.named.end()) return std::nullopt;
        Value value = found->second;
        args.named.erase(found);
        return value;
    }
    [[nodiscard]] Value call_macro(const Callable& what, Args args) override {
        const Statement& s = *what.macro;
        const auto name = [&] { return "calls the macro " + quote(what.name); };
        const Level level(session_);
        Captured captured(*this);
        const Entered entered(*this, what.scope);
        bool caller = false;
        std::vector<std::optional<Value>> given;
        for (std::size_t i = 0; i < s.parameters.size(); ++i) {
            const std::string& parameter = s.parameters[i].first->name;
            caller = caller || parameter == "caller";
            given.push_back(i < args.at.size() ? std::optional(args.at[i]) : take(args, parameter));
        }
        for (std::size_t i = 0; i < s.parameters.size(); ++i) {
            const auto& [parameter, otherwise] = s.parameters[i];
            Value value = given[i]    ? *given[i]
                          : otherwise ? eval(*otherwise)
                                      : session_.missing("uses the parameter " + quote(parameter->name) +
                                                         " of the macro " + quote(what.name) + ", which was not given");
            scope_->set(session_, parameter->name, std::move(value));
        }
        if (s.uses_caller && !caller) {
            auto held = take(args, "caller");
            scope_->set(session_, "caller", held ? *held : session_.missing("uses caller without a call block"));
        }
        if (s.uses_kwargs) {
            Dict rest;
            for (auto& [key, value] : args.named) rest.items.emplace_back(session_.text(key), std::move(value));
            scope_->set(session_, "kwargs", session_.dict(std::move(rest)));
        } else if (!args.named.empty()) {
            throw Problem(name() + ", which has no parameter " + quote(args.named.front().first));
        }
        const std::size_t taken = std::min(args.at.size(), s.parameters.size());
        if (s.uses_varargs) {
            scope_->set(session_, "varargs",
                        session_.tuple(Values(args.at.begin() + static_cast<std::ptrdiff_t>(taken), args.at.end())));
        } else if (args.at.size() > taken) {
            throw Problem(name() + " with more than " + std::to_string(taken) + " arguments");
        }
        run_macro(s.body);
        return session_.text(std::move(captured.text));
    }

    std::string* out_ = nullptr;

private:
    std::vector<std::shared_ptr<Scope>> captured_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_BLOCKS_HPP

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// One rendering of a template's statements.
class Interpreter : private Blocks {
public:
    Interpreter(Session& session, const Dict& context) : Blocks(session, context) {}
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;
    [[nodiscard]] std::string run(const Body& body) {
        std::string out;
        out_ = &out;
        static_cast<void>(exec(body));
        return out;
    }

private:
    using St = Statement::Kind;
    enum class Flow { on, leave, again };

    [[nodiscard]] Flow exec(const Body& body) {
        for (const auto& s : body) {
            if (const Flow flow = exec(s); flow != Flow::on) return flow;
        }
        return Flow::on;
    }
    [[nodiscard]] Flow exec(const Statement& s) {
        const Level level(session_);
        session_.spend(1);
        session_.line = s.line;
        switch (s.kind) {
            case St::text:
                write(s.text);
                break;
            case St::output:
                write(text_of(session_, eval(*s.value)));
                break;
            case St::set:
                assign(*s.target, eval(*s.value));
                break;
            case St::set_block:
                return set_block(s);
            case St::choice:
                return choice(s);
            case St::loop:
                return loop(s);
            case St::macro:
                scope_->set(session_, s.name, macro(s));
                break;
            case St::call_block:
                call_block(s);
                break;
            case St::with:
                return with(s);
            case St::filter:
                return filter_block(s);
            case St::scope: {
                const Entered entered(*this);
                return exec(s.body);
            }
            case St::leave:
                return Flow::leave;
            case St::again:
                return Flow::again;
        }
        return Flow::on;
    }
    [[nodiscard]] Flow set_block(const Statement& s) {
        Captured captured(*this);
        {
            const Entered entered(*this);
            if (const Flow flow = exec(s.body); flow != Flow::on) return flow;
        }
        session_.line = s.line;
        assign(*s.target, filters(s.value.get(), session_.text(std::move(captured.text))));
        return Flow::on;
    }
    [[nodiscard]] Flow filter_block(const Statement& s) {
        Value made;
        {
            Captured captured(*this);
            const Entered entered(*this);
            if (const Flow flow = exec(s.body); flow != Flow::on) return flow;
            made = filters(s.value.get(), session_.text(std::move(captured.text)));
        }
        write(text_of(session_, made));
        return Flow::on;
    }
    [[nodiscard]] Flow choice(const Statement& s) {
        for (const auto& branch : s.branches) {
            if (!branch.condition || truth(eval(*branch.condition))) return exec(branch.body);
        }
        return Flow::on;
    }
    [[nodiscard]] Flow with(const Statement& s) {
        Values values;
        for (const auto& [target, value] : s.parameters) values.push_back(eval(*value));
        const Entered entered(*this);
        for (std::size_t i = 0; i < values.size(); ++i) assign(*s.parameters[i].first, std::move(values[i]));
        return exec(s.body);
    }

    /// The items of a loop, one by one, those that its condition lets through.
    [[nodiscard]] std::function<bool(Value&)> items(const Statement& s) {
        const Value from = eval(*s.value);
        std::function<bool(Value&)> next;
        if (from.holds<Iterator>()) {
            next = [it = from.ref<Iterator>()](Value& item) {
                if (it->next >= it->items.size()) return false;
                item = it->items[it->next++];
                return true;
            };
        } else {
            next = [all = iterate(session_, from), at = std::size_t{0}](Value& item) mutable {
                if (at >= all.size()) return false;
                item = all[at++];
                return true;
            };
        }
        if (!s.condition) return next;
        return [this, &s, next = std::move(next), around = scope_](Value& item) mutable {
            while (next(item)) {
                const Entered entered(*this, around);
                assign(*s.target, item);
                if (truth(eval(*s.condition))) return true;
            }
            return false;
        };
    }
    [[nodiscard]] Flow loop(const Statement& s) {
        const auto state = std::make_shared<Loop>();
        state->pull = items(s);
        struct Finish {
            Loop& loop;
            ~Finish() { loop.finish(); }
        } const finish{*state};
        bool completed = false;  // as in Jinja, a body left by continue or break does not count for else
        while (state->next()) {
            session_.spend(1);
            const Entered entered(*this);
            scope_->set(session_, "loop", Value(state));
            assign(*s.target, state->current);
            const Flow flow = exec(s.body);
            if (flow == Flow::leave) break;
            completed = completed || flow == Flow::on;
        }
        if (completed || s.orelse.empty()) return Flow::on;
        const Entered entered(*this);
        return exec(s.orelse);
    }

    void call_block(const Statement& s) {
        const Value callee = eval(*s.value->items[0]);
        Args args = arguments(s.value->arguments);
        args.named.emplace_back("caller", macro(s));
        write(text_of(session_, call(callee, std::move(args), s.line)));
    }
    void run_macro(const Body& body) override { static_cast<void>(exec(body)); }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_INTERPRETER_HPP
// ---- silica/input/text/jinja/parser.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_PARSER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_PARSER_HPP
/// Reads a whole template into statements.

// ---- silica/input/text/jinja/expression_parser.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_PARSER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_PARSER_HPP
/// Reads expressions, with Jinja's precedence.

// ---- silica/input/text/jinja/operand_parser.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_OPERAND_PARSER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_OPERAND_PARSER_HPP
/// Reads what operators stand between: literals, names, parentheses, and what follows them directly.

// ---- silica/input/text/jinja/token_cursor.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_TOKEN_CURSOR_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_TOKEN_CURSOR_HPP
/// A place in the tokens of a template, and what may stand there.

// ---- silica/input/text/jinja/lexer.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_LEXER_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_LEXER_HPP
/// Cuts a template into text and tokens as Jinja does with trim_blocks and lstrip_blocks.

// ---- silica/input/text/jinja/string_literal.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JINJA_STRING_LITERAL_HPP
#define SILICA_SINGLE_INPUT_TEXT_JINJA_STRING_LITERAL_HPP
/// String literals of expressions: Python's escapes, as Jinja decodes them.

#include <string>
#include <string_view>

namespace silica::text::jinja {

namespace detail {

/// The code point of `digits` hexadecimal digits at text[at]; Problem where there are fewer.
[[nodiscard]] inline char32_t hex_escape(std::string_view text, std::size_t at, std::size_t digits) {
    char32_t c = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
        const char d = i < text.size() ? text[i] : '\0';
        const int value = d >= '0' && d <= '9'   ? d - '0'
                          : d >= 'a' && d <= 'f' ? d - 'a' + 10
                          : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                                 : -1;
        if (value < 0 || c > 0xFFFFFF) throw Problem("has an incomplete escape in a string");
        c = c * 16 + static_cast<char32_t>(value);
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) throw Problem("has an escape that is no character in a string");
    return c;
}

/// Jinja turns a character beyond ASCII into an escape first, so that a backslash before it escapes a backslash.
inline void put_escaped_backslash(std::string& out, char32_t c) {
    const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
    out += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += "0123456789abcdef"[c >> shift & 15U];
}

}  // namespace detail

/// The value of what stands between the quotes.
[[nodiscard]] inline std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 >= text.size()) {
            out += text[i];
            continue;
        }
        const char c = text[++i];
        constexpr std::string_view names = "abfnrtv\\'\"", values = "\a\b\f\n\r\t\v\\'\"";
        if (const auto known = names.find(c); known != std::string_view::npos) {
            out += values[known];
        } else if (c == '\n') {
            continue;
        } else if (c >= '0' && c <= '7') {
            char32_t value = 0;
            std::size_t end = i;
            while (end < i + 3 && end < text.size() && text[end] >= '0' && text[end] <= '7') {
                value = value * 8 + static_cast<char32_t>(text[end++] - '0');
            }
            utf8::append(out, value);
            i = end - 1;
        } else if (c == 'x' || c == 'u' || c == 'U') {
            const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
            utf8::append(out, detail::hex_escape(text, i + 1, digits));
            i += digits;
        } else if (c == 'N') {
            throw Problem("names a character by \\N in a string, which Silica does not know");
        } else if (static_cast<unsigned char>(c) >= 0x80) {
            const auto decoded = utf8::decode(text.data() + i);
            detail::put_escaped_backslash(out, decoded.value);
            i += decoded.length - 1;
        } else {
            out += '\\';
            out += c;
        }
    }
    return out;
}

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_STRING_LITERAL_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// A token. `text` is a name, an operator, a number as written, the value of a string, or literal text.
struct Token {
    enum class Kind { text, output_begin, output_end, block_begin, block_end, name, string, integer, real, op, end };
    Kind kind;
    std::string text;
    unsigned line;
};

/// Reads tokens from front to back. Problem on anything that is no Jinja. The source is valid UTF-8.
class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(newlines(source)) {}

    [[nodiscard]] std::vector<Token> run() {
        while (at_ < source_.size()) text();
        put(Token::Kind::end, {});
        return std::move(tokens_);
    }
    /// Where it stands: for the error.
    [[nodiscard]] unsigned line() const noexcept { return line_; }

private:
    using Kind = Token::Kind;
    static constexpr auto npos = std::string_view::npos;

    /// One kind of newline; none at the end.
    [[nodiscard]] static std::string newlines(std::string_view source) {
        std::string out;
        for (std::size_t i = 0; i < source.size(); ++i) {
            out += source[i] == '\r' ? '\n' : source[i];
            if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') ++i;
        }
        if (!out.empty() && out.back() == '\n') out.pop_back();
        return out;
    }
    [[nodiscard]] std::string_view rest(std::size_t at) const { return std::string_view(source_).substr(at); }
    [[nodiscard]] bool sees(std::string_view what) const { return rest(at_).starts_with(what); }
    [[nodiscard]] std::size_t after_space(std::size_t at) const {
        return source_.size() - strip(rest(at), true, false).size();
    }
    void put(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
    void go_to(std::size_t end) {
        const auto from = source_.begin() + static_cast<std::ptrdiff_t>(at_);
        line_ += static_cast<unsigned>(std::count(from, source_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
        if (end > at_) line_starting_ = source_[end - 1] == '\n';
        at_ = end;
    }
    /// Literal text up to a tag at `end`, whose sign is '-', '+' or 0; white space before a block goes.
    void literal(std::size_t end, char sign, bool output) {
        auto data = rest(at_).substr(0, end - at_);
        const auto line = line_;
        if (sign == '-') {
            data = strip(data, false, true);
        } else if (sign != '+' && !output) {
            const auto newline = data.rfind('\n');
            const std::size_t start = newline == npos ? 0 : newline + 1;
            if ((start > 0 || line_starting_) && strip(data.substr(start), true, false).empty()) {
                data = data.substr(0, start);
            }
        }
        if (!data.empty()) tokens_.push_back({Kind::text, std::string(data), line});
        go_to(end);
    }
    [[nodiscard]] char sign_at(std::size_t at) const {
        return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
    }
    /// Where the tag that closes with "%}" or "#}" at `close` ends, with the newline or white space that goes with it.
    [[nodiscard]] std::size_t tag_end(std::size_t close, std::size_t start) const {
        const char sign = close > start ? source_[close - 1] : '\0';
        if (sign == '-') return after_space(close + 2);
        return close + (sign != '+' && close + 2 < source_.size() && source_[close + 2] == '\n' ? 3 : 2);
    }

    /// Text and the tag that follows it.
    void text() {
        std::size_t tag = at_;
        while ((tag = source_.find('{', tag)) != npos &&
               (tag + 1 >= source_.size() || std::string_view("{%#").find(source_[tag + 1]) == npos)) {
            ++tag;
        }
        if (tag == npos) return literal(source_.size(), '+', true);
        const char sign = sign_at(tag + 2);
        const std::size_t inside = tag + (sign ? 3 : 2);
        literal(tag, sign, source_[tag + 1] == '{');
        if (source_[tag + 1] == '#') {
            const auto close = source_.find("#}", inside);
            if (close == npos) throw Problem("has a comment without its end");
            return go_to(tag_end(close, inside));
        }
        if (source_[tag + 1] == '%') {
            if (const auto end = keyword(inside, "raw"); end != npos && source_[end - 3] != '+') {
                const bool strips = source_[end - 3] == '-';
                return raw(strips ? after_space(end) : end);
            }
        }
        go_to(inside);
        put(source_[tag + 1] == '{' ? Kind::output_begin : Kind::block_begin, {});
        source_[tag + 1] == '{' ? expression(Kind::output_end, "}}") : expression(Kind::block_end, "%}");
    }
    /// The end of `word` and "%}" at `at`, or npos.
    [[nodiscard]] std::size_t keyword(std::size_t at, std::string_view word) const {
        at = after_space(at);
        if (!rest(at).starts_with(word)) return npos;
        at = after_space(at + word.size());
        if (sign_at(at)) ++at;
        return rest(at).starts_with("%}") ? at + 2 : npos;
    }
    void raw(std::size_t start) {
        go_to(start);
        for (std::size_t tag = at_; (tag = source_.find("{%", tag)) != npos; ++tag) {
            const char sign = sign_at(tag + 2);
            const std::size_t inside = tag + (sign ? 3 : 2), end = keyword(inside, "endraw");
            if (end == npos) continue;
            literal(tag, sign, false);
            return go_to(tag_end(end - 2, inside));
        }
        throw Problem("has a raw block without its end");
    }

    void expression(Kind end_kind, std::string_view end) {
        std::string open;
        while (at_ < source_.size()) {
            if (open.empty()) {
                const bool signed_end = sees(std::string("-").append(end)) ||
                                        (end_kind == Kind::block_end && sees(std::string("+").append(end)));
                if (signed_end || sees(end)) {
                    put(end_kind, {});
                    const std::size_t close = at_ + (signed_end ? 1 : 0);
                    if (end_kind == Kind::block_end) return go_to(tag_end(close, at_));
                    return go_to(signed_end ? after_space(close + 2) : close + 2);
                }
            }
            token(open);
        }
        throw Problem("ends inside a tag");
    }
    void token(std::string& open) {
        if (const auto space = after_space(at_); space != at_) return go_to(space);
        const char c = source_[at_];
        if (c >= '0' && c <= '9') return number();
        if (unicode::Classes::get().is(utf8::decode(source_.data() + at_).value, unicode::is_word)) {
            std::size_t end = at_;
            while (end < source_.size()) {
                const auto next = utf8::decode(source_.data() + end);
                if (!unicode::Classes::get().is(next.value, unicode::is_word)) break;
                end += next.length;
            }
            put(Kind::name, source_.substr(at_, end - at_));
            return go_to(end);
        }
        if (c == '\'' || c == '"') {
            std::size_t end = at_ + 1;
            while (end < source_.size() && source_[end] != c) end += source_[end] == '\\' ? 2 : 1;
            if (end >= source_.size()) throw Problem("has a string without its end");
            put(Kind::string, unescaped(rest(at_ + 1).substr(0, end - at_ - 1)));
            return go_to(end + 1);
        }
        for (const std::string_view two : {"//", "**", "==", "!=", ">=", "<="}) {
            if (!sees(two)) continue;
            put(Kind::op, std::string(two));
            return go_to(at_ + 2);
        }
        if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == npos) {
            throw Problem("has an unexpected character in a tag");
        }
        if (c == '(' || c == '[' || c == '{') open += c;
        if (c == ')' || c == ']' || c == '}') {
            const char wanted = c == ')' ? '(' : c == ']' ? '[' : '{';
            if (open.empty() || open.back() != wanted) throw Problem(std::string("has an unexpected '") + c + "'");
            open.pop_back();
        }
        put(Kind::op, std::string(1, c));
        go_to(at_ + 1);
    }
    void number() {
        const auto digits = [this](std::size_t at) {
            const auto digit = [this](std::size_t i) {
                return i < source_.size() && source_[i] >= '0' && source_[i] <= '9';
            };
            while (digit(at) || (at < source_.size() && source_[at] == '_' && digit(at + 1))) ++at;
            return at;
        };
        std::size_t end = digits(at_);
        const bool member = at_ > 0 && source_[at_ - 1] == '.';
        bool real = false;
        if (!member && end < source_.size()) {
            if (source_[end] == '.' && digits(end + 1) > end + 1 && source_[end + 1] != '_') {
                end = digits(end + 1);
                real = true;
            }
            if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
                const std::size_t power = end + 1 + (sign_at(end + 1) ? 1 : 0);
                if (digits(power) > power) {
                    end = digits(power);
                    real = true;
                }
            }
        }
        std::string text = source_.substr(at_, end - at_);
        std::erase(text, '_');
        if (!real && text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != npos) {
            throw Problem("has a number that begins with 0");
        }
        if (!real && text == "0" && end < source_.size() && std::string_view("xXoObB").find(source_[end]) != npos) {
            throw Problem("has a number that is not decimal, which Silica does not know");
        }
        put(real ? Kind::real : Kind::integer, std::move(text));
        go_to(end);
    }

    std::string source_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
    bool line_starting_ = true;
    std::vector<Token> tokens_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_LEXER_HPP

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Goes through tokens. Throws Problem; `line()` says where.
class TokenCursor {
public:
    [[nodiscard]] unsigned line() const { return now().line; }

protected:
    using Kind = Token::Kind;
    static constexpr unsigned deepest = 100;  ///< parentheses, blocks

    explicit TokenCursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    [[nodiscard]] const Token& now() const { return tokens_[at_]; }
    [[nodiscard]] const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    void advance() { at_ += at_ + 1 < tokens_.size(); }
    [[nodiscard]] bool at_op(std::string_view text) const { return now().kind == Kind::op && now().text == text; }
    [[nodiscard]] bool at_name(std::string_view text) const { return now().kind == Kind::name && now().text == text; }
    bool take_op(std::string_view text) {
        const bool found = at_op(text);
        if (found) advance();
        return found;
    }
    bool take_name(std::string_view text) {
        const bool found = at_name(text);
        if (found) advance();
        return found;
    }
    [[noreturn]] void unexpected(const std::string& wanted) const {
        const auto& t = now();
        const std::string got = t.kind == Kind::end                                       ? "the end of the template"
                                : t.kind == Kind::block_end || t.kind == Kind::output_end ? "the end of the tag"
                                : t.kind == Kind::text || t.kind == Kind::output_begin || t.kind == Kind::block_begin
                                    ? "text"
                                    : quote(t.text);
        throw Problem("has " + got + " where " + wanted + " belongs");
    }
    void expect_op(std::string_view text) {
        if (!take_op(text)) unexpected(quote(text));
    }
    std::string expect_name(const std::string& wanted) {
        if (now().kind != Kind::name) unexpected(wanted);
        std::string name = now().text;
        advance();
        return name;
    }

    /// Counts nesting while it lives.
    class Nested {
    public:
        explicit Nested(TokenCursor& parser) : parser_(parser) {
            if (++parser_.nesting_ > deepest) {
                --parser_.nesting_;
                throw Problem("nests more than " + std::to_string(deepest) + " deep");
            }
        }
        Nested(const Nested&) = delete;
        Nested& operator=(const Nested&) = delete;
        ~Nested() { --parser_.nesting_; }

    private:
        TokenCursor& parser_;
    };

private:
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    unsigned nesting_ = 0;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TOKEN_CURSOR_HPP

#include <cstdint>
#include <limits>
#include <locale>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows operands.
class OperandParser : public TokenCursor {
protected:
    using Ex = Expression::Kind;
    static constexpr unsigned longest = 200;  ///< operators in a row

    explicit OperandParser(std::vector<Token> tokens) : TokenCursor(std::move(tokens)) {}
    OperandParser(const OperandParser&) = delete;
    OperandParser& operator=(const OperandParser&) = delete;
    virtual ~OperandParser() = default;

    /// An expression with any operators; without `x if y else z`.
    [[nodiscard]] virtual ExpressionPtr expression() = 0;
    [[nodiscard]] virtual ExpressionPtr either() = 0;

    /// a, b, ... as a tuple, or one expression. `choice` allows `x if y else z`.
    [[nodiscard]] ExpressionPtr tuple(bool choice = true, bool parenthesised = false) {
        const unsigned line = now().line;
        auto made = make(Ex::tuple, line);
        bool commas = false;
        while (!tuple_ends()) {
            made->add(choice ? expression() : either());
            if (!take_op(",")) break;
            commas = true;
        }
        if (!commas) {
            if (!made->items.empty()) return std::move(made->items[0]);
            if (!parenthesised) unexpected("an expression");
        }
        return made;
    }
    /// name(...) after a pipe, again and again.
    [[nodiscard]] ExpressionPtr filters(ExpressionPtr value, bool inline_first = false) {
        while (inline_first || take_op("|")) {
            inline_first = false;
            auto made = make(Ex::filter, now().line);
            made->name = expect_name("the name of a filter");
            if (!known_filter(made->name)) {
                throw Problem("uses the filter " + quote(made->name) + ", which Silica does not know");
            }
            made->add(std::move(value));
            if (at_op("(")) made->set_arguments(arguments());
            value = checked(std::move(made));
        }
        return value;
    }
    [[nodiscard]] ExpressionPtr primary() {
        const Token& t = now();
        auto made = make(Ex::constant, t.line);
        const auto constant = [&](Value value) {
            made->value = std::move(value);
            advance();
            return std::move(made);
        };
        switch (t.kind) {
            case Kind::name:
                if (t.text == "true" || t.text == "True") return constant(Value(true));
                if (t.text == "false" || t.text == "False") return constant(Value(false));
                if (t.text == "none" || t.text == "None") return constant(None{});
                made->kind = Ex::name;
                made->name = t.text;
                saw(t.text);
                advance();
                return made;
            case Kind::string: {
                std::string text;
                for (; now().kind == Kind::string; advance()) text += now().text;
                made->value = Value(std::move(text));
                return made;
            }
            case Kind::integer:
                return constant(Value(whole(t.text)));
            case Kind::real: {
                std::istringstream in(t.text);
                in.imbue(std::locale::classic());
                double value = 0;
                if (!(in >> value) && value != 0) value = std::numeric_limits<double>::infinity();
                return constant(Value(value));
            }
            default:
                break;
        }
        const Nested nested(*this);
        if (take_op("(")) {
            made = tuple(true, true);
            expect_op(")");
        } else if (take_op("[")) {
            made->kind = Ex::list;
            while (!at_op("]")) {
                if (!made->items.empty()) expect_op(",");
                if (at_op("]")) break;
                made->add(expression());
            }
            expect_op("]");
        } else if (take_op("{")) {
            made->kind = Ex::dict;
            while (!at_op("}")) {
                if (!made->items.empty()) expect_op(",");
                if (at_op("}")) break;
                made->add(expression());
                expect_op(":");
                made->add(expression());
            }
            expect_op("}");
        } else {
            unexpected("an expression");
        }
        return made;
    }
    /// .name, [item] and (arguments), again and again.
    [[nodiscard]] ExpressionPtr postfix(ExpressionPtr value) {
        for (;;) {
            const unsigned line = now().line;
            if (take_op(".")) {
                const bool number = now().kind == Kind::integer;
                auto made = make(number ? Ex::item : Ex::attribute, line);
                made->add(std::move(value));
                if (number) {
                    made->add(primary());
                } else {
                    made->name = expect_name("the name of an attribute");
                }
                value = checked(std::move(made));
            } else if (take_op("[")) {
                value = checked(subscript(std::move(value), line));
            } else if (at_op("(")) {
                auto made = make(Ex::call, line);
                made->add(std::move(value));
                made->set_arguments(arguments());
                value = checked(std::move(made));
            } else {
                return value;
            }
        }
    }
    [[nodiscard]] Arguments arguments() {
        Arguments made;
        expect_op("(");
        while (!at_op(")")) {
            if (!made.at.empty() || !made.named.empty() || made.all || made.all_named) {
                expect_op(",");
                if (at_op(")")) break;
            }
            const bool stars = made.all || made.all_named;
            if (take_op("*")) {
                if (stars) unexpected("an argument");
                made.all = expression();
            } else if (take_op("**")) {
                if (made.all_named) unexpected("an argument");
                made.all_named = expression();
            } else if (now().kind == Kind::name && next().kind == Kind::op && next().text == "=") {
                if (made.all_named) unexpected("an argument");
                std::string name = now().text;
                for (const auto& [other, ignored] : made.named) {
                    if (other == name) throw Problem("gives the argument " + quote(name) + " twice");
                }
                advance(), advance();
                made.named.emplace_back(std::move(name), expression());
            } else {
                if (stars || !made.named.empty()) unexpected("a named argument");
                made.at.push_back(expression());
            }
        }
        expect_op(")");
        return made;
    }

    [[nodiscard]] static ExpressionPtr make(Ex kind, unsigned line) { return std::make_unique<Expression>(kind, line); }

    [[nodiscard]] static ExpressionPtr checked(ExpressionPtr made) {
        if (made->depth > longest) {
            throw Problem("has an expression of more than " + std::to_string(longest) + " operators in a row");
        }
        return made;
    }
    /// Which of a macro's special names occurred since they were last cleared.
    bool saw_varargs_ = false, saw_kwargs_ = false, saw_caller_ = false;

private:
    void saw(std::string_view name) {
        saw_varargs_ = saw_varargs_ || name == "varargs";
        saw_kwargs_ = saw_kwargs_ || name == "kwargs";
        saw_caller_ = saw_caller_ || name == "caller";
    }
    [[nodiscard]] bool tuple_ends() const {
        return now().kind == Kind::block_end || now().kind == Kind::output_end || at_op(")") || at_name("recursive");
    }
    [[nodiscard]] static std::int64_t whole(const std::string& digits) {
        std::int64_t n = 0;
        for (const char c : digits) {
            if (n > (std::numeric_limits<std::int64_t>::max() - (c - '0')) / 10) {
                throw Problem("has a number of more than 64 bits");
            }
            n = n * 10 + (c - '0');
        }
        return n;
    }
    [[nodiscard]] ExpressionPtr subscript(ExpressionPtr value, unsigned line) {
        auto made = make(Ex::item, line);
        made->add(std::move(value));
        if (!at_op(":")) made->add(expression());
        if (at_op(":")) {
            made->kind = Ex::slice;
            if (made->items.size() == 1) made->add(nullptr);
            for (int i = 0; i < 2; ++i) made->add(take_op(":") && !at_op(":") && !at_op("]") ? expression() : nullptr);
        }
        if (at_op(",")) throw Problem("has several subscripts, which Silica does not know");
        expect_op("]");
        return made;
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_OPERAND_PARSER_HPP

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// The part of the parser that knows operators, from the loosest to the tightest.
class ExpressionParser : public OperandParser {
protected:
    explicit ExpressionParser(std::vector<Token> tokens) : OperandParser(std::move(tokens)) {}

    [[nodiscard]] ExpressionPtr expression() override {
        const Nested nested(*this);
        auto left = either();
        while (at_name("if")) {
            auto made = make(Ex::choice, now().line);
            advance();
            made->add(std::move(left));
            made->add(either());
            made->add(take_name("else") ? expression() : nullptr);
            left = checked(std::move(made));
        }
        return left;
    }
    [[nodiscard]] static ExpressionPtr two(Ex kind, unsigned line, ExpressionPtr a, ExpressionPtr b) {
        auto made = make(kind, line);
        made->add(std::move(a));
        made->add(std::move(b));
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr either() override {
        auto left = both();
        for (unsigned line = now().line; take_name("or"); line = now().line) {
            left = two(Ex::either, line, std::move(left), both());
        }
        return left;
    }
    [[nodiscard]] ExpressionPtr both() {
        auto left = negation();
        for (unsigned line = now().line; take_name("and"); line = now().line) {
            left = two(Ex::both, line, std::move(left), negation());
        }
        return left;
    }
    [[nodiscard]] ExpressionPtr negation() {
        if (!at_name("not")) return comparison();
        const Nested nested(*this);
        auto made = make(Ex::negation, now().line);
        advance();
        made->add(negation());
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr comparison() {
        auto made = make(Ex::comparison, now().line);
        made->add(sum());
        for (;;) {
            std::string op;
            for (const std::string_view known : {"==", "!=", "<", "<=", ">", ">="}) {
                if (at_op(known)) op = known;
            }
            if (!op.empty() || at_name("in")) {
                if (op.empty()) op = "in";
                advance();
            } else if (at_name("not") && next().kind == Kind::name && next().text == "in") {
                op = "not in";
                advance(), advance();
            } else {
                break;
            }
            made->operators.push_back(std::move(op));
            made->add(sum());
        }
        if (made->operators.empty()) return std::move(made->items[0]);
        return checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr chain(std::initializer_list<std::string_view> ops,
                                      ExpressionPtr (ExpressionParser::*operand)()) {
        auto left = (this->*operand)();
        for (;;) {
            std::string op;
            for (const auto known : ops) {
                if (at_op(known)) op = known;
            }
            if (op.empty()) return left;
            const unsigned line = now().line;
            advance();
            left = two(Ex::arithmetic, line, std::move(left), (this->*operand)());
            left->name = std::move(op);
        }
    }
    [[nodiscard]] ExpressionPtr sum() { return chain({"+", "-"}, &ExpressionParser::concat); }
    [[nodiscard]] ExpressionPtr concat() {
        auto made = make(Ex::concat, now().line);
        made->add(product());
        while (take_op("~")) made->add(product());
        return made->items.size() == 1 ? std::move(made->items[0]) : checked(std::move(made));
    }
    [[nodiscard]] ExpressionPtr product() { return chain({"*", "/", "//", "%"}, &ExpressionParser::power); }
    [[nodiscard]] ExpressionPtr power() { return chain({"**"}, &ExpressionParser::filtered); }
    [[nodiscard]] ExpressionPtr filtered() { return unary(true); }
    [[nodiscard]] ExpressionPtr unary(bool with_filters) {
        ExpressionPtr made;
        if (at_op("-") || at_op("+")) {
            const Nested nested(*this);
            made = make(Ex::sign, now().line);
            made->name = now().text;
            advance();
            made->add(unary(false));
        } else {
            made = primary();
        }
        made = postfix(std::move(made));
        return with_filters ? filters_and_tests(std::move(made)) : std::move(made);
    }
    [[nodiscard]] ExpressionPtr filters_and_tests(ExpressionPtr value) {
        for (;;) {
            if (at_op("|")) {
                value = filters(std::move(value));
            } else if (at_name("is")) {
                value = test(std::move(value));
            } else if (at_op("(")) {
                auto made = make(Ex::call, now().line);
                made->add(std::move(value));
                made->set_arguments(arguments());
                value = checked(std::move(made));
            } else {
                return value;
            }
        }
    }
    [[nodiscard]] ExpressionPtr test(ExpressionPtr value) {
        auto made = make(Ex::test, now().line);
        advance();
        const bool negated = take_name("not");
        made->name = expect_name("the name of a test");
        if (!known_test(made->name)) {
            throw Problem("uses the test " + quote(made->name) + ", which Silica does not know");
        }
        made->add(std::move(value));
        const auto& t = now();
        if (at_op("(")) {
            made->set_arguments(arguments());
        } else if ((t.kind == Kind::name && t.text != "else" && t.text != "or" && t.text != "and") ||
                   t.kind == Kind::string || t.kind == Kind::integer || t.kind == Kind::real || at_op("[") ||
                   at_op("{")) {
            if (t.text == "is" && t.kind == Kind::name) throw Problem("chains tests with 'is'");
            Arguments one;
            one.at.push_back(postfix(primary()));
            made->set_arguments(std::move(one));
        }
        made = checked(std::move(made));
        if (!negated) return made;
        auto outer = make(Ex::negation, made->line);
        outer->add(std::move(made));
        return checked(std::move(outer));
    }
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_EXPRESSION_PARSER_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja {

/// Statements, by the tags that open them. What Silica does not know is refused by name.
class Parser : public ExpressionParser {
public:
    explicit Parser(std::vector<Token> tokens) : ExpressionParser(std::move(tokens)) {}

    [[nodiscard]] Body run() { return body({}); }

private:
    using St = Statement::Kind;
    using Ends = std::vector<std::string_view>;

    /// Statements up to a tag named in `ends`, whose name is then the token at hand.
    [[nodiscard]] Body body(const Ends& ends) {
        const Nested nested(*this);
        Body made;
        for (;;) {
            const auto& t = now();
            if (t.kind == Kind::end) {
                if (ends.empty()) return made;
                throw Problem("ends without " + quote(ends.back()));
            }
            if (t.kind == Kind::text) {
                made.emplace_back(St::text, t.line).text = t.text;
                advance();
            } else if (t.kind == Kind::output_begin) {
                auto& out = made.emplace_back(St::output, t.line);
                advance();
                out.value = tuple();
                if (now().kind != Kind::output_end) unexpected("'}}'");
                advance();
            } else {
                advance();
                for (const auto end : ends) {
                    if (at_name(end)) return made;
                }
                made.push_back(statement());
                close();
            }
        }
    }
    void close() {
        if (now().kind != Kind::block_end) unexpected("'%}'");
        advance();
    }
    /// The body after a tag, and its end tag up to "%}".
    [[nodiscard]] Body block(std::string_view end) {
        close();
        auto made = body({end});
        advance();
        return made;
    }

    [[nodiscard]] Statement statement() {
        const unsigned line = now().line;
        const std::string tag = expect_name("the name of a tag");
        if (tag == "if") return choice(line);
        if (tag == "for") return loop(line);
        if (tag == "set") return set(line);
        if (tag == "macro") return macro(line);
        if (tag == "call") return call_block(line);
        if (tag == "with") return with(line);
        if (tag == "filter") {
            Statement made(St::filter, line);
            made.value = filters(nullptr, true);
            made.body = block("endfilter");
            return made;
        }
        if (tag == "generation") {
            Statement made(St::scope, line);
            made.body = callable_body("endgeneration");
            return made;
        }
        if (tag == "break" || tag == "continue") {
            if (loops_ == 0) throw Problem("has " + quote(tag) + " outside a loop");
            return Statement(tag == "break" ? St::leave : St::again, line);
        }
        for (const std::string_view known :
             {"block", "extends", "include", "import", "from", "print", "do", "autoescape", "trans", "debug"}) {
            if (tag == known) throw Problem("uses the tag " + quote(tag) + ", which chat templates do without here");
        }
        throw Problem("uses the tag " + quote(tag) + ", which Silica does not know or which does not belong there");
    }

    [[nodiscard]] Statement choice(unsigned line) {
        Statement made(St::choice, line);
        for (;;) {
            auto condition = tuple(false);
            close();
            made.branches.push_back({std::move(condition), body({"elif", "else", "endif"})});
            if (!take_name("elif")) break;
        }
        if (take_name("else")) {
            close();
            made.branches.push_back({nullptr, body({"endif"})});
        }
        advance();
        return made;
    }
    [[nodiscard]] Statement loop(unsigned line) {
        Statement made(St::loop, line);
        made.target = target(false);
        forbid_loop(*made.target);
        if (!take_name("in")) unexpected("'in'");
        made.value = tuple(false);
        if (take_name("if")) made.condition = expression();
        if (at_name("recursive")) throw Problem("has a recursive loop, which Silica does not know");
        close();
        ++loops_;
        made.body = body({"else", "endfor"});
        --loops_;
        if (take_name("else")) {
            close();
            made.orelse = body({"endfor"});
        }
        advance();
        return made;
    }
    static void forbid_loop(const Expression& target) {
        if (target.kind == Ex::name && target.name == "loop") throw Problem("goes through a list by the name 'loop'");
        for (const auto& item : target.items) forbid_loop(*item);
    }
    [[nodiscard]] Statement set(unsigned line) {
        Statement made(St::set, line);
        made.target = target(true);
        if (take_op("=")) {
            made.value = tuple();
            return made;
        }
        made.kind = St::set_block;
        made.value = filters(nullptr);
        made.body = block("endset");
        return made;
    }
    /// A name, namespace.name, or several between commas.
    [[nodiscard]] ExpressionPtr target(bool members) {
        auto made = make(Ex::tuple, now().line);
        bool commas = false;
        while (!at_name("in") && !at_op("=") && now().kind != Kind::block_end) {
            made->add(target_part(members));
            if (!take_op(",")) break;
            commas = true;
        }
        if (made->items.empty()) unexpected("a name");
        return commas ? std::move(made) : std::move(made->items[0]);
    }
    [[nodiscard]] ExpressionPtr target_part(bool members) {
        auto part = primary();
        if (members && part->kind == Ex::name && take_op(".")) {
            part->kind = Ex::set_member;
            part->member = expect_name("the name of an attribute");
        }
        require_target(*part, true);
        return part;
    }
    static void require_target(const Expression& part, bool outermost) {
        if (part.kind == Ex::tuple) {
            for (const auto& item : part.items) require_target(*item, false);
        } else if (part.kind != Ex::name && !(outermost && part.kind == Ex::set_member)) {
            throw Problem("assigns to something that is no name");
        }
    }

    /// What a macro or a call block holds: no loop outside it can be left from inside.
    [[nodiscard]] Body callable_body(std::string_view end) {
        const unsigned loops = std::exchange(loops_, 0);
        auto made = block(end);
        loops_ = loops;
        return made;
    }
    void parameters(Statement& made) {
        expect_op("(");
        while (!at_op(")")) {
            if (!made.parameters.empty()) expect_op(",");
            auto name = make(Ex::name, now().line);
            name->name = expect_name("the name of a parameter");
            for (const auto& [other, ignored] : made.parameters) {
                if (other->name == name->name) throw Problem("has the parameter " + quote(name->name) + " twice");
            }
            ExpressionPtr value;
            if (take_op("=")) {
                value = expression();
            } else if (!made.parameters.empty() && made.parameters.back().second) {
                throw Problem("has a parameter without a default after one that has one");
            }
            made.parameters.emplace_back(std::move(name), std::move(value));
        }
        expect_op(")");
    }
    /// Parameters and body, by `read`; notes which special names occur.
    template <class Read>
    void callable(Statement& made, Read&& read) {
        const bool varargs = std::exchange(saw_varargs_, false), kwargs = std::exchange(saw_kwargs_, false),
                   caller = std::exchange(saw_caller_, false);
        read();
        made.uses_varargs = saw_varargs_;
        made.uses_kwargs = saw_kwargs_;
        made.uses_caller = saw_caller_;
        saw_varargs_ = saw_varargs_ || varargs;
        saw_kwargs_ = saw_kwargs_ || kwargs;
        saw_caller_ = saw_caller_ || caller;
    }
    [[nodiscard]] Statement macro(unsigned line) {
        Statement made(St::macro, line);
        made.name = expect_name("the name of a macro");
        callable(made, [&] {
            parameters(made);
            made.body = callable_body("endmacro");
        });
        return made;
    }
    [[nodiscard]] Statement call_block(unsigned line) {
        Statement made(St::call_block, line);
        made.name = "caller";
        if (at_op("(")) parameters(made);
        made.value = expression();
        if (made.value->kind != Ex::call) throw Problem("has a call block that calls nothing");
        callable(made, [&] { made.body = callable_body("endcall"); });
        return made;
    }
    [[nodiscard]] Statement with(unsigned line) {
        Statement made(St::with, line);
        while (now().kind != Kind::block_end) {
            if (!made.parameters.empty()) expect_op(",");
            auto name = target_part(false);
            expect_op("=");
            auto value = expression();
            made.parameters.emplace_back(std::move(name), std::move(value));
        }
        made.body = block("endwith");
        return made;
    }

    unsigned loops_ = 0;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_PARSER_HPP

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text::jinja {

/// The time of this machine, in its zone.
[[nodiscard]] inline std::tm local_time() {
    const std::time_t now = std::time(nullptr);
    std::tm made{};
    localtime_r(&now, &made);
    return made;
}

/// A template as transformers sets Jinja up for chats: trim_blocks, lstrip_blocks, the immutable sandbox, break and
/// continue, {% generation %}, raise_exception, strftime_now. Rendering is const: threads may share a template.
class Template {
public:
    /// Parses. ConfigError names `name` and the line where the text is no Jinja or goes beyond what Silica knows.
    Template(std::string_view source, std::string name) : name_(std::move(name)) {
        constexpr std::size_t longest = std::size_t{1} << 22;
        if (source.size() > longest) refuse("has more than 4 MB", 1);
        if (utf8::first_invalid(source) != std::string_view::npos) refuse("is not UTF-8", 1);
        Lexer lexer(source);
        std::vector<Token> tokens;
        try {
            tokens = lexer.run();
        } catch (const Problem& problem) {
            refuse(problem.what(), lexer.line());
        }
        Parser parser(std::move(tokens));
        try {
            body_ = std::make_shared<const Body>(parser.run());
        } catch (const Problem& problem) {
            refuse(problem.what(), parser.line());
        }
    }

    /// The text for these variables; `variables` makes them in the session. InputError: what raise_exception says, or
    /// what went wrong, with the line.
    template <class Variables>
        requires std::is_invocable_r_v<Dict, Variables, Session&>
    [[nodiscard]] std::string render(Variables&& variables, Clock clock = local_time) const {
        Session session(std::move(clock));
        try {
            const Dict context = variables(session);
            return Interpreter(session, context).run(*body_);
        } catch (const Raised& raised) {
            throw InputError(raised.what(), "");
        } catch (const Problem& problem) {
            throw InputError(
                name_ + ", line " + std::to_string(session.line) + ": the template " + problem.what() + ".",
                "Give messages of the form that the template wants, or another template.");
        }
    }

private:
    [[noreturn]] void refuse(const std::string& problem, unsigned line) const {
        throw ConfigError(name_ + ", line " + std::to_string(line) + ": the template " + problem + ".",
                          "Correct the template, or write the prompt without it.");
    }

    std::string name_;
    std::shared_ptr<const Body> body_;
};

}  // namespace silica::text::jinja
#endif  // SILICA_SINGLE_INPUT_TEXT_JINJA_TEMPLATE_HPP
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

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace silica::text {

/// What a template is told beside the messages.
struct ChatOptions {
    bool add_generation_prompt = false;      ///< ends with what opens the answer
    const Json* tools = nullptr;             ///< a list of function schemas
    const Json* more = nullptr;              ///< an object of further variables ("enable_thinking", ...)
    jinja::Clock clock = jinja::local_time;  ///< for strftime_now
};

/// The templates of a checkpoint ("default", and more by name), parsed.
class ChatTemplate {
public:
    /// The template of a directory: chat_template.jinja and additional_chat_templates/*.jinja, else chat_template.json,
    /// else "chat_template" of tokenizer_config.json. ConfigError where there is none, or where it is damaged.
    [[nodiscard]] static ChatTemplate open(const std::filesystem::path& directory) {
        ChatTemplate made;
        made.read_jinja(directory);
        for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
            if (made.templates_.empty() && has_file(directory, name)) made.read_json(directory, name);
        }
        if (made.templates_.empty()) {
            throw ConfigError(
                directory.string() + " has no chat template.",
                "Use a checkpoint made for chats, add its chat_template.jinja, or give a prompt instead of "
                "messages.");
        }
        const auto config = TokenizerConfig::open(directory);
        for (const auto& [role, token] : config.special_tokens) made.tokens_.emplace_back(role, token.content);
        return made;
    }
    /// A template that is at hand, with the special tokens it may name ("bos_token", ...).
    [[nodiscard]] static ChatTemplate from_text(const std::string& source,
                                                std::vector<std::pair<std::string, std::string>> tokens = {}) {
        ChatTemplate made;
        made.add("default", source, "The chat template");
        made.tokens_ = std::move(tokens);
        return made;
    }

    /// The prompt for `messages`, a list of objects like {"role": "user", "content": "..."}. InputError: what the
    /// template's raise_exception says, or what is wrong.
    [[nodiscard]] std::string render(const Json& messages, const ChatOptions& options = {}) const {
        check(messages);
        if (options.tools && !options.tools->is_null() && !options.tools->is_array()) {
            throw InputError("The tools are " + options.tools->brief() + ".", "Give a list of function schemas.");
        }
        if (options.more && !options.more->is_object()) {
            throw InputError("The template's variables are " + options.more->brief() + ".", "Give an object.");
        }
        const bool tools = options.tools && !options.tools->is_null();
        return choose(tools).render(
            [&](jinja::Session& session) {
                jinja::Dict made;
                const auto set = [&](const std::string& name, jinja::Value value) {
                    jinja::assign(session, made, session.text(name), std::move(value));
                };
                for (const auto& [role, token] : tokens_) set(role, session.text(token));
                if (options.more) {
                    for (const auto& [name, value] : options.more->object())
                        set(name, jinja::from_json(session, value));
                }
                set("messages", plain(session, messages));
                set("tools", tools ? jinja::from_json(session, *options.tools) : jinja::Value(jinja::None{}));
                set("documents", jinja::None{});
                set("add_generation_prompt", jinja::Value(options.add_generation_prompt));
                return made;
            },
            options.clock);
    }

    /// The names of the templates.
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> made;
        for (const auto& entry : templates_) made.push_back(entry.first);
        return made;
    }

private:
    ChatTemplate() = default;

    void add(const std::string& name, const std::string& source, const std::string& file) {
        templates_.insert_or_assign(name, jinja::Template(source, file));
    }
    void read_jinja(const std::filesystem::path& directory) {
        if (has_file(directory, "chat_template.jinja")) {
            add("default", read_file(directory / "chat_template.jinja"), "chat_template.jinja");
        }
        std::error_code ignored;
        const std::filesystem::path more = directory / "additional_chat_templates";
        for (std::filesystem::directory_iterator at(more, ignored), end; !ignored && at != end; at.increment(ignored)) {
            const auto& path = at->path();
            if (path.extension() != ".jinja" || !at->is_regular_file(ignored)) continue;
            add(path.stem().string(), read_file(path), "additional_chat_templates/" + path.filename().string());
        }
    }
    void read_json(const std::filesystem::path& directory, const char* name) {
        const auto json = parse_json(read_file(directory / name), name);
        const JsonPlace top(json, name);
        const auto found = top.is_object() ? top.find("chat_template") : std::nullopt;
        if (!found) return;
        const std::string file = std::string(name) + ": chat_template";
        if (found->is_string()) return add("default", found->string(), file);
        if (!found->is_array()) found->fail("is neither a string nor a list of named templates");
        for (std::size_t i = 0; i < found->size(); ++i) {
            const auto entry = found->at(i);
            if (!entry.is_object()) entry.fail("is no object");
            add(entry.at("name").string(), entry.at("template").string(), file + "[" + std::to_string(i) + "]");
        }
    }

    [[nodiscard]] const jinja::Template& choose(bool tools) const {
        auto found = templates_.end();
        if (tools) found = templates_.find("tool_use");
        if (found == templates_.end()) found = templates_.find("default");
        if (found != templates_.end()) return found->second;
        throw ConfigError("The checkpoint has several chat templates and none is called default.",
                          "Copy the one to use to chat_template.jinja.");
    }
    static void check(const Json& messages) {
        const char* remedy = "Give a list of messages like {\"role\": \"user\", \"content\": \"...\"}.";
        if (!messages.is_array()) throw InputError("The messages are " + messages.brief() + ", not a list.", remedy);
        if (messages.array().empty()) throw InputError("There are no messages.", remedy);
        for (const auto& message : messages.array()) {
            if (!message.is_object()) throw InputError("A message is " + message.brief() + ", not an object.", remedy);
        }
    }
    /// As transformers prepares messages: without what is null, and with reasoning by each of its names.
    [[nodiscard]] static jinja::Value plain(jinja::Session& session, const Json& messages) {
        jinja::Values out;
        for (const auto& message : messages.array()) {
            const Json* reasoning = nullptr;
            for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
                const auto* found = message.find(name);
                if (!reasoning && found && !found->is_null()) reasoning = found;
            }
            jinja::Dict made;
            if (reasoning)
                jinja::assign(session, made, session.text("thinking"), jinja::from_json(session, *reasoning));
            for (const auto& [name, value] : message.object()) {
                if (!value.is_null())
                    jinja::assign(session, made, session.text(name), jinja::from_json(session, value));
            }
            if (reasoning) {
                jinja::assign(session, made, session.text("reasoning_content"), jinja::from_json(session, *reasoning));
            }
            out.push_back(session.dict(std::move(made)));
        }
        return session.list(std::move(out));
    }

    std::map<std::string, jinja::Template> templates_;
    std::vector<std::pair<std::string, std::string>> tokens_;
};

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_CHAT_TEMPLATE_HPP
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
