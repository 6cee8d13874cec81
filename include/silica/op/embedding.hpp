#pragma once
/// y[i] = W[ids[i]]: one row of a table for each id.

#include "silica/op/concept.hpp"
#include "silica/op/prepared.hpp"

namespace silica::op {

/// ids (...) int64, W (rows, d) -> (..., d). Ids are checked against the rows before they reach a device, not here.
struct Embedding {
    static constexpr std::string_view name = "embedding";
    using signature = Tensor(const Tensor& ids, const Prepared& table);
};
static_assert(OpTag<Embedding>);

}  // namespace silica::op
