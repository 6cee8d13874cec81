// The static step of dispatch beside what it stands for: the op's law, then the call. direct_call.py compares their
// instructions.
#include "silica/device/cpu.hpp"
#include "silica/exec.hpp"
#include "silica/run.hpp"

using silica::Tensor;
using Here = silica::Exec<silica::device::Cpu, silica::precision::Fp32>;

extern "C" void through_run(Tensor& y, const Tensor& x) { y = silica::run<silica::op::Gelu, Here>(x); }
extern "C" void by_hand(Tensor& y, const Tensor& x) {
    silica::detail::check<silica::op::Gelu, silica::device::Cpu>(x);
    y = at::gelu(x);
}
