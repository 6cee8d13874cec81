// Recipes of convolutions against their equations in float64; norms of channels; padding and rolling.
#include "silica/nn/conv.hpp"

#include <cmath>
#include <limits>

#include <ATen/ops/conv1d.h>
#include <ATen/ops/conv2d.h>

#include "silica/nn/conv_recipe.hpp"
#include "silica/nn/group_norm.hpp"
#include "silica/nn/pad.hpp"
#include "silica/nn/roll.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/refuses.hpp"

namespace convolutions_tests {

using namespace silica;
using test::Checkpoint, test::exact;

namespace {

/// weight, bias, running_mean and running_var of a batch norm, at `place`.
std::map<std::string, Tensor> batch_norm(const std::string& place, std::int64_t channels) {
    return {{place + ".weight", test::random({channels}, 11)},
            {place + ".bias", test::random({channels}, 12)},
            {place + ".running_mean", test::random({channels}, 13) * 3},
            {place + ".running_var", test::random({channels}, 14).abs() + 0.01}};
}

/// (x - mean) / sqrt(var + eps) * w + b, channels at `dim`.
Tensor batch_norm_equation(const std::map<std::string, Tensor>& t, const std::string& place, const Tensor& x,
                           double eps, std::int64_t dim = 1) {
    const auto get = [&](const char* name) {
        std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
        shape[static_cast<std::size_t>(dim)] = x.size(dim);
        return exact(t.at(place + name)).view(shape);
    };
    return (exact(x) - get(".running_mean")) / (get(".running_var") + eps).sqrt() * get(".weight") + get(".bias");
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("A convolution is read as it is, with its bias, without, or as it is found", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const Tensor w = test::random({6, 2, 3, 2}, 1), b = test::random({6}, 2);
        const Tensor x = test::random({2, 4, 7, 5}, 3, P::compute), there = x.to(test::place<TestType>());
        const nn::ConvSize size{.in = 4, .out = 6, .kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}, .groups = 2};
        const auto want = [&](const std::optional<Tensor>& bias) {
            const std::optional<Tensor> sums = bias ? std::optional(exact(*bias)) : std::nullopt;
            return at::conv2d(exact(x), exact(w), sums, {2, 1}, {1, 0}, {1, 1}, 2);
        };
        const double tolerance = 2 * test::tolerance<P>();
        Checkpoint<TestType> biased({{"c.weight", w}, {"c.bias", b}}), bare({{"c.weight", w}});
        const nn::Conv<E> conv(biased.root / "c", size), without(bare.root / "c", size);
        CHECK(test::differs(conv(there), want(b), tolerance) == "");
        CHECK(test::differs(without(there), want({}), tolerance) == "");
        CHECK(test::differs(conv(there, Activation::relu), want(b).clamp_min(0), tolerance) == "");
        const Tensor r = test::random(want(b).sizes(), 4, P::compute), on = r.to(there.device());
        const Tensor sum = want(b) + exact(r);
        CHECK(test::differs(conv.add(there, on), sum, tolerance) == "");
        CHECK(test::differs(conv.add(there, on, Activation::relu), sum.clamp_min(0), tolerance) == "");
        auto never = size, always = size;
        never.bias = false, always.bias = true;
        CHECK(test::differs(nn::Conv<E>(biased.root / "c", never)(there), want({}), tolerance) == "");
        test::refuses<CheckpointError>([&] { nn::Conv<E>(bare.root / "c", always); }, {"c.bias"});
        auto other = size;
        other.kernel = {2, 3};
        test::refuses<CheckpointError>([&] { nn::Conv<E>(biased.root / "c", other); }, {"c.weight", "(6, 2, 3, 2)"});
        auto wrong = size;
        wrong.stride = {1};
        test::refuses<InputError>([&] { nn::Conv<E>(biased.root / "c", wrong); }, {"Op 'conv'", "for each dimension"});
        wrong.groups = 0;
        test::refuses<CheckpointError>([&] { nn::Conv<E>(biased.root / "c", wrong); }, {"c.weight"});
    });
}

TEMPLATE_LIST_TEST_CASE("A batch norm folded into a convolution gives what one after the other gives", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        for (const bool biased : {false, true}) {
            CAPTURE(biased);
            auto tensors = batch_norm("bn", 5);
            const Tensor w = test::random({5, 3, 3, 3}, 1) * 0.2, b = test::random({5}, 2);
            tensors["c.weight"] = w;
            if (biased) tensors["c.bias"] = b;
            Checkpoint<TestType> file(tensors);
            const nn::ConvSize size{.in = 3, .out = 5, .kernel = {3, 3}, .padding = {1, 1}};
            const auto conv = nn::Conv<E>::batch_normed(file.root / "c", size, file.root / "bn", 1e-5);
            const Tensor x = test::random({2, 3, 6, 5}, 3, P::compute);
            const std::optional<Tensor> bias = biased ? std::optional(exact(b)) : std::nullopt;
            const Tensor between = at::conv2d(exact(x), exact(w), bias, 1, 1);
            const Tensor want = batch_norm_equation(tensors, "bn", between, 1e-5);
            // Scales reach 10: small variances. What is summed is as uncertain as its largest parts.
            const double tolerance = 2 * test::tolerance<P>() * want.abs().max().template item<double>();
            CHECK(test::differs(conv(x.to(test::place<TestType>())), want, tolerance) == "");
            CHECK(file.root.account().unexpected.empty());
        }
    });
}

TEST_CASE("A folded batch norm is computed in float64 and rounded once") {
    using E = Exec<device::Cpu, precision::Fp32>;
    auto tensors = batch_norm("bn", 7);
    tensors["c.weight"] = test::random({7, 4, 3}, 1);
    tensors["c.bias"] = test::random({7}, 2);
    Checkpoint<device::Cpu> file(tensors);
    const nn::ConvSize size{.in = 4, .out = 7, .kernel = {3}};
    const auto folded = nn::batch_normed_conv<op::Conv, E>(file.root / "c", size, file.root / "bn", 1e-3);
    const Tensor scale = exact(tensors["bn.weight"]) / (exact(tensors["bn.running_var"]) + 1e-3).sqrt();
    const Tensor mean = exact(tensors["bn.running_mean"]);
    const Tensor bias = (exact(tensors["c.bias"]) - mean) * scale + exact(tensors["bn.bias"]);
    CHECK(folded.weight.scalar_type() == at::kFloat);
    CHECK(test::differs(folded.weight, (exact(tensors["c.weight"]) * scale.view({7, 1, 1})).to(at::kFloat), 0) == "");
    CHECK(test::differs(*folded.bias, bias, 1e-7) == "");

    for (const double bad : {-0.5, std::nan(""), -1e-3}) {
        auto broken = tensors;
        broken["bn.running_var"] = tensors["bn.running_var"].clone();
        broken["bn.running_var"][3] = bad;
        Checkpoint<device::Cpu> damaged(broken);
        const Weights norm = damaged.root / "bn";
        test::refuses<CheckpointError>([&] { nn::Conv<E>::batch_normed(damaged.root / "c", size, norm, 1e-3); },
                                       {"bn.running_var", "no variances"});
        test::refuses<CheckpointError>([&] { nn::BatchNorm<E>(norm, 7, 1e-3); }, {"bn.running_var"});
    }
    loader::Random random;
    const Weights invented(random, {}, test::place<device::Cpu>());
    CHECK_NOTHROW(nn::Conv<E>::batch_normed(invented / "c", size, invented / "bn", 1e-5));
}

TEMPLATE_LIST_TEST_CASE("weight_norm: W = g v / |v|, lengths along any dimension, under both of its names", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const Tensor v = test::random({8, 3, 4}, 1), b = test::random({8}, 2);
        const Tensor x = test::random({2, 6, 9}, 3, P::compute);
        const nn::ConvSize size{.in = 6, .out = 8, .kernel = {4}, .padding = {2}, .groups = 2};
        for (const std::size_t dim : {0U, 1U, 2U}) {
            CAPTURE(dim);
            std::vector<std::int64_t> lengths(3, 1), others;
            lengths[dim] = v.size(static_cast<std::int64_t>(dim));
            for (std::int64_t i = 0; i < 3; ++i) {
                if (i != static_cast<std::int64_t>(dim)) others.push_back(i);
            }
            const Tensor g = test::random(lengths, 4);
            const Tensor w = exact(g) * exact(v) / (exact(v) * exact(v)).sum(others, true).sqrt();
            const Tensor want = at::conv1d(exact(x), w, exact(b), 1, 2, 1, 2);
            const std::string newer = "c.parametrizations.weight.original";
            const std::vector<std::map<std::string, Tensor>> spellings = {
                {{"c.weight_g", g}, {"c.weight_v", v}, {"c.bias", b}},
                {{newer + "0", g}, {newer + "1", v}, {"c.bias", b}}};
            for (const auto& tensors : spellings) {
                Checkpoint<TestType> file(tensors);
                const auto conv = nn::Conv<E>::weight_normed(file.root / "c", size, dim);
                CHECK(test::differs(conv(x.to(test::place<TestType>())), want, 2 * test::tolerance<P>()) == "");
                CHECK(file.root.account().unexpected.empty());
            }
        }
        Checkpoint<TestType> file({{"c.weight_v", v}, {"c.bias", b}});
        test::refuses<CheckpointError>([&] { nn::Conv<E>::weight_normed(file.root / "c", size, 2); }, {"c.weight_g"});
    });
}

TEMPLATE_LIST_TEST_CASE("Norms of channels: batch norm along any dimension, group norm", "", test::Devices) {
    if (!test::present<TestType>()) return;
    test::in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        auto tensors = batch_norm("bn", 6);
        Checkpoint<TestType> file(tensors);
        const nn::BatchNorm<E> norm(file.root / "bn", 6, 1e-5);
        const Tensor x = test::random({2, 6, 3, 6}, 1, P::compute), there = x.to(test::place<TestType>());
        for (const std::int64_t dim : {1, 3}) {
            const Tensor y = norm(there, dim);
            CHECK(y.scalar_type() == P::compute);
            CHECK(test::differs(y, batch_norm_equation(tensors, "bn", x, 1e-5, dim), test::tolerance<P>()) == "");
        }
        const nn::GroupNorm<E> group(file.root / "bn", 3, 6, 1e-5);
        const Tensor z = exact(x).reshape({2, 3, -1}), mean = z.mean(-1, true);
        const Tensor w = exact(tensors["bn.weight"].to(P::compute)), b = exact(tensors["bn.bias"].to(P::compute));
        const Tensor unit = ((z - mean) / (((z - mean) * (z - mean)).mean(-1, true) + 1e-5).sqrt()).view(x.sizes());
        const Tensor want = unit * w.view({6, 1, 1}) + b.view({6, 1, 1});
        CHECK(test::differs(group(there), want, 2 * test::tolerance<P>()) == "");
    });
}

TEMPLATE_LIST_TEST_CASE("pad puts values around a tensor, roll moves it in a circle", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const Tensor x = test::random({2, 5, 3}, 1), there = x.to(test::place<TestType>());
    for (const std::int64_t dim : {0, 1, 2, -1, -3}) {
        for (const std::int64_t shift : {0, 1, -1, 4, 7, -13}) {
            CAPTURE(dim, shift);
            const Tensor y = nn::roll(there, shift, dim).cpu();
            const std::int64_t n = x.size(dim);
            for (std::int64_t i = 0; i < n; ++i)
                CHECK(y.select(dim, ((i + shift) % n + n) % n).equal(x.select(dim, i)));
            CHECK(nn::roll(there.transpose(0, 2), shift, 1).cpu().equal(nn::roll(x, shift, 1).transpose(0, 2)));
        }
        const Tensor y = nn::pad(there, dim, 2, 1, -7).cpu();
        const std::int64_t n = x.size(dim);
        CHECK(y.size(dim) == n + 3);
        CHECK(y.narrow(dim, 2, n).equal(x));
        CHECK((y.narrow(dim, 0, 2) == -7).all().item<bool>());
        CHECK((y.narrow(dim, n + 2, 1) == -7).all().item<bool>());
        CHECK(nn::pad(there, dim, 0, 0).is_same(there));
        CHECK(nn::pad(there, dim, 0, 4).cpu().narrow(dim, 0, n).equal(x));
    }
    CHECK(nn::roll(there.narrow(1, 0, 0), 3, 1).sizes() == c10::IntArrayRef({2, 0, 3}));
    CHECK(nn::pad(there.narrow(1, 0, 0), 1, 1, 1).sizes() == c10::IntArrayRef({2, 2, 3}));
    CHECK(nn::pad(there.to(at::kLong), 1, 1, 0).scalar_type() == at::kLong);
    test::refuses<InputError>([&] { nn::roll(there, 1, 3); }, {"roll"});
    test::refuses<InputError>([&] { nn::roll(there, 1, -4); }, {"roll"});
    test::refuses<InputError>([&] { nn::pad(there, 3, 1, 1); }, {"pad"});
    test::refuses<InputError>([&] { nn::pad(there, 0, -1, 1); }, {"pad"});
    test::refuses<InputError>([&] { nn::pad(there, 0, 1, -1); }, {"pad"});
}

}  // namespace convolutions_tests
