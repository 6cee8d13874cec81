#pragma once
/// Arguments of a call that hop to another device, and come back.

#include "silica/call_arguments.hpp"
#include "silica/core/transfer.hpp"
#include "silica/op/concept.hpp"
#include "silica/prepared.hpp"

#include <cstdint>
#include <type_traits>
#include <utility>
#include <variant>

namespace silica::detail {

/// A copy of an argument on the device it hops to; Prepared has its own copies.
template <class T>
auto carried_copy(const T& arg, [[maybe_unused]] c10::Device there, [[maybe_unused]] std::uint64_t& bytes) {
    if constexpr (is_prepared<T>)
        return std::monostate{};
    else if constexpr (is_in_out<T>)
        return moved_to(arg.value, there, bytes);
    else
        return moved_to(arg, there, bytes);
}

/// An argument that hops, and comes back where the op writes to it.
template <class T>
struct Carried {
    using Copy = decltype(carried_copy(std::declval<const T&>(), std::declval<c10::Device>(),
                                       std::declval<std::uint64_t&>()));

    Carried(const T& arg, c10::Device there, std::uint64_t& bytes)
        : original(arg), device(there), moved(carried_copy(arg, there, bytes)) {}

    template <class D>
    decltype(auto) argument() {
        if constexpr (is_prepared<T>)
            return Held{original.template on<D>(device)};
        else if constexpr (is_in_out<T>)
            return InOut<Copy>{moved};
        else
            return (moved);
    }

    void write_back([[maybe_unused]] std::uint64_t& bytes) const {
        if constexpr (is_in_out<T>) {
            original.value.copy_(moved);
            bytes += static_cast<std::uint64_t>(moved.nbytes());
        }
    }

    const T& original;
    c10::Device device;
    Copy moved;
};

}  // namespace silica::detail
