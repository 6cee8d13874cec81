#pragma once
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
