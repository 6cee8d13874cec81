#pragma once
/// Random numbers of the simulated device: a generator of its own that draws from a CPU generator inside.

#include <ATen/core/Generator.h>

namespace silica::test::sim_mps::detail {

const at::Generator& default_generator();
at::Generator new_generator();

/// The CPU generator inside. Throws LibTorch's error for a generator of another device.
at::Generator host_generator(const at::Generator& generator);

}  // namespace silica::test::sim_mps::detail
