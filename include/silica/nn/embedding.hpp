#pragma once
/// A table of vectors, one row for each id.

#include "silica/nn/place.hpp"
#include "silica/op/embedding.hpp"
#include "silica/run.hpp"

namespace silica::nn {

/// y[i] = W[ids[i]].
template <class E>
class Embedding {
public:
    using Ops = OpList<op::Embedding>;

    /// `weight` (rows, d) at `w`.
    Embedding(const Weights& w, std::int64_t rows, std::int64_t d)
        : Embedding(take<op::Embedding, E>(w, "weight", {rows, d})) {}
    explicit Embedding(Tensor table) : table_(std::move(table), std::nullopt) {}

    /// ids (...) -> (..., d).
    Tensor operator()(const Tensor& ids) const { return run<op::Embedding, E>(ids, table_); }

    /// The table (rows, d), for an output projection that is tied to it.
    [[nodiscard]] Tensor weight() const { return table_.unpack().weight; }

private:
    Prepared<op::Embedding, E> table_;
};

}  // namespace silica::nn
