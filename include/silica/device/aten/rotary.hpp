#pragma once
/// Rotary embedding in plain tensor code.

#include "silica/op/rotary.hpp"

namespace silica::device::aten {

struct Rotary {
    static Tensor run(const Tensor& x, const Tensor& cos, const Tensor& sin) {
        const auto half = x.size(-1) / 2;
        const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half), c = cos.unsqueeze(1),
                     s = sin.unsqueeze(1);
        return at::cat({a * c - b * s, b * c + a * s}, -1);
    }
};

}  // namespace silica::device::aten
