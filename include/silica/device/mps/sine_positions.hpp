#pragma once
/// Sine positions on MPS, whose running sums are of four dimensions at most; these have three.

#include "silica/device/aten/sine_positions.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::SinePositions, device::Mps> {
    static Tensor run(const Tensor& mask, const Tensor& divisors) {
        return device::aten::SinePositions::run(mask.contiguous(), divisors);
    }
};

}  // namespace silica
