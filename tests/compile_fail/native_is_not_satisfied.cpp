// expect: native
// expect: constraint
#include "silica/arch/bert.hpp"
#include "silica/device/mps.hpp"

/// A device without a kernel of its own: everything hops to the CPU.
struct Npu : silica::device::Cpu {
    static constexpr std::string_view name = "npu";
    using chain = silica::Chain<Npu, silica::device::Cpu>;
};

/// What only a model that stays at home may do.
template <class Arch, class Exec>
    requires silica::native<Arch, Exec>
constexpr int capture() {
    return 1;
}

#ifdef SILICA_CONTROL
using Where = silica::device::Mps;
#else
using Where = Npu;
#endif

static_assert(capture<silica::arch::Bert, silica::Exec<Where>>() == 1);
