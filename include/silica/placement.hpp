#pragma once
/// Where each op of a network runs: known when the program is compiled.

#include "silica/exec.hpp"
#include "silica/op/concept.hpp"

#include <boost/hana/bool.hpp>
#include <boost/hana/filter.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>
#include <boost/hana/unpack.hpp>

#include <array>
#include <concepts>
#include <string_view>
#include <type_traits>

namespace silica {

/// Instantiated when an op has no kernel on any device of its chain.
template <class Op, class Chain, class Precision>
struct no_kernel {
    static_assert(always_false<Op>,
                  "this op has no kernel on any device of this chain in this precision. Remedy: use a longer chain (a "
                  "device policy carries one that ends on the CPU), or write silica/device/<name>/<op>.hpp with a "
                  "specialisation of silica::Kernel<Op, Device>.");
};

/// Instantiated when a kernel does not take what its op's signature says.
template <class Op, class Device, class Precision>
struct wrong_kernel_signature {
    static_assert(always_false<Op>,
                  "Kernel::run does not have the signature of its op. Remedy: compare it with Op::signature in "
                  "silica/op/<op>.hpp, with Prepared replaced by the Packed of the kernel.");
};

namespace detail {

template <class Op, class Device, class Precision>
consteval bool checked_kernel() {
    if constexpr (has_kernel<Op, Device, Precision>) {
        using K = kernel_of<Op, Device, Precision>;
        if constexpr (weighted<Op>) {
            using Packing = kernel_of<typename packed_by<Op>::type, Device, Precision>;
            if constexpr (!runs_as<K, typename Packing::Packed, typename Op::signature>) {
                return sizeof(wrong_kernel_signature<Op, Device, Precision>) > 0;
            }
        } else if constexpr (!runs_as<K, std::false_type, typename Op::signature>) {
            return sizeof(wrong_kernel_signature<Op, Device, Precision>) > 0;
        }
        return true;
    } else {
        return false;
    }
}

template <class Op, class Precision, class... Ds>
constexpr auto candidates_among(Chain<Ds...>) {
    namespace hana = boost::hana;
    constexpr auto has = [](auto d) {
        return hana::bool_c<checked_kernel<Op, typename decltype(d)::type, Precision>()>;
    };
    return hana::unpack(hana::filter(hana::tuple_t<Ds...>, has), hana::template_<Chain>);
}

}  // namespace detail

/// The devices of the chain that have a kernel for `Op` in this precision, in the chain's order: a `Chain`, maybe
/// empty.
template <OpTag Op, class Exec>
using candidates =
    typename decltype(detail::candidates_among<Op, typename Exec::precision>(typename Exec::chain{}))::type;

namespace detail {

/// True, or a compile error that names the op, the chain and the remedy.
template <class Op, class Exec>
consteval bool has_candidate() {
    if constexpr (candidates<Op, Exec>::size > 0)
        return true;
    else
        return sizeof(no_kernel<Op, typename Exec::chain, typename Exec::precision>) > 0;
}

template <class Op, class Exec>
consteval bool runs_at_home() {
    if constexpr (candidates<Op, Exec>::size == 0)
        return false;
    else
        return std::is_same_v<typename front<candidates<Op, Exec>>::type, typename Exec::home>;
}

/// A fused kernel serves only at home, and only where the weights are packed for home.
template <class Op, class Exec>
consteval bool fused_at_home() {
    if constexpr (weighted<Op>)
        return runs_at_home<Op, Exec>() && runs_at_home<typename packed_by<Op>::type, Exec>();
    else
        return runs_at_home<Op, Exec>();
}

/// The ops that a call may reach: itself, and its parts where it is fused.
template <class Op>
struct reaches {
    using type = OpList<Op>;
};
template <class Op>
    requires is_fused<Op>
struct reaches<Op> {
    using type = union_of<OpList<Op>, typename Op::parts>;
};

template <class List>
struct with_parts;
template <class... Ops>
struct with_parts<OpList<Ops...>> {
    using type = union_of<typename reaches<Ops>::type...>;
};

}  // namespace detail

/// Where one op runs.
struct Placed {
    std::string_view op;
    std::string_view device;  ///< the first candidate; "parts" for a fused op without a kernel at home; "" for none
    bool native;              ///< true when it stays at home
    bool may_decline;         ///< true when the kernel takes only some sizes, types or strides
};

/// Where `Op` runs under `Exec`.
template <OpTag Op, class Exec>
constexpr Placed placed() {
    using C = candidates<Op, Exec>;
    if constexpr (detail::is_fused<Op> && !detail::fused_at_home<Op, Exec>()) {
        return {Op::name, "parts", true, false};
    } else if constexpr (C::size == 0) {
        return {Op::name, "", false, false};
    } else {
        using First = typename detail::front<C>::type;
        constexpr bool declines = requires { &kernel_of<Op, First, typename Exec::precision>::accepts; };
        return {Op::name, First::name, std::is_same_v<First, typename Exec::home>, declines};
    }
}

namespace detail {

template <class Exec, class... Ops>
constexpr std::array<Placed, sizeof...(Ops)> table_of(OpList<Ops...>) {
    return {placed<Ops, Exec>()...};
}

}  // namespace detail

/// The table of a network's ops (and the parts of its fused ops): `placement<arch::Bert, Exec<device::Mps>>`.
template <class Arch, class Exec>
inline constexpr auto placement =
    detail::table_of<Exec>(typename detail::with_parts<typename Arch::template Network<Exec>::Ops>::type{});

/// True when no op of the network leaves home.
template <class Arch, class Exec>
concept native = [] {
    for (const auto& p : placement<Arch, Exec>) {
        if (!p.native) return false;
    }
    return true;
}();

}  // namespace silica
