#pragma once
/// Inputs and Outputs structs as lists of named tensors, and back.

#include "silica/core/error.hpp"
#include "silica/core/reflect.hpp"
#include "silica/core/tensor.hpp"

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica {

/// Tensors by field: "input_ids", "hidden_states.0" for the items of a list, "text.logits" for the fields of a struct.
/// Options of inputs are among them, a tensor of one number each.
using Named = std::vector<std::pair<std::string, Tensor>>;

/// Appends the tensors inside `value`: "name" for a tensor, "name.0", "name.1", ... for a list, "name.field" for a
/// struct. An option that is set is a tensor of one bool.
template <class T>
void append_named(Named& out, const std::string& name, const T& value) {
    if constexpr (std::is_same_v<T, Tensor>) {
        if (value.defined()) out.emplace_back(name, value);
    } else if constexpr (std::is_same_v<T, bool>) {
        if (value) out.emplace_back(name, at::ones({}, at::TensorOptions().dtype(c10::ScalarType::Bool)));
    } else if constexpr (requires {
                             value.has_value();
                             *value;
                         }) {
        if (value.has_value()) append_named(out, name, *value);
    } else if constexpr (Reflected<T>) {
        for_each_member(value, [&](std::string_view field, const auto& member) {
            append_named(out, name.empty() ? std::string(field) : name + "." + std::string(field), member);
        });
    } else if constexpr (requires {
                             value.begin();
                             typename T::value_type;
                         }) {
        if constexpr (!std::is_arithmetic_v<typename T::value_type>) {
            std::size_t i = 0;
            for (const auto& item : value) append_named(out, name + "." + std::to_string(i++), item);
        }
    }
}

/// The tensors of a struct, by field.
template <Reflected T>
[[nodiscard]] Named named(const T& value) {
    Named out;
    append_named(out, "", value);
    return out;
}

namespace detail {

/// Puts a tensor where `rest` says: nothing left for a tensor, an index for a list, a field for a struct.
template <class T>
bool put_named(T& value, std::string_view rest, const Tensor& t) {
    if constexpr (std::is_same_v<T, Tensor>) {
        if (!rest.empty()) return false;
        value = t;
        return true;
    } else if constexpr (std::is_same_v<T, bool>) {
        if (!rest.empty() || t.numel() != 1) return false;
        value = t.to(c10::Device(c10::DeviceType::CPU)).to(c10::ScalarType::Bool).template item<bool>();
        return true;
    } else if constexpr (requires {
                             value.has_value();
                             value.emplace();
                         }) {
        return put_named(value.has_value() ? *value : value.emplace(), rest, t);
    } else if constexpr (Reflected<T>) {
        const auto dot = rest.find('.');
        bool placed = false;
        for_each_member(value, [&](std::string_view field, auto& member) {
            if (field == rest.substr(0, dot))
                placed = put_named(member, dot == std::string_view::npos ? "" : rest.substr(dot + 1), t);
        });
        return placed;
    } else if constexpr (requires {
                             typename T::value_type;
                             value.push_back(t);
                         }) {
        if (rest != std::to_string(value.size())) return false;  // items come in order
        value.push_back(t);
        return true;
    } else {
        return false;
    }
}

}  // namespace detail

/// Puts a tensor into the field `name` of a struct of inputs. InputError for a name that is no field of it.
template <Reflected T>
void set_named(T& value, std::string_view name, const Tensor& tensor) {
    if (detail::put_named(value, name, tensor)) return;
    std::string known;
    for_each_member(
        value, [&](std::string_view field, const auto&) { known += (known.empty() ? "" : ", ") + std::string(field); });
    throw InputError("Input '" + std::string(name) + "' is none of this architecture.",
                     "the inputs are " + known + ".");
}

/// A struct from tensors by field. InputError for a name that is no field of it.
template <Reflected T>
[[nodiscard]] T from_named(const Named& tensors) {
    T value{};
    for (const auto& item : tensors) set_named(value, item.first, item.second);
    return value;
}

}  // namespace silica
