#pragma once
/// The kernel of nearly every op: the CPU's, on the same memory.

#include <ATen/core/boxing/KernelFunction.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace silica::test::sim_mps::detail {

/// A kernel for `op` that checks devices and dtypes as LibTorch's MPS backend does, runs the op's CPU kernel on aliased
/// memory, and gives the results back as mps tensors.
torch::CppFunction boxed_kernel(const c10::OperatorHandle& op);

/// What every op without an MPS kernel gets: NotImplementedError, or the CPU when PYTORCH_ENABLE_MPS_FALLBACK was set
/// before the program started.
torch::CppFunction missing_op();

/// Throws LibTorch's error when some of the tensors are on the device and others, that are no scalars, on the CPU.
void check_same_device(at::ArrayRef<at::Tensor> tensors);

}  // namespace silica::test::sim_mps::detail
