#pragma once
/// Moves values that contain tensors to a device, whatever shape the value has.

#include "silica/core/tensor.hpp"

#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <vector>

namespace silica {
namespace detail {

/// A function of tensors, for as long as a call: with it the members of a struct are walked by one function, whatever is
/// done to them, and what walks them is compiled once.
template <class TensorOrConst>
class TensorVisitor {
public:
    template <class F>
    explicit TensorVisitor(F& f)
        : function_(std::addressof(f)), call_([](const void* function, TensorOrConst& t) {
              (*static_cast<F*>(const_cast<void*>(function)))(t);
          }) {}
    void operator()(TensorOrConst& t) const { call_(function_, t); }

private:
    const void* function_;
    void (*call_)(const void*, TensorOrConst&);
};

template <class F>
inline constexpr bool is_tensor_visitor = false;
template <class T>
inline constexpr bool is_tensor_visitor<TensorVisitor<T>> = true;

}  // namespace detail

/// Calls `f(Tensor&)` on every defined tensor inside `value`: a tensor, an optional, a vector, a tuple or pair, a Hana
/// struct, or any nesting of these. Anything else holds no tensors and is left alone.
template <class T, class F>
void for_each_tensor(T& value, F&& f) {
    using Bare = std::remove_const_t<T>;
    if constexpr (std::is_same_v<Bare, Tensor>) {
        if (value.defined()) f(value);
    } else if constexpr (requires {
                             value.has_value();
                             *value;
                         }) {
        if (value.has_value()) for_each_tensor(*value, f);
    } else if constexpr (requires {
                             value.begin();
                             value.end();
                             typename Bare::value_type;
                         }) {
        if constexpr (!std::is_arithmetic_v<typename Bare::value_type>) {
            for (auto& item : value) for_each_tensor(item, f);
        }
    } else if constexpr (requires { std::tuple_size<Bare>::value; }) {
        std::apply([&](auto&... items) { (for_each_tensor(items, f), ...); }, value);
    } else if constexpr (boost::hana::Struct<Bare>::value) {
        if constexpr (detail::is_tensor_visitor<std::remove_cvref_t<F>>) {
            boost::hana::for_each(boost::hana::accessors<Bare>(), [&](auto member) {
                auto& item = boost::hana::second(member)(value);
                for_each_tensor(item, f);
            });
        } else {
            const detail::TensorVisitor<std::conditional_t<std::is_const_v<T>, const Tensor, Tensor>> visitor(f);
            for_each_tensor(value, visitor);
        }
    }
}

/// A copy of `value` whose tensors lie on `device`; adds the bytes that moved to `bytes`.
template <class T>
T moved_to(T value, c10::Device device, std::uint64_t& bytes) {
    for_each_tensor(value, [&](Tensor& t) {
        if (t.device() == device) return;
        bytes += static_cast<std::uint64_t>(t.nbytes());
        t = t.to(device);
    });
    return value;
}

}  // namespace silica
