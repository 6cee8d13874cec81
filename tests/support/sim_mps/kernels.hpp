#pragma once
/// Kernels with a signature of their own, in place of a boxed one. Each adds its names to the library and returns them.

#include <set>
#include <string>

#include <torch/library.h>

namespace silica::test::sim_mps::detail {

/// empty, resize_, set_: tensors and their memory.
std::set<std::string> add_factories(torch::Library& aten);

/// copy_, _copy_from, _copy_from_and_resize, _local_scalar_dense: what crosses between host and device.
std::set<std::string> add_copies(torch::Library& aten);

/// convolution and _mps_convolution(_transpose), with the limits of macOS before 15.1.
std::set<std::string> add_convolutions(torch::Library& aten);

/// scaled_dot_product_attention, routed as in an Apple build, and its kernel for MPS.
std::set<std::string> add_attention(torch::Library& aten, torch::Library& autograd);

/// _convert_weight_to_int4pack and _weight_int4pack_mm.
std::set<std::string> add_quantized(torch::Library& aten);

}  // namespace silica::test::sim_mps::detail
