// With b.cpp: the single headers in two translation units, in both orders, one definition of everything.
#include <silica/silica.hpp>
#include <silica/input.hpp>
#include <silica/task.hpp>

const void* from_a() {
    using Bert = silica::Model<silica::arch::Bert, silica::device::Cpu, silica::precision::Fp32, silica::loader::Mapped>;
    (void)sizeof(Bert);
    return &silica::Chain<silica::device::Cpu>::size;
}

const void* from_b();

// An inline constant has one address in the whole program.
int main() { return from_a() == from_b() ? 0 : 1; }
