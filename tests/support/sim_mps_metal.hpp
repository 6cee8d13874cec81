#pragma once
/// Own Metal kernels on the simulated device: the very texts, compiled for the host (support/metal/), run as fibers. It
/// proves how they are launched and how they prove themselves, nothing about speed or Apple's compiler.
///
/// In the program with the simulated device the environment variable SILICA_SIM_METAL chooses one of these by its name.

#include <cstddef>
#include <string>

namespace silica::test::sim_mps {

enum class OwnKernels {
    absent,      ///< this program has no compiler of Metal: so it is unless another is set
    right,       ///< as they are
    wrong,       ///< one bit of what they compute is another
    throws,      ///< they fail when they are run
    no_compile,  ///< the compiler refuses their text
    lanes_16,    ///< simdgroups have 16 lanes
};

/// Which kernels there are from now on; `only` those whose name begins so are not `right`. What was proven so far is
/// forgotten.
void set_own_kernels(OwnKernels which, const std::string& only = "");

/// How often a text was compiled, and a kernel launched, since the last `set_own_kernels`.
struct OwnKernelUse {
    std::size_t compiled = 0, launched = 0;
};
[[nodiscard]] OwnKernelUse own_kernel_use();

}  // namespace silica::test::sim_mps
