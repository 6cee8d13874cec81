#pragma once
/// oneDNN's convolution of images on weights in the blocks that it computes with, relu and a residual inside. LibTorch
/// has it for its compiler, as an op that not every build registers.

#include "silica/core/compiled.hpp"
#include "silica/op/conv.hpp"

namespace silica::device::cpu {

/// Whether this build and this processor convolve in `type` so.
bool has_onednn_conv(c10::ScalarType type);

/// W (out, in / groups, rows, columns) in oneDNN's blocks.
Tensor onednn_blocks(const op::PlainConv& plain);

/// W * x + b + residual, the last where there is one, and of that what is above 0 if `relu`. x (batch, in, h, w) and
/// residual with their channels last; `w.weight` as `onednn_blocks` returns it.
Tensor onednn_conv(const Tensor& x, const op::PlainConv& w, bool relu, const Tensor* residual);

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/onednn_conv.ipp"
#endif
