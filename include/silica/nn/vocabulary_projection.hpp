#pragma once
/// The matrix from hidden states to the vocabulary, which many checkpoints tie to the word vectors.

#include "silica/nn/embedding.hpp"
#include "silica/nn/linear.hpp"

#include <type_traits>

namespace silica::nn {

namespace detail {

template <class Precision>
inline constexpr bool plain_projection = false;
template <class Precision>
    requires(Precision::plain_projection)
inline constexpr bool plain_projection<Precision> = true;

}  // namespace detail

/// The type of that matrix. A quantised precision that says `plain_projection = true` leaves it unquantised.
template <class E>
using VocabularyProjection =
    Linear<std::conditional_t<detail::plain_projection<typename E::precision>, typename E::plain, E>>;

/// The projection at `own`, (vocabulary, d). Tied to `words`, which the file has at the place `table`, where `tie` is
/// set and the file leaves the matrix out or repeats the word vectors there; a matrix that differs from them stays
/// apart. Where the file shares the bytes of the two they are one, whatever `tie` says.
template <class E>
VocabularyProjection<E> vocabulary_projection(const Weights& own, const Weights& table, const Embedding<E>& words,
                                              bool tie, std::int64_t vocabulary, std::int64_t d,
                                              std::optional<Tensor> bias = std::nullopt) {
    using Projection = VocabularyProjection<E>;
    if constexpr (takes_codes<op::Linear, typename Projection::Exec>) {
        const bool tied = (!own.has("weight") && tie) || own.same_bytes(table);
        op::Coded made = coded_matrix<op::Linear, E>(tied ? table : own, vocabulary, d, std::move(bias));
        if (tied && made.plain()) return Projection::shared(op::Plain{words.weight(), std::move(made.bias)});
        return Projection::own(std::move(made));
    } else {
        const Tensor vectors = words.weight();
        const auto tied = [&] { return Projection::shared({vectors, std::move(bias)}); };
        if (!own.has("weight") && tie) return tied();
        if (own.same_bytes(table)) return tied();
        Tensor weight = take<op::Linear, E>(own, "weight", {vocabulary, d});
        if (tie && (own.counts() || (vectors.device() == weight.device() && vectors.equal(weight)))) return tied();
        return Projection::own({std::move(weight), std::move(bias)});
    }
}

}  // namespace silica::nn
