#pragma once
/// What an op tag states, and how kernels attach to it. Smallest examples: op/gelu.hpp (plain), op/linear.hpp (with
/// weights), op/linear_add.hpp (fused).

#include "silica/core/tensor.hpp"
#include "silica/core/types.hpp"
#include "silica/precision/concept.hpp"

#include <concepts>
#include <string_view>
#include <type_traits>

namespace silica {

/// The implementation of `Op` on `Device`; it exists where it is specialised, and nothing else records it.
///
/// Orphan rule: a specialisation stands in the header of its device, its op or its precision, nowhere else, and users
/// specialise only with a type of their own. One that a compiler meets after the first use is ignored without a word.
template <class Op, class Device, class Precision = AnyPrecision>
struct Kernel;

/// An argument that the op writes to. It is copied back after a hop, and such an op never recovers from a throw.
template <class T>
struct InOut {
    T& value;
};

namespace op {

/// Stands in a signature for weights in the layout that the kernel made of them: `Kernel::Packed`.
struct Prepared;

}  // namespace op

namespace detail {

template <class Signature>
struct signature;
template <class R, class... Args>
struct signature<R(Args...)> {
    using result = R;
    static constexpr bool weighted = (std::is_same_v<std::remove_cvref_t<Args>, op::Prepared> || ...);
    static constexpr bool writes = false;
};

template <class T>
inline constexpr bool is_in_out = false;
template <class T>
inline constexpr bool is_in_out<InOut<T>> = true;

template <class R, class... Args>
    requires(is_in_out<std::remove_cvref_t<Args>> || ...)
struct signature<R(Args...)> {
    using result = R;
    static constexpr bool weighted = (std::is_same_v<std::remove_cvref_t<Args>, op::Prepared> || ...);
    static constexpr bool writes = true;
};

}  // namespace detail

/// An op: a tag with a name and a signature.
template <class Op>
concept OpTag = requires {
    { Op::name } -> std::convertible_to<std::string_view>;
    typename detail::signature<typename Op::signature>::result;
};

/// What a call of `Op` returns.
template <OpTag Op>
using result_of = typename detail::signature<typename Op::signature>::result;

/// Runs `Op` where `Exec` places it; see run.hpp. Declared here so that `by_parts` of a fused op can name it.
template <class Op, class Exec, class... Args>
result_of<Op> run(const Args&... args);

/// Ops as a list of types: what a layer or a network may call.
template <class... Ops>
struct OpList {
    static constexpr std::size_t size = sizeof...(Ops);
};

namespace detail {

template <class List, class... More>
struct unite {
    using type = List;
};
template <class... Known, class Op, class... Ops, class... Lists>
struct unite<OpList<Known...>, OpList<Op, Ops...>, Lists...>
    : unite<std::conditional_t<(std::is_same_v<Known, Op> || ...), OpList<Known...>, OpList<Known..., Op>>,
            OpList<Ops...>, Lists...> {};
template <class Known, class... Lists>
struct unite<Known, OpList<>, Lists...> : unite<Known, Lists...> {};

}  // namespace detail

/// The union of op lists, in order of first appearance.
template <class... Lists>
using union_of = typename detail::unite<OpList<>, Lists...>::type;

/// True for ops that carry weights, which are packed once for the kernel that will use them. Such an op says in what
/// form they come (`Source`), and may say `quantisable = false`: under a quantised precision its kernels for all
/// unquantised ones serve.
template <OpTag Op>
inline constexpr bool weighted = detail::signature<typename Op::signature>::weighted;

namespace detail {

template <class Op>
consteval bool quantises() {
    if constexpr (requires { Op::quantisable; })
        return Op::quantisable;
    else
        return weighted<Op>;
}

}  // namespace detail

namespace detail {

template <class Op>
struct packed_by {
    using type = Op;
};
template <class Op>
    requires requires { typename Op::packed_as; }
struct packed_by<Op> {
    using type = typename Op::packed_as;
};

template <class Op>
inline constexpr bool is_fused = requires { typename Op::parts; };

/// The kernel of `Op` on `Device` in `Precision`: the one for that precision, else the one for all unquantised ones.
template <class Op, class Device, class Precision>
struct kernel {
    static constexpr bool exists = false;
};
template <class Op, class Device, class Precision>
    requires Complete<Kernel<Op, Device, Precision>>
struct kernel<Op, Device, Precision> {
    static constexpr bool exists = true;
    using type = Kernel<Op, Device, Precision>;
};
template <class Op, class Device, class Precision>
    requires(!Complete<Kernel<Op, Device, Precision>> && Complete<Kernel<Op, Device, AnyPrecision>> &&
             !(Precision::quantised && quantises<Op>()))
struct kernel<Op, Device, Precision> {
    static constexpr bool exists = true;
    using type = Kernel<Op, Device, AnyPrecision>;
};

/// Whether `K::run` takes what the signature promises, `Prepared` being the layout `Packed`, and returns its result.
template <class K, class Packed, class Signature>
inline constexpr bool runs_as = false;
template <class K, class Packed, class R, class... Args>
inline constexpr bool runs_as<K, Packed, R(Args...)> =
    requires(std::conditional_t<std::is_same_v<std::remove_cvref_t<Args>, op::Prepared>, const Packed&, Args>... args) {
        { K::run(args...) } -> std::same_as<R>;
    };

}  // namespace detail

/// True when `Device` has a kernel for `Op` in `Precision`.
template <class Op, class Device, class Precision>
inline constexpr bool has_kernel = detail::kernel<Op, Device, Precision>::exists;

/// The kernel of `Op` on `Device` in `Precision`.
template <class Op, class Device, class Precision>
using kernel_of = typename detail::kernel<Op, Device, Precision>::type;

}  // namespace silica
