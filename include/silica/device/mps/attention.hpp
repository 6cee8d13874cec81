#pragma once
/// Attention on MPS.

#include "silica/device/mps.hpp"
#include "silica/device/mps/attend.hpp"

namespace silica {

template <>
struct Kernel<op::Attention, device::Mps> : device::mps::Attend {};

}  // namespace silica
