#pragma once
/// A gate's activation and product in one pass.

#include "silica/device/aten/activate.hpp"
#include "silica/device/cpu/gate.hpp"
#include "silica/device/cpu/isa/math.hpp"
#include "silica/device/cpu/isa/target.hpp"
#include "silica/device/cpu/rows.hpp"

namespace silica::device::cpu {

template <class T>
struct GatedArguments {
    const T *gate, *up;
    T* y;
    std::int64_t n;
    Activation act;
};

/// y = act(gate) * up, rounded once.
struct GatedLoop {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const GatedArguments<T>* a) {
        isa::Floats<W> g, u;
        std::int64_t i = 0;
        for (; i + W <= a->n; i += W) {
            isa::load<W>(g, a->gate + i);
            isa::load<W>(u, a->up + i);
            isa::activate<W>(g, a->act);
            isa::store<W>(a->y + i, g *= u);
        }
        if (const std::int64_t left = a->n - i; left > 0) {
            isa::load_some<W>(g, a->gate + i, left);
            isa::load_some<W>(u, a->up + i, left);
            isa::activate<W>(g, a->act);
            isa::store_some<W>(a->y + i, g *= u, left);
        }
    }
};

SILICA_INLINE Tensor gate(const Tensor& x, Activation act) {
    const auto n = x.size(-1) / 2;
    if (!isa::has(act) || !is_floating(x)) return aten::Activate::run(x.narrow(-1, 0, n), act) * x.narrow(-1, n, n);
    return by_rows(x, n, [&]<class T>(const T* row, T* y) {
        const GatedArguments<T> a{row, row + n, y, n, act};
        isa::on_best<GatedLoop>(&a);
    });
}

}  // namespace silica::device::cpu
