#pragma once
/// The arguments of a call of an op: what a kernel gets for them, and where they lie.

#include "silica/core/transfer.hpp"
#include "silica/placement.hpp"
#include "silica/prepared.hpp"

#include <c10/core/Device.h>

#include <memory>
#include <optional>
#include <type_traits>

namespace silica::detail {

/// Packed weights, kept while a call uses them.
template <class Packed>
struct Held {
    std::shared_ptr<const Packed> packed;
    operator const Packed&() const noexcept { return *packed; }  // NOLINT(google-explicit-constructor)
};

/// What a kernel on `D` gets for an argument: its own packed weights for `Prepared`, everything else as it is.
template <class D, class T>
decltype(auto) given(const T& arg, [[maybe_unused]] c10::Device device) {
    if constexpr (is_prepared<T>)
        return Held{arg.template on<D>(device)};
    else
        return (arg);
}

/// The same for the first candidate, whose weights are always there.
template <class T>
decltype(auto) given_first(const T& arg) {
    if constexpr (is_prepared<T>)
        return (arg.first());
    else
        return (arg);
}

/// Calls `f(tensor)` on the tensors of an argument, those that are not defined too where it is a tensor itself.
template <class T, class F>
void each_tensor(const T& arg, F&& f) {
    if constexpr (is_prepared<T>)
        return;
    else if constexpr (is_in_out<T>)
        f(arg.value);
    else if constexpr (std::is_same_v<T, Tensor>)
        f(arg);
    else
        for_each_tensor(arg, f);
}

/// The device of the first tensor among the arguments: the home of the call.
template <class... Args>
c10::Device home_device(c10::DeviceType type, const Args&... args) {
    std::optional<c10::Device> home;
    (each_tensor(args,
                 [&](const Tensor& t) {
                     if (!home) home = t.device();
                 }),
     ...);
    return home.value_or(c10::Device(type, type == c10::DeviceType::CPU ? -1 : 0));
}

}  // namespace silica::detail
