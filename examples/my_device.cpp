/// A device of your own, from outside the library: a policy, one kernel, and a chain that covers the rest.
///
/// `Tiled` stands for an accelerator that shares memory with the CPU and can do one thing, gelu. Everything else of BERT
/// goes along its chain to the CPU, and the report says so.

#include <cstdio>

#include <ATen/ops/gelu.h>

#include "silica/arch/bert.hpp"
#include "silica/model.hpp"

namespace mine {

/// 1. The policy: what it is called, where its tensors lie, where calls go that it has no kernel for.
struct Tiled {
    static constexpr std::string_view name = "tiled";
    static constexpr c10::DeviceType type = c10::DeviceType::CPU;  // its memory is the host's
    using chain = silica::Chain<Tiled, silica::device::Cpu>;
    using default_precision = silica::precision::Fp32;

    static silica::Availability available() { return {true}; }
    static void synchronize(c10::DeviceIndex) {}
    static void empty_cache() {}
    static silica::DeviceMemory memory(c10::DeviceIndex) { return {}; }
    static bool is_out_of_memory(const c10::Error&) { return false; }
    static silica::NoLock lock() { return {}; }
};
static_assert(silica::DevicePolicy<Tiled>);

}  // namespace mine

/// 2. A kernel: it exists because it is specialised. This one takes whole tiles only and declines the rest.
template <>
struct silica::Kernel<silica::op::Gelu, mine::Tiled> {
    static bool accepts(const Tensor& x) { return x.size(-1) % 4 == 0; }
    static Tensor run(const Tensor& x) { return at::gelu(x); }
};

int main() {
    using namespace silica;
    using Encoder = Model<arch::Bert, mine::Tiled>;

    // 3. Where every op of BERT runs on it, known to the compiler.
    for (const auto& p : placement<arch::Bert, Encoder::Exec>) {
        std::printf("%-18s %s\n", p.op.data(), p.device.data());
    }
    const arch::BertConfig config{.vocab_size = 100, .hidden_size = 32, .num_hidden_layers = 2, .num_attention_heads = 4,
                                  .intermediate_size = 64, .max_position_embeddings = 16};
    const auto bert = Encoder::from(config, loader::Random());
    FallbackScope fallbacks;
    const auto out = bert({.input_ids = at::arange(8, at::kLong).unsqueeze(0)});
    for (const auto& f : fallbacks.report()) {
        std::printf("%s went from %s to %s %llu times\n", f.op.data(), f.from.data(), f.to.data(),
                    static_cast<unsigned long long>(f.count));
    }
    return out.last_hidden_state.sizes() == at::IntArrayRef{1, 8, 32} ? 0 : 1;
}
