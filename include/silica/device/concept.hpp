#pragma once
/// What a device policy states, and the chain of devices a call may fall back along. Smallest example:
/// examples/my_device.cpp; the shipped ones are device/cpu.hpp, device/mps.hpp and device/cuda.hpp.

#include "silica/precision/concept.hpp"

#include <c10/core/Device.h>
#include <c10/util/Exception.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica {

/// Whether a device can be used in this process, and if not, why and what to do.
struct Availability {
    bool usable = false;
    std::string reason = {};  ///< empty when usable
    explicit operator bool() const noexcept { return usable; }
};

/// Bytes on a device; 0 where the device cannot tell.
struct DeviceMemory {
    std::uint64_t total = 0, allocated = 0, peak = 0;
    std::uint64_t free = 0;  ///< what this process can still have of it
};

/// Devices to try, in order; the first is home. `Chain<Mps>` is strict: Mps or a compile error, never a silent hop.
template <class... Devices>
struct Chain;

template <class Home, class... Rest>
struct Chain<Home, Rest...> {
    static constexpr std::size_t size = 1 + sizeof...(Rest);
    using default_precision = typename Home::default_precision;
};

template <>
struct Chain<> {
    static constexpr std::size_t size = 0;
};

namespace detail {

template <class C>
struct front;
template <class D, class... Rest>
struct front<Chain<D, Rest...>> {
    using type = D;
};

}  // namespace detail

/// The state of "no lock is needed here": what `lock()` returns on devices that any thread may use at any time.
struct NoLock {};

/// A device: an empty struct whose static members say what it is called, where calls go that it has no kernel for,
/// and how to wait for it. Kernels are `Kernel<Op, Device>` specialisations beside it.
template <class D>
concept DevicePolicy = requires(const c10::Error& error, c10::DeviceIndex index) {
    { D::name } -> std::convertible_to<std::string_view>;  // as in `--hardware`
    { D::type } -> std::convertible_to<c10::DeviceType>;   // where its tensors lie
    typename D::chain;                                     // Chain<D, ...>
    typename D::default_precision;                         // used when a Model names none
    { D::available() } -> std::same_as<Availability>;      // never throws
    D::synchronize(index);                                 // waits until all submitted work is done
    D::empty_cache();                                      // gives cached memory back
    { D::memory(index) } -> std::same_as<DeviceMemory>;
    { D::is_out_of_memory(error) } -> std::same_as<bool>;  // is this how the device says "no memory"?
    D::lock();                                             // held for a whole call of a Model
};

namespace detail {

template <class D>
struct chain_of {
    static_assert(DevicePolicy<D>,
                  "this is not a device policy. Remedy: give it the members listed in silica/device/concept.hpp, or "
                  "check the order of Model<Arch, Device, Precision, Loader>.");
    using type = typename D::chain;
};
template <class... Ds>
struct chain_of<Chain<Ds...>> {
    static_assert(sizeof...(Ds) > 0, "a chain needs at least one device. Remedy: write Chain<device::Cpu>.");
    static_assert((DevicePolicy<Ds> && ...),
                  "a chain holds something that is not a device policy. Remedy: give it the members listed in "
                  "silica/device/concept.hpp.");
    using type = Chain<Ds...>;
};

}  // namespace detail

/// The chain of a device policy, or a chain itself.
template <class DeviceOrChain>
using chain_of = typename detail::chain_of<DeviceOrChain>::type;

/// The device a policy or a chain starts from.
template <class DeviceOrChain>
using home_of = typename detail::front<chain_of<DeviceOrChain>>::type;

}  // namespace silica
