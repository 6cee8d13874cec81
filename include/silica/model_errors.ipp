#pragma once
/// What Model does that depends on none of its types.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/model_errors.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <string>

namespace silica::detail {

SILICA_INLINE void refuse_unexpected(const LoadingAccount& account, const std::string& place) {
    if (account.unexpected.empty()) return;
    std::string names;
    for (const auto& name : account.unexpected) {
        if (names.size() > 300) {
            names += ", ...";
            break;
        }
        names += (names.empty() ? "" : ", ") + quote(name);
    }
    throw CheckpointError(place + " holds " + std::to_string(account.unexpected.size()) +
                              " tensors that the architecture does not use: " + names + ".",
                          "open it without OpenOptions::strict, or with the architecture that config.json names.");
}

[[noreturn]] SILICA_INLINE void refuse_target_lang(std::string_view arch, const std::string& target_lang) {
    throw InputError(
        std::string(arch) + " has no adapters of languages, and target_lang is " + quote(target_lang) + ".",
        "open it without OpenOptions::target_lang.");
}

SILICA_INLINE c10::Device device_at(c10::DeviceType type, std::string_view name, const Availability& can,
                                    c10::DeviceIndex index) {
    if (!can) {
        throw DeviceError(std::string(name) + " cannot be used here: " + can.reason + ".",
                          "choose another device policy, such as device::Cpu.");
    }
    const bool host = type == c10::DeviceType::CPU;
    const int count = host ? 1 : c10::impl::VirtualGuardImpl(type).deviceCount();
    if (index < 0 || index >= count) {
        throw DeviceError("There is no " + std::string(name) + " device " + std::to_string(index) + ", only " +
                              std::to_string(count) + ".",
                          "choose an index from 0 to " + std::to_string(count - 1) + ".");
    }
    return host ? c10::Device(type) : c10::Device(type, index);
}

}  // namespace silica::detail
