// expect: no_kernel
// expect: Nowhere
// expect: this op has no kernel on any device of this chain in this precision
// expect: Remedy: use a longer chain
#include "silica/device/mps.hpp"
#include "silica/run.hpp"

/// On the CPU alone.
struct Nowhere {
    static constexpr std::string_view name = "nowhere";
    using signature = silica::Tensor(const silica::Tensor& x);
};
template <>
struct silica::Kernel<Nowhere, silica::device::Cpu> {
    static Tensor run(const Tensor& x) { return x; }
};

#ifdef SILICA_CONTROL
using Where = silica::device::Mps;
#else
using Where = silica::Chain<silica::device::Mps>;
#endif

silica::Tensor call(const silica::Tensor& x) { return silica::run<Nowhere, silica::Exec<Where>>(x); }
