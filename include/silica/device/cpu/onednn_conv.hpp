#pragma once
/// oneDNN's convolution of images with relu and a residual inside. LibTorch has it for its compiler, as an op that not
/// every build registers.

#include "silica/core/compiled.hpp"
#include "silica/op/conv.hpp"

namespace silica::device::cpu {

/// Whether this build and this processor convolve in `type` so.
bool has_onednn_conv(c10::ScalarType type);

/// W * x + b + residual, the last where there is one, and of that what is above 0 if `relu`. x (batch, in, h, w), W
/// (out, in, rows, columns) and residual have their channels last.
Tensor onednn_conv(const Tensor& x, const op::PlainConv& w, bool relu, const Tensor* residual);

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/onednn_conv.ipp"
#endif
