#pragma once
/// Linear on the CPU: our own product, on weights as they lie or, of float32, packed in panels.

#include "silica/device/cpu.hpp"
#include "silica/device/cpu/packed_linear.hpp"
#include "silica/op/linear.hpp"

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    using Packed = device::cpu::PackedLinear;

    static Packed pack(op::Linear::Source s) {
        namespace cpu = device::cpu;
        const Tensor& weight = s.weight;
        const std::int64_t n = weight.size(0), width = cpu::panel_width(cpu::isa::best());
        // A panel that is filled up with more than an eighth of zeros is not worth it.
        const bool panels = weight.scalar_type() == c10::ScalarType::Float && weight.numel() > 0 && width > 0 &&
                            (n + width - 1) / width * width - n <= n / 8;
        if (!panels) return keep(std::move(s));
        return {cpu::pack_panels(cpu::isa::best(), weight.contiguous()), std::move(s.bias), n, true};
    }
    /// For weights that another op reads as well.
    static Packed keep(op::Linear::Source s) { return {s.weight.contiguous(), std::move(s.bias)}; }

    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
