#pragma once
/// What a decoder with rotary positions keeps of a text while it generates.

#include "silica/nn/kv_cache.hpp"
#include "silica/nn/rope.hpp"

#include <optional>
#include <vector>

namespace silica::nn {

/// Caches, positions and angles of `batch` rows. Everything on the device has a fixed shape and place. What the host
/// counts
/// (`length`) advances apart from it, so that a graph can replay the device's part.
class DecoderState {
public:
    /// `windows`: of each layer, absent where it attends to all. Caches and angles in `options`, on the device.
    DecoderState(std::int64_t batch, std::int64_t capacity, std::int64_t kv_heads, std::int64_t d,
                 const std::vector<std::optional<std::int64_t>>& windows, const Rope& rope, at::TensorOptions options)
        : full(batch, capacity, options.device()),
          positions(at::zeros({batch}, options.dtype(c10::ScalarType::Long))),
          cos(at::empty({capacity, d / 2}, options)),
          sin(at::empty({capacity, d / 2}, options)),
          rope_(rope) {
        for (const auto& window : windows) {
            const auto slots = window ? std::min(*window, capacity) : capacity;
            if (slots < capacity && !sliding) sliding.emplace(batch, slots, options.device());
            caches.emplace_back(batch, kv_heads, slots, d, options);
        }
        use_angles(1);
    }

    /// Tokens taken so far, padding included.
    [[nodiscard]] std::int64_t length() const noexcept { return length_; }
    [[nodiscard]] std::int64_t capacity() const noexcept { return full.capacity(); }
    [[nodiscard]] std::int64_t batch() const { return positions.size(0); }
    /// Bytes of all caches.
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& cache : caches) sum += cache.bytes();
        return sum;
    }
    /// Whether every step of a kind does the same to the same tensors, so that a graph can replay it.
    [[nodiscard]] bool replays() const { return rope_.fixed(); }
    /// Steps with a mask are of another kind.
    [[nodiscard]] std::int64_t step_kind() const {
        return (full.masked() ? 1 : 0) + (sliding && sliding->masked() ? 2 : 0);
    }
    /// Forgets all tokens; the tensors stay.
    void clear() {
        for_each_kind([](KvSlots& slots) { slots.clear(); });
        positions.fill_(0);
        length_ = 0;
        use_angles(1);
    }

    /// Row i becomes what row `rows[i]` was: for beam search.
    void reorder(const Tensor& rows) {
        for (auto& cache : caches) cache.reorder(rows);
        full.reorder(rows);
        if (sliding) sliding->reorder(rows);
        positions.copy_(positions.index_select(0, rows));
    }

    /// The slots of layer `n`.
    [[nodiscard]] KvSlots& slots(std::size_t n) { return caches[n].keys.size(2) < capacity() ? *sliding : full; }

    /// Calls `f(slots)` for each kind of cache there is.
    template <class F>
    void for_each_kind(F&& f) {
        f(full);
        if (sliding) f(*sliding);
    }

    /// Makes the angles right for a text of `longest` tokens in its longest row.
    void use_angles(std::int64_t longest) {
        longest_ = longest;
        if (key_ == rope_.key(longest)) return;
        key_ = rope_.key(longest);
        const auto table = rope_.table(cos.size(0), longest);
        cos.copy_(table.cos);
        sin.copy_(table.sin);
    }
    [[nodiscard]] std::int64_t longest() const noexcept { return longest_; }

    /// What the host counts, after `tokens` more.
    void advance(std::int64_t tokens) { length_ += tokens; }

    std::vector<KvCache> caches;
    KvSlots full;                    ///< of the caches that keep every token
    std::optional<KvSlots> sliding;  ///< of those that keep a window
    Tensor positions;                ///< (batch) int64: of the next token of each row
    Tensor cos, sin;                 ///< (capacity, d / 2)

private:
    Rope rope_;
    std::int64_t length_ = 0, longest_ = 0, key_ = -1;
};

}  // namespace silica::nn
