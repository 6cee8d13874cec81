#pragma once
/// Takes a tensor from the checkpoint to where an op wants it.

#include "silica/checkpoint/weights.hpp"
#include "silica/core/inventory.hpp"
#include "silica/placement.hpp"

namespace silica::nn {

/// The device that the weights of `Op` lie on: that of its first candidate.
template <class Op, class E>
c10::Device device_of(const Weights& w) {
    static_assert(detail::has_candidate<Op, E>());
    using First = typename detail::front<candidates<Op, E>>::type;
    return First::type == E::home::type || w.counts() ? w.home() : c10::Device(First::type);
}

/// The tensor `name` at `w`, in the compute type of the precision, on the device of `Op`'s kernel: what its `pack`
/// takes.
template <class Op, class E>
Tensor take(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape) {
    return w.get(name, shape, E::precision::compute, device_of<Op, E>(w));
}

/// The tensor `name` at `w` for an op whose weights are plain arguments: on the home device, in the compute type.
template <class E>
Tensor take_home(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape) {
    Tensor t = w.get(name, shape, E::precision::compute, w.home());
    if (w.counts() && Inventory::current() != nullptr) Inventory::current()->keep(t, false, false);
    return t;
}

/// What `t` holds at `ids` (n) in dimension `dim`, for constructors: the shape of it where only an inventory is taken.
inline Tensor picked(const Tensor& t, std::int64_t dim, const Tensor& ids) {
    if (!t.is_meta()) return t.index_select(dim, ids);
    auto shape = t.sizes().vec();
    shape.at(static_cast<std::size_t>(dim)) = ids.numel();
    return at::empty(shape, t.options());
}

}  // namespace silica::nn
