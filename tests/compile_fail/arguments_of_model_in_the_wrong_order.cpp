// expect: the first argument of Model is not an architecture
// expect: Remedy: the order is Model<Arch, Device, Precision, Loader>
#include "silica/arch/bert.hpp"
#include "silica/model.hpp"

#ifdef SILICA_CONTROL
using Bert = silica::Model<silica::arch::Bert, silica::device::Cpu>;
#else
using Bert = silica::Model<silica::device::Cpu, silica::arch::Bert, silica::precision::Fp32>;
#endif

Bert open() { return Bert::open("bert"); }
