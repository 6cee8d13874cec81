// The CPU's own products, with each instruction set that this machine has, against float64.
#include <ATen/ops/linspace.h>
#include <ATen/ops/tensor.h>
#include <cmath>
#include <limits>
#include <vector>

#include <ATen/Parallel.h>

#include "silica/core/narrowed.hpp"
#include "silica/device/cpu/isa/rows.hpp"
#include "silica/device/cpu/isa/target.hpp"
#include "silica/device/cpu/isa/vector.hpp"
#include "silica/device/cpu/multiply.hpp"
#include "silica/device/cpu/panels.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/instruction_sets.hpp"

using namespace silica;
using device::cpu::isa::Isa;
using test::sets;

namespace {

template <class T>
void fill(std::vector<T>& v, unsigned seed) {
    for (T& e : v) {
        seed = seed * 1664525U + 1013904223U;
        e = narrowed<T>(static_cast<float>(static_cast<int>(seed >> 8U) % 2001 - 1000) / 1000.0F);
    }
}

/// Half a unit in the last place, relative.
template <class T>
constexpr double rounding = std::is_same_v<T, float>       ? 6e-8
                            : std::is_same_v<T, c10::Half> ? 4.9e-4
                                                           : 3.91e-3;

template <class T>
std::vector<double> doubles(const std::vector<T>& v) {
    std::vector<double> d(v.size());
    for (std::size_t i = 0; i < v.size(); ++i) d[i] = static_cast<double>(static_cast<float>(v[i]));
    return d;
}

double activated(double x, Activation act) {
    switch (act) {
        case Activation::gelu:
            return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
        case Activation::silu:
            return x / (1 + std::exp(-x));
        default:
            return x;
    }
}

/// One product of every part and its equation. `gap` is what lies between rows of x.
template <class T>
void check(Isa set, std::int64_t m, std::int64_t k, std::int64_t n, bool gated, bool parts, std::int64_t gap) {
    CAPTURE(static_cast<int>(set), m, k, n, gated, parts, gap);
    const auto size = [](std::int64_t a) { return static_cast<std::size_t>(a); };
    std::vector<T> w(size(2 * n * k)), x(size(m * (k + gap))), b(size(2 * n)), r(size(m * n));
    fill(w, 1), fill(x, 2), fill(b, 3), fill(r, 4);
    const T mark = narrowed<T>(-7.0F);
    std::vector<T> y(size(m * n + 16), mark);
    const Activation act = gated ? Activation::silu : parts ? Activation::gelu : Activation::linear;
    const device::cpu::Product<T> p{.x = x.data(),
                                    .ldx = k + gap,
                                    .m = m,
                                    .w = w.data(),
                                    .k = k,
                                    .n = n,
                                    .gated = gated,
                                    .bias = parts ? b.data() : nullptr,
                                    .residual = parts ? r.data() : nullptr,
                                    .act = act,
                                    .y = y.data()};
    device::cpu::multiply(set, p);
    std::int64_t wrong = 0;
    double worst = 0;
    const std::vector<double> dw = doubles(w), dx = doubles(x), db = doubles(b), dr = doubles(r), dy = doubles(y);
    for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < n; ++j) {
            double dot[2] = {}, size_of = 1;
            for (std::int64_t part = 0; part < (gated ? 2 : 1); ++part) {
                const double *row = dw.data() + (part * n + j) * k, *of_x = dx.data() + i * (k + gap);
                for (std::int64_t c = 0; c < k; ++c) {
                    dot[part] += row[c] * of_x[c];
                    size_of += std::abs(row[c] * of_x[c]);
                }
                if (parts) dot[part] += db[size(part * n + j)];
            }
            double want = activated(dot[0], act) * (gated ? dot[1] : 1);
            if (parts) want += dr[size(i * n + j)];
            const double by = std::abs(dy[size(i * n + j)] - want);
            const double limit =
                rounding<T> * std::abs(want) + 6e-7 * size_of * (gated ? 1 + std::abs(dot[0]) + std::abs(dot[1]) : 1);
            if (!(by <= limit)) ++wrong, worst = std::max(worst, by);
        }
    }
    CHECK(wrong == 0);
    CHECK(worst == 0);
    bool beyond = false;
    for (std::size_t i = size(m * n); i < y.size(); ++i) beyond = beyond || static_cast<float>(y[i]) != -7.0F;
    CHECK_FALSE(beyond);  // nothing after the last element is written
}

}  // namespace

TEMPLATE_TEST_CASE("A product is its equation on every instruction set, for awkward sizes and strided rows", "", float,
                   c10::BFloat16, c10::Half) {
    at::set_num_threads(2);
    for (const Isa set : sets()) {
        for (const std::int64_t m : {1, 2, 3, 4, 7, 9, 17, 70}) {
            if (!test::computed(device::cpu::can_compute<TestType>(set, m), set, "products of many rows")) continue;
            for (const std::int64_t k : {1, 7, 33, 131}) {
                for (const std::int64_t n : {1, 17, 97}) {
                    check<TestType>(set, m, k, n, false, false, 0);
                    check<TestType>(set, m, k, n, false, true, 1);
                    check<TestType>(set, m, k, n, true, false, 3);
                    check<TestType>(set, m, k, n, true, true, 0);
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("A product is its equation where it is cut into several blocks, with 1 to 5 threads", "", float,
                   c10::BFloat16, c10::Half) {
    for (const int threads : {1, 2, 5}) {
        at::set_num_threads(threads);
        for (const Isa set : sets()) {
            check<TestType>(set, 1, 1031, 500, false, true, 0);
            check<TestType>(set, 4, 515, 301, true, true, 0);
            if (!test::computed(device::cpu::can_compute<TestType>(set, 9), set, "products of many rows")) continue;
            check<TestType>(set, 12, 1031, 500, false, true, 0);
            check<TestType>(set, 65, 515, 301, true, true, 5);
            check<TestType>(set, 530, 33, 50, false, true, 0);
        }
    }
    at::set_num_threads(2);
}

TEST_CASE("A product on panels is the product on the weights that were packed, and these come back") {
    for (const int threads : {1, 2, 5}) {
        at::set_num_threads(threads);
        for (const Isa set : sets()) {
            if (!test::computed(device::cpu::panel_width(set) > 0, set, "products on panels")) continue;
            for (const std::int64_t m : {1, 2, 3, 5, 7, 12, 65, 260}) {
                for (const std::int64_t k : {1, 33, 600}) {
                    for (const std::int64_t n : {1, 64, 150, 192}) {
                        for (const bool gated : {false, true}) {
                            if (!device::cpu::fits_panels(set, n, gated)) continue;
                            CAPTURE(threads, static_cast<int>(set), m, k, n, gated);
                            const Tensor w = test::random({gated ? 2 * n : n, k}, 1), x = test::random({m, k + 3}, 2);
                            const Tensor b = test::random({2 * n}, 3), r = test::random({m, n}, 4);
                            const Tensor packed = device::cpu::pack_panels(set, w), y = at::zeros({m, n});
                            CHECK(test::differs(device::cpu::unpack_panels(packed, w.size(0)), w, 0) == "");
                            device::cpu::multiply_panels(set, {.x = x.const_data_ptr<float>(),
                                                               .ldx = k + 3,
                                                               .m = m,
                                                               .w = packed.const_data_ptr<float>(),
                                                               .k = k,
                                                               .n = n,
                                                               .gated = gated,
                                                               .bias = b.const_data_ptr<float>(),
                                                               .residual = r.const_data_ptr<float>(),
                                                               .act = Activation::relu,
                                                               .y = y.mutable_data_ptr<float>()});
                            const Tensor sums = x.narrow(1, 0, k).to(at::kDouble).matmul(w.to(at::kDouble).t()) +
                                                b.narrow(0, 0, w.size(0)).to(at::kDouble);
                            Tensor want = sums.narrow(1, 0, n).clamp_min(0);
                            if (gated) want = want * sums.narrow(1, n, n);
                            const double size =
                                std::sqrt(static_cast<double>(k)) * (gated ? 4 * std::sqrt(static_cast<double>(k)) : 1);
                            CHECK(test::differs(y, want + r.to(at::kDouble), 4e-6 * size, 1e-6) == "");
                        }
                    }
                }
            }
        }
    }
    at::set_num_threads(2);
}

TEST_CASE("Linear packs float32 in panels where they are full, and keeps all else as it is") {
    using K = Kernel<op::Linear, device::Cpu>;
    const auto best = device::cpu::isa::best();
    const std::int64_t width = device::cpu::isa::takes_many<float>(best) ? device::cpu::panel_width(best) : 0;
    const Tensor full = test::random({4 * std::max<std::int64_t>(width, 1), 8}, 1);
    CHECK(K::pack({full}).panels == (width > 0));
    CHECK_FALSE(K::keep({full}).panels);
    CHECK_FALSE(K::pack({full.to(at::kBFloat16)}).panels);
    CHECK_FALSE(K::pack({test::random({1, 8}, 1)}).panels);
    CHECK_FALSE(K::pack({at::empty({0, 8})}).panels);
    const Tensor odd = test::random({10 * std::max<std::int64_t>(width, 1) - 3, 8}, 1), x = test::random({20, 8}, 2);
    const auto packed = K::pack({odd.t().contiguous().t()});
    CHECK(test::differs(packed.unpack().weight, odd, 0) == "");
    CHECK(test::differs(K::run(x, packed), x.to(at::kDouble).matmul(odd.to(at::kDouble).t()), 1e-5) == "");
    // a gate whose halves do not begin with panels of their own
    const Tensor y =
        Kernel<op::LinearGated, device::Cpu>::run(x, K::pack({full.narrow(0, 0, full.size(0) - 2)}), Activation::relu);
    const Tensor sums = x.to(at::kDouble).matmul(full.narrow(0, 0, full.size(0) - 2).to(at::kDouble).t());
    const std::int64_t n = sums.size(1) / 2;
    CHECK(test::differs(y, sums.narrow(1, 0, n).clamp_min(0) * sums.narrow(1, n, n), 1e-4) == "");
}

TEMPLATE_TEST_CASE("Infinities, NaN and numbers that overflow come through a product", "", float, c10::BFloat16,
                   c10::Half) {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const Isa set : sets()) {
        for (const std::int64_t m : {1, 20}) {
            if (!test::computed(device::cpu::can_compute<TestType>(set, m), set, "products of many rows")) continue;
            CAPTURE(static_cast<int>(set), m);
            std::vector<TestType> w(40, narrowed<TestType>(1.0F)),
                x(static_cast<std::size_t>(m * 10), narrowed<TestType>(1.0F)), y(static_cast<std::size_t>(m * 4));
            w[0] = narrowed<TestType>(infinity);
            w[10] = narrowed<TestType>(std::numeric_limits<float>::quiet_NaN());
            w[20] = narrowed<TestType>(-infinity);
            const device::cpu::Product<TestType> p{
                .x = x.data(), .ldx = 10, .m = m, .w = w.data(), .k = 10, .n = 4, .y = y.data()};
            device::cpu::multiply(set, p);
            CHECK(static_cast<float>(y[0]) == infinity);
            CHECK(std::isnan(static_cast<float>(y[1])));
            CHECK(static_cast<float>(y[2]) == -infinity);
            CHECK(static_cast<float>(y[3]) == 10.0F);
        }
    }
}

TEST_CASE("Conversions to and from 16 bits are exact, and round to nearest even") {
    namespace isa = device::cpu::isa;
    std::int64_t wrong = 0;
    for (std::uint32_t i = 0; i < 65536; i += 4) {
        c10::Half half[4];
        c10::BFloat16 bfloat[4];
        for (std::uint32_t j = 0; j < 4; ++j)
            half[j] = c10::Half(static_cast<std::uint16_t>(i + j), c10::Half::from_bits()),
            bfloat[j] = c10::BFloat16(static_cast<std::uint16_t>(i + j), c10::BFloat16::from_bits());
        isa::Floats<4> v, u;
        isa::load<4>(v, half);
        isa::load<4>(u, bfloat);
        for (int j = 0; j < 4; ++j) {
            const float h = half[j], b = bfloat[j];
            if (!(v[j] == h || (std::isnan(v[j]) && std::isnan(h)))) ++wrong;
            if (!(u[j] == b || (std::isnan(u[j]) && std::isnan(b)))) ++wrong;
        }
    }
    CHECK(wrong == 0);
    std::vector<c10::Half> halves(65536);
    for (std::size_t i = 0; i < halves.size(); ++i)
        halves[i] = c10::Half(static_cast<std::uint16_t>(i), c10::Half::from_bits());
    for (const Isa set : sets()) {
        std::vector<float> wide(halves.size());
        const isa::WidenArguments<c10::Half> a{halves.data(), 65536, wide.data()};
        isa::on<isa::Widen>(set, &a);
        for (std::size_t i = 0; i < halves.size(); ++i) {
            const float h = halves[i];
            if (!(wide[i] == h || (std::isnan(wide[i]) && std::isnan(h)))) ++wrong;
        }
    }
    CHECK(wrong == 0);
    for (std::uint64_t i = 0; i < (std::uint64_t{1} << 32U); i += 4093) {
        const auto u = static_cast<std::uint32_t>(i);
        float f = 0;
        std::memcpy(&f, &u, sizeof f);
        const isa::Floats<4> v = {f, f, f, f};
        c10::Half half[4];
        c10::BFloat16 bfloat[4];
        isa::store<4>(half, v);
        isa::store<4>(bfloat, v);
        if (std::isnan(f)) {
            if (!std::isnan(static_cast<float>(half[0])) || !std::isnan(static_cast<float>(bfloat[0]))) ++wrong;
        } else if (half[3].x != narrowed<c10::Half>(f).x || bfloat[3].x != c10::BFloat16(f).x) {
            ++wrong;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("gelu within a product is exact to the last bits of float32, from the middle to the tails") {
    const Tensor x = at::cat({at::linspace(-12, 12, 24001), at::linspace(-0.01, 0.01, 101)}).unsqueeze(1);
    const auto one = Kernel<op::Linear, device::Cpu>::pack({at::ones({1, 1})});
    const Tensor y = Kernel<op::LinearActivation, device::Cpu>::run(x, one, Activation::gelu);
    const Tensor wide = x.to(at::kDouble), want = wide * 0.5 * (-wide / std::sqrt(2.0)).erfc();
    CHECK(test::differs(y, want, 2e-7) == "");
    const Tensor ends = at::tensor({-INFINITY, INFINITY, NAN}).unsqueeze(1);
    const Tensor at_ends = Kernel<op::LinearActivation, device::Cpu>::run(ends, one, Activation::gelu);
    CHECK(at_ends[1].item<float>() == INFINITY);
    CHECK(std::isnan(at_ends[2].item<float>()));
}
