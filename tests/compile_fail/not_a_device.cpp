// expect: this is not a device policy
// expect: silica/device/concept.hpp
// expect: Npu
#include "silica/device/cpu.hpp"
#include "silica/exec.hpp"

/// Lacks nearly everything.
struct Npu {
    static constexpr std::string_view name = "npu";
    using default_precision = silica::precision::Fp32;
};

#ifdef SILICA_CONTROL
using Where = silica::device::Cpu;
#else
using Where = Npu;
#endif

using Home = silica::Exec<Where>::home;
