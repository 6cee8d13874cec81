#pragma once
/// What every decoder keeps of its own tokens while it generates.

#include "silica/core/error.hpp"
#include "silica/nn/kv_cache.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace silica::nn {

/// Of each layer how many of the last tokens it attends to; absent: all.
using Windows = std::vector<std::optional<std::int64_t>>;

/// Keys and values of `batch` rows in all layers, and which slots hold which token. Everything on the device has a
/// fixed shape and place. What the host counts (`length`) advances apart from it, so that a graph can replay the
/// device's part. Moves, and copies by `clone`.
class DecoderSlots {
public:
    /// Caches in `options`, on the device. InputError for more than a machine could hold.
    DecoderSlots(std::int64_t batch, std::int64_t capacity, std::int64_t heads, std::int64_t d, const Windows& windows,
                 at::TensorOptions options)
        : full((check(batch, capacity, heads * d), batch), capacity, options.device()), batch_(batch) {
        for (const auto& window : windows) {
            const auto slots = window ? std::min(*window, capacity) : capacity;
            if (slots < capacity && !sliding) sliding.emplace(batch, slots, options.device());
            caches.emplace_back(batch, heads, slots, d, options);
        }
    }
    DecoderSlots(DecoderSlots&&) = default;
    DecoderSlots& operator=(DecoderSlots&&) = default;
    [[nodiscard]] DecoderSlots clone() const {
        require_here();
        return DecoderSlots(*this, 0);
    }

    /// Tokens taken so far, padding included.
    [[nodiscard]] std::int64_t length() const noexcept { return length_; }
    [[nodiscard]] std::int64_t capacity() const noexcept { return full.capacity(); }
    [[nodiscard]] std::int64_t batch() const noexcept { return batch_; }
    /// Bytes of all caches.
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& cache : caches) sum += cache.bytes();
        return sum;
    }
    /// Steps with a mask are of another kind: below 4.
    [[nodiscard]] std::int64_t step_kind() const {
        return (full.masked() ? 1 : 0) + (sliding && sliding->masked() ? 2 : 0);
    }

    /// InputError unless there is room for `tokens` more of `batch` rows.
    void require_room(std::int64_t batch, std::int64_t tokens) const {
        if (batch != batch_) {
            throw InputError("The inputs have " + std::to_string(batch) + " rows, the state was made for " +
                                 std::to_string(batch_) + ".",
                             "make a state for as many rows.");
        }
        if (tokens > capacity() - length_) {
            throw InputError("The decoder's tokens need " + std::to_string(length_ + tokens) +
                                 " places, the state has " + std::to_string(capacity()) + ".",
                             "make a state of a larger capacity, or shorten the prompt.");
        }
    }

    /// InputError for a state that a model of other sizes made, or whose caches were moved away.
    void require_caches(std::size_t layers, std::int64_t heads, std::int64_t d) const {
        const auto fits = [&](const Tensor& t) { return t.defined() && t.size(1) == heads && t.size(3) == d; };
        if (caches.size() == layers && (layers == 0 || fits(caches[0].keys))) return;
        throw InputError("The state is not of this model: its caches have other sizes.",
                         "use the state that make_state() of this model returned, where it was moved to.");
    }

    /// InputError for a state that was moved away from.
    void require_here() const {
        if (full.next().defined()) return;
        throw InputError("The state was moved away from.", "use it where it was moved to.");
    }

    /// The slots of layer `n`.
    [[nodiscard]] KvSlots& slots(std::size_t n) { return caches[n].keys.size(2) < capacity() ? *sliding : full; }
    /// Calls `f(slots)` for each kind of cache there is.
    template <class F>
    void for_each_kind(F&& f) {
        f(full);
        if (sliding) f(*sliding);
    }

    /// What the host counts, after `tokens` more.
    void advance(std::int64_t tokens) { length_ += tokens; }
    /// Whether slot t holds token t, and all may be attended to: nothing is masked, and no ring went round.
    [[nodiscard]] bool in_place() const {
        return !full.masked() && (!sliding || (!sliding->masked() && length_ <= sliding->capacity()));
    }
    /// Forgets all but the first `tokens` tokens of each row, of a state that is `in_place`.
    void shorten(std::int64_t tokens) {
        require_here();
        for_each_kind([&](KvSlots& slots) { slots.shorten(tokens); });
        length_ = tokens;
    }
    /// Takes over the tokens of a smaller state that is `in_place`, of the same model and batch.
    void resume(const DecoderSlots& from) {
        require_here();
        from.require_here();
        for (std::size_t n = 0; n < caches.size(); ++n) caches[n].take(from.caches[n], from.length_);
        for_each_kind([&](KvSlots& slots) { slots.stored(0, from.length_, std::nullopt); });
        length_ = from.length_;
    }
    /// Forgets all tokens; the tensors stay.
    void clear() {
        require_here();
        for_each_kind([](KvSlots& slots) { slots.clear(); });
        length_ = 0;
    }
    /// Row i becomes what row `rows[i]` was: for beam search.
    void reorder(const Tensor& rows) {
        require_here();
        for (auto& cache : caches) cache.reorder(rows);
        for_each_kind([&](KvSlots& slots) { slots.reorder(rows); });
    }

    std::vector<KvCache> caches;     ///< of each layer
    KvSlots full;                    ///< of the caches that keep every token
    std::optional<KvSlots> sliding;  ///< of those that keep a window

private:
    DecoderSlots(const DecoderSlots& from, int) : full(from.full.clone()), batch_(from.batch_), length_(from.length_) {
        if (from.sliding) sliding.emplace(from.sliding->clone());
        for (const auto& cache : from.caches) caches.push_back(cache.clone());
    }

    static void check(std::int64_t batch, std::int64_t capacity, std::int64_t width) {
        constexpr double most = 1e15;  // values of one layer
        if (static_cast<double>(batch) * static_cast<double>(capacity) * static_cast<double>(width) < most) return;
        throw InputError("A state for " + std::to_string(batch) + " rows of " + std::to_string(capacity) +
                             " tokens is larger than any memory.",
                         "ask for fewer rows, or a smaller capacity.");
    }

    std::int64_t batch_, length_ = 0;
};

}  // namespace silica::nn
