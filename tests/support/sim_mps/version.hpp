#pragma once
/// Which LibTorch this is compiled against: its MPS interfaces change from release to release.

#include <torch/version.h>

/// True from LibTorch 2.`minor` on.
#define SIM_MPS_TORCH_AT_LEAST(minor) (TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= (minor))
