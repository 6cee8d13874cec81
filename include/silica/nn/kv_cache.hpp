#pragma once
/// Caches of keys and values, of fixed shape: nothing grows from step to step, so a graph can replay a step.

#include "silica/core/tensor.hpp"
#include "silica/op/store_kv.hpp"
#include "silica/run.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace silica::nn {

/// Keys and values of one layer, (batch, heads, capacity, d) each. A copy would share the tensors, so `clone` makes
/// one.
struct KvCache {
    Tensor keys, values;

    KvCache(std::int64_t batch, std::int64_t heads, std::int64_t capacity, std::int64_t d, at::TensorOptions options)
        : keys(at::zeros({batch, heads, capacity, d}, options)),
          values(at::zeros({batch, heads, capacity, d}, options)) {}
    KvCache(KvCache&&) = default;
    KvCache& operator=(KvCache&&) = default;

    [[nodiscard]] KvCache clone() const { return {keys.clone(), values.clone()}; }

    /// Takes over the first `tokens` slots of another cache, which both have.
    void take(const KvCache& from, std::int64_t tokens) {
        keys.narrow(2, 0, tokens).copy_(from.keys.narrow(2, 0, tokens));
        values.narrow(2, 0, tokens).copy_(from.values.narrow(2, 0, tokens));
    }
    /// Row i becomes what row `rows[i]` was.
    void reorder(const Tensor& rows) {
        keys.copy_(keys.index_select(0, rows));
        values.copy_(values.index_select(0, rows));
    }
    [[nodiscard]] std::uint64_t bytes() const { return keys.nbytes() + values.nbytes(); }

private:
    KvCache(Tensor k, Tensor v) : keys(std::move(k)), values(std::move(v)) {}
};

/// Which slot of a cache holds which token. A cache that is smaller than the text is a ring: token t is in slot t
/// modulo its capacity, and so it holds the last `capacity` tokens, all that a sliding window of that size sees.
class KvSlots {
public:
    KvSlots(std::int64_t batch, std::int64_t capacity, c10::Device device)
        : capacity_(capacity),
          next_(at::zeros({1}, at::TensorOptions().dtype(c10::ScalarType::Long).device(device))),
          filled_(at::zeros({1}, next_.options())),
          all_(at::arange(capacity, next_.options())),
          attend_(at::ones({batch, 1, 1, capacity}, next_.options().dtype(c10::ScalarType::Bool))) {}
    KvSlots(KvSlots&&) = default;
    KvSlots& operator=(KvSlots&&) = default;

    [[nodiscard]] KvSlots clone() const {
        KvSlots copy(*this);
        for (Tensor* t : {&copy.next_, &copy.filled_, &copy.attend_}) *t = t->clone();
        return copy;
    }

    [[nodiscard]] std::int64_t capacity() const noexcept { return capacity_; }
    /// (1) int64 on the device: where the next token goes, and how many slots hold a token.
    [[nodiscard]] const Tensor& next() const noexcept { return next_; }
    [[nodiscard]] const Tensor& filled() const noexcept { return filled_; }
    /// (batch, 1, 1, capacity) bool: which slots may be attended to; absent while all may.
    [[nodiscard]] std::optional<Tensor> attend() const { return masked_ ? std::optional(attend_) : std::nullopt; }

    /// The slots of `tokens` new tokens after `length` old ones, (tokens) int64; `tokens` <= capacity.
    [[nodiscard]] Tensor of_new(std::int64_t length, std::int64_t tokens) const {
        const auto first = length % capacity_, until_end = std::min(tokens, capacity_ - first);
        const Tensor head = all_.narrow(0, first, until_end);
        return until_end == tokens ? head : at::cat({head, all_.narrow(0, 0, tokens - until_end)});
    }
    /// What a tensor with slots in dimension `dim` holds of the last min(`length`, capacity) tokens, the oldest first.
    [[nodiscard]] Tensor in_order(const Tensor& t, std::int64_t dim, std::int64_t length) const {
        const auto n = std::min(length, capacity_);
        return t.index_select(dim, of_new(length - n, n));
    }
    /// Which of those tokens may be attended to, (batch, tokens) bool.
    [[nodiscard]] Tensor attend_in_order(std::int64_t length) const {
        return in_order(attend_.squeeze(1).squeeze(1), 1, length);
    }

    /// Notes that the last of `tokens` tokens after `length` old ones were stored. `mask` (batch, tokens) bool, true =
    /// attend; absent: all.
    void stored(std::int64_t length, std::int64_t tokens, const std::optional<Tensor>& mask) {
        const auto kept = std::min(tokens, capacity_);
        if (mask || masked_) {
            const Tensor fresh =
                mask ? mask->narrow(1, tokens - kept, kept) : at::ones({attend_.size(0), kept}, attend_.options());
            attend_.index_copy_(3, of_new(length + tokens - kept, kept), fresh.unsqueeze(1).unsqueeze(1));
            masked_ = true;
        }
        next_.fill_((length + tokens) % capacity_);
        filled_.fill_(std::min(length + tokens, capacity_));
    }

    /// A step, in two halves: the new token counts as filled before attention, the next slot is another after it.
    void begin_step() {
        filled_ += filled_ < capacity_;
        if (masked_) attend_.copy_(attend_ | (all_ == next_));
    }
    void end_step() {
        next_ += 1;
        next_ *= next_ < capacity_;
    }

    /// Forgets what came after the first `length` tokens, of which none was overwritten.
    void shorten(std::int64_t length) {
        next_.fill_(length % capacity_);
        filled_.fill_(std::min(length, capacity_));
    }

    /// Whether some slots may not be attended to.
    [[nodiscard]] bool masked() const noexcept { return masked_; }
    /// Forgets all tokens.
    void clear() {
        next_.fill_(0);
        filled_.fill_(0);
        attend_.fill_(true);
        masked_ = false;
    }
    void reorder(const Tensor& rows) {
        if (masked_) attend_.copy_(attend_.index_select(0, rows));
    }

private:
    KvSlots(const KvSlots&) = default;

    std::int64_t capacity_;
    Tensor next_, filled_, all_, attend_;
    bool masked_ = false;
};

}  // namespace silica::nn
