// Products with weights that are codes: against the exact product with the weights the codes stand for, at odd sizes,
// for few rows of x and many, alone and fused.
#include <limits>

#include <ATen/Functions.h>

#include "silica/device/cpu/isa/integer_dots.hpp"
#include "silica/nn/coded_rows.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/precision/int4.hpp"
#include "silica/precision/int8.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/refuses.hpp"

using namespace silica;

namespace {

const c10::Device here(c10::DeviceType::CPU);

/// Where a matrix lies and how it is cut.
struct Shape {
    std::int64_t rows, columns, group;
};
const std::vector<Shape> shapes = {{16, 64, 32},  {64, 128, 64}, {50, 100, 64},   {1, 7, 32},   {37, 33, 0},
                                   {130, 96, 32}, {34, 9, 4},    {96, 1024, 128}, {30, 70, 12}, {128, 600, 64}};

/// Sums over a group are taken apart from its scale and bias, which are larger than the weights.
template <class C>
double tolerance(std::int64_t n) {
    return test::tolerance<C>() * std::max(1.0, std::sqrt(static_cast<double>(n)));
}

template <class C, class D = device::Cpu>
void check_products(int bits, const Shape& s, std::int64_t m, bool biased) {
    using E = Exec<D, precision::WeightOnly<C, 0>>;
    const auto home = test::place<D>();
    INFO(bits << " bits, " << s.rows << " x " << s.columns << ", groups of " << s.group << ", " << m << " rows");
    const auto plain = test::random({s.rows, s.columns}, 3).to(biased ? at::kHalf : at::kFloat);  // so are the scales
    const auto q = checkpoint::quantise(plain, bits, s.group, "w");
    const Tensor w = checkpoint::dequantised(q, at::kDouble), x = test::random({m, s.columns}, 4, C::compute);
    const auto b = biased ? std::optional(test::random({s.rows}, 5, C::compute)) : std::nullopt;
    const Prepared<op::Linear, E> weight(nn::coded(q, b ? std::optional(b->to(home)) : b, C::compute, home));
    Tensor want = x.to(at::kDouble).matmul(w.t());
    if (b) want = want + b->to(at::kDouble);
    const double near = tolerance<C>(s.columns);
    const Tensor there = x.to(home), y = run<op::Linear, E>(there, weight);
    CHECK(y.scalar_type() == C::compute);
    CHECK(test::differs(y, want, near) == "");
    CHECK(test::differs(run<op::LinearActivation, E>(there, weight, Activation::relu), want.relu(), near) == "");
    const Tensor r = test::random({m, s.rows}, 6, C::compute);
    CHECK(test::differs(run<op::LinearAdd, E>(there, weight, r.to(home)), want + r.to(at::kDouble), near) == "");
    if (s.rows % 2 == 0) {
        // As far from the truth as products are that are `near` theirs; the slope of silu is at most 1.1.
        const Tensor gate = want.narrow(1, 0, s.rows / 2), up = want.narrow(1, s.rows / 2, s.rows / 2);
        const Tensor silu = gate.sigmoid() * gate, gated = silu * up;
        const Tensor bound =
            near * (1.1 * (1 + gate.abs()) * up.abs() + (1 + up.abs()) * silu.abs() + (1 + gated.abs()));
        const Tensor got = run<op::LinearGated, E>(there, weight, Activation::silu).to(want.device(), at::kDouble);
        CHECK(((got - gated).abs() / bound).max().item<double>() <= 1);
    }
    const op::Coded back = weight.unpack();
    CHECK(back.codes.cpu().equal(q.codes));
    CHECK(back.scales.cpu().equal(q.scales));
    CHECK(back.biases.cpu().equal(q.biases));
}

}  // namespace

TEST_CASE("Products with codes are those with the weights they stand for") {
    for (const int bits : {4, 8}) {
        for (const auto& s : shapes) {
            for (const std::int64_t m : {1, 2, 3, 7, 8, 9, 33}) check_products<precision::Fp32>(bits, s, m, m % 2 == 1);
            for (const std::int64_t m : {1, 5, 12}) {
                check_products<precision::Bf16>(bits, s, m, m == 5);
                check_products<precision::Fp16>(bits, s, m, m != 5);
            }
        }
    }
}

#ifdef SILICA_TEST_CUDA
TEST_CASE("Products with codes on CUDA") {
    if (!test::present<device::Cuda>()) return;
    for (const int bits : {4, 8}) {
        std::vector<Shape> all = shapes;
        all.push_back({4096, 2048, 64}), all.push_back({513, 5632, 32}), all.push_back({6, 256, 0});
        for (const auto& s : all) {
            for (const std::int64_t m : {1, 2, 4, 5, 8, 33}) {
                check_products<precision::Bf16, device::Cuda>(bits, s, m, m == 2);
                check_products<precision::Fp16, device::Cuda>(bits, s, m, m != 2);
                check_products<precision::Fp32, device::Cuda>(bits, s, m, m == 4);
            }
        }
    }
    // A norm ahead, in the same kernel.
    using E = Exec<device::Cuda, precision::Int4<precision::Bf16>>;
    const auto home = test::place<device::Cuda>();
    const auto q = checkpoint::quantise(test::random({96, 256}, 3), 4, 64, "w");
    const Prepared<op::Linear, E> weight(nn::coded(q, std::nullopt, at::kBFloat16, home));
    const Tensor x = test::random({2, 256}, 4, at::kBFloat16), scale = test::random({256}, 5, at::kBFloat16);
    const Tensor wide = x.to(at::kDouble), w = checkpoint::dequantised(q, at::kDouble);
    const Tensor normed = wide / (wide * wide).mean(-1, true).add(1e-5).sqrt() * scale.to(at::kDouble);
    const Tensor y = run<op::RmsNormLinear, E>(x.to(home), scale.to(home), 1e-5, weight);
    CHECK(test::relative_error(y, normed.matmul(w.t())) < 2e-2);
}
#endif

TEST_CASE("No rows and more dimensions of x; scales in 16 bits lose nothing") {
    using E = Exec<device::Cpu, precision::Int4<>>;
    for (const auto type : {at::kBFloat16, at::kHalf, at::kFloat}) {
        INFO(type);
        const auto q = checkpoint::quantise(test::random({48, 80}, 1).to(type), 4, 32, "w");
        const Prepared<op::Linear, E> weight(nn::coded(q, std::nullopt, at::kFloat, here));
        CHECK(weight.first().scales.scalar_type() == type);
        const Tensor w = checkpoint::dequantised(q, at::kDouble), x = test::random({2, 3, 80}, 2);
        CHECK(test::differs(run<op::Linear, E>(x, weight), x.to(at::kDouble).matmul(w.t()), 1e-4) == "");
        CHECK(run<op::Linear, E>(at::zeros({2, 0, 80}), weight).sizes() == at::IntArrayRef({2, 0, 48}));
        CHECK(weight.unpack().scales.equal(q.scales));
        CHECK(weight.unpack().biases.equal(q.biases));
        const Tensor strided = test::random({80, 5}, 7).t();
        CHECK(test::differs(run<op::Linear, E>(strided, weight), strided.to(at::kDouble).matmul(w.t()), 1e-4) == "");
        const Tensor many = test::random({67, 80}, 8);
        CHECK(test::differs(run<op::Linear, E>(many, weight), many.to(at::kDouble).matmul(w.t()), 1e-4) == "");
    }
    // What float16 cannot hold stays in float32: an infinite scale would be no number.
    auto large = checkpoint::quantise(test::random({48, 80}, 1).to(at::kHalf), 4, 32, "w");
    large.scales.mul_(1e6);
    const Prepared<op::Linear, E> weight(nn::coded(large, std::nullopt, at::kFloat, here));
    CHECK(weight.first().scales.scalar_type() == at::kFloat);
    CHECK(weight.unpack().scales.equal(large.scales));
}

TEST_CASE("Inputs in 8 bits are near") {
    using E = Exec<device::Cpu, precision::WeightOnly<precision::Fp32, 0, activations::Int8>>;
    for (const int bits : {4, 8}) {
        for (const auto& s : shapes) {
            for (const std::int64_t m : {1, 4, 6, 33}) {
                INFO(bits << " bits, " << s.rows << " x " << s.columns << ", groups of " << s.group << ", " << m);
                const auto type = m == 6 ? at::kHalf : m == 4 ? at::kBFloat16 : at::kFloat;
                const auto q = checkpoint::quantise(test::random({s.rows, s.columns}, 3).to(type), bits, s.group, "w");
                const Tensor w = checkpoint::dequantised(q, at::kDouble), x = test::random({m, s.columns}, 4);
                op::Coded source = nn::coded(q, test::random({s.rows}, 5), at::kFloat, here);
                source.integers = true;
                const Tensor b = *source.bias;
                const Prepared<op::Linear, E> weight(std::move(source));
                const Tensor want = x.to(at::kDouble).matmul(w.t()) + b.to(at::kDouble);
                CHECK(test::relative_error(run<op::Linear, E>(x, weight), want) < (s.columns < 32 ? 8e-2 : 1.5e-2));
                if (s.rows % 2 != 0) continue;
                const Tensor gated = want.narrow(1, 0, s.rows / 2).relu() * want.narrow(1, s.rows / 2, s.rows / 2);
                CHECK(test::relative_error(run<op::LinearGated, E>(x, weight, Activation::relu), gated) <
                      (s.columns < 32 ? 2e-1 : 4e-2));
                if (!device::cpu::isa::multiplies_bytes(device::cpu::isa::best())) continue;
                // Not exact, so that a test of this cannot pass without it.
                if (s.columns >= 64) CHECK(test::relative_error(run<op::Linear, E>(x, weight), want) > 1e-5);
            }
        }
    }
}

TEST_CASE("A matrix that stays plain is computed as one") {
    using E = Exec<device::Cpu, precision::Int8<>>;
    const Tensor w = test::random({48, 80}, 1), x = test::random({3, 80}, 2);
    const Prepared<op::Linear, E> weight(w, std::nullopt);
    CHECK(test::differs(run<op::Linear, E>(x, weight), x.to(at::kDouble).matmul(w.to(at::kDouble).t()), 1e-5) == "");
    CHECK(weight.unpack().weight.equal(w));
}

TEST_CASE("Weights and inputs of codes that do not fit are refused") {
    using E = Exec<device::Cpu, precision::Int4<>>;
    const auto q = checkpoint::quantise(test::random({6, 40}, 1), 4, 32, "w");
    test::refuses<InputError>([&] { Prepared<op::Linear, E>{nn::coded(q, at::ones({5}), at::kFloat, here)}; },
                              {"linear", "weight"});
    test::refuses<InputError>([&] { Prepared<op::Linear, E>{op::Coded()}; }, {"linear", "weight"});
    const op::Coded right = nn::coded(q, std::nullopt, at::kFloat, here);
    const auto refused = [&](auto change) {
        auto wrong = right;
        change(wrong);
        test::refuses<InputError>([&] { Prepared<op::Linear, E>{std::move(wrong)}; }, {"linear", "codes"});
    };
    for (const auto member : {&op::Coded::codes, &op::Coded::scales, &op::Coded::biases}) {
        refused([&](auto& c) { c.*member = Tensor(); });
        refused([&](auto& c) { c.*member = (c.*member).narrow(0, 0, 5).contiguous(); });
        refused([&](auto& c) { c.*member = (c.*member).narrow(1, 0, 1).contiguous(); });
        refused([&](auto& c) { c.*member = (c.*member)[0]; });
        refused([&](auto& c) { c.*member = (c.*member).to(at::kLong); });
        refused([&](auto& c) { c.*member = at::cat({c.*member, c.*member}, 1).narrow(1, 0, (c.*member).size(1)); });
    }
    constexpr auto huge = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t n : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{7}, huge}) {
        refused([&](auto& c) { c.rows = n; });
        refused([&](auto& c) { c.columns = n; });
        refused([&](auto& c) { c.group = n; });
    }
    for (const int bits : {0, 2, 8, -4}) refused([&](auto& c) { c.bits = bits; });
    refused([](auto& c) { c.type = at::kLong; });
    const Prepared<op::Linear, E> weight(right);
    test::refuses<InputError>([&] { static_cast<void>(run<op::Linear, E>(at::ones({2, 39}), weight)); }, {"linear"});
    test::refuses<InputError>([&] { static_cast<void>(run<op::Linear, E>(at::ones({2, 40}, at::kBFloat16), weight)); },
                              {"linear"});
}
