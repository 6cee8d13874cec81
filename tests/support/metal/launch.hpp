#pragma once
/// How a kernel of stdlib.hpp is called: its last five parameters are its place (PLACE in prelude.metal.hpp).

#include <array>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "support/metal/kernels.hpp"
#include "support/metal/stdlib.hpp"

namespace silica::test::metal::detail {

template <class P>
decltype(auto) parameter(void* address) {
    if constexpr (std::is_pointer_v<P>)
        return static_cast<P>(address);
    else
        return *static_cast<std::remove_reference_t<P>*>(address);
}

template <class... P>
HostKernel host_kernel_of(std::string name, std::string mutation, void (*f)(P...)) {
    constexpr std::size_t count = sizeof...(P) - 5;
    const auto run = [f](std::span<void* const> arguments, std::array<unsigned, 3> groups, unsigned threads) {
        if (arguments.size() != count) throw std::runtime_error("a kernel was given another number of arguments");
        using Parameters = std::tuple<P...>;
        using stdlib::uint3;
        for (unsigned z = 0; z < groups[2]; ++z)
            for (unsigned y = 0; y < groups[1]; ++y)
                for (unsigned x = 0; x < groups[0]; ++x)
                    run_group(threads, [&] {
                        [&]<std::size_t... I>(std::index_sequence<I...>) {
                            f(parameter<std::tuple_element_t<I, Parameters>>(arguments[I])..., uint3{x, y, z},
                              uint3{groups[0], groups[1], groups[2]}, self() % lanes, self() / lanes,
                              (threads + lanes - 1) / lanes);
                        }(std::make_index_sequence<count>{});
                    });
    };
    return {std::move(name), std::move(mutation), count, run};
}

}  // namespace silica::test::metal::detail
