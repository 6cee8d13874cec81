#include <silica/arch/bert.hpp>
#include <silica/device/cpu.hpp>
#include <silica/model.hpp>

#include <iostream>

#include <ATen/ops/arange.h>

// A whole model, opened and called: everything that it needs is found, compiles, links and runs.
int main(int argc, char** argv) try {
    using Bert = silica::Model<silica::arch::Bert, silica::device::Cpu, silica::precision::Fp32, silica::loader::Mapped>;
    const auto bert = Bert::open(argc > 1 ? argv[1] : "a directory that is not there");
    const auto out = bert({.input_ids = at::arange(5, at::kLong).unsqueeze(0)});
    std::cout << "last_hidden_state: " << out.last_hidden_state.sizes() << '\n';
} catch (const silica::Error& error) {
    std::cerr << error.problem() << "\nRemedy: " << error.remedy() << '\n';
    return 1;
}
