#pragma once
/// Weights before a kernel has packed them: what `pack` of Linear's and Embedding's kernels takes and `unpack` of what
/// it made gives back. An op with other weights has a source of its own (op/conv.hpp).

#include "silica/core/tensor.hpp"
#include "silica/op/law.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <optional>

namespace silica::op {

/// Weights in the layout of the checkpoint, and the `Packed` of kernels that keep them as they are.
struct Plain {
    Tensor weight;                    ///< (out, in) for Linear, (rows, d) for Embedding
    std::optional<Tensor> bias = {};  ///< (out)

    [[nodiscard]] const Plain& unpack() const { return *this; }
};

}  // namespace silica::op

BOOST_HANA_ADAPT_STRUCT(silica::op::Plain, weight, bias);
