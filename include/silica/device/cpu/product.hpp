#pragma once
/// y = act(x W^T + b) * (x U^T + c) + r on plain weights: what linear and its fused forms are made of on the CPU.

#include "silica/op/activation.hpp"

#include <cstdint>

namespace silica::device::cpu {

/// Products with up to this many rows read W as it lies.
inline constexpr std::int64_t few_rows = 8;

/// A product, by addresses. Rows of W, y are contiguous and follow each other.
template <class T>
struct Product {
    const T* x;
    std::int64_t ldx, m;  ///< rows of x
    const T* w;
    std::int64_t k, n;                             ///< columns of x; columns of y
    bool gated = false;                            ///< whether the rows of U follow those of W, those of c those of b
    const T *bias = nullptr, *residual = nullptr;  ///< b (and c), contiguous; r as y
    Activation act = Activation::linear;
    T* y = nullptr;
};

}  // namespace silica::device::cpu
