#pragma once
/// What the CUDA driver itself says, through libcuda, without LibTorch and without a toolkit.

#include <cstdint>
#include <string>
#include <vector>

namespace silica::bench::hardware {

struct CudaDevice {
    std::string name;
    std::uint64_t memory = 0;  ///< bytes
    int major = 0, minor = 0;  ///< compute capability
};

struct CudaDriver {
    std::string version;  ///< the newest CUDA that it runs, "13.0"; empty without a driver
    std::vector<CudaDevice> devices;
};

/// Asked once per process.
[[nodiscard]] const CudaDriver& cuda_driver();

}  // namespace silica::bench::hardware
