#pragma once
/// What decoders share that attend to their own tokens and to what an encoder read. Vaswani et al. 2017, section 3.1.

#include "silica/nn/cross_cache.hpp"
#include "silica/nn/decoder_slots.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace silica::nn {

/// What such a decoder keeps of a text while it generates: its own tokens, and what the encoder read. A family adds
/// what its positions need. Moves, and copies by `clone`.
class CrossState : public DecoderSlots {
public:
    /// Caches of `layers` layers in `options`, on the device.
    CrossState(std::int64_t batch, std::int64_t capacity, std::int64_t layers, std::int64_t heads, std::int64_t d,
               at::TensorOptions options)
        : DecoderSlots(batch, capacity, heads, d, Windows(static_cast<std::size_t>(layers)), options), read(layers) {}

    [[nodiscard]] CrossState clone() const { return {DecoderSlots::clone(), read.clone()}; }
    [[nodiscard]] std::uint64_t bytes() const { return DecoderSlots::bytes() + read.bytes(); }
    /// Every step of a kind does the same to the same tensors, so that a graph can replay it.
    [[nodiscard]] bool replays() const noexcept { return true; }
    /// Steps after an encoder's output of another shape are of another kind.
    [[nodiscard]] std::int64_t step_kind() const { return 4 * read.shapes() + DecoderSlots::step_kind(); }
    void reorder(const Tensor& rows) {
        DecoderSlots::reorder(rows);
        read.reorder(rows);
    }

    CrossCache read;  ///< what the encoder read

private:
    CrossState(DecoderSlots slots, CrossCache r) : DecoderSlots(std::move(slots)), read(std::move(r)) {}
};

/// The layers of such a decoder. `Layer(x, self, cross)` is called with two ways to attend, each `(attention, h)` ->
/// Concat(head_1, ...); `keys_values(encoded)` makes what is attended to of the encoder's output.
template <class Layer>
class CrossDecoder {
public:
    using Ops = typename Layer::Ops;

    /// `heads` of `d` columns each in every layer.
    CrossDecoder(std::vector<Layer> layers, std::int64_t heads, std::int64_t d)
        : layers_(std::move(layers)), heads_(heads), d_(d) {}

    /// What all that follows attends to: the encoder's output (texts, tokens, width), of which `attend` (texts, tokens)
    /// bool may hide some.
    void attend_to(const Tensor& encoded, const std::optional<Tensor>& attend, CrossState& state) const {
        state.require_caches(layers_.size(), heads_, d_);
        state.read.take(encoded, attend, state.batch(), [&](auto n) { return layers_[n].keys_values(encoded); });
    }

    /// The tokens that follow, x (batch, tokens, hidden), which `state.full` has noted as stored -> the same shape.
    /// `cross(attention, h, n)` attends to what the encoder read, in layer n.
    template <class Cross>
    Tensor operator()(const Tensor& x, const op::Attends& attends, CrossState& state, Cross&& cross) const {
        const auto before = state.length(), tokens = x.size(1), length = before + tokens;
        const Tensor slots = state.full.of_new(before, tokens);
        return through(
            x, state,
            [&](const auto& attention, const Tensor& h, std::size_t n) {
                return attention(h, attends, state.caches[n], slots, length);
            },
            cross);
    }
    Tensor operator()(const Tensor& x, const op::Attends& attends, CrossState& state) const {
        return (*this)(x, attends, state, [&](const auto& attention, const Tensor& h, std::size_t n) {
            return state.read.attend(attention, h, n);
        });
    }

    /// Begins a step of one token per row. InputError before anything was read.
    void begin_step(CrossState& state) const {
        state.require_caches(layers_.size(), heads_, d_);
        if (state.length() == 0) throw InputError("The state has no text of the encoder.", "call prefill first.");
        state.full.begin_step();
    }
    /// That step, x (batch, 1, hidden); `mask` (batch or 1, heads or 1, 1, capacity) as op::DecodeAttention takes it.
    Tensor step(const Tensor& x, const std::optional<Tensor>& mask, CrossState& state) const {
        const Tensor y = through(
            x, state,
            [&](const auto& attention, const Tensor& h, std::size_t n) {
                return attention.step(h, state.caches[n], state.full, mask);
            },
            [&](const auto& attention, const Tensor& h, std::size_t n) { return state.read.step(attention, h, n); });
        state.full.end_step();
        return y;
    }

private:
    /// All layers; `self(attention, h, n)` and `cross(attention, h, n)` attend in layer n.
    template <class Self, class Cross>
    Tensor through(Tensor x, CrossState& state, Self&& self, Cross&& cross) const {
        for (std::size_t n = 0; n < layers_.size(); ++n) {
            x = layers_[n](
                x, [&](const auto& a, const Tensor& h) { return self(a, h, n); },
                [&](const auto& a, const Tensor& h) { return cross(a, h, n); });
        }
        state.advance(x.size(1));
        return x;
    }

    std::vector<Layer> layers_;
    std::int64_t heads_, d_;
};

}  // namespace silica::nn
