#pragma once
/// Definitions of inputs.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"

#include <cstddef>

namespace silica {

SILICA_INLINE std::string shape_text(c10::IntArrayRef shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i != 0 ? ", " : "") + std::to_string(shape[i]);
    return text + ")";
}

SILICA_INLINE void require_tensor(std::string_view name, const Tensor& t, std::int64_t rank,
                                  std::initializer_list<c10::ScalarType> types) {
    const std::string input = "Input " + std::string(name);
    if (!t.defined())
        throw InputError(input + " is missing.", "set it: a tensor of rank " + std::to_string(rank) + ".");
    if (t.dim() != rank) {
        throw InputError(
            input + " has shape " + shape_text(t.sizes()) + ", rank " + std::to_string(rank) + " is wanted.",
            t.dim() + 1 == rank ? "add a batch dimension: " + std::string(name) + ".unsqueeze(0)." : "reshape it.");
    }
    if (t.layout() != c10::kStrided || t.is_neg())
        throw InputError(input + " is sparse, or a view that negates its numbers.",
                         "call .to_dense() or .resolve_neg() on it.");
    if (t.is_meta()) throw InputError(input + " is on the device meta: it has no numbers.", "give it values.");
    std::string wanted;
    bool fits = false;
    for (const auto type : types) {
        fits = fits || t.scalar_type() == type;
        wanted += (wanted.empty() ? "" : " or ") + std::string(c10::toString(type));
    }
    if (!fits) {
        throw InputError(
            input + " is of type " + std::string(c10::toString(t.scalar_type())) + ", " + wanted + " is wanted.",
            "convert it with .to(...).");
    }
    if (t.numel() == 0)
        throw InputError(input + " is empty: " + shape_text(t.sizes()) + ".", "give at least one item.");
}

SILICA_INLINE void require_same_shape(std::string_view name, const Tensor& t, std::string_view other, const Tensor& u) {
    if (t.sizes() == u.sizes()) return;
    throw InputError("Input " + std::string(name) + " has shape " + shape_text(t.sizes()) + ", " + std::string(other) +
                         " has " + shape_text(u.sizes()) + ".",
                     "give both the same shape.");
}

SILICA_INLINE void require_ids(std::string_view name, const Tensor& ids, std::int64_t limit,
                               std::string_view limit_name) {
    const Tensor host = ids.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    const auto* id = host.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < host.numel(); ++i) {
        if (id[i] >= 0 && id[i] < limit) continue;
        throw InputError("Input " + std::string(name) + " holds " + std::to_string(id[i]) + ", ids from 0 to " +
                             std::to_string(limit - 1) + " exist (" + std::string(limit_name) + ").",
                         "use the tokenizer of this checkpoint.");
    }
}

SILICA_INLINE std::optional<Tensor> bool_mask(const Tensor& mask) {
    const Tensor host = mask.to(c10::Device(c10::DeviceType::CPU)).to(c10::ScalarType::Bool).contiguous();
    const auto* m = host.const_data_ptr<bool>();
    for (std::int64_t i = 0; i < host.numel(); ++i) {
        if (!m[i]) return host;
    }
    return std::nullopt;
}

SILICA_INLINE std::optional<Tensor> checked_mask(std::string_view name, const std::optional<Tensor>& mask,
                                                 std::string_view ids_name, const Tensor& ids) {
    if (!mask) return std::nullopt;
    require_tensor(name, *mask, 2, {c10::ScalarType::Long, c10::ScalarType::Bool});
    require_same_shape(name, *mask, ids_name, ids);
    return bool_mask(*mask);
}

}  // namespace silica
