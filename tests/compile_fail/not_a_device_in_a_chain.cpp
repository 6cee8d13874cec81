// expect: a chain holds something that is not a device policy
// expect: silica/device/concept.hpp
#include "silica/device/cpu.hpp"
#include "silica/exec.hpp"

struct Npu {};

#ifdef SILICA_CONTROL
using Where = silica::Chain<silica::device::Cpu>;
#else
using Where = silica::Chain<silica::device::Cpu, Npu>;
#endif

using Home = silica::Exec<Where, silica::precision::Fp32>::home;
