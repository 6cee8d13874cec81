#pragma once
/// Functions of float32 tensors on the host, for tables that are made there and then moved: the same routines as
/// transformers calls, so that tables agree to the last bit.

#include "silica/core/tensor.hpp"

#include <ATen/ops/cos.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sin.h>

namespace silica::host {

/// base^x, elementwise; x on the CPU.
inline Tensor power(double base, const Tensor& x) { return at::pow(at::Scalar(base), x); }
inline Tensor cos(const Tensor& x) { return at::cos(x); }
inline Tensor sin(const Tensor& x) { return at::sin(x); }

}  // namespace silica::host
