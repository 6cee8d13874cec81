#pragma once
/// What models made of words they met before. One cache per thread, of bounded size, shared by all tokenizers.

#include <silica/input/text/vocabulary.hpp>

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
