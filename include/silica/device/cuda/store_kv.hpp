#pragma once
/// Writing to a cache on CUDA: ATen's.

#include "silica/device/aten/store_kv.hpp"
#include "silica/device/cuda.hpp"

namespace silica {

template <>
struct Kernel<op::StoreKv, device::Cuda> : device::aten::StoreKv {};

}  // namespace silica
