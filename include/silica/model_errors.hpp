#pragma once
/// What Model says where something is wrong, whatever its types.

#include "silica/checkpoint/account.hpp"
#include "silica/core/types.hpp"
#include "silica/device/concept.hpp"

#include <c10/core/Device.h>

#include <string>
#include <string_view>

namespace silica {

namespace detail {

/// What an argument that is no State of the model runs into.
template <class Argument, class State>
struct not_a_state_of_this_model {
    static_assert(always_false<Argument>,
                  "this is no state that the model can change. Remedy: keep what its make_state() returns in a "
                  "variable that is not const, and pass that.");
};

/// CheckpointError for weights that nothing uses.
void refuse_unexpected(const LoadingAccount& account, const std::string& place);

/// InputError for a language where the architecture has no adapters of languages.
[[noreturn]] void refuse_target_lang(std::string_view arch, const std::string& target_lang);

/// The device `index` of a kind that `can` be used. DeviceError where there is none.
[[nodiscard]] c10::Device device_at(c10::DeviceType type, std::string_view name, const Availability& can,
                                    c10::DeviceIndex index);

}  // namespace detail
}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/model_errors.ipp"
#endif
