/// Tests of the known faults of attention on MPS.

#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/where.h>

#include "mps_fault_tests.hpp"

namespace silica::bench::faults {

namespace {

/// softmax(q k^T scale + mask) v on the host, in float32.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, double scale) {
    return at::scaled_dot_product_attention(q.cpu().to(at::kFloat), k.cpu().to(at::kFloat), v.cpu().to(at::kFloat),
                                            mask, 0.0, false, scale);
}

Tensor causal_mask(std::int64_t n) { return at::ones({n, n}, at::TensorOptions().dtype(at::kBool)).tril(); }

}  // namespace

Seen causal_leaks(std::string& detail) {
    Seen seen = Seen::absent;
    for (const auto type : {at::kHalf, at::kBFloat16}) {
        for (const std::int64_t d : {64, 80, 128}) {
            const Tensor q = numbers({1, 2, 70, d}, 1, type), k = numbers({1, 2, 70, d}, 2, type),
                         v = numbers({1, 2, 70, d}, 3, type);
            const Tensor y = at::scaled_dot_product_attention(q.to(there()), k.to(there()), v.to(there()), std::nullopt,
                                                              0.0, true, 0.5);
            seen = compared(detail, y, attention(q, k, v, causal_mask(70), 0.5), type);
            detail += ", heads of " + std::to_string(d);
            if (seen == Seen::present) return seen;
        }
    }
    return seen;
}

Seen long_decode(std::string& detail) {
    const auto type = at::kHalf;
    const Tensor q = numbers({1, 8, 1, 64}, 1, type), k = numbers({1, 8, 1500, 64}, 2, type),
                 v = numbers({1, 8, 1500, 64}, 3, type);
    const Tensor want = attention(q, k, v, std::nullopt, 0.5), qd = q.to(there()), kd = k.to(there()),
                 vd = v.to(there());
    for (int turn = 0; turn < 8; ++turn)
        if (compared(detail, at::scaled_dot_product_attention(qd, kd, vd, std::nullopt, 0.0, false, 0.5), want, type) ==
            Seen::present)
            return Seen::present;
    return Seen::absent;
}

Seen permuted(std::string& detail) {
    const Tensor q = numbers({1, 9, 2, 64}, 1), k = numbers({1, 9, 2, 64}, 2), v = numbers({1, 9, 2, 64}, 3);
    const auto turned = [](const Tensor& t) { return t.to(there()).transpose(1, 2); };
    const Tensor y = at::scaled_dot_product_attention(turned(q), turned(k), turned(v), std::nullopt, 0.0, false, 0.5);
    return compared(detail, y, attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), std::nullopt, 0.5),
                    at::kFloat);
}

Seen value_head_size(std::string& detail) {
    for (const std::int64_t queries : {1, 20}) {
        const Tensor q = numbers({1, 2, queries, 64}, 1), k = numbers({1, 2, 20, 64}, 2),
                     v = numbers({1, 2, 20, 32}, 3);
        const Tensor y = at::scaled_dot_product_attention(q.to(there()), k.to(there()), v.to(there()), std::nullopt,
                                                          0.0, false, 0.5);
        if (compared(detail, y, attention(q, k, v, std::nullopt, 0.5), at::kFloat) == Seen::present)
            return Seen::present;
    }
    return Seen::absent;
}

Seen masked(std::string& detail, bool added) {
    for (const auto type : {at::kFloat, at::kHalf}) {
        for (const std::int64_t queries : {1, 24}) {
            const Tensor q = numbers({2, 2, queries, 64}, 1, type), k = numbers({2, 2, 24, 64}, 2, type),
                         v = numbers({2, 2, 24, 64}, 3, type);
            const Tensor shown = numbers({2, 1, 1, 24}, 4) > -0.5;
            Tensor mask = shown;
            if (added)
                mask = at::where(shown, numbers({2, 1, 1, 24}, 5), at::full({}, -30.0F))
                           .to(type)
                           .expand({2, 2, queries, 24})
                           .contiguous();
            const Tensor y = at::scaled_dot_product_attention(q.to(there()), k.to(there()), v.to(there()),
                                                              mask.to(there()), 0.0, false, 0.5);
            const Tensor want = attention(q, k, v, added ? mask.to(at::kFloat) : mask, 0.5);
            if (compared(detail, y, want, type) == Seen::present) return Seen::present;
        }
    }
    return Seen::absent;
}

Seen large_scores(std::string& detail) {
    const auto type = at::kHalf;
    const Tensor q = numbers({1, 2, 33, 64}, 1, type) * 60, k = numbers({1, 2, 33, 64}, 2, type) * 60,
                 v = numbers({1, 2, 33, 64}, 3, type);
    const Tensor y =
        at::scaled_dot_product_attention(q.to(there()), k.to(there()), v.to(there()), std::nullopt, 0.0, false, 0.125);
    if (!at::isfinite(y.cpu()).all().item<bool>()) {
        detail = "some results are no numbers";
        return Seen::present;
    }
    return compared(detail, y, attention(q, k, v, std::nullopt, 0.125), type, 4);
}

Seen long_bfloat16(std::string& detail) {
    const auto type = at::kBFloat16;
    const Tensor q = numbers({1, 1, 16, 80}, 1, type), k = numbers({1, 1, 4000, 80}, 2, type),
                 v = numbers({1, 1, 4000, 80}, 3, type) + 1;
    const Tensor y =
        at::scaled_dot_product_attention(q.to(there()), k.to(there()), v.to(there()), std::nullopt, 0.0, false, 0.1);
    return compared(detail, y, attention(q, k, v, std::nullopt, 0.1), type, 0.5);
}

}  // namespace silica::bench::faults
