#pragma once
/// Exec<Device, Precision>: where a network runs and in what numbers; the one parameter of every layer.

#include "silica/device/concept.hpp"
#include "silica/precision/concept.hpp"

namespace silica {

namespace detail {

template <class Precision, class Device>
struct precision_not_on_device {
    static_assert(
        runs_on<Precision, Device>,
        "this device cannot run this precision. Remedy: choose another precision policy, or precision::Default "
        "of the device.");
    static constexpr bool ok = true;
};

}  // namespace detail

/// `DeviceOrChain` is a device policy (with the chain it carries) or a `Chain`. Layers name `Exec` only and never
/// spell its arguments.
template <class DeviceOrChain, class Precision = precision::Default<DeviceOrChain>>
struct Exec {
    static_assert(PrecisionPolicy<Precision>,
                  "this is not a precision policy. Remedy: see silica/precision/concept.hpp, or check the order of "
                  "Model<Arch, Device, Precision, Loader>.");
    using chain = chain_of<DeviceOrChain>;
    using home = home_of<DeviceOrChain>;
    using precision = Precision;
    static_assert(detail::precision_not_on_device<Precision, home>::ok);

    /// The same placement in another precision: for a layer that must not run in this one.
    template <class Other>
    using with = Exec<DeviceOrChain, Other>;
    /// The same without quantised weights.
    using plain = Exec<DeviceOrChain, typename Precision::plain>;
};

}  // namespace silica
