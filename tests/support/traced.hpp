#pragma once
/// A device that writes down each op it runs, to see that a network runs none that it does not list.

#include <set>
#include <string>
#include <string_view>

#include "silica/model.hpp"

namespace silica::test {

/// The names of the ops that ran on a traced device.
inline std::set<std::string> traced;

/// The CPU under another name, which writes down each op it runs. `Fused`: with the CPU's fused kernels, or without.
template <bool Fused>
struct Traced {
    static constexpr std::string_view name = "traced";
    static constexpr c10::DeviceType type = c10::DeviceType::CPU;
    using chain = Chain<Traced>;
    using default_precision = precision::Fp32;
    static Availability available() { return {true}; }
    static void synchronize(c10::DeviceIndex = -1) {}
    static void empty_cache() {}
    static DeviceMemory memory(c10::DeviceIndex = -1) { return {}; }
    static bool is_out_of_memory(const c10::Error&) { return false; }
    static NoLock lock() { return {}; }
};
static_assert(DevicePolicy<Traced<true>>);

}  // namespace silica::test

namespace silica {

template <class Op, bool Fused>
    requires(Complete<Kernel<Op, device::Cpu>> && (Fused || !detail::is_fused<Op>))
struct Kernel<Op, test::Traced<Fused>> : Kernel<Op, device::Cpu> {
    template <class... Args>
    static auto run(const Args&... args) {
        test::traced.emplace(Op::name);
        return Kernel<Op, device::Cpu>::run(args...);
    }
};

}  // namespace silica

namespace silica::test {

/// The names of the ops of a list.
template <class Ops>
struct names_of;
template <class... Ops>
struct names_of<OpList<Ops...>> {
    static std::set<std::string> get() { return {std::string(Ops::name)...}; }
};

/// The ops that ran since `traced` was cleared and that `Arch` does not list, with commas; "" when it lists them all.
template <class Arch, bool Fused>
std::string unlisted() {
    using Listed = typename silica::detail::with_parts<typename Arch::template Network<Exec<Traced<Fused>>>::Ops>::type;
    const auto listed = names_of<Listed>::get();
    std::string others;
    for (const auto& op : traced) {
        if (!listed.contains(op)) others += (others.empty() ? "" : ", ") + op;
    }
    return others;
}

}  // namespace silica::test
