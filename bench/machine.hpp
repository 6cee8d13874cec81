#pragma once
/// Facts of this machine and this build, so that a measurement can be repeated.

#include <cstdint>
#include <string>
#include <string_view>

#include <c10/core/DeviceType.h>
#include <nlohmann/json.hpp>

namespace silica::bench {

/// {os, os_version, arch, chip, cores, memory_mb, cpu_capability}, and what else is known of this machine
/// (hardware/machine.hpp): {cores_physical, core_levels, instructions, numa_nodes, cpu_limit, memory_limit_mb,
/// chip_generation, chip_tier, gpu_cores, metal_family, gpu_memory_mb, nvidia_driver, nvidia_gpus, ...}
[[nodiscard]] nlohmann::ordered_json machine_facts();

/// {silica, libtorch, libtorch_build, compiler, build_type}
[[nodiscard]] nlohmann::ordered_json version_facts();

/// "AMD EPYC 9B45", "Apple M2 Pro"; "unknown" where the system does not tell.
[[nodiscard]] std::string cpu_name();

/// The name of a CUDA device as its driver has it, and the driver's version; empty without a driver.
struct CudaFacts {
    std::string chip, driver;
};
[[nodiscard]] CudaFacts cuda_facts();

/// Bytes as MiB with one decimal, as the peers' `*_mb`.
[[nodiscard]] double mebibytes(std::uint64_t bytes);

/// `value` rounded to `digits` decimals.
[[nodiscard]] double rounded(double value, int digits);

/// Sets the process's peak of resident memory back to what it uses now. False where the system cannot.
bool reset_host_peak();

/// The most physical memory this process had since then, in bytes.
[[nodiscard]] std::uint64_t host_peak();

/// Gives free memory of the heap back to the system, where it can.
void trim_heap();

/// Bytes per second that the threads of the host read from its memory, or that a device reads from its own: the best of
/// some passes over a gigabyte, measured once per process. 0 where there is no room for that.
[[nodiscard]] double memory_bandwidth(c10::DeviceType device);

/// Sets a device's peak back, where LibTorch can ("cuda").
void reset_device_peak(std::string_view device);

}  // namespace silica::bench
