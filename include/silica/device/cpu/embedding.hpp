#pragma once
/// Embedding on the CPU: the table stays plain, so that a tied decoder can share it.

#include "silica/core/inputs.hpp"
#include "silica/device/aten/embedding.hpp"
#include "silica/device/cpu.hpp"

namespace silica {

/// Ids lie on the host here, so they are checked.
template <>
struct Kernel<op::Embedding, device::Cpu> : device::aten::Embedding {
    static Tensor run(const Tensor& ids, const Packed& table) {
        require_ids("of op 'embedding'", ids, table.weight.size(0), "rows of the table");
        return device::aten::Embedding::run(ids, table);
    }
};

}  // namespace silica
