// expect: no_kernel
// expect: op::Linear
// expect: Int3
// expect: this op has no kernel on any device of this chain in this precision
#include "silica/device/cpu.hpp"
#include "silica/prepared.hpp"

/// Weights in three bits, which no shipped kernel knows: they must not run as plain weights.
struct Int3 {
    static constexpr std::string_view name = "int3";
    static constexpr c10::ScalarType storage = c10::ScalarType::Byte, compute = c10::ScalarType::Float,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = true;
    using plain = silica::precision::Fp32;
};

#ifdef SILICA_CONTROL
template <>
struct silica::Kernel<silica::op::Linear, silica::device::Cpu, Int3> {
    using Packed = silica::op::Plain;
    static Packed pack(silica::op::Plain s) { return s; }
    static Tensor run(const Tensor& x, const Packed&) { return x; }
};
#endif

using Weights = silica::Prepared<silica::op::Linear, silica::Exec<silica::device::Cpu, Int3>>;
Weights weights(const silica::Tensor& w) { return Weights(w, std::nullopt); }
