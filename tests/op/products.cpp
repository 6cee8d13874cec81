// Ops with weights, and attention: against their equations in float64, on every device, in every precision; and what
// the MPS kernels do beyond the plain ATen call.
#include <limits>

#include <ATen/ops/tensor.h>

#include "silica/device/cpu/multiply.hpp"
#include "silica/op/attention.hpp"
#include "silica/op/linear.hpp"
#include "silica/op/linear_activation.hpp"
#include "silica/op/linear_add.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/op_inputs.hpp"

using namespace silica;

namespace {

using Kept = std::optional<Tensor>;

template <class F>
void in_every_precision(F f) {
    boost::hana::for_each(test::precisions, [&](auto p) {
        using P = typename decltype(p)::type;
        INFO(P::name);
        f.template operator()<P>();
    });
}

/// A sum of `n` products is as uncertain as its parts: the tolerance grows with their size.
template <class P>
double sum_tolerance(std::int64_t n) {
    return test::tolerance<P>() * std::max(1.0, std::sqrt(static_cast<double>(n)) / 4);
}

/// x W^T + b in float64.
Tensor linear_equation(const Tensor& x, const Tensor& w, const Kept& b) {
    const Tensor y = x.to(at::kDouble).matmul(w.to(at::kDouble).t());
    return b ? y + b->to(at::kDouble) : y;
}

/// One product, with what there is to vary.
struct Product {
    std::vector<std::int64_t> x;
    std::int64_t out;
    bool bias;
};
const std::vector<Product> products = {
    {{3, 8}, 4, true},     {{3, 8}, 4, false},    {{1, 8}, 4, true},       {{1, 8}, 4, false},   {{8}, 4, true},
    {{2, 3, 8}, 16, true}, {{2, 3, 8}, 5, false}, {{2, 1, 3, 7}, 1, true}, {{5, 1}, 3, true},    {{0, 8}, 4, true},
    {{2, 0, 8}, 4, false}, {{17, 129}, 33, true}, {{1, 1, 64}, 3, true},   {{64, 96}, 80, true},
};

/// Weights and input of a product, rounded to `P`, on the CPU and on the device, packed by the device's own kernel.
template <class D, class P>
struct Operands {
    using E = Exec<D, P>;

    explicit Operands(const Product& p, std::uint64_t seed = 1)
        : x(test::random(p.x, seed, P::compute)),
          w(test::random({p.out, p.x.back()}, seed + 1, P::compute)),
          b(p.bias ? Kept(test::random({p.out}, seed + 2, P::compute)) : std::nullopt),
          there(x.to(test::place<D>())),
          weight(w.to(test::place<D>()), b ? Kept(b->to(test::place<D>())) : std::nullopt),
          want(linear_equation(x, w, b)) {}

    Tensor x, w;
    Kept b;
    Tensor there;
    Prepared<op::Linear, E> weight;
    Tensor want;
};

std::string text(const Product& p) {
    return shape_text(p.x) + " to " + std::to_string(p.out) + (p.bias ? " with bias" : " without bias");
}

/// softmax(scale q k^T + mask) v in float64; a bool mask keeps what is true.
Tensor attention_equation(const Tensor& q, const Tensor& k, const Tensor& v, const Kept& mask, bool causal,
                          double scale) {
    Tensor scores = q.to(at::kDouble).matmul(k.to(at::kDouble).transpose(-2, -1)) * scale;
    const Tensor never = at::full({}, -std::numeric_limits<double>::infinity(), at::kDouble);
    if (causal) {
        const Tensor keep = at::arange(scores.size(-2)).unsqueeze(1) >= at::arange(scores.size(-1)).unsqueeze(0);
        scores = at::where(keep, scores, never);
    }
    if (mask && mask->scalar_type() == at::kBool)
        scores = at::where(*mask, scores, never);
    else if (mask)
        scores = scores + mask->to(at::kDouble);
    const Tensor e = (scores - scores.amax(-1, true)).exp();
    return (e / e.sum(-1, true)).matmul(v.to(at::kDouble));
}

/// What attention is told: a mask of bool or numbers, and whether query i attends to the keys 0 to i only.
op::Attends attends_of(const Kept& mask, bool causal) {
    op::Attends attends;
    if (mask) (mask->scalar_type() == at::kBool ? attends.mask : attends.bias) = mask;
    if (causal) attends.offset = 0;
    return attends;
}

/// Calls op::Attention on `D` and compares; the tensors keep their strides.
template <class D, class P>
void check_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Kept& mask, bool causal) {
    const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
    const auto home = test::place<D>();
    const FallbackScope fallbacks;
    const Kept there = mask ? Kept(mask->to(home)) : std::nullopt;
    const Tensor y =
        run<op::Attention, Exec<D, P>>(q.to(home), k.to(home), v.to(home), attends_of(there, causal), scale);
    CHECK(y.scalar_type() == P::compute);
    CHECK(y.device() == home);
    CHECK(test::differs(y, attention_equation(q, k, v, mask, causal, scale), test::tolerance<P>()) == "");
    // MPS before LibTorch 2.12 declines a v whose head size is not that of q: device/mps/attention.hpp.
    const bool declined =
        D::type == c10::DeviceType::MPS && device::mps::libtorch_before(2, 12) && q.size(-1) != v.size(-1);
    CHECK(fallbacks.report().empty() != declined);
}

/// (batch, heads, tokens, d) as a network makes it: cut from (batch, tokens, heads * d), so that it is strided.
Tensor heads_of(std::int64_t batch, std::int64_t heads, std::int64_t tokens, std::int64_t d, std::uint64_t seed,
                at::ScalarType dtype) {
    return test::random({batch, tokens, heads, d}, seed, dtype).transpose(1, 2);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("linear(x) = x W^T + b for any rank, one row, no rows and odd sizes", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        for (const auto& product : products) {
            CAPTURE(text(product));
            const Operands<TestType, P> o(product);
            const FallbackScope fallbacks;
            const Tensor y = run<op::Linear, Exec<TestType, P>>(o.there, o.weight);
            CHECK(y.scalar_type() == P::compute);
            CHECK(y.device() == o.there.device());
            CHECK(test::differs(y, o.want, sum_tolerance<P>(product.x.back())) == "");
            CHECK(fallbacks.report().empty());
        }
    });
}

TEMPLATE_LIST_TEST_CASE("linear takes strided x, and weights that were strided when they were packed", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const Operands<TestType, P> o({{6, 4, 24}, 10, true});
        const double tolerance = sum_tolerance<P>(24);
        CHECK(test::differs(run<op::Linear, E>(o.there.transpose(0, 1), o.weight), o.want.transpose(0, 1), tolerance) ==
              "");
        CHECK(test::differs(run<op::Linear, E>(o.there.select(1, 2), o.weight), o.want.select(1, 2), tolerance) == "");
        CHECK(test::differs(run<op::Linear, E>(o.there.slice(0, 1, 6, 2), o.weight), o.want.slice(0, 1, 6, 2),
                            tolerance) == "");
        CHECK(test::differs(run<op::Linear, E>(o.there.slice(0, 0, 1).expand({5, 4, 24}), o.weight),
                            o.want.slice(0, 0, 1).expand({5, 4, 10}), tolerance) == "");
        const auto home = test::place<TestType>();
        const Prepared<op::Linear, E> transposed(o.w.t().contiguous().to(home).t(), o.b->to(home));
        CHECK(test::differs(run<op::Linear, E>(o.there, transposed), o.want, tolerance) == "");
    });
}

TEMPLATE_LIST_TEST_CASE("Packed weights unpack to exactly what was packed, and copies share them", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        for (const auto& product : products) {
            CAPTURE(text(product));
            const Operands<TestType, P> o(product);
            const auto plain = o.weight.unpack();
            CHECK(plain.weight.scalar_type() == P::compute);
            CHECK(test::differs(plain.weight, o.w, 0) == "");
            CHECK(plain.bias.has_value() == product.bias);
            if (plain.bias) CHECK(test::differs(*plain.bias, *o.b, 0) == "");
        }
        const Operands<TestType, P> o({{3, 8}, 4, true});
        const Prepared<op::Linear, E> copy = o.weight;
        CHECK(&copy.first() == &o.weight.first());
        const Tensor table = o.w.to(test::place<TestType>());
        const auto shared = Prepared<op::Linear, E>::shared({table});
        CHECK(shared.unpack().weight.is_same(table));  // a weight that two ops keep stays one tensor
        CHECK(test::differs(run<op::Linear, E>(o.there, shared), linear_equation(o.x, o.w, {}), sum_tolerance<P>(8)) ==
              "");
    });
}

TEMPLATE_LIST_TEST_CASE("linear_activation(x) = act(linear(x)) for every activation", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        for (const auto& product : products) {
            CAPTURE(text(product));
            const Operands<TestType, P> o(product);
            for (const auto& [name, act] : activation_names) {
                CAPTURE(std::string(name));
                const FallbackScope fallbacks;
                const Tensor y = run<op::LinearActivation, E>(o.there, o.weight, act);
                // the activation itself has its own test: here it is the CPU's, in float32
                const Tensor want = Kernel<op::Activate, device::Cpu>::run(o.want.to(at::kFloat), act);
                CHECK(y.device() == home);
                CHECK(y.scalar_type() == P::compute);
                CHECK(test::differs(y, want, 2 * sum_tolerance<P>(product.x.back())) == "");
                CHECK(fallbacks.report().empty());
            }
        }
    });
}

TEMPLATE_LIST_TEST_CASE("linear_add(x, r) = linear(x) + r, and leaves r alone", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        for (const auto& product : products) {
            CAPTURE(text(product));
            const Operands<TestType, P> o(product);
            const Tensor r = test::random(o.want.sizes(), 9, P::compute), there = r.to(test::place<TestType>());
            const FallbackScope fallbacks;
            const Tensor y = run<op::LinearAdd, E>(o.there, o.weight, there);
            CHECK(y.scalar_type() == P::compute);
            CHECK(test::differs(y, o.want + r.to(at::kDouble), sum_tolerance<P>(product.x.back())) == "");
            CHECK(test::differs(there, r, 0) == "");
            CHECK(fallbacks.report().empty());
        }
        const Operands<TestType, P> o({{6, 4, 24}, 10, true});
        const Tensor r = test::random({4, 6, 10}, 9, P::compute), there = r.to(test::place<TestType>()).transpose(0, 1);
        const Tensor want = o.want + r.to(at::kDouble).transpose(0, 1);
        CHECK(test::differs(run<op::LinearAdd, E>(o.there, o.weight, there), want, sum_tolerance<P>(24)) == "");
    });
}

TEMPLATE_LIST_TEST_CASE("attention = softmax(scale q k^T + mask) v, with every mask that broadcasts", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        constexpr auto dtype = P::compute;
        const Tensor q = heads_of(2, 3, 7, 8, 1, dtype), k = heads_of(2, 3, 9, 8, 2, dtype),
                     v = heads_of(2, 3, 9, 8, 3, dtype);
        check_attention<TestType, P>(q, k, v, {}, false);
        check_attention<TestType, P>(q.contiguous(), k.contiguous(), v.contiguous(), {}, false);
        const Tensor keys = at::tensor({1, 1, 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1}, at::kLong)
                                .view({2, 1, 1, 9})
                                .to(at::kBool);
        const Tensor random = test::random({2, 3, 7, 9}, 4);
        Tensor full = random > 0;
        full.select(3, 0).fill_(true);  // every query sees one key at least
        check_attention<TestType, P>(q, k, v, keys, false);
        check_attention<TestType, P>(q, k, v, full, false);
        check_attention<TestType, P>(q, k, v, full.slice(1, 0, 1), false);
        check_attention<TestType, P>(q, k, v, full.slice(0, 0, 1).slice(1, 0, 1), false);
        check_attention<TestType, P>(q, k, v, full[0][0], false);
        check_attention<TestType, P>(q, k, v, random.to(dtype), false);
        check_attention<TestType, P>(q, k, v, random.to(dtype).slice(1, 0, 1), false);
        check_attention<TestType, P>(q, k, v, keys.expand({2, 3, 7, 9}), false);
    });
}

TEMPLATE_LIST_TEST_CASE("attention: one query, one key, one head, head sizes 1 to 128, long sequences", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        constexpr auto dtype = P::compute;
        struct Shape {
            std::int64_t batch, heads, queries, keys, d;
        };
        for (const auto& s : {Shape{1, 1, 1, 1, 1}, Shape{1, 1, 1, 5, 16}, Shape{2, 4, 3, 1, 8}, Shape{1, 2, 5, 6, 3},
                              Shape{1, 2, 33, 65, 64}, Shape{1, 1, 4, 4, 128}, Shape{1, 2, 300, 1500, 16}}) {
            CAPTURE(s.batch, s.heads, s.queries, s.keys, s.d);
            check_attention<TestType, P>(heads_of(s.batch, s.heads, s.queries, s.d, 1, dtype),
                                         heads_of(s.batch, s.heads, s.keys, s.d, 2, dtype),
                                         heads_of(s.batch, s.heads, s.keys, s.d, 3, dtype), {}, false);
        }
        check_attention<TestType, P>(heads_of(1, 2, 5, 8, 1, dtype), heads_of(1, 2, 6, 8, 2, dtype),
                                     heads_of(1, 2, 6, 12, 3, dtype), {}, false);
    });
}

TEMPLATE_LIST_TEST_CASE("attention that is causal: query i sees the keys 0 to i", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        constexpr auto dtype = P::compute;
        for (const std::int64_t tokens : {1, 2, 17, 64}) {
            CAPTURE(tokens);
            check_attention<TestType, P>(heads_of(2, 2, tokens, 8, 1, dtype), heads_of(2, 2, tokens, 8, 2, dtype),
                                         heads_of(2, 2, tokens, 8, 3, dtype), {}, true);
        }
        const Tensor q = heads_of(1, 2, 5, 8, 1, dtype), k = heads_of(1, 2, 9, 8, 2, dtype),
                     v = heads_of(1, 2, 9, 8, 3, dtype);
        check_attention<TestType, P>(q, k, v, {}, true);  // more keys than queries: still from the first
    });
}

TEMPLATE_LIST_TEST_CASE("attention with an offset, a window, lengths, a mask and a bias, each alone and all at once",
                        "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        constexpr auto dtype = P::compute;
        const auto home = test::place<TestType>();
        const double scale = 0.4;
        struct Sizes {
            std::int64_t queries, keys;
        };
        for (const auto& [queries, keys] : {Sizes{1, 9}, Sizes{5, 9}, Sizes{60, 150}, Sizes{7, 200}}) {
            const Tensor q = heads_of(2, 4, queries, 8, 1, dtype), k = heads_of(2, 2, keys, 8, 2, dtype),
                         v = heads_of(2, 2, keys, 8, 3, dtype);
            const Tensor wide_k = k.repeat_interleave(2, 1), wide_v = v.repeat_interleave(2, 1);
            const Tensor mask = test::random({2, 1, 1, keys}, 4) > -0.7;
            const Tensor biases[] = {test::random({1, 4, queries, keys}, 5, dtype),
                                     test::random({1, 4, queries, 1}, 5, dtype).expand({2, 4, queries, keys}),
                                     test::random({1, 1, 1, 1}, 5, dtype).expand({2, 4, queries, keys}),
                                     test::random({2, 4, keys, queries}, 5, dtype).transpose(2, 3)};
            const Tensor lengths = at::tensor({keys - 3, keys}, at::kLong);
            const auto position = at::arange(keys - queries, keys).unsqueeze(1);  // of the queries
            const auto key = at::arange(keys).unsqueeze(0);
            for (int told = 0; told < 32; ++told) {
                CAPTURE(P::name, queries, keys, told);
                op::Attends a, there;
                Tensor keep = at::ones({2, 1, queries, keys}, at::kBool);
                if (told & 1) a.offset = keys - queries, keep = keep & (key <= position);
                if (told & 2) {
                    if (!(told & 1)) continue;
                    a.window = 4, keep = keep & (key > position - 4);
                }
                if (told & 4) a.lengths = lengths, keep = keep & (key < lengths.view({2, 1, 1, 1}));
                if (told & 8) a.mask = mask, keep = keep & mask;
                if (told & 16) a.bias = biases[told / 4 % 4];
                const auto move = [&](const Kept& t) { return t ? Kept(t->to(home)) : std::nullopt; };
                there = {.mask = move(a.mask),
                         .bias = move(a.bias),
                         .lengths = move(a.lengths),
                         .offset = a.offset,
                         .window = a.window};
                Tensor want =
                    attention_equation(q, wide_k, wide_v,
                                       at::where(keep, a.bias ? a.bias->to(at::kDouble) : at::zeros({}, at::kDouble),
                                                 at::full({}, -std::numeric_limits<double>::infinity(), at::kDouble)),
                                       false, scale);
                want = at::where(want.isnan(), at::zeros({}, at::kDouble), want);  // who attends to nothing gets zeros
                const auto call = [&] {
                    return run<op::Attention, Exec<TestType, P>>(q.to(home), k.to(home), v.to(home), there, scale);
                };
                CHECK(test::differs(call(), want, test::tolerance<P>()) == "");
                const auto made = there.made;
                CHECK(test::differs(call(), want, test::tolerance<P>()) == "");
                CHECK(made == there.made);  // a second layer makes no mask of its own
            }
        }
    });
}

TEST_CASE("On the CPU an offset, a window and lengths need no mask") {
    const Tensor q = test::random({1, 2, 5, 8}, 1), k = test::random({1, 2, 9, 8}, 2);
    auto attends = op::Attends::causal(4, 3);
    attends.lengths = at::full({1}, 8, at::kLong);
    if (!device::cpu::isa::takes_many<float>(device::cpu::isa::best()))
        return test::skip("attention in float32 by our own blocks: LibTorch's on this processor");
    static_cast<void>(run<op::Attention, Exec<device::Cpu, precision::Fp32>>(q, k, k, attends, 1.0));
    CHECK(attends.made == nullptr);
}

TEST_CASE("On the CPU weights stay as they are, and LibTorch's linear is asked only where it has tiles of bfloat16") {
    using K = Kernel<op::Linear, device::Cpu>;
    for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
        const Tensor w = test::random({40, 24}, 1, dtype);
        const auto packed = K::pack({w});
        CHECK(packed.unpack().weight.is_same(w));
        const test::OpInputs plain("aten::linear");
        for (const std::int64_t rows : {1, 8, 9, 100}) {
            const auto set = device::cpu::isa::best();
            const bool ours = dtype == at::kFloat      ? device::cpu::computes<float>(set, rows)
                              : dtype == at::kBFloat16 ? device::cpu::computes<c10::BFloat16>(set, rows)
                                                       : device::cpu::computes<c10::Half>(set, rows);
            if (!ours) continue;
            const Tensor x = test::random({rows, 24}, 2, dtype), r = test::random({rows, 40}, 3, dtype);
            static_cast<void>(K::run(x, packed));
            static_cast<void>(Kernel<op::LinearAdd, device::Cpu>::run(x, packed, r));
            static_cast<void>(Kernel<op::LinearActivation, device::Cpu>::run(x, packed, Activation::gelu));
            static_cast<void>(Kernel<op::LinearGated, device::Cpu>::run(x, packed, Activation::silu));
        }
        CHECK(plain.calls().empty());
    }
}

// What each MPS kernel does beyond the plain ATen call. Looked at from LibTorch's side: what its ops were handed.

#ifdef SILICA_HAS_SIM_MPS

namespace {

using device::Mps;
using AttentionOnMps = Kernel<op::Attention, Mps>;
constexpr auto sdpa = "aten::scaled_dot_product_attention";

Tensor on_mps(const Tensor& t) { return t.to(test::place<Mps>()); }

/// Runs Attention's kernel on MPS and returns what sdpa was handed.
std::vector<test::OpInputs::Call> calls_of_sdpa(const Tensor& q, const Tensor& k, const Tensor& v, const Kept& mask,
                                                bool causal, std::int64_t limit = AttentionOnMps::max_score_bytes) {
    const test::OpInputs inputs(sdpa);
    const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
    const Kept there = mask ? Kept(on_mps(*mask)) : std::nullopt;
    const Tensor y = AttentionOnMps::run(on_mps(q), on_mps(k), on_mps(v), attends_of(there, causal), scale, limit);
    const double tolerance = q.scalar_type() == at::kFloat ? 1e-5 : 4e-3;
    CHECK(test::differs(y, attention_equation(q, k, v, mask, causal, scale), tolerance) == "");
    return inputs.calls();
}

}  // namespace

TEST_CASE("On MPS, LibTorch's ops are handed contiguous tensors: MPSGraph kernels ignore strides") {
    if (!test::present<Mps>()) return;
    using E = Exec<Chain<Mps>, precision::Fp32>;
    const Tensor x = on_mps(test::random({6, 8}, 1)).t();
    REQUIRE_FALSE(x.is_contiguous());
    const auto contiguous = [](const char* op, auto call) {
        CAPTURE(op);
        const test::OpInputs inputs(op);
        call();
        REQUIRE(inputs.calls().size() == 1);
        CHECK(inputs.calls()[0].contiguous());
    };
    contiguous("aten::gelu", [&] { static_cast<void>(run<op::Gelu, E>(x)); });
    contiguous("aten::relu", [&] { static_cast<void>(run<op::Activate, E>(x, Activation::relu)); });
    contiguous("aten::tanh", [&] { static_cast<void>(run<op::Activate, E>(x, Activation::tanh)); });
    const Tensor w = on_mps(test::random({6}, 2));
    contiguous("aten::layer_norm", [&] { static_cast<void>(run<op::LayerNorm, E>(x, w, w, 1e-5)); });
    const Prepared<op::Linear, E> weight(on_mps(test::random({6, 5}, 3)).t(), std::nullopt);
    contiguous("aten::linear", [&] { static_cast<void>(run<op::Linear, E>(x, weight)); });
    const Prepared<op::Embedding, E> table(on_mps(test::random({6, 5}, 3)).t(), std::nullopt);
    contiguous("aten::embedding",
               [&] { static_cast<void>(run<op::Embedding, E>(on_mps(test::random_ids({2, 3}, 5, 4)).t(), table)); });
    const Tensor q = heads_of(1, 2, 5, 8, 1, at::kFloat);
    REQUIRE_FALSE(on_mps(q).is_contiguous());
    for (const auto& call : calls_of_sdpa(q, q, q, {}, false)) CHECK(call.contiguous());
}

TEST_CASE("On MPS, causal attention in half precision gets its mask written out; in float32 it does not") {
    if (!test::present<Mps>()) return;
    const auto tensors = [](at::ScalarType dtype) {
        const Tensor q = heads_of(1, 2, 5, 8, 1, dtype);
        const auto calls = calls_of_sdpa(q, q, q, {}, true);
        REQUIRE(calls.size() == 1);
        return calls[0].tensors;
    };
    CHECK(tensors(at::kFloat).size() == 3);
    for (const auto dtype : {at::kHalf, at::kBFloat16}) {
        const auto handed = tensors(dtype);
        REQUIRE(handed.size() == (device::mps::libtorch_before(2, 10) ? 3U : 4U));
        if (handed.size() == 4) CHECK(handed[3].scalar_type() == at::kBool);
    }
}

TEST_CASE("On MPS, a mask that broadcasts is written out before LibTorch 2.13") {
    if (!test::present<Mps>()) return;
    const Tensor q = heads_of(2, 2, 5, 8, 1, at::kFloat);
    const Tensor mask = at::ones({2, 1, 1, 5}, at::kBool);
    const auto calls = calls_of_sdpa(q, q, q, mask, false);
    REQUIRE(calls.size() == 1);
    REQUIRE(calls[0].tensors.size() == 4);
    CHECK(calls[0].tensors[3].numel() == (device::mps::libtorch_before(2, 13) ? 2 * 2 * 5 * 5 : 2 * 5));
}

TEST_CASE("On MPS, a score matrix that would not fit one NDArray is computed in chunks of queries") {
    if (!test::present<Mps>()) return;
    const Tensor q = heads_of(1, 2, 7, 8, 1, at::kFloat), k = heads_of(1, 2, 9, 8, 2, at::kFloat),
                 v = heads_of(1, 2, 9, 8, 3, at::kFloat);
    const std::int64_t row = 2 * 9 * 4;  // bytes of one query's scores over all heads
    CHECK(calls_of_sdpa(q, k, v, {}, false).size() == 1);
    CHECK(calls_of_sdpa(q, k, v, {}, false, 7 * row).size() == 1);
    CHECK(calls_of_sdpa(q, k, v, {}, false, 7 * row - 1).size() == 2);
    CHECK(calls_of_sdpa(q, k, v, {}, false, 3 * row).size() == 3);
    CHECK(calls_of_sdpa(q, k, v, {}, false, 1).size() == 7);  // one query at a time is the least
    CHECK(calls_of_sdpa(q, k, v, {}, true, 3 * row).size() == 3);
    CHECK(calls_of_sdpa(q, k, v, at::ones({1, 1, 1, 9}, at::kBool), false, 3 * row).size() == 3);
    Tensor mask = test::random({1, 2, 7, 9}, 4) > 0;
    mask.select(3, 0).fill_(true);
    CHECK(calls_of_sdpa(q, k, v, mask, false, 3 * row).size() == 3);
    CHECK(calls_of_sdpa(q, k, v, test::random({7, 9}, 4), false, 3 * row).size() == 3);
    const Tensor h = heads_of(1, 2, 7, 8, 1, at::kHalf);
    for (const auto& call : calls_of_sdpa(h, h, h, {}, true, 3 * 2 * 7 * 4)) CHECK(call.contiguous());
}

TEST_CASE("On MPS, the bias of a single row is added apart on macOS 26: LibTorch before 2.14 loses it") {
    if (!test::present<Mps>()) return;
    const test::sim::Settings settings;
    using K = Kernel<op::Linear, Mps>;
    const auto weight = K::pack({on_mps(test::random({4, 8}, 1)), on_mps(test::random({4}, 2))});
    const auto handed = [&](c10::IntArrayRef shape) {
        const test::OpInputs inputs("aten::linear");
        static_cast<void>(K::run(on_mps(test::random(shape, 3)), weight));
        REQUIRE(inputs.calls().size() == 1);
        return inputs.calls()[0].tensors.size();
    };
    const std::size_t apart = device::mps::libtorch_before(2, 14) ? 2 : 3;
    test::sim::set_macos(26);
    CHECK(handed({1, 8}) == apart);
    CHECK(handed({8}) == apart);
    CHECK(handed({1, 1, 8}) == apart);
    CHECK(handed({2, 8}) == 3);
    test::sim::set_macos(15, 2);
    CHECK(handed({1, 8}) == 3);
}

TEST_CASE("On MPS, weights are made contiguous when they are packed, not at each call") {
    if (!test::present<Mps>()) return;
    const Tensor strided = on_mps(test::random({8, 4}, 1)).t();
    CHECK((Kernel<op::Linear, Mps>::pack({strided}).weight.is_contiguous()));
    CHECK((Kernel<op::Embedding, Mps>::pack({strided}).weight.is_contiguous()));
    const Tensor plain = on_mps(test::random({4, 8}, 1));
    CHECK((Kernel<op::Linear, Mps>::pack({plain}).weight.is_same(plain)));
}

#endif
