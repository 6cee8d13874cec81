/// An op of your own, from outside the library: the tag, its CPU kernel, and a layer that calls it. On a device without
/// a kernel for it (here any but the CPU) a chain sends it to the CPU; nothing of Silica is edited.

#include <cstdio>

#include <ATen/ops/randn.h>
#include <ATen/ops/sin.h>

#include "silica/device/cpu.hpp"
#include "silica/run.hpp"

namespace mine {

using silica::Tensor;

/// snake(x) = x + sin^2(x). Ziyin, Hartwig and Ueda 2020, equation 3.
struct Snake {
    static constexpr std::string_view name = "snake";
    using signature = Tensor(const Tensor& x);
};
static_assert(silica::OpTag<Snake>);

}  // namespace mine

/// The kernel stands in the header of the op. The tag is our own type, so we may specialise.
template <>
struct silica::Kernel<mine::Snake, silica::device::Cpu> {
    static Tensor run(const Tensor& x) {
        const Tensor s = at::sin(x);
        return x + s * s;
    }
};

int main() {
    using Here = silica::Exec<silica::device::Cpu, silica::precision::Fp32>;
    static_assert(silica::placed<mine::Snake, Here>().native);
    const silica::Tensor x = at::randn({4});
    const silica::Tensor y = silica::run<mine::Snake, Here>(x);
    const bool right = (y - x - at::sin(x).pow(2)).abs().max().item<float>() < 1e-6F;
    std::printf("snake of 4 numbers on %s: %s\n", silica::device::Cpu::name.data(), right ? "right" : "wrong");
    return right ? 0 : 1;
}
