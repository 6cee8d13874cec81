// expect: the fourth argument of Model is not a loader
// expect: Model<Arch, Device, Precision, Loader>
#include "silica/arch/bert.hpp"
#include "silica/loader/streamed.hpp"
#include "silica/model.hpp"

#ifdef SILICA_CONTROL
using Bert = silica::Model<silica::arch::Bert, silica::device::Cpu, silica::precision::Fp16, silica::loader::Streamed>;
#else
using Bert = silica::Model<silica::arch::Bert, silica::device::Cpu, silica::loader::Streamed, silica::precision::Fp16>;
#endif

Bert open() { return Bert::open("bert"); }
