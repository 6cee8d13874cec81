#pragma once
/// Weights before a kernel has packed them.

#include "silica/core/tensor.hpp"

#include <optional>

namespace silica::op {

/// Weights in the layout of the checkpoint; what `Packed::unpack()` gives back, and the `Packed` of kernels that keep
/// them as they are.
struct Plain {
    Tensor weight;                    ///< (out, in) for Linear, (rows, d) for Embedding
    std::optional<Tensor> bias = {};  ///< (out)

    [[nodiscard]] Plain unpack() const { return *this; }
};

}  // namespace silica::op
