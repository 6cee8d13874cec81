#pragma once
/// The largest value of a row, then its first index.

#include "silica/device/aten/argmax.hpp"
#include "silica/device/cpu/argmax.hpp"
#include "silica/device/cpu/isa/target.hpp"
#include "silica/device/cpu/isa/vector.hpp"
#include "silica/device/cpu/rows.hpp"

#include <limits>

namespace silica {
namespace device::cpu {

/// The largest of n values, and whether one of them is NaN.
template <class T>
struct MaximumArguments {
    const T* x;
    std::int64_t n;
    float* most;
    bool* nan;
};
struct Maximum {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const MaximumArguments<T>* a) {
        isa::Floats<W> v, most;
        isa::fill<W>(most, -std::numeric_limits<float>::infinity());
        typename isa::Lanes<W>::I nan = {};
        std::int64_t i = 0;
        for (; i + W <= a->n; i += W) {
            isa::load<W>(v, a->x + i);
            nan |= v != v;
            isa::select<W>(most, v > most, v, most);
        }
        float lanes[W], m = -std::numeric_limits<float>::infinity();
        isa::store<W>(lanes, most);
        for (const float lane : lanes) m = lane > m ? lane : m;
        bool any = false;
        for (int lane = 0; lane < W; ++lane) any = any || nan[lane] != 0;
        for (; i < a->n; ++i) {
            const float f = a->x[i];
            any = any || f != f;
            m = f > m ? f : m;
        }
        *a->most = m;
        *a->nan = any;
    }
};

/// The first index of the largest value; of the first NaN where there is one.
template <class T>
std::int64_t index_of_most(const T* x, std::int64_t n) {
    float most = 0;
    bool nan = false;
    const MaximumArguments<T> a{x, n, &most, &nan};
    isa::on_best<Maximum>(&a);
    for (std::int64_t i = 0; i < n; ++i) {
        const float f = x[i];
        if (nan ? f != f : f == most) return i;
    }
    return 0;
}

}  // namespace device::cpu

SILICA_INLINE Tensor Kernel<op::Argmax, device::Cpu>::run(const Tensor& x) {
    namespace cpu = device::cpu;
    if (!cpu::is_floating(x) || x.numel() == 0) return device::aten::Argmax::run(x);
    const Tensor in = x.contiguous(), y = at::empty({x.size(0)}, x.options().dtype(c10::ScalarType::Long));
    const std::int64_t n = x.size(1);
    cpu::with_type(x, [&]<class T>() {
        const T* from = in.const_data_ptr<T>();
        auto* const to = y.mutable_data_ptr<std::int64_t>();
        const std::int64_t grain = 4 * cpu::values_for_a_thread / n + 1;
        parallel_for(0, x.size(0), grain, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) to[i] = cpu::index_of_most(from + i * n, n);
        });
    });
    return y;
}

}  // namespace silica
