// expect: no state that the model can change
// expect: make_state()
#include "silica/arch/llama.hpp"
#include "silica/arch/t5.hpp"
#include "silica/device/cpu.hpp"
#include "silica/model.hpp"

using Llama = silica::Model<silica::arch::LlamaForCausalLM, silica::device::Cpu, silica::precision::Fp32>;
using T5 = silica::Model<silica::arch::T5ForConditionalGeneration, silica::device::Cpu, silica::precision::Fp32>;

#ifdef SILICA_CONTROL
void step(const Llama& model, Llama::State& state, const silica::Tensor& ids) { model.step(ids, state); }
#else
void step(const Llama& model, T5::State& state, const silica::Tensor& ids) { model.step(ids, state); }
#endif
