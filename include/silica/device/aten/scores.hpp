#pragma once
/// Scores of attention by ATen.

#include "silica/op/scores.hpp"

#include <ATen/ops/matmul.h>

namespace silica::device::aten {

struct Scores {
    static Tensor run(const Tensor& q, const Tensor& k, double scale) {
        return at::matmul(q * scale, k.transpose(2, 3));
    }
};

}  // namespace silica::device::aten
