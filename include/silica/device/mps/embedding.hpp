#pragma once
/// Embedding on MPS. Contiguous table and ids: gathers go through MPSGraph, which ignores strides.

#include "silica/device/aten/embedding.hpp"
#include "silica/device/mps.hpp"

namespace silica {

template <>
struct Kernel<op::Embedding, device::Mps> {
    using Packed = op::Plain;
    static Packed pack(const op::Embedding::Source& s) { return {s.weight.contiguous()}; }
    static Tensor run(const Tensor& ids, const Packed& table) {
        return device::aten::Embedding::run(ids.contiguous(), table);
    }
};

}  // namespace silica
