#pragma once
/// The own Metal kernels of this program, compiled for the host from the very text that a Mac compiles.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::test::metal {

/// Runs a kernel: `arguments` are the addresses of its buffers and constants, in the order of their indices.
struct HostKernel {
    std::string name;      ///< "rows TYPE=1 BITS=4 SCALES=0 ROWS=1 NORM=0"
    std::string mutation;  ///< what was changed in its text; empty: nothing
    std::size_t arguments = 0;
    std::function<void(std::span<void* const> arguments, std::array<unsigned, 3> groups, unsigned threads)> run;
};

/// All that were compiled, in no order.
const std::vector<HostKernel>& host_kernels();

/// The one of that name; null where it was not compiled.
const HostKernel* host_kernel(std::string_view name, std::string_view mutation = "");

}  // namespace silica::test::metal
