#pragma once
/// The errors of dispatch.

#include "silica/core/compiled.hpp"
#include "silica/run.hpp"

namespace silica::detail {

SILICA_INLINE void refuse_tensor(std::string_view op, const Tensor& t, std::string_view home) {
    const std::string name = "Op '" + std::string(op) + "' ";
    if (!t.defined()) throw InputError(name + "was given an undefined tensor.", "give it a value.");
    if (t.layout() != c10::kStrided)
        throw InputError(name + "takes dense tensors, and was given one of another layout.", "call .to_dense() on it.");
    if (t.is_neg()) throw InputError(name + "was given a view that negates its numbers.", "call .resolve_neg() on it.");
    throw InputError(name + "runs on " + std::string(home) + ", and was given a tensor on " + t.device().str() + ".",
                     "move all arguments to one " + std::string(home) + " device with .to(...).");
}

}  // namespace silica::detail
