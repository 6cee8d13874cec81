// With b.cpp: the single headers in two translation units, in both orders, one definition of everything; and a model
// from them, opened and called.
#include <silica/input.hpp>
#include <silica/silica.hpp>
#include <silica/task.hpp>

const void* from_a() { return &silica::Chain<silica::device::Cpu>::size; }
const void* from_b();

int main(int argc, char** argv) {
    using Bert =
        silica::Model<silica::arch::Bert, silica::device::Cpu, silica::precision::Fp32, silica::loader::Mapped>;
    if (argc < 2) return 2;
    const auto bert = Bert::open(argv[1]);
    const auto out = bert({.input_ids = at::zeros({1, 5}, at::kLong)});
    // An inline constant has one address in the whole program.
    return from_a() == from_b() && out.last_hidden_state.size(1) == 5 ? 0 : 1;
}
