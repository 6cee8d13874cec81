#pragma once
/// Weights of Linear, packed where that is worth it.

#include "silica/device/cpu/linear.hpp"
#include "silica/device/cpu/panels.hpp"

#include <utility>

namespace silica {

SILICA_INLINE device::cpu::PackedLinear Kernel<op::Linear, device::Cpu>::pack(op::Linear::Source s) {
    namespace cpu = device::cpu;
    const Tensor& weight = s.weight;
    const std::int64_t n = weight.size(0), width = cpu::panel_width(cpu::isa::best());
    // A panel that is filled up with more than an eighth of zeros is not worth it.
    const bool panels = weight.scalar_type() == c10::ScalarType::Float && weight.numel() > 0 && width > 0 &&
                        (n + width - 1) / width * width - n <= n / 8;
    if (!panels) return keep(std::move(s));
    return {cpu::pack_panels(cpu::isa::best(), weight.contiguous()), std::move(s.bias), n, true};
}

}  // namespace silica
