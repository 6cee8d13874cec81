/// The program of the README: hidden states of one sentence.
#include <cstdio>

#include "silica/arch/bert.hpp"
#include "silica/device/cpu.hpp"
#include "silica/input/text/tokenizer.hpp"
#include "silica/model.hpp"

using namespace silica;

int main(int, char** argv) {
    using Bert = Model<arch::Bert, device::Cpu, precision::Fp32, loader::Mapped>;
    const auto directory = checkpoint::resolve(argv[1]);       // a directory, or "org/name" in the hub cache
    const auto tokenizer = text::Tokenizer::open(directory);
    const auto bert = Bert::open(directory.string());

    const auto ids = tokenizer.encode("Paris is the capital of France.").ids;
    const auto out = bert({.input_ids = at::tensor(ids).unsqueeze(0)});
    std::printf("%lld tokens of %lld numbers\n", static_cast<long long>(out.last_hidden_state.size(1)),
                static_cast<long long>(out.last_hidden_state.size(2)));
}
