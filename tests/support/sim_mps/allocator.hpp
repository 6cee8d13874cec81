#pragma once
/// The c10::Allocator of the simulated device. It is LibTorch's IMPSAllocator as well, so that code for
/// `at::mps::getIMPSAllocator()` (host aliases of device memory) links and runs.

#include <c10/core/Allocator.h>

namespace silica::test::sim_mps::detail {

/// Never destroyed.
c10::Allocator& allocator();

/// Gives cached memory back, and counts the call.
void empty_cache();

}  // namespace silica::test::sim_mps::detail
