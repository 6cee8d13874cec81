#pragma once
/// Memory for weights, which comes from the system and goes back to it at once.

#include "silica/core/tensor.hpp"

namespace silica {

/// An uninitialised contiguous tensor. On the CPU a large one has pages of its own: loading makes and drops a copy of
/// almost every weight, and a heap keeps the holes (measured: 1.4 times the weights instead of 1.0). A program that
/// gave LibTorch an allocator of its own (c10::SetCPUAllocator) is asked for all of them. ConfigError for a shape that
/// no memory holds.
Tensor allocate(c10::IntArrayRef shape, c10::ScalarType dtype, c10::Device device);

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/allocate.ipp"
#endif
