// Convolutions and what is fused with them: against their equation in float64, on every device, in every precision;
// their laws; and what the MPS kernel does beyond the plain ATen call.
#include <array>

#include <ATen/ops/empty.h>

#include "silica/op/conv.hpp"
#include "silica/op/conv_activation.hpp"
#include "silica/op/conv_add.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/op_inputs.hpp"
#include "support/refuses.hpp"

using namespace silica;

namespace {

using Numbers = std::vector<std::int64_t>;

template <class F>
void in_every_precision(F f) {
    boost::hana::for_each(test::precisions, [&](auto p) {
        using P = typename decltype(p)::type;
        INFO(P::name);
        f.template operator()<P>();
    });
}

/// A convolution, with what there is to vary.
struct Case {
    Numbers x;
    std::int64_t out;
    Numbers kernel, stride, padding, dilation;
    std::int64_t groups = 1;
    bool bias = true;

    [[nodiscard]] Numbers weight() const {
        Numbers shape{out, x[1] / groups};
        shape.insert(shape.end(), kernel.begin(), kernel.end());
        return shape;
    }
    [[nodiscard]] op::ConvSteps steps() const { return {stride, padding, dilation, groups}; }
    [[nodiscard]] std::string text() const {
        return shape_text(x) + " by " + shape_text(weight()) + " stride " + shape_text(stride) + " padding " +
               shape_text(padding) + " dilation " + shape_text(dilation) + " groups " + std::to_string(groups);
    }
};

const std::vector<Case> cases = {
    // One dimension.
    {{2, 3, 9}, 4, {3}, {1}, {0}, {1}},
    {{1, 1, 1}, 1, {1}, {1}, {0}, {1}, 1, false},
    {{2, 4, 10}, 5, {4}, {4}, {0}, {1}},            // windows side by side, and two values left over
    {{2, 3, 8}, 16, {2}, {2}, {0}, {1}, 1, false},  // the same without a rest
    {{0, 3, 8}, 4, {3}, {2}, {1}, {1}},
    {{0, 3, 8}, 4, {2}, {2}, {0}, {1}},
    {{3, 6, 17}, 9, {5}, {2}, {3}, {2}, 3},
    {{1, 2, 2}, 3, {5}, {1}, {2}, {1}},             // longer than x
    {{2, 8, 11}, 8, {4}, {1}, {2}, {1}, 8, false},  // depthwise
    {{2, 5, 7}, 3, {1}, {1}, {0}, {1}},
    {{1, 1, 40}, 16, {10}, {5}, {0}, {1}, 1, false},
    {{2, 16, 21}, 32, {6}, {2}, {3}, {1}, 2},  // groups of whole rows of a tensor core
    {{2, 48, 9}, 24, {4}, {1}, {2}, {1}, 3, false},
    {{2, 3, 9}, 4, {2}, {2}, {1}, {1}},     // tiles, but padded
    {{2, 3, 9}, 4, {2}, {2}, {0}, {3}},     // ... but dilated
    {{2, 4, 9}, 4, {2}, {2}, {0}, {1}, 2},  // ... but in groups
    // Two.
    {{2, 3, 9, 13}, 8, {4, 4}, {4, 4}, {0, 0}, {1, 1}},
    {{1, 3, 8, 6}, 32, {2, 3}, {2, 3}, {0, 0}, {1, 1}, 1, false},
    {{1, 3, 4, 4}, 5, {4, 4}, {4, 4}, {0, 0}, {1, 1}},
    {{2, 5, 3, 4}, 7, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {{2, 8, 1, 1}, 16, {3, 3}, {1, 1}, {1, 1}, {1, 1}},  // one pixel
    {{2, 4, 5, 6}, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1}},   // results of one channel
    {{2, 5, 5, 6}, 7, {1, 1}, {2, 2}, {0, 0}, {1, 1}, 1, false},
    {{2, 4, 7, 5}, 6, {3, 3}, {2, 1}, {1, 1}, {1, 1}},
    {{1, 4, 9, 8}, 6, {3, 2}, {1, 2}, {2, 0}, {2, 3}, 2},
    {{1, 3, 15, 12}, 8, {7, 7}, {2, 2}, {3, 3}, {1, 1}, 1, false},
    {{2, 6, 5, 5}, 6, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 6},
    {{0, 3, 5, 5}, 2, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {{1, 16, 6, 7}, 33, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    // Three.
    {{1, 2, 4, 5, 6}, 3, {2, 3, 1}, {1, 2, 1}, {1, 0, 0}, {1, 1, 2}},
    {{2, 3, 4, 5, 4}, 4, {2, 2, 2}, {2, 2, 2}, {0, 0, 0}, {1, 1, 1}},
};

/// y[n, o, p] = b[o] + sum over c, k of W[o, c, k] x[n, c of the group of o, p stride + k dilation - padding], in
/// float64. Any rank as three dimensions.
Tensor equation(const Tensor& x, const Tensor& w, const std::optional<Tensor>& b, const op::ConvSteps& steps) {
    const auto with = [](Numbers list, std::int64_t fill) {
        list.insert(list.begin(), 3 - list.size(), fill);
        return list;
    };
    const auto stride = with(steps.stride, 1), padding = with(steps.padding, 0), dilation = with(steps.dilation, 1);
    const auto deep = [](Tensor t) {
        t = t.to(at::kDouble).contiguous();
        while (t.dim() < 5) t = t.unsqueeze(2);
        return t;
    };
    const Tensor in = deep(x), kernel = deep(w);
    Numbers sizes{in.size(0), kernel.size(0)};
    for (std::int64_t i = 0; i < 3; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const auto span = dilation[at] * (kernel.size(i + 2) - 1) + 1;
        sizes.push_back((in.size(i + 2) + 2 * padding[at] - span) / stride[at] + 1);
    }
    const Tensor y = at::zeros(sizes, at::kDouble);
    if (y.numel() > 0) {
        const auto xs = in.accessor<double, 5>(), ws = kernel.accessor<double, 5>();
        auto ys = y.accessor<double, 5>();
        const std::int64_t channels = kernel.size(1), outs = kernel.size(0) / steps.groups;
        std::array<std::int64_t, 3> p{}, k{}, at{};
        const auto each = [](const Numbers& bound, std::array<std::int64_t, 3>& i, auto f) {
            for (i[0] = 0; i[0] < bound[0]; ++i[0])
                for (i[1] = 0; i[1] < bound[1]; ++i[1])
                    for (i[2] = 0; i[2] < bound[2]; ++i[2]) f();
        };
        for (std::int64_t n = 0; n < sizes[0]; ++n)
            for (std::int64_t o = 0; o < sizes[1]; ++o)
                each({sizes[2], sizes[3], sizes[4]}, p, [&] {
                    double sum = b ? (*b)[o].to(at::kDouble).item<double>() : 0;
                    each({kernel.size(2), kernel.size(3), kernel.size(4)}, k, [&] {
                        for (std::size_t i = 0; i < 3; ++i) {
                            at[i] = p[i] * stride[i] + k[i] * dilation[i] - padding[i];
                            if (at[i] < 0 || at[i] >= in.size(static_cast<std::int64_t>(i) + 2)) return;
                        }
                        for (std::int64_t c = 0; c < channels; ++c)
                            sum += ws[o][c][k[0]][k[1]][k[2]] * xs[n][o / outs * channels + c][at[0]][at[1]][at[2]];
                    });
                    ys[n][o][p[0]][p[1]][p[2]] = sum;
                });
    }
    Numbers shape{sizes[0], sizes[1]};
    shape.insert(shape.end(), sizes.begin() + 5 - (x.dim() - 2), sizes.end());
    return y.view(shape);
}

/// Weights and input of a case, rounded to `P`, on the CPU and on the device, packed by the device's own kernel.
template <class D, class P>
struct Operands {
    using E = Exec<D, P>;

    explicit Operands(const Case& c)
        : x(test::random(c.x, 1, P::compute)),
          w(test::random(c.weight(), 2, P::compute)),
          b(c.bias ? std::optional(test::random({c.out}, 3, P::compute)) : std::nullopt),
          there(x.to(test::place<D>())),
          weight(op::PlainConv{w.to(test::place<D>()), b ? std::optional(b->to(test::place<D>())) : std::nullopt,
                               c.steps()}),
          want(equation(x, w, b, c.steps())),
          products(w[0].numel()) {}

    Tensor x, w;
    std::optional<Tensor> b;
    Tensor there;
    Prepared<op::Conv, E> weight;
    Tensor want;
    std::int64_t products;

    /// A sum of products is as uncertain as its parts.
    [[nodiscard]] double tolerance() const {
        return test::tolerance<P>() * std::max(1.0, std::sqrt(static_cast<double>(products)) / 4);
    }
};

/// x with other strides: cut out of a wider tensor that has its channels last.
Tensor channels_last_slice(const Tensor& x) {
    auto shape = x.movedim(1, -1).sizes().vec();
    shape.back() += 2;
    const Tensor wide = at::zeros(shape, x.options());
    const Tensor slice = wide.narrow(-1, 1, x.size(1)).movedim(-1, 1);
    slice.copy_(x);
    return slice;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("conv(x) = W * x + b for one to three dimensions, strides, padding, dilation and groups", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        for (const auto& c : cases) {
            CAPTURE(c.text());
            const Operands<TestType, P> o(c);
            const FallbackScope fallbacks;
            const Tensor y = run<op::Conv, E>(o.there, o.weight);
            CHECK(y.scalar_type() == P::compute);
            CHECK(y.device() == o.there.device());
            CHECK(test::differs(y, o.want, o.tolerance()) == "");
            CHECK(test::differs(run<op::Conv, E>(channels_last_slice(o.there), o.weight), o.want, o.tolerance()) == "");
            CHECK(test::differs(o.there, o.x, 0) == "");  // its argument is left alone
            // MPS leaves kernels of three dimensions to the CPU: device/mps/conv.hpp.
            CHECK(fallbacks.report().empty() != (TestType::type == c10::DeviceType::MPS && c.kernel.size() == 3));

            const auto plain = o.weight.unpack();
            CHECK(test::differs(plain.weight, o.w, 0) == "");
            CHECK(plain.bias.has_value() == c.bias);
            if (c.bias) CHECK(test::differs(*plain.bias, *o.b, 0) == "");
            CHECK(plain.steps.stride == c.stride);
            CHECK(plain.steps.padding == c.padding);
            CHECK(plain.steps.dilation == c.dilation);
            CHECK(plain.steps.groups == c.groups);
        }
    });
}

TEMPLATE_LIST_TEST_CASE("conv takes weights with strides", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using E = Exec<TestType, precision::Fp32>;
    const auto home = test::place<TestType>();
    for (const std::int64_t stride : {1, 2}) {
        const Tensor x = test::random({2, 3, 6, 6}, 1), w = test::random({2, 2, 3, 5}, 2).permute({3, 2, 0, 1});
        const op::ConvSteps steps{{stride, stride}, {0, 0}, {1, 1}};
        const Tensor there = w.permute({2, 3, 1, 0}).to(home).permute({3, 2, 0, 1});
        REQUIRE_FALSE(there.is_contiguous());
        const Prepared<op::Conv, E> weight(op::PlainConv{there, std::nullopt, steps});
        CHECK(test::differs(run<op::Conv, E>(x.to(home), weight), equation(x, w, std::nullopt, steps), 1e-5) == "");
    }
}

TEMPLATE_LIST_TEST_CASE("conv_activation(x) = act(conv(x)), and conv_add(x, r) = act(conv(x) + r)", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto relu = [](const Tensor& t) { return t.clamp_min(0); };
        const auto gelu = [](const Tensor& t) { return 0.5 * t * (1 + (t / std::sqrt(2.0)).erf()); };
        const auto silu = [](const Tensor& t) { return t / (1 + (-t).exp()); };
        for (const auto& c : cases) {
            CAPTURE(c.text());
            const Operands<TestType, P> o(c);
            const auto activated = [&](Activation act) { return run<op::ConvActivation, E>(o.there, o.weight, act); };
            const double tolerance = 2 * o.tolerance();
            const FallbackScope fallbacks;  // keeps quiet what MPS leaves to the CPU
            CHECK(test::differs(activated(Activation::linear), o.want, tolerance) == "");
            CHECK(test::differs(activated(Activation::relu), relu(o.want), tolerance) == "");
            CHECK(test::differs(activated(Activation::gelu), gelu(o.want), tolerance) == "");
            CHECK(test::differs(activated(Activation::silu), silu(o.want), tolerance) == "");
            CHECK(test::differs(activated(Activation::relu6), o.want.clamp(0, 6), tolerance) == "");

            const Tensor r = test::random(o.want.sizes(), 4, P::compute), sum = o.want + r.to(at::kDouble);
            const Tensor there = r.to(o.there.device());
            const auto added = [&](const Tensor& residual, Activation act) {
                return run<op::ConvAdd, E>(o.there, o.weight, residual, act);
            };
            CHECK(test::differs(added(there, Activation::linear), sum, tolerance) == "");
            CHECK(test::differs(added(there, Activation::relu), relu(sum), tolerance) == "");
            CHECK(test::differs(added(there, Activation::gelu), gelu(sum), tolerance) == "");
            CHECK(test::differs(added(there, Activation::tanh), sum.tanh(), tolerance) == "");
            CHECK(test::differs(added(channels_last_slice(there), Activation::relu), relu(sum), tolerance) == "");
            CHECK(test::differs(there, r, 0) == "");
            CHECK(test::differs(o.there, o.x, 0) == "");
        }
    });
}

TEMPLATE_LIST_TEST_CASE("Convolutions refuse what does not fit, before a kernel sees it", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using E = Exec<TestType, precision::Fp32>;
    const auto x = [](c10::IntArrayRef shape) { return test::random(shape, 1).to(test::place<TestType>()); };
    const auto packs = [&](const Tensor& w, const std::optional<Tensor>& b, const op::ConvSteps& steps,
                           std::string_view word) {
        test::refuses<InputError>([&] { Prepared<op::Conv, E>{op::PlainConv{w, b, steps}}; }, {"Op 'conv'", word});
    };
    const op::ConvSteps one{{1}, {0}, {1}}, two{{1, 1}, {0, 0}, {1, 1}};
    const Tensor w = x({4, 3, 3, 3});
    packs(Tensor(), std::nullopt, two, "weight");
    packs(x({4, 3}), std::nullopt, {}, "one to three dimensions");
    packs(x({1, 1, 1, 1, 1, 1}), std::nullopt, {{1, 1, 1, 1}, {0, 0, 0, 0}, {1, 1, 1, 1}}, "one to three dimensions");
    packs(x({4, 0, 3}), std::nullopt, one, "(4, 0, 3)");
    packs(x({4, 3, 0}), std::nullopt, one, "(4, 3, 0)");
    packs(w, x({3}), two, "b (out)");
    packs(w, x({4}).to(at::kHalf), two, "b (out)");
    packs(w, Tensor(), two, "b (out)");
    packs(w, std::nullopt, one, "for each dimension");
    packs(w, std::nullopt, {{1, 1}, {0}, {1, 1}}, "for each dimension");
    packs(w, std::nullopt, {{1, 1}, {0, 0}, {}}, "for each dimension");
    packs(w, std::nullopt, {{1, 0}, {0, 0}, {1, 1}}, "strides");
    packs(w, std::nullopt, {{1, 1}, {0, -1}, {1, 1}}, "padding");
    packs(w, std::nullopt, {{1, 1}, {0, 0}, {-1, 1}}, "dilations");
    packs(w, std::nullopt, {{1, 1}, {std::numeric_limits<std::int64_t>::max(), 0}, {1, 1}}, "padding");
    packs(w, std::nullopt, {{1, 1}, {0, 0}, {std::int64_t{1} << 40, 1}}, "dilations");
    packs(w, std::nullopt, {{1, 1}, {0, 0}, {1, 1}, 0}, "groups");
    packs(w, std::nullopt, {{1, 1}, {0, 0}, {1, 1}, 3}, "groups");
    packs(w, std::nullopt, {{1, 1}, {0, 0}, {1, 1}, -4}, "groups");

    const Prepared<op::Conv, E> weight(op::PlainConv{w, x({4}), {{1, 1}, {0, 1}, {2, 1}}});
    const auto refuses = [&](const Tensor& in) {
        const auto runs = [&](std::string_view name, auto call) {
            test::refuses<InputError>([&] { static_cast<void>(call()); }, {"Op '" + std::string(name) + "'"});
        };
        runs("conv", [&] { return run<op::Conv, E>(in, weight); });
        runs("conv", [&] { return run<op::ConvActivation, E>(in, weight, Activation::relu); });
        runs("conv_add", [&] { return run<op::ConvAdd, E>(in, weight, x({2, 4, 1, 5}), Activation::relu); });
    };
    refuses(x({2, 2, 5, 5}));  // channels
    refuses(x({2, 3, 5}));     // rank
    refuses(x({2, 3, 1, 5, 5}));
    refuses(x({3, 5, 5}));
    refuses(x({2, 3, 4, 5}));  // shorter than the dilated kernel
    refuses(x({2, 3, 5, 0}));
    refuses(x({2, 3, 5, 5}).to(at::kHalf));
    constexpr std::int64_t far = std::int64_t{1} << 30;
    const Prepared<op::Conv, E> padded(op::PlainConv{w, std::nullopt, {{1, 1}, {far, far}, {1, 1}}});
    test::refuses<InputError>([&] { static_cast<void>(run<op::Conv, E>(x({2, 3, 5, 5}), padded)); }, {"Op 'conv'"});
    const Tensor in = x({2, 3, 5, 5}), half = x({2, 4, 1, 5}).to(at::kHalf);
    for (const auto& r : {x({2, 4, 1, 4}), x({1, 4, 1, 5}), x({2, 3, 1, 5}), x({4, 1, 5}), half})
        test::refuses<InputError>([&] { static_cast<void>(run<op::ConvAdd, E>(in, weight, r, Activation::linear)); },
                                  {"Op 'conv_add'"});
    CHECK(run<op::ConvAdd, E>(in, weight, x({2, 4, 1, 5}), Activation::linear).sizes() ==
          c10::IntArrayRef({2, 4, 1, 5}));
}

TEST_CASE("On the CPU, patches in float32 are a product of our own, and images come out with their channels last") {
    using E = Exec<device::Cpu, precision::Fp32>;
    const test::OpInputs convolutions("aten::convolution");
    const auto weight = [](std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        const op::ConvSteps steps{{stride, stride}, {padding, padding}, {1, 1}};
        return Prepared<op::Conv, E>(op::PlainConv{test::random({16, 3, kernel, kernel}, 1), std::nullopt, steps});
    };
    const auto patches = weight(4, 4, 0), windows = weight(3, 1, 1);
    const Tensor y = run<op::Conv, E>(test::random({1, 3, 8, 8}, 2), patches);
    CHECK(convolutions.calls().empty());
    CHECK(y.permute({0, 2, 3, 1}).is_contiguous());

    const Tensor z = run<op::ConvActivation, E>(test::random({1, 3, 8, 8}, 2), windows, Activation::relu);
    static_cast<void>(run<op::Conv, E>(test::random({1, 3, 8, 8}, 2), windows));
    CHECK_FALSE(convolutions.calls().empty());
    CHECK(z.permute({0, 2, 3, 1}).is_contiguous());
}

TEST_CASE("On the CPU, what LibTorch computes wrongly is given to it in another form") {
    in_every_precision([]<class P>() {
        using E = Exec<device::Cpu, P>;
        // In bfloat16 with AMX: results of one place in the last dimension and of several before it, windows of three
        // dimensions. In all types: padding beyond the kernel's reach (the last two).
        for (const auto& c : std::vector<Case>{{{3, 16, 14, 5}, 2, {1, 3}, {2, 3}, {0, 1}, {1, 2}, 2},
                                               {{3, 3, 15, 4}, 65, {2, 2}, {2, 4}, {1, 0}, {1, 1}},
                                               {{3, 4, 16, 4}, 1, {4, 2}, {1, 3}, {0, 0}, {2, 1}, 1, false},
                                               {{2, 3, 32, 8}, 16, {8, 8}, {8, 8}, {0, 0}, {1, 1}},
                                               {{3, 2, 6, 3, 3}, 2, {2, 1, 2}, {2, 1, 2}, {0, 0, 0}, {1, 1, 1}},
                                               {{2, 128, 10, 1}, 2, {4, 1}, {4, 3}, {2, 2}, {1, 2}, 2},
                                               {{1, 64, 9, 9}, 16, {3, 1}, {1, 1}, {1, 3}, {1, 1}}}) {
            CAPTURE(c.text());
            const Operands<device::Cpu, P> o(c);
            const double tolerance = 2 * o.tolerance();
            CHECK(test::differs(run<op::Conv, E>(o.x, o.weight), o.want, tolerance) == "");
            CHECK(test::differs(run<op::ConvActivation, E>(o.x, o.weight, Activation::relu), o.want.clamp_min(0),
                                tolerance) == "");
            const Tensor r = test::random(o.want.sizes(), 4, P::compute);
            CHECK(test::differs(run<op::ConvAdd, E>(o.x, o.weight, r, Activation::relu),
                                (o.want + r.to(at::kDouble)).clamp_min(0), tolerance) == "");
        }
        // Groups, and weights whose strides say little of a dimension of one value.
        const Tensor x = test::random({2, 6, 13, 7}, 1, P::compute),
                     w = test::random({6, 3, 2, 1}, 2, P::compute).transpose(1, 2);
        const op::ConvSteps steps{{3, 1}, {0, 0}, {1, 1}, 3};
        const Prepared<op::Conv, E> weight(op::PlainConv{w, std::nullopt, steps});
        CHECK(test::differs(run<op::Conv, E>(x, weight), equation(x, w, std::nullopt, steps), test::tolerance<P>()) ==
              "");
    });
}

#ifdef SILICA_HAS_SIM_MPS

namespace {

using device::Mps;
using OnMps = Kernel<op::Conv, Mps>;

Tensor on_mps(const Tensor& t) { return t.to(test::place<Mps>()); }

/// Weights (1, 1, kernel...) with stride 1 and without padding but where said.
op::PlainConv weights(const Numbers& kernel, std::int64_t padding = 0) {
    Numbers shape{1, 1};
    shape.insert(shape.end(), kernel.begin(), kernel.end());
    const Numbers ones(kernel.size(), 1);
    return OnMps::pack({on_mps(test::random(shape, 1)), std::nullopt, {ones, Numbers(kernel.size(), padding), ones}});
}

/// Whether the kernel takes x of this shape; no memory is needed for it.
bool takes(const Numbers& x, const op::PlainConv& w) {
    return OnMps::accepts(on_mps(at::zeros(Numbers(x.size(), 1), at::kFloat)).expand(x), w);
}

}  // namespace

TEST_CASE("On MPS, convolutions are handed contiguous tensors: slices of channels-last ones are read wrong") {
    if (!test::present<Mps>()) return;
    const Tensor w = on_mps(test::random({3, 3, 2, 4}, 1)).permute({3, 2, 0, 1});
    REQUIRE_FALSE(w.is_contiguous());
    const auto packed = OnMps::pack({w, std::nullopt, {{1, 1}, {0, 0}, {1, 1}}});
    CHECK(packed.weight.is_contiguous());
    const Tensor x = channels_last_slice(on_mps(test::random({1, 2, 5, 5}, 2)));
    REQUIRE_FALSE(x.is_contiguous());
    const test::OpInputs inputs("aten::convolution");
    static_cast<void>(OnMps::run(x, packed));
    REQUIRE_FALSE(inputs.calls().empty());
    CHECK(inputs.calls()[0].contiguous());
    const Tensor plain = on_mps(test::random({4, 2, 3, 3}, 1));
    CHECK((OnMps::pack({plain, std::nullopt, {{1, 1}, {0, 0}, {1, 1}}}).weight.is_same(plain)));
}

TEST_CASE("On MPS before macOS 15.1, sides above 65,536 are declined, and computed elsewhere") {
    if (!test::present<Mps>()) return;
    const test::sim::Settings settings;
    const bool lines = device::mps::libtorch_before(2, 15);  // kernels of one dimension have the limit too
    for (const bool limited : {true, false}) {
        CAPTURE(limited);
        test::sim::set_macos(15, limited ? 0 : 1);
        CHECK(takes({1, 1, 65'536}, weights({1})));
        CHECK(takes({1, 1, 65'537}, weights({1})) == !(limited && lines));
        CHECK(takes({1, 1, 65'535}, weights({1}, 1)) == !(limited && lines));  // 65,537 places
        CHECK(takes({1, 1, 65'537, 1}, weights({1, 1})) == !limited);
        CHECK(takes({1, 1, 1, 65'537}, weights({1, 1})) == !limited);
        CHECK(takes({65'537, 1, 1, 1}, weights({1, 1})) == !limited);
        CHECK(takes({65'536, 1, 1, 1}, weights({1, 1})));
    }
    using E = Exec<Mps, precision::Fp32>;
    test::sim::set_macos(14, 5);
    const Tensor x = test::random({1, 1, 1, 65'540}, 3), w = test::random({1, 1, 1, 3}, 4);
    const op::ConvSteps steps{{1, 1}, {0, 0}, {1, 1}};
    const Prepared<op::Conv, E> weight(op::PlainConv{on_mps(w), std::nullopt, steps});
    const FallbackScope fallbacks;
    const Tensor y = run<op::ConvActivation, E>(on_mps(x), weight, Activation::relu);
    CHECK(y.device().type() == c10::DeviceType::MPS);
    CHECK(test::differs(y, equation(x, w, std::nullopt, steps).clamp_min(0), 1e-5) == "");
    bool declined = false;
    for (const auto& event : fallbacks.report())
        declined = declined || (event.op == "conv" && event.to == "cpu" && event.reason == FallbackReason::declined);
    CHECK(declined);
}

TEST_CASE("On MPS, kernels of 256 and more, of three dimensions, and tensors past an index of 32 bits are declined") {
    if (!test::present<Mps>()) return;
    CHECK(takes({1, 1, 1000}, weights({255})));
    CHECK(takes({1, 1, 1000}, weights({256})) == !device::mps::libtorch_before(2, 14));
    CHECK(takes({1, 1, 300, 300}, weights({2, 256})) == !device::mps::libtorch_before(2, 14));
    CHECK_FALSE(takes({1, 1, 4, 4, 4}, weights({2, 2, 2})));
    constexpr std::int64_t half = 1 << 15;
    CHECK(takes({1, 1, half, half - 1}, weights({1, 1})));
    CHECK_FALSE(takes({1, 1, half, half}, weights({1, 1})));         // 2^32 bytes
    CHECK_FALSE(takes({1, 1, half, half - 1}, weights({1, 1}, 1)));  // of the result
}

#endif
