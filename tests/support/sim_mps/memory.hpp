#pragma once
/// Device memory: pages mapped twice, once without any access (the address that tensors hold, as an MTLBuffer's is no
/// address either) and once readable and writable (for the kernels). Freed pages are kept for reuse until emptied.

#include <cstddef>
#include <optional>

namespace silica::test::sim_mps::detail {

/// A buffer of at least `bytes` bytes, as an address that the host cannot touch. `bytes` is above 0.
/// Throws LibTorch's errors when the simulated device is out of memory or the buffer too large.
void* allocate_buffer(std::size_t bytes);

/// Frees a buffer of `allocate_buffer`.
void free_buffer(void* buffer) noexcept;

/// The host's address of a buffer's memory; null for null. Throws for an address that is no buffer.
void* host_address(const void* buffer);

/// The size that was asked for, none when this is no buffer.
std::optional<std::size_t> buffer_size(const void* buffer);

/// Gives cached pages back to the system.
void release_cached();

/// Memory of the machine that the simulation pretends to have: what `getRecommendedMaxMemory` says.
constexpr std::size_t recommended_max_memory = std::size_t{16} << 30;

}  // namespace silica::test::sim_mps::detail
