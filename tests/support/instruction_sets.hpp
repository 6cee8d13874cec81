#pragma once
/// The instruction sets of the CPU's kernels in tests.

#include <set>
#include <string>
#include <vector>

#include "silica/device/cpu/isa.hpp"
#include "support/catch.hpp"

namespace silica::test {

/// Those that this processor has. The first is plain C++: what the others must equal.
inline std::vector<device::cpu::isa::Isa> sets() {
    std::vector<device::cpu::isa::Isa> all;
    for (const auto set : device::cpu::isa::sets)
        if (set <= device::cpu::isa::best()) all.push_back(set);
    return all;
}

/// `there`; where it is false, says once that the test leaves `what` out on `set`.
inline bool computed(bool there, device::cpu::isa::Isa set, const std::string& what) {
    static std::set<std::string> said;
    const std::string text = what + " with " + std::string(device::cpu::isa::name(set)) + ": LibTorch's";
    if (!there && said.insert(text).second) skip(text);
    return there;
}

}  // namespace silica::test
