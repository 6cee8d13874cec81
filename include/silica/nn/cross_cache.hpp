#pragma once
/// What a decoder keeps of the text, picture or sound that an encoder read.

#include "silica/core/limits.hpp"
#include "silica/nn/attention.hpp"

#include <optional>
#include <vector>

namespace silica::nn {

/// Keys and values of an encoder's output in all layers, once for all that follows. Several rows of the decoder that
/// stand together may share one text: the beams of a search. The tensors keep their places while texts are no longer
/// than the longest so far, so that a graph can replay a step. Moves, and copies by `clone`.
class CrossCache {
public:
    explicit CrossCache(std::int64_t layers) : layers_(static_cast<std::size_t>(layers)) {}
    CrossCache(CrossCache&&) = default;
    CrossCache& operator=(CrossCache&&) = default;
    [[nodiscard]] CrossCache clone() const {
        CrossCache copy(*this);
        if (!filled_.defined()) return copy;  // nothing was taken yet
        for (auto& kv : copy.layers_) kv = {kv.keys.clone(), kv.values.clone()};
        for (Tensor* t : {&copy.filled_, &copy.hidden_}) *t = t->clone();
        return copy;
    }

    /// Takes an encoder's output (texts, tokens, d), of which layer `n` makes keys and values by `make(n)`, for `rows`
    /// rows of the decoder, a multiple of the texts. `attend` (texts, tokens) bool, true = attend; absent: all.
    template <class Make>
    void take(const Tensor& encoded, const std::optional<Tensor>& attend, std::int64_t rows, Make&& make) {
        const auto texts = encoded.size(0);
        tokens_ = encoded.size(1);
        const bool fits = filled_.defined() && texts == texts_ && rows / texts == share_ && tokens_ <= capacity();
        texts_ = texts, share_ = rows / texts;
        if (!fits) {
            ++shapes_;
            filled_ = at::empty({1}, encoded.options().dtype(c10::ScalarType::Long));
            hidden_ = at::zeros({texts, 1, 1, tokens_}, encoded.options());
        }
        for (std::size_t n = 0; n < layers_.size(); ++n) {
            const KeysValues kv = make(n);
            if (!fits) {
                layers_[n] = {kv.keys.contiguous(), kv.values.contiguous()};
            } else {
                layers_[n].keys.narrow(2, 0, tokens_).copy_(kv.keys);
                layers_[n].values.narrow(2, 0, tokens_).copy_(kv.values);
            }
        }
        filled_.fill_(tokens_);
        if (attend) hidden_.narrow(3, 0, tokens_).copy_(hidden_by(*attend));
        if (masked_ != attend.has_value()) masked_ = attend.has_value(), ++shapes_;
    }

    /// The keys of layer `n`, (texts, heads, tokens, d).
    [[nodiscard]] Tensor keys(std::size_t n) const { return layers_[n].keys.narrow(2, 0, tokens_); }

    /// x (rows, tokens, hidden) attends to it through `attention`, in layer `n`.
    template <class E>
    Tensor attend(const Attention<E>& attention, const Tensor& x, std::size_t n) const {
        const auto queries = x.size(1);
        const KeysValues kv{keys(n), layers_[n].values.narrow(2, 0, tokens_)};
        op::Attends attends;
        if (masked_) attends.bias = hidden_.narrow(3, 0, tokens_);
        if (share_ == 1) return attention.cross(x, kv, attends);
        // The rows of a text ask one after another, like the tokens of one row.
        return attention.cross(x.reshape({texts_, share_ * queries, x.size(2)}), kv, attends)
            .reshape({texts_ * share_, queries, -1});
    }

    /// The same for one token per row, x (rows, 1, hidden).
    template <class E>
    Tensor step(const Attention<E>& attention, const Tensor& x, std::size_t n) const {
        const Tensor q = attention.queries(x);  // (rows, heads, 1, d)
        const auto heads = q.size(1), d = q.size(3);
        // The rows of a text are to each head of keys what grouped query heads are.
        const Tensor grouped =
            share_ == 1 ? q
                        : q.reshape({texts_, share_, heads, d}).transpose(1, 2).reshape({texts_, heads * share_, 1, d});
        const auto& kv = layers_[n];
        const Tensor y = run<op::DecodeAttention, E>(grouped, kv.keys, kv.values, filled_, bias(), attention.scale());
        if (share_ == 1) return joined_heads(y);
        return y.view({texts_, heads, share_, d}).transpose(1, 2).reshape({texts_ * share_, 1, heads * d});
    }

    /// Tokens that fit without new tensors.
    [[nodiscard]] std::int64_t capacity() const {
        return layers_.empty() || !layers_[0].keys.defined() ? 0 : layers_[0].keys.size(2);
    }
    /// Counts how often the tensors changed their shapes or places: steps before and after are of another kind.
    [[nodiscard]] std::int64_t shapes() const noexcept { return shapes_; }
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& kv : layers_) {
            if (kv.keys.defined()) sum += static_cast<std::uint64_t>(kv.keys.nbytes() + kv.values.nbytes());
        }
        return sum;
    }
    /// Row i becomes what row `rows[i]` was. Where rows share a text they stay with it, and nothing moves.
    void reorder(const Tensor& rows) {
        if (share_ > 1) return;
        for (auto& kv : layers_) {
            kv.keys.copy_(kv.keys.index_select(0, rows));
            kv.values.copy_(kv.values.index_select(0, rows));
        }
        if (masked_) hidden_.copy_(hidden_.index_select(0, rows));
    }

private:
    CrossCache(const CrossCache&) = default;

    [[nodiscard]] std::optional<Tensor> bias() const { return masked_ ? std::optional(hidden_) : std::nullopt; }

    /// What is added to the scores, (texts, 1, 1, tokens): the least number there is where `attend` is false. A query
    /// that may attend to nothing attends to all alike, as in transformers.
    [[nodiscard]] Tensor hidden_by(const Tensor& attend) const {
        const Tensor mask = attend.unsqueeze(1).unsqueeze(1);
        return at::where(mask, at::zeros({}, hidden_.options()),
                         at::full({}, least_of(hidden_.scalar_type()), hidden_.options()));
    }

    std::vector<KeysValues> layers_;
    Tensor filled_, hidden_;  // (1) int64 tokens of the text; (texts, 1, 1, capacity), added to the scores
    std::int64_t texts_ = 1, share_ = 1, tokens_ = 0, shapes_ = 0;
    bool masked_ = false;
};

}  // namespace silica::nn
