#pragma once
/// Scores of attention on MPS. Both factors contiguous, the turned one too: MPSGraph kernels ignore strides.

#include "silica/device/mps.hpp"
#include "silica/op/scores.hpp"

#include <ATen/ops/matmul.h>

namespace silica {

template <>
struct Kernel<op::Scores, device::Mps> {
    static Tensor run(const Tensor& q, const Tensor& k, double scale) {
        return at::matmul(q.contiguous() * scale, k.transpose(2, 3).contiguous());
    }
};

}  // namespace silica
