#pragma once
// clang-format off
/// run<Op, Exec>(args...): the only place where a call meets a device.
///
/// | step      | when                                                        | cost                                      |
/// |-----------|-------------------------------------------------------------|-------------------------------------------|
/// | 0 check   | always: the op's law, by what the host knows                | some compares                             |
/// | 1 static  | the one candidate is the CPU at home and takes everything   | none: a direct call                       |
/// | 2 hop     | the first candidate is another device                       | arguments move there, the result back     |
/// | 3 decline | `Kernel::accepts(args...)` is false                         | one branch, then the next candidate       |
/// | 4 recover | the op or its own kernel is missing; memory is out twice    | nothing until it happens                  |
///
/// While a graph is recorded (core/recording.hpp) steps 2 to 4 throw: nothing may wait or leave the device then.
// clang-format on

#include "silica/dispatch.hpp"

#include <type_traits>

namespace silica {
namespace detail {

/// What the law of an op gets for an argument: the shape of weights, everything else as it is.
template <class T>
decltype(auto) lawful(const T& arg) {
    if constexpr (is_prepared<T>)
        return (arg.shape());
    else
        return (arg);
}

[[noreturn]] void refuse_tensor(std::string_view op, const Tensor& t, std::string_view home);

/// Step 0. InputError unless every tensor is there, dense, on one device of the home's type, and the law of the op
/// holds.
template <class Op, class Home, class... Args>
void check(const Args&... args) {
    const c10::TensorImpl* first = nullptr;
    const auto look = [&](const Tensor& t) {
        const bool fits = t.defined() && t.device().type() == Home::type &&
                          (first == nullptr || t.device() == first->device()) && t.layout() == c10::kStrided &&
                          !t.is_neg();
        if (!fits) [[unlikely]]
            refuse_tensor(Op::name, t, Home::name);
        first = t.unsafeGetTensorImpl();
    };
    (each_tensor(args, look), ...);
    if constexpr (requires { Op::check(lawful(args)...); }) Op::check(lawful(args)...);
}

/// Step 1 applies: nothing but a direct call.
template <class Op, class Exec>
consteval bool is_direct() {
    using C = candidates<Op, Exec>;
    if constexpr (C::size != 1) {
        return false;
    } else {
        using D = typename front<C>::type;
        using K = kernel_of<Op, D, typename Exec::precision>;
        return std::is_same_v<D, typename Exec::home> && D::type == c10::DeviceType::CPU && !requires { &K::accepts; };
    }
}

}  // namespace detail

/// Calls `Op` with the arguments of its signature, on the first device of the chain that takes them. Weights are passed
/// as `Prepared<Op, Exec>`.
/// Throws InputError where the arguments do not fit each other, DeviceError when the last candidate declines or fails;
/// errors of the op itself pass through.
template <class Op, class Exec, class... Args>
inline result_of<Op> run(const Args&... args) {
    using P = typename Exec::precision;
    detail::check<Op, typename Exec::home>(args...);
    if constexpr (detail::is_fused<Op> && !detail::fused_at_home<Op, Exec>()) {
        return Op::template by_parts<Exec>(args...);
    } else if constexpr (candidates<Op, Exec>::size == 0) {
        static_assert(detail::has_candidate<Op, Exec>());
    } else if constexpr (detail::is_direct<Op, Exec>()) {
        return kernel_of<Op, typename Exec::home, P>::run(detail::given_first(args)...);
    } else {
        return detail::Dispatch<Op, Exec>::call(FallbackReason::no_kernel, args...);
    }
}

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/run.ipp"
#endif
