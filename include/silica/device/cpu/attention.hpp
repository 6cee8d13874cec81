#pragma once
/// Attention on the CPU: our own kernel, block by block; ATen's where the processor has no tiles for it.

#include "silica/device/aten/attention.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/cpu/attend.hpp"
#include "silica/device/cpu/flash_attention.hpp"
#include "silica/device/cpu/rows.hpp"

#include <limits>

namespace silica {

template <>
struct Kernel<op::Attention, device::Cpu> {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal,
                      double scale) {
        namespace cpu = device::cpu;
        const bool one_type = k.scalar_type() == q.scalar_type() && v.scalar_type() == q.scalar_type();
        if (!cpu::is_floating(q) || !one_type || q.numel() == 0 || k.numel() == 0 || v.numel() == 0)
            return device::aten::Attention::run(q, k, v, mask, causal, scale);
        if (q.size(2) == 1 && !causal && k.stride(3) == 1 && v.stride(3) == 1)
            return cpu::AttendOne::run(q, k, v, k.size(2), mask, scale);
        if (cpu::isa::tiling<float>(cpu::isa::best()).vectors == 0)
            return device::aten::Attention::run(q, k, v, mask, causal, scale);
        // (batch, tokens, heads, d), so that joining the heads again costs nothing
        const Tensor y = at::empty({q.size(0), q.size(2), q.size(1), v.size(3)}, q.options()).transpose(1, 2);
        cpu::with_type(q, [&]<class T>() { attend<T>(rows(q), rows(k), rows(v), mask, causal, scale, y); });
        return y;
    }

private:
    static Tensor rows(const Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); }

    /// The mask as what is added to the scores: float32, contiguous over keys.
    static Tensor added(const Tensor& mask, std::int64_t keys) {
        const Tensor all = mask.size(-1) == keys ? mask : mask.expand([&] {
            auto shape = mask.sizes().vec();
            shape.back() = keys;
            return shape;
        }());
        if (all.scalar_type() != c10::ScalarType::Bool) return all.to(c10::ScalarType::Float).contiguous();
        const Tensor never = at::full({}, -std::numeric_limits<float>::infinity(), all.options().dtype(at::kFloat));
        return at::where(all, at::zeros({}, never.options()), never).contiguous();
    }

    template <class T>
    static void attend(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask,
                       bool causal, double scale, const Tensor& y) {
        using Flash = device::cpu::FlashAttention<T>;
        const auto strides = [](const Tensor& t) {
            return typename Flash::Strides{t.stride(0), t.stride(1), t.stride(2)};
        };
        std::optional<Tensor> all;
        if (mask) all = added(*mask, k.size(2)).expand({q.size(0), q.size(1), q.size(2), k.size(2)});
        const Flash problem{.q = q.const_data_ptr<T>(),
                            .k = k.const_data_ptr<T>(),
                            .v = v.const_data_ptr<T>(),
                            .of_q = strides(q),
                            .of_k = strides(k),
                            .of_v = strides(v),
                            .batch = q.size(0),
                            .heads = q.size(1),
                            .kv_heads = k.size(1),
                            .queries = q.size(2),
                            .keys = k.size(2),
                            .d = q.size(3),
                            .dv = v.size(3),
                            .causal = causal,
                            .scale = static_cast<float>(scale),
                            .mask = all ? all->const_data_ptr<float>() : nullptr,
                            .of_mask = all ? strides(*all) : typename Flash::Strides{},
                            .y = y.mutable_data_ptr<T>(),
                            .of_y = strides(y)};
        problem.run(device::cpu::isa::best());
    }
};

}  // namespace silica
