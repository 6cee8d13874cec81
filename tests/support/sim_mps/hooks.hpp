#pragma once
/// What LibTorch and Silica ask of MPS without knowing its headers: at::detail::getMPSHooks().

namespace silica::test::sim_mps::detail {

/// False when LibTorch brings hooks of its own: this is then a real MPS build.
bool install_hooks();

}  // namespace silica::test::sim_mps::detail
