#pragma once
/// Rows of a table that is kept as it is.

#include "silica/op/embedding.hpp"

#include <ATen/ops/embedding.h>

namespace silica::device::aten {

struct Embedding {
    using Packed = op::Plain;
    static Packed pack(op::Embedding::Source s) { return s; }
    static Tensor run(const Tensor& ids, const Packed& table) { return at::embedding(table.weight, ids); }
};

}  // namespace silica::device::aten
