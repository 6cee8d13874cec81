/// The same call on a chain and on a strict chain: what is reported, what is refused. `Small` stands for a device whose
/// one kernel, gelu, takes rows of up to 8 numbers; it shares the CPU's memory, so that this runs anywhere.

#include <cstdio>

#include <ATen/ops/gelu.h>
#include <ATen/ops/randn.h>

#include "silica/arch/bert.hpp"
#include "silica/device/mps.hpp"
#include "silica/model.hpp"

namespace mine {

struct Small {
    static constexpr std::string_view name = "small";
    static constexpr c10::DeviceType type = c10::DeviceType::CPU;
    using chain = silica::Chain<Small, silica::device::Cpu>;
    using default_precision = silica::precision::Fp32;
    static silica::Availability available() { return {true}; }
    static void synchronize(c10::DeviceIndex) {}
    static void empty_cache() {}
    static silica::DeviceMemory memory(c10::DeviceIndex) { return {}; }
    static bool is_out_of_memory(const c10::Error&) { return false; }
    static silica::NoLock lock() { return {}; }
};

}  // namespace mine

template <>
struct silica::Kernel<silica::op::Gelu, mine::Small> {
    static bool accepts(const Tensor& x) { return x.size(-1) <= 8; }
    static Tensor run(const Tensor& x) { return at::gelu(x); }
};

using namespace silica;

// Placement is known to the compiler. In all of BERT, no op leaves an Apple GPU for want of a kernel:
static_assert(native<arch::Bert, Exec<device::Mps, precision::Fp16>>);
// Small has a kernel for gelu, which may decline, and for nothing else:
static_assert(placed<op::Gelu, Exec<mine::Small>>().native && placed<op::Gelu, Exec<mine::Small>>().may_decline);
static_assert(placed<op::LayerNorm, Exec<mine::Small>>().device == "cpu");

int main() {
    announce_fallbacks = false;  // no line on stderr for what happens outside of a FallbackScope
    const Tensor narrow = at::randn({2, 8}), wide = at::randn({2, 9});

    FallbackScope scope;
    run<op::Gelu, Exec<mine::Small>>(narrow);  // at home
    run<op::Gelu, Exec<mine::Small>>(wide);    // declined, so the CPU takes it
    for (const auto& f : scope.report()) {
        std::printf("%s: %s -> %s, %s, %llu times, %llu bytes, %.3f ms\n", f.op.data(), f.from.data(), f.to.data(),
                    describe(f.reason).data(), static_cast<unsigned long long>(f.count),
                    static_cast<unsigned long long>(f.bytes), f.ms);
    }
    try {
        run<op::Gelu, Exec<Chain<mine::Small>>>(wide);  // strict: Small or an error
    } catch (const DeviceError& e) {
        std::printf("%s\n", e.what());
        return scope.report().size() == 1 ? 0 : 1;
    }
    return 1;
}
