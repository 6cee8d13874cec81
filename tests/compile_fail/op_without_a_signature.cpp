// expect: constraint result_of
// expect: Halve
#include "silica/device/cpu.hpp"
#include "silica/run.hpp"

struct Halve {
    static constexpr std::string_view name = "halve";
#ifdef SILICA_CONTROL
    using signature = silica::Tensor(const silica::Tensor& x);
#endif
};
template <>
struct silica::Kernel<Halve, silica::device::Cpu> {
    static Tensor run(const Tensor& x) { return x / 2; }
};

silica::Tensor call(const silica::Tensor& x) { return silica::run<Halve, silica::Exec<silica::device::Cpu>>(x); }
