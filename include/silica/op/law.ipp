#pragma once
/// The error of arguments that do not fit each other.

#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/op/law.hpp"

#include <string>

namespace silica::op::detail {

SILICA_INLINE void break_law(std::string_view op, std::string_view takes, std::initializer_list<Shown> given) {
    std::string text;
    for (const auto& arg : given) {
        if (!text.empty()) text += ", ";
        text += arg.type == c10::ScalarType::Undefined
                    ? std::string("nothing")
                    : shape_text(arg.sizes) + " " + std::string(c10::toString(arg.type));
    }
    throw InputError("Op '" + std::string(op) + "' takes " + std::string(takes) + ", and was given " + text + ".",
                     "give it tensors of these shapes and types.");
}

}  // namespace silica::op::detail
