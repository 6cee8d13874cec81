/// The program of the README: hidden states of one sentence.
///
///     hello_bert DIRECTORY_OR_REPO
#include <cstdio>

#include <ATen/ops/tensor.h>

#include "silica/arch/bert.hpp"
#include "silica/device/cpu.hpp"
#include "silica/input/text/tokenizer.hpp"
#include "silica/model.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    using Bert = Model<arch::Bert, device::Cpu, precision::Fp32, loader::Mapped>;
    const auto directory = checkpoint::resolve(argc > 1 ? argv[1] : "");  // a directory, or "org/name" in the hub cache
    const auto tokenizer = text::Tokenizer::open(directory);
    const auto bert = Bert::open(directory.string());

    const auto text = tokenizer.encode("Paris is the capital of France.");
    const auto batch = [](const auto& row) { return at::tensor(row).unsqueeze(0); };
    const auto out = bert({.input_ids = batch(text.ids), .attention_mask = batch(text.attention_mask)});
    std::printf("%lld tokens of %lld numbers\n", static_cast<long long>(out.last_hidden_state.size(1)),
                static_cast<long long>(out.last_hidden_state.size(2)));
} catch (const std::exception& e) {
    std::fprintf(stderr, "hello_bert: %s\n", e.what());
    return 2;
}
