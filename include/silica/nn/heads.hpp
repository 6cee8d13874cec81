#pragma once
/// How heads are cut from and joined to (batch, tokens, heads d).

#include "silica/core/tensor.hpp"

#include <cstdint>

namespace silica::nn {

/// Heads [first, first + n) of x (batch, tokens, all heads side by side), each of d values -> (batch, n, tokens, d).
inline Tensor heads_of(const Tensor& x, std::int64_t first, std::int64_t n, std::int64_t d) {
    return x.view({x.size(0), x.size(1), -1, d}).narrow(2, first, n).transpose(1, 2);
}

/// (batch, heads, tokens, d) -> (batch, tokens, heads d).
inline Tensor joined_heads(const Tensor& context) {
    return context.transpose(1, 2).reshape({context.size(0), context.size(2), context.size(1) * context.size(3)});
}

}  // namespace silica::nn
