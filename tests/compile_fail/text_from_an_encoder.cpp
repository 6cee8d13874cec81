// expect: does not write text
// expect: make_state
#include "silica/arch/bert.hpp"
#include "silica/arch/llama.hpp"
#include "silica/device/cpu.hpp"
#include "silica/generate/model_decoder.hpp"

#ifdef SILICA_CONTROL
using Arch = silica::arch::LlamaForCausalLM;
#else
using Arch = silica::arch::Bert;
#endif

using Model = silica::Model<Arch, silica::device::Cpu, silica::precision::Fp32>;

std::size_t size() { return sizeof(silica::generate::ModelDecoder<Model>); }
