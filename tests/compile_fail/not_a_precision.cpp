// expect: this is not a precision policy
// expect: silica/precision/concept.hpp
#include "silica/device/cpu.hpp"
#include "silica/exec.hpp"

#ifdef SILICA_CONTROL
using Precision = silica::precision::Fp16;
#else
using Precision = float;
#endif

using Chosen = silica::Exec<silica::device::Cpu, Precision>::precision;
