#pragma once
/// RMS norm of a row.

#include "silica/device/aten/rms_norm.hpp"
#include "silica/device/cpu/isa/target.hpp"
#include "silica/device/cpu/isa/vector.hpp"
#include "silica/device/cpu/rms_norm.hpp"
#include "silica/device/cpu/rows.hpp"

#include <cmath>

namespace silica {
namespace device::cpu {

/// y = w * round(x * scale), rounded; d values of a row.
template <class T>
struct RmsNormArguments {
    const T *x, *w;
    T* y;
    std::int64_t d;
    float eps;
};
struct RmsNormLoop {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const RmsNormArguments<T>* a) {
        isa::Floats<W> v, w, sums[2] = {};
        std::int64_t i = 0;
        for (; i + 2 * W <= a->d; i += 2 * W) {
            isa::load<W>(v, a->x + i);
            isa::load<W>(w, a->x + i + W);
            sums[0] += v * v;
            sums[1] += w * w;
        }
        for (; i < a->d; i += W) {
            part<W>(v, a->x, i, a->d);
            sums[0] += v * v;
        }
        sums[0] += sums[1];
        const float scale = 1.0F / std::sqrt(isa::sum<W>(sums[0]) / static_cast<float>(a->d) + a->eps);
        for (i = 0; i < a->d; i += W) {
            part<W>(v, a->x, i, a->d);
            part<W>(w, a->w, i, a->d);
            v *= scale;
            isa::round_to<T, W>(v);
            v *= w;
            if (i + W <= a->d)
                isa::store<W>(a->y + i, v);
            else
                isa::store_some<W>(a->y + i, v, a->d - i);
        }
    }

private:
    template <int W, class T>
    [[gnu::always_inline]] static void part(isa::Floats<W>& v, const T* p, std::int64_t i, std::int64_t d) {
        if (i + W <= d)
            isa::load<W>(v, p + i);
        else
            isa::load_some<W>(v, p + i, d - i);
    }
};

}  // namespace device::cpu

SILICA_INLINE Tensor Kernel<op::RmsNorm, device::Cpu>::run(const Tensor& x, const Tensor& weight, double eps) {
    namespace cpu = device::cpu;
    if (!cpu::is_floating(x) || weight.scalar_type() != x.scalar_type() || !weight.is_contiguous())
        return device::aten::RmsNorm::run(x, weight, eps);
    const std::int64_t d = x.size(-1);
    return cpu::by_rows(x, d, [&]<class T>(const T* row, T* y) {
        const cpu::RmsNormArguments<T> a{row, weight.const_data_ptr<T>(), y, d, static_cast<float>(eps)};
        cpu::isa::on_best<cpu::RmsNormLoop>(&a);
    });
}

}  // namespace silica
