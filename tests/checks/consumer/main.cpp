#include <silica/arch/bert.hpp>
#include <silica/device/cpu.hpp>
#include <silica/model.hpp>

#include <iostream>

// A whole model, without weights: everything that it needs is found, compiles, links and runs.
int main() {
    using Bert = silica::Model<silica::arch::Bert, silica::device::Cpu, silica::precision::Fp32, silica::loader::Mapped>;
    try {
        (void)Bert::open("a directory that is not there");
    } catch (const silica::Error& error) {
        std::cout << error.what() << '\n';
        return 0;
    }
    return 1;
}
