// Ops that work on each element or each row: against their equations in float64, on every device, in every precision.
#include <limits>

#include <ATen/ops/tensor.h>

#include "silica/op/activation.hpp"
#include "silica/op/clamp.hpp"
#include "silica/op/embedding.hpp"
#include "silica/op/gelu.hpp"
#include "silica/op/layer_norm.hpp"
#include "silica/op/pool.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"

using namespace silica;

namespace {

/// Calls `f.operator()<Precision>()` for the three unquantised precisions.
template <class F>
void in_every_precision(F f) {
    boost::hana::for_each(test::precisions, [&](auto p) {
        using P = typename decltype(p)::type;
        INFO(P::name);
        f.template operator()<P>();
    });
}

/// Values from -4 to 4 with the special places of activation functions, and normal ones; in the type of `P`.
template <class P>
Tensor arguments() {
    const Tensor grid = (at::arange(0, 801, at::kDouble) - 400) / 100;
    const Tensor ends = at::tensor({-100.0, -20.0, -11.0, 0.0, -0.0, 5.9, 6.1, 9.9, 10.1, 20.0, 100.0}, at::kDouble);
    return at::cat({grid, ends, test::random({212}, 1).to(at::kDouble)}).to(P::compute).view({4, 256});
}

Tensor phi(const Tensor& x) { return 0.5 * (1 + (x / std::sqrt(2.0)).erf()); }

Tensor equation(const Tensor& x, Activation act) {
    switch (act) {
        case Activation::linear:
            return x;
        case Activation::gelu:
            return x * phi(x);
        case Activation::gelu_tanh:
            return 0.5 * x * (1 + (std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)).tanh());
        case Activation::gelu_10:
            return (x * phi(x)).clamp(-10, 10);
        case Activation::quick_gelu:
            return x / (1 + (-1.702 * x).exp());
        case Activation::relu:
            return at::where(x > 0, x, at::zeros({}, x.options()));
        case Activation::relu2:
            return at::where(x > 0, x * x, at::zeros({}, x.options()));
        case Activation::relu6:
            return x.clamp(0, 6);
        case Activation::leaky_relu:
            return at::where(x > 0, x, 0.01 * x);
        case Activation::silu:
            return x / (1 + (-x).exp());
        case Activation::sigmoid:
            return 1 / (1 + (-x).exp());
        case Activation::tanh:
            return ((2 * x).exp() - 1) / ((2 * x).exp() + 1);
        case Activation::mish:
            return x * (1 + x.exp()).log().tanh();
        case Activation::laplace:
            return 0.5 * (1 + ((x - 0.707107) / (0.282095 * std::sqrt(2.0))).erf());
    }
    return {};
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("gelu(x) = x Phi(x), for contiguous, strided and empty x", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const Tensor x = arguments<P>(), there = x.to(test::place<TestType>());
        const Tensor want = equation(x.to(at::kDouble), Activation::gelu);
        const FallbackScope fallbacks;
        const Tensor y = run<op::Gelu, E>(there);
        CHECK(y.scalar_type() == P::compute);
        CHECK(y.device() == there.device());
        CHECK(test::differs(y, want, test::tolerance<P>()) == "");
        CHECK(test::differs(run<op::Gelu, E>(there.t()), want.t(), test::tolerance<P>()) == "");
        CHECK(test::differs(run<op::Gelu, E>(there.slice(1, 3, 200, 7)), want.slice(1, 3, 200, 7),
                            test::tolerance<P>()) == "");
        CHECK(run<op::Gelu, E>(there.slice(0, 0, 0)).sizes() == c10::IntArrayRef({0, 256}));
        CHECK(test::differs(there, x, 0) == "");  // its argument is left alone
        CHECK(fallbacks.report().empty());
    });
}

TEMPLATE_LIST_TEST_CASE("Every activation is its formula, for contiguous and strided x", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const Tensor x = arguments<P>(), there = x.to(test::place<TestType>());
        const FallbackScope fallbacks;
        for (const auto& [name, act] : activation_names) {
            CAPTURE(std::string(name));
            Tensor in = there, want = equation(x.to(at::kDouble), act);
            if (act == Activation::tanh || act == Activation::mish) {  // exp of 100 is too large for the formula
                in = there.clamp(-20, 20);
                want = equation(x.to(at::kDouble).clamp(-20, 20), act);
            }
            if (act == Activation::relu2 && P::compute == at::kHalf) CHECK(want.max().template item<double>() <= 65504);
            const Tensor y = run<op::Activate, E>(in, act);
            CHECK(y.scalar_type() == P::compute);
            CHECK(test::differs(y, want, test::tolerance<P>()) == "");
            CHECK(test::differs(run<op::Activate, E>(in.t(), act), want.t(), test::tolerance<P>()) == "");
        }
        CHECK(fallbacks.report().empty());
    });
}

TEMPLATE_LIST_TEST_CASE("clamp(x) = min(max(x, low), high), of infinities too", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        constexpr double infinity = std::numeric_limits<double>::infinity();
        const Tensor x = at::tensor({-infinity, -65000.0, -1.5, 0.0, 2.0, 65000.0, infinity, std::nan("")}, at::kDouble)
                             .to(P::compute)
                             .view({2, 4});
        const Tensor there = x.to(test::place<TestType>());
        const FallbackScope fallbacks;
        for (const double most : {64504.0, 1.0}) {
            const Tensor want = x.to(at::kDouble).clamp(-most, most), y = run<op::Clamp, E>(there, -most, most);
            CHECK(y.scalar_type() == P::compute);
            CHECK(test::differs(y, want, test::tolerance<P>()) == "");
            CHECK(test::differs(run<op::Clamp, E>(there.t(), -most, most), want.t(), test::tolerance<P>()) == "");
        }
        CHECK(fallbacks.report().empty());
    });
}

TEMPLATE_LIST_TEST_CASE("layer_norm(x) = (x - mean) / sqrt(var + eps) * w + b over the last dimension", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        for (const std::int64_t d : {1, 2, 5, 64, 257}) {
            for (const double eps : {1e-12, 1e-5, 0.1}) {
                CAPTURE(d, eps);
                if (d == 1 && eps == 1e-12) continue;  // 0 / 0 in float32
                const Tensor x = (test::random({3, 4, d}, 1) * 3 + 1).to(P::compute);
                const Tensor w = test::random({d}, 2, P::compute), b = test::random({d}, 3, P::compute);
                const Tensor z = x.to(at::kDouble), mean = z.mean(-1, true);
                const Tensor var = ((z - mean) * (z - mean)).mean(-1, true);
                const Tensor want = (z - mean) / (var + eps).sqrt() * w.to(at::kDouble) + b.to(at::kDouble);
                const FallbackScope fallbacks;
                const Tensor there = x.to(home), on_w = w.to(home), on_b = b.to(home);
                const Tensor y = run<op::LayerNorm, E>(there, on_w, on_b, eps);
                CHECK(y.scalar_type() == P::compute);
                CHECK(test::differs(y, want, test::tolerance<P>()) == "");
                const Tensor strided = there.transpose(0, 1);
                CHECK(test::differs(run<op::LayerNorm, E>(strided, on_w, on_b, eps), want.transpose(0, 1),
                                    test::tolerance<P>()) == "");
                CHECK(test::differs(run<op::LayerNorm, E>(there[0][0], on_w, on_b, eps), want[0][0],
                                    test::tolerance<P>()) == "");
                CHECK(run<op::LayerNorm, E>(there.slice(0, 0, 0), on_w, on_b, eps).sizes() ==
                      c10::IntArrayRef({0, 4, d}));
                CHECK(fallbacks.report().empty());
            }
        }
    });
}

TEMPLATE_LIST_TEST_CASE("A large mean does not spoil layer norm in half precision: sums are in float32", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        const auto home = test::place<TestType>();
        const Tensor x = (test::random({2, 1024}, 1) + 50).to(P::compute);
        const Tensor z = x.to(at::kDouble), mean = z.mean(-1, true), var = ((z - mean) * (z - mean)).mean(-1, true);
        const Tensor one = at::ones({1024}, test::options_of<P>().device(home)),
                     zero = at::zeros({1024}, one.options());
        const Tensor y = run<op::LayerNorm, Exec<TestType, P>>(x.to(home), one, zero, 1e-5);
        CHECK(test::differs(y, (z - mean) / (var + 1e-5).sqrt(), 4 * test::tolerance<P>()) == "");
    });
}

TEMPLATE_LIST_TEST_CASE("embedding(ids)[i] = W[ids[i]], exactly", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        const Tensor w = test::random({100, 7}, 1, P::compute), ids = test::random_ids({3, 5}, 100, 2);
        const Prepared<op::Embedding, E> table(w.to(home), std::nullopt);
        const FallbackScope fallbacks;
        const auto want = [&](const Tensor& i) {
            auto shape = i.sizes().vec();
            shape.push_back(7);
            return w.index_select(0, i.contiguous().view({-1})).view(shape);
        };
        const Tensor y = run<op::Embedding, E>(ids.to(home), table);
        CHECK(y.scalar_type() == P::compute);
        CHECK(y.device() == home);
        CHECK(test::differs(y, want(ids), 0) == "");
        CHECK(test::differs(run<op::Embedding, E>(ids.to(home).t(), table), want(ids.t()), 0) == "");
        CHECK(test::differs(run<op::Embedding, E>(ids.to(home)[0][0], table), want(ids[0][0]), 0) == "");
        CHECK(run<op::Embedding, E>(ids.to(home).slice(0, 0, 0), table).sizes() == c10::IntArrayRef({0, 5, 7}));
        CHECK(test::differs(table.unpack().weight, w, 0) == "");
        const Prepared<op::Embedding, E> transposed(w.t().contiguous().to(home).t(), std::nullopt);
        CHECK(test::differs(run<op::Embedding, E>(ids.to(home), transposed), want(ids), 0) == "");
        CHECK(fallbacks.report().empty());
    });
}

TEMPLATE_LIST_TEST_CASE("Pooling counts the tokens of the mask and no others", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        const Tensor h = test::random({4, 5, 6}, 1, P::compute), x = h.to(at::kDouble);
        const Tensor mask = at::tensor({1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0}, at::kLong)
                                .view({4, 5})
                                .to(at::kBool);
        const auto* const m = mask.const_data_ptr<bool>();
        for (const auto& [name, how] : pooling_names) {
            CAPTURE(std::string(name));
            const Tensor want = at::zeros({4, 6}, at::kDouble);
            for (std::int64_t row = 0; row < 4; ++row) {
                Tensor sum = at::zeros({6}, at::kDouble), most = at::full({6}, -1e9, at::kDouble),
                       weighted = at::zeros({6}, at::kDouble);
                double n = 0, weights = 0;
                std::int64_t first = -1, last = -1;
                for (std::int64_t t = 0; t < 5; ++t) {
                    if (!m[row * 5 + t]) continue;
                    const auto place = static_cast<double>(t + 1);
                    sum = sum + x[row][t], most = at::where(x[row][t] > most, x[row][t], most);
                    weighted = weighted + place * x[row][t], weights += place, n += 1, last = t;
                    if (first < 0) first = t;
                }
                const auto result = [&, way = how] {
                    switch (way) {
                        case Pooling::mean:
                            return sum / n;
                        case Pooling::cls:
                            return x[row][first];
                        case Pooling::max:
                            return most;
                        case Pooling::mean_sqrt_len:
                            return sum / std::sqrt(n);
                        case Pooling::weighted_mean:
                            return weighted / weights;
                        case Pooling::last:
                            return x[row][last];
                    }
                    return Tensor();
                }();
                want[row].copy_(result);
            }
            const FallbackScope fallbacks;
            const Tensor y = run<op::Pool, E>(h.to(home), mask.to(home), how);
            CHECK(y.scalar_type() == at::kFloat);
            CHECK(test::differs(y, want, 1e-5) == "");
            CHECK(fallbacks.report().empty());
        }
    });
}
