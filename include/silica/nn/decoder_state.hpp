#pragma once
/// What a decoder with rotary positions keeps of a text while it generates.

#include "silica/nn/decoder_slots.hpp"
#include "silica/nn/rope.hpp"

#include <algorithm>

namespace silica::nn {

/// Caches, positions and angles of `batch` rows. Moves, and copies by `clone`.
class DecoderState : public DecoderSlots {
public:
    /// Caches and angles in `options`, on the device.
    DecoderState(std::int64_t batch, std::int64_t capacity, std::int64_t kv_heads, std::int64_t d,
                 const Windows& windows, const Rope& rope, at::TensorOptions options)
        : DecoderSlots(batch, capacity, kv_heads, d, windows, options),
          positions(at::zeros({batch}, options.dtype(c10::ScalarType::Long))),
          cos(at::empty({capacity, d / 2}, options)),
          sin(at::empty({capacity, d / 2}, options)),
          rope_(rope) {
        use_angles(1);
    }

    [[nodiscard]] DecoderState clone() const { return DecoderState(*this, DecoderSlots::clone()); }
    /// Whether every step of a kind does the same to the same tensors, so that a graph can replay it.
    [[nodiscard]] bool replays() const { return rope_.fixed(); }
    /// Whether the last tokens can be forgotten: nothing of those before depends on them.
    [[nodiscard]] bool shortens() const { return in_place() && replays(); }
    void shorten(std::int64_t tokens) {
        DecoderSlots::shorten(tokens);
        positions.fill_(tokens);
        longest_ = tokens;
    }
    void resume(const DecoderState& from) {
        DecoderSlots::resume(from);
        positions.copy_(from.positions);
        use_angles(std::max<std::int64_t>(from.longest_, 1));
    }
    void clear() {
        DecoderSlots::clear();
        positions.fill_(0);
        use_angles(1);
    }
    void reorder(const Tensor& rows) {
        DecoderSlots::reorder(rows);
        positions.copy_(positions.index_select(0, rows));
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

    Tensor positions;  ///< (batch) int64: of the next token of each row
    Tensor cos, sin;   ///< (capacity, d / 2)

private:
    DecoderState(const DecoderState& from, DecoderSlots slots)
        : DecoderSlots(std::move(slots)),
          positions(from.positions.clone()),
          cos(from.cos.clone()),
          sin(from.sin.clone()),
          rope_(from.rope_),
          longest_(from.longest_),
          key_(from.key_) {}

    Rope rope_;
    std::int64_t longest_ = 0, key_ = -1;
};

}  // namespace silica::nn
