// expect: precision_not_on_device
// expect: Fp64
// expect: Mps
// expect: this device cannot run this precision
// expect: Remedy: choose another precision policy
#include "silica/device/mps.hpp"
#include "silica/exec.hpp"

struct Fp64 {
    static constexpr std::string_view name = "float64";
    static constexpr c10::ScalarType storage = c10::ScalarType::Double, compute = c10::ScalarType::Double,
                                     reduce = c10::ScalarType::Double;
    static constexpr bool quantised = false;
    using plain = Fp64;
};

#ifdef SILICA_CONTROL
using Where = silica::device::Cpu;
#else
using Where = silica::device::Mps;
#endif

using Precision = silica::Exec<Where, Fp64>::precision;
