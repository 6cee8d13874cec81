#pragma once
/// y[i] = W[ids[i]]: one row of a table for each id.

#include "silica/op/concept.hpp"
#include "silica/op/prepared.hpp"

namespace silica::op {

/// ids (...) int64, W (rows, d) -> (..., d). Ids are checked against the rows before they reach a device, not here.
struct Embedding {
    static constexpr std::string_view name = "embedding";
    using signature = Tensor(const Tensor& ids, const Prepared& table);
    using Source = Plain;
    static constexpr bool quantisable = false;
    static void check(const Source& s) {
        law(s.weight.dim() == 2 && computes(s.weight.scalar_type()) && !s.bias, name, "a table W (rows, d) and no bias",
            s.weight, s.bias);
    }
    static void check(const Tensor& ids, const WeightShape& table) {
        law(ids.scalar_type() == c10::ScalarType::Long, name, "ids (...) int64 and W (rows, d)", ids, table);
    }
};
static_assert(OpTag<Embedding>);

}  // namespace silica::op
