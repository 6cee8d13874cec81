#pragma once
/// y = act(g) * u: the inside of a gated feed-forward layer. Shazeer 2020, equations 5 and 6.

#include "silica/op/activation.hpp"
#include "silica/op/gelu.hpp"
#include "silica/op/law.hpp"

namespace silica::op {

/// x (..., 2 n), the gate g before u -> (..., n).
struct Gated {
    static constexpr std::string_view name = "gated";
    using signature = Tensor(const Tensor& x, Activation act);
    static void check(const Tensor& x, Activation act) {
        law(x.dim() >= 1 && x.size(-1) % 2 == 0 && computes(x.scalar_type()) && is_known(act), name,
            "x (..., 2 n) of floating numbers and an activation", x);
    }
    using parts = OpList<Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, Activation act) {
        const auto n = x.size(-1) / 2;
        const Tensor gate = x.narrow(-1, 0, n), up = x.narrow(-1, n, n);
        return (act == Activation::gelu ? run<Gelu, Exec>(gate) : run<Activate, Exec>(gate, act)) * up;
    }
};
static_assert(OpTag<Gated>);

}  // namespace silica::op
