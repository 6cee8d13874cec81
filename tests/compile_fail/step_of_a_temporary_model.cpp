// expect: deleted
#include "silica/arch/llama.hpp"
#include "silica/device/cpu.hpp"
#include "silica/generate/step.hpp"

using Llama = silica::Model<silica::arch::LlamaForCausalLM, silica::device::Cpu, silica::precision::Fp32>;

void step() {
    const auto model = Llama::open("llama");
    auto state = model.make_state(1, 8);
#ifdef SILICA_CONTROL
    silica::generate::Step<Llama> step(model, state);
#else
    silica::generate::Step<Llama> step(Llama::open("llama"), state);
#endif
}
