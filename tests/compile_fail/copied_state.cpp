// expect: State
#include "silica/arch/llama.hpp"
#include "silica/arch/t5.hpp"
#include "silica/device/cpu.hpp"
#include "silica/model.hpp"

using Llama = silica::Model<silica::arch::LlamaForCausalLM, silica::device::Cpu, silica::precision::Fp32>;
using T5 = silica::Model<silica::arch::T5ForConditionalGeneration, silica::device::Cpu, silica::precision::Fp32>;

void save(const Llama& llama, const T5& t5) {
    auto a = llama.make_state(1, 8);
    auto b = t5.make_state(1, 8);
#ifdef SILICA_CONTROL
    auto saved_a = a.clone();
    auto saved_b = b.clone();
#else
    auto saved_a = a;
    auto saved_b = b;
#endif
}
