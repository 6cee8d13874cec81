#pragma once
/// What T5's decoder keeps of a text while it generates.

#include "silica/arch/t5/layers.hpp"
#include "silica/nn/kv_cache.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace silica::arch {

/// Caches of `batch` rows: keys and values of the decoder's own tokens, in slots, and of the encoder's output, which
/// the first prefill sets. Everything on the device keeps its shape and place from then on.
class T5State {
public:
    /// Caches in `options`, on the device. `position_bias` for the relative positions 1 - capacity to capacity - 1,
    /// (heads, 2 capacity - 1).
    T5State(std::int64_t batch, std::int64_t capacity, const T5Config& c, Tensor position_bias,
            at::TensorOptions options)
        : slots(batch, capacity, options.device()),
          bias_by_distance_(std::move(position_bias)),
          all_(at::arange(capacity, options.dtype(c10::ScalarType::Long))),
          batch_(batch) {
        for (std::int64_t n = 0; n < c.decoder_layers(); ++n)
            caches.emplace_back(batch, c.num_heads, capacity, c.d_kv, options);
    }

    /// Tokens of the decoder taken so far, padding included.
    [[nodiscard]] std::int64_t length() const noexcept { return length_; }
    [[nodiscard]] std::int64_t capacity() const noexcept { return slots.capacity(); }
    [[nodiscard]] std::int64_t batch() const noexcept { return batch_; }
    /// Bytes of all caches.
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& cache : caches) sum += static_cast<std::uint64_t>(cache.bytes());
        for (const auto& kv : encoder) sum += static_cast<std::uint64_t>(kv.keys.nbytes() + kv.values.nbytes());
        return sum;
    }
    /// Every step of a kind does the same to the same tensors, so that a graph can replay it.
    [[nodiscard]] bool replays() const noexcept { return true; }
    /// Steps with a mask are of another kind, and those after an encoder's output of another shape.
    [[nodiscard]] std::int64_t step_kind() const { return 2 * shapes_ + (slots.masked() ? 1 : 0); }
    /// Forgets all tokens; the tensors stay.
    void clear() {
        slots.clear();
        length_ = 0;
    }
    /// Puts what comes from an encoder's output where the last one's is, if it has its shape.
    void take(Tensor& to, const Tensor& from) {
        if (to.defined() && to.sizes() == from.sizes())
            to.copy_(from);
        else
            to = from, ++shapes_;
    }
    /// There is no mask of the encoder's tokens.
    void unmask_encoder() {
        if (encoder_mask) encoder_mask.reset(), ++shapes_;
    }

    /// Row i becomes what row `rows[i]` was: for beam search.
    void reorder(const Tensor& rows) {
        for (auto& cache : caches) cache.reorder(rows);
        for (auto& kv : encoder) {
            kv.keys.copy_(kv.keys.index_select(0, rows));
            kv.values.copy_(kv.values.index_select(0, rows));
        }
        if (encoder_mask) encoder_mask->copy_(encoder_mask->index_select(0, rows));
        slots.reorder(rows);
    }

    /// What the host counts, after `tokens` more.
    void advance(std::int64_t tokens) { length_ += tokens; }

    /// The position bias of the last token that is filled, for every slot: (1, heads, 1, capacity).
    [[nodiscard]] Tensor step_bias() const {
        return bias_by_distance_.index_select(1, all_ + (capacity() - slots.filled())).unsqueeze(1).unsqueeze(0);
    }

    nn::KvSlots slots;
    std::vector<nn::KvCache> caches;    ///< of each layer
    std::vector<T5KeysValues> encoder;  ///< of each layer; empty before the first prefill
    Tensor encoder_filled;              ///< (1) int64: the encoder's tokens
    std::optional<Tensor>
        encoder_mask;  ///< (batch, 1, 1, encoder tokens), added to the scores; absent: all attended to

private:
    Tensor bias_by_distance_, all_;
    std::int64_t batch_, length_ = 0, shapes_ = 0;
};

}  // namespace silica::arch
