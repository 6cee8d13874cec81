#pragma once
/// What a call holds while it uses a device, and what becomes of memory that is out.

#include "silica/device/concept.hpp"

#include <ATen/core/grad_mode.h>
#include <c10/core/DeviceGuard.h>
#include <c10/util/Exception.h>

#include <optional>
#include <string_view>

namespace silica::detail {

/// For a handler: the exception that it handles again, as DeviceError with `remedy` where it says that memory is out.
[[noreturn]] void rethrow_memory_is_out(std::string_view device, bool (*is_out_of_memory)(const c10::Error&),
                                        const char* what, const char* remedy);

/// What a thread holds while it uses a device: its turn, no gradients, the device as the current one.
template <class Device>
struct Entered {
    explicit Entered(c10::Device home) : on(home.is_cpu() ? std::nullopt : std::optional(home)) {}
    decltype(Device::lock()) turn = Device::lock();
    at::NoGradGuard no_grad;
    c10::OptionalDeviceGuard on;
};

}  // namespace silica::detail

#ifndef SILICA_COMPILED
#include "silica/entered.ipp"
#endif
