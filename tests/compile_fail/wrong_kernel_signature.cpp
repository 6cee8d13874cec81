// expect: wrong_kernel_signature
// expect: Halve
// expect: Kernel::run does not have the signature of its op
// expect: Remedy: compare it with Op::signature
#include "silica/device/cpu.hpp"
#include "silica/run.hpp"

struct Halve {
    static constexpr std::string_view name = "halve";
    using signature = silica::Tensor(const silica::Tensor& x, bool round);
};
template <>
struct silica::Kernel<Halve, silica::device::Cpu> {
#ifdef SILICA_CONTROL
    static Tensor run(const Tensor& x, bool) { return x / 2; }
#else
    static Tensor run(const Tensor& x) { return x / 2; }
#endif
};

silica::Tensor call(const silica::Tensor& x) { return silica::run<Halve, silica::Exec<silica::device::Cpu>>(x, true); }
