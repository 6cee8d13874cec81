#pragma once
/// The matrix from hidden states to the vocabulary, which many checkpoints tie to the word vectors.

#include "silica/nn/embedding.hpp"
#include "silica/nn/linear.hpp"

namespace silica::nn {

/// The projection at `own`, (vocabulary, d). Tied to `words`, which the file has as `words_name`, where `tie` is set
/// and the file leaves the matrix out or repeats the word vectors there; a matrix that differs from them stays apart.
/// Where the file shares the bytes of the two they are one, whatever `tie` says.
template <class E>
Linear<E> vocabulary_projection(const Weights& own, const Weights& root, std::string_view words_name,
                                const Embedding<E>& words, bool tie, std::int64_t vocabulary, std::int64_t d,
                                std::optional<Tensor> bias = std::nullopt) {
    const Tensor table = words.weight();
    if (!own.has("weight") && tie) return {table, std::move(bias)};
    if (root.same_bytes(words_name, own.path() + ".weight")) return {table, std::move(bias)};
    Tensor weight = take<op::Linear, E>(own, "weight", {vocabulary, d});
    if (tie && table.device() == weight.device() && table.equal(weight)) return {table, std::move(bias)};
    return Linear<E>::packed(std::move(weight), std::move(bias));
}

}  // namespace silica::nn
