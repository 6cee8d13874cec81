/// Tests of the known faults of products and convolutions on MPS.

#include <cstdint>
#include <vector>

#include <ATen/ops/bmm.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv3d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>

#include "mps_fault_tests.hpp"

namespace silica::bench::faults {

Seen linear_not_stable(std::string& detail) {
    for (const auto type : {at::kHalf, at::kBFloat16}) {
        const Tensor x = numbers({2, 37, 320}, 1, type), w = numbers({200, 320}, 2, type), xd = x.to(there()),
                     wd = w.to(there());
        const Tensor first = at::linear(xd, wd).cpu();
        for (int turn = 0; turn < 20; ++turn) {
            if (at::linear(xd, wd).cpu().equal(first)) continue;
            detail = "the same product twice was not the same";
            return Seen::present;
        }
        if (compared(detail, first, at::linear(x.to(at::kFloat), w.to(at::kFloat)), type, 4) == Seen::present)
            return Seen::present;
    }
    return Seen::absent;
}

Seen linear_loses_bias(std::string& detail) {
    for (const auto type : {at::kFloat, at::kHalf}) {
        const Tensor w = numbers({96, 64}, 2, type), b = numbers({96}, 3, type) + 5;
        for (const auto& shape : std::vector<std::vector<std::int64_t>>{{64}, {1, 64}, {1, 1, 64}}) {
            const Tensor x = numbers(shape, 1, type);
            const Tensor want = at::linear(x.to(at::kFloat), w.to(at::kFloat), b.to(at::kFloat));
            if (compared(detail, at::linear(x.to(there()), w.to(there()), b.to(there())), want, type, 2) ==
                Seen::present)
                return Seen::present;
        }
    }
    return Seen::absent;
}

Seen long_products(std::string& detail) {
    const Tensor a = numbers({2, 3, 40000}, 1), b = numbers({2, 40000, 5}, 2);
    return compared(detail, at::bmm(a.to(there()), b.to(there())), at::bmm(a, b), at::kFloat, 100);
}

Seen strided_weight(std::string& detail) {
    const Tensor x = numbers({5, 48}, 1), w = numbers({48, 32}, 2);
    return compared(detail, at::linear(x.to(there()), w.to(there()).t()), at::linear(x, w.t()), at::kFloat, 2);
}

Seen conv_strided_weight(std::string& detail) {
    const Tensor x = numbers({1, 6, 9, 9}, 1), w = numbers({3, 3, 6, 8}, 2).permute({3, 2, 0, 1});
    return compared(detail, at::conv2d(x.to(there()), numbers({3, 3, 6, 8}, 2).to(there()).permute({3, 2, 0, 1})),
                    at::conv2d(x, w), at::kFloat, 2);
}

Seen channels_last_slice(std::string& detail) {
    const Tensor x = numbers({1, 9, 9, 8}, 1), w = numbers({5, 4, 3, 3}, 2);
    const auto slice = [](const Tensor& t) { return t.permute({0, 3, 1, 2}).narrow(1, 2, 4); };
    const Seen seen =
        compared(detail, at::conv2d(slice(x.to(there())), w.to(there())), at::conv2d(slice(x), w), at::kFloat, 2);
    if (seen == Seen::present) return seen;
    return compared(detail, at::max_pool2d(slice(x.to(there())), {2, 2}), at::max_pool2d(slice(x), {2, 2}), at::kFloat);
}

Seen conv_large_kernel(std::string& detail) {
    const Tensor x = numbers({1, 2, 300, 3}, 1), w = numbers({3, 2, 260, 2}, 2);
    return compared(detail, at::conv2d(x.to(there()), w.to(there())), at::conv2d(x, w), at::kFloat, 8);
}

Seen conv_long(std::string& detail) {
    const Tensor x = numbers({1, 1, 1, 66000}, 1), w = numbers({2, 1, 1, 3}, 2);
    Tensor y;
    try {
        y = at::conv2d(x.to(there()), w.to(there()));
    } catch (const c10::Error& e) {
        detail = e.what_without_backtrace();
        return Seen::present;
    }
    return compared(detail, y, at::conv2d(x, w), at::kFloat, 2);
}

Seen conv_3d(std::string& detail) {
    for (const std::int64_t channels : {3, 4, 7}) {
        const Tensor x = numbers({1, channels, 4, 6, 6}, 1), w = numbers({5, channels, 2, 3, 3}, 2);
        if (compared(detail, at::conv3d(x.to(there()), w.to(there())), at::conv3d(x, w), at::kFloat, 2) ==
            Seen::present)
            return Seen::present;
    }
    return Seen::absent;
}

}  // namespace silica::bench::faults
