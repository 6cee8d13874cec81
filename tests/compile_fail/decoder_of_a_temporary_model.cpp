// expect: deleted
#include "silica/arch/llama.hpp"
#include "silica/device/cpu.hpp"
#include "silica/generate/model_decoder.hpp"

using Llama = silica::Model<silica::arch::LlamaForCausalLM, silica::device::Cpu, silica::precision::Fp32>;

void decode() {
#ifdef SILICA_CONTROL
    const auto model = Llama::open("llama");
    silica::generate::ModelDecoder decoder(model);
#else
    silica::generate::ModelDecoder decoder(Llama::open("llama"));
#endif
}
