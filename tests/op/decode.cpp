// Ops of a decode step and of generation: against their equations in float64, on every device, in every precision.
#include <limits>

#include <ATen/ops/tensor.h>

#include "silica/op/argmax.hpp"
#include "silica/op/decode_attention.hpp"
#include "silica/op/gated.hpp"
#include "silica/op/linear_gated.hpp"
#include "silica/op/rms_norm.hpp"
#include "silica/op/rotary.hpp"
#include "silica/op/rotary_store.hpp"
#include "silica/op/store_kv.hpp"
#include "silica/run.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"

using namespace silica;

namespace {

using Kept = std::optional<Tensor>;

/// Calls `f.operator()<Precision>()` for the three unquantised precisions.
template <class F>
void in_every_precision(F f) {
    boost::hana::for_each(test::precisions, [&](auto p) {
        using P = typename decltype(p)::type;
        INFO(P::name);
        f.template operator()<P>();
    });
}

Tensor slot_of(std::int64_t slot) { return at::full({1}, slot, at::kLong); }

/// x cos + rotate_half(x) sin in float64.
Tensor rotary_equation(const Tensor& x, const Tensor& cos, const Tensor& sin) {
    const auto h = x.size(-1) / 2;
    const Tensor z = x.to(at::kDouble), a = z.narrow(-1, 0, h), b = z.narrow(-1, h, h);
    const Tensor c = cos.to(at::kDouble).unsqueeze(1), s = sin.to(at::kDouble).unsqueeze(1);
    return at::cat({a * c - b * s, b * c + a * s}, -1);
}

/// Attention of one query per row to the first `filled` keys, in float64; zeros where nothing is attended to.
Tensor decode_equation(const Tensor& q, const Tensor& keys, const Tensor& values, std::int64_t filled, const Kept& mask,
                       double scale) {
    const auto heads = q.size(1), group = heads / keys.size(1);
    const auto per_query = [&](const Tensor& t) {
        return t.narrow(2, 0, filled).to(at::kDouble).repeat_interleave(group, 1);
    };
    Tensor scores = q.to(at::kDouble).matmul(per_query(keys).transpose(-2, -1)) * scale;
    if (mask) {
        const Tensor m = mask->expand({q.size(0), heads, 1, keys.size(2)}).narrow(3, 0, filled);
        const Tensor never = at::full({}, -std::numeric_limits<double>::infinity(), at::kDouble);
        scores = m.scalar_type() == at::kBool ? at::where(m, scores, never) : scores + m.to(at::kDouble);
    }
    const Tensor most = scores.amax(-1, true), none = most == -std::numeric_limits<double>::infinity();
    const Tensor e = (scores - at::where(none, at::zeros({}, at::kDouble), most)).exp(), sum = e.sum(-1, true);
    return (e / at::where(none, at::ones({}, at::kDouble), sum)).matmul(per_query(values));
}

/// What one call of op::DecodeAttention may vary in.
struct Decode {
    std::int64_t batch, heads, kv_heads, capacity, filled, d;
};

/// Calls op::DecodeAttention and compares. What lies beyond the filled slots is NaN: it must not be looked at.
template <class D, class P>
void check_decode(const Decode& s, const Kept& mask = std::nullopt) {
    CAPTURE(s.batch, s.heads, s.kv_heads, s.capacity, s.filled, s.d);
    const auto home = test::place<D>();
    const Tensor q = test::random({s.batch, s.heads, 1, s.d}, 1, P::compute);
    const Tensor keys = test::random({s.batch, s.kv_heads, s.capacity, s.d}, 2, P::compute),
                 values = test::random({s.batch, s.kv_heads, s.capacity, s.d}, 3, P::compute);
    const double scale = 1 / std::sqrt(static_cast<double>(s.d));
    const Tensor want = decode_equation(q, keys, values, s.filled, mask, scale);
    if (D::type == c10::DeviceType::CPU) {  // elsewhere the whole cache is read and masked
        keys.narrow(2, s.filled, s.capacity - s.filled).fill_(std::numeric_limits<float>::quiet_NaN());
        values.narrow(2, s.filled, s.capacity - s.filled).fill_(std::numeric_limits<float>::quiet_NaN());
    }
    const Kept there = mask ? Kept(mask->to(home)) : std::nullopt;
    const FallbackScope fallbacks;
    const Tensor y = run<op::DecodeAttention, Exec<D, P>>(q.to(home), keys.to(home), values.to(home),
                                                          slot_of(s.filled).to(home), there, scale);
    CHECK(y.scalar_type() == P::compute);
    CHECK(y.device() == home);
    CHECK(test::differs(y, want, test::tolerance<P>()) == "");
    CHECK(fallbacks.report().empty());
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("rms_norm(x) = x / sqrt(mean(x^2) + eps) * w over the last dimension", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        for (const std::int64_t d : {1, 2, 5, 16, 31, 64, 257, 2048}) {
            for (const double eps : {1e-6, 1e-5, 0.1}) {
                CAPTURE(d, eps);
                const Tensor x = (test::random({3, 4, d}, 1) * 3).to(P::compute), w = test::random({d}, 2, P::compute);
                const Tensor z = x.to(at::kDouble);
                const Tensor want = z / ((z * z).mean(-1, true) + eps).sqrt() * w.to(at::kDouble);
                const FallbackScope fallbacks;
                const Tensor there = x.to(home), on_w = w.to(home);
                const Tensor y = run<op::RmsNorm, E>(there, on_w, eps);
                CHECK(y.scalar_type() == P::compute);
                CHECK(y.device() == home);
                CHECK(test::differs(y, want, test::tolerance<P>()) == "");
                const Tensor strided = there.transpose(0, 1);
                CHECK(test::differs(run<op::RmsNorm, E>(strided, on_w, eps), want.transpose(0, 1),
                                    test::tolerance<P>()) == "");
                CHECK(run<op::RmsNorm, E>(there.slice(0, 0, 0), on_w, eps).sizes() == c10::IntArrayRef({0, 4, d}));
                CHECK(test::differs(there, x, 0) == "");
                CHECK(fallbacks.report().empty());
            }
        }
    });
}

TEMPLATE_LIST_TEST_CASE("rms_norm sums in float32, and rounds before it meets the weight, as transformers does", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        const auto home = test::place<TestType>();
        const Tensor x = (test::random({8, 512}, 1) * 200).to(P::compute), w = test::random({512}, 2, P::compute);
        const Tensor h = x.to(at::kFloat);
        const Tensor scaled = (h * (1 / ((h * h).mean(-1, true) + 1e-6).sqrt())).to(P::compute);
        const Tensor y = run<op::RmsNorm, Exec<TestType, P>>(x.to(home), w.to(home), 1e-6);
        // where float32 sums in another order change the rounded quotient, it is by one unit in the last place
        CHECK(test::relative_error(y, w * scaled) <= (P::compute == at::kFloat ? 1e-6 : 1e-4));
    });
}

TEMPLATE_LIST_TEST_CASE("gated(x) = act(first half) * second half, for every activation", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        for (const std::int64_t n : {1, 3, 16, 37}) {
            const Tensor x = test::random({2, 3, 2 * n}, 1, P::compute), there = x.to(home);
            for (const auto& [name, act] : activation_names) {
                CAPTURE(n, std::string(name));
                // the activation itself has its own test: here it is the CPU's, in float32
                const Tensor want = Kernel<op::Activate, device::Cpu>::run(x.narrow(2, 0, n).to(at::kFloat), act) *
                                    x.narrow(2, n, n).to(at::kFloat);
                const FallbackScope fallbacks;
                const Tensor y = run<op::Gated, E>(there, act);
                CHECK(y.scalar_type() == P::compute);
                CHECK(test::differs(y, want, 2 * test::tolerance<P>()) == "");
                CHECK(test::differs(run<op::Gated, E>(there.transpose(0, 1), act), want.transpose(0, 1),
                                    2 * test::tolerance<P>()) == "");
                CHECK(fallbacks.report().empty());
            }
            CHECK(run<op::Gated, E>(there.slice(0, 0, 0), Activation::silu).sizes() == c10::IntArrayRef({0, 3, n}));
        }
    });
}

TEMPLATE_LIST_TEST_CASE("linear_gated(x) = act(x G^T + b) * (x U^T + c), for few and many rows", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        for (const std::vector<std::int64_t>& shape : std::vector<std::vector<std::int64_t>>{
                 {1, 8}, {8}, {2, 3, 7}, {0, 8}, {1, 1, 64}, {17, 129}, {2, 20, 64}}) {
            for (const std::int64_t n : {1, 5, 33}) {
                for (const bool biased : {true, false}) {
                    CAPTURE(shape_text(shape), n, biased);
                    const std::int64_t k = shape.back();
                    const Tensor x = test::random(shape, 1, P::compute), w = test::random({2 * n, k}, 2, P::compute);
                    const Kept b = biased ? Kept(test::random({2 * n}, 3, P::compute)) : std::nullopt;
                    const Prepared<op::Linear, E> weight(w.to(home), b ? Kept(b->to(home)) : std::nullopt);
                    Tensor both = x.to(at::kDouble).matmul(w.to(at::kDouble).t());
                    if (b) both = both + b->to(at::kDouble);
                    for (const Activation act : {Activation::silu, Activation::gelu, Activation::gelu_tanh,
                                                 Activation::relu, Activation::mish}) {
                        const Tensor gate = both.narrow(-1, 0, n).to(at::kFloat), up = both.narrow(-1, n, n);
                        const Tensor want = Kernel<op::Activate, device::Cpu>::run(gate, act).to(at::kDouble) * up;
                        const FallbackScope fallbacks;
                        const Tensor y = run<op::LinearGated, E>(x.to(home), weight, act);
                        CHECK(y.scalar_type() == P::compute);
                        // two sums of k products, each as uncertain as the parts: relative to the size of y
                        const double size = k == 0 || want.numel() == 0 ? 1 : want.abs().max().item<double>();
                        CHECK(test::differs(y, want, test::tolerance<P>() * std::max(1.0, size), 0) == "");
                        CHECK(fallbacks.report().empty());
                    }
                }
            }
        }
    });
}

TEMPLATE_LIST_TEST_CASE("rotary(x) = x cos + rotate_half(x) sin, with angles for each row or for all", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        using E = Exec<TestType, P>;
        const auto home = test::place<TestType>();
        struct Shape {
            std::int64_t batch, heads, tokens, d;
        };
        for (const auto& s :
             {Shape{1, 1, 1, 2}, Shape{2, 3, 5, 8}, Shape{1, 4, 7, 64}, Shape{3, 2, 1, 34}, Shape{2, 5, 40, 128}}) {
            for (const std::int64_t rows : {std::int64_t{1}, s.batch}) {
                CAPTURE(s.batch, s.heads, s.tokens, s.d, rows);
                const Tensor angle = test::random({rows, s.tokens, s.d / 2}, 1) * 3;
                const Tensor cos = angle.cos().to(P::compute), sin = angle.sin().to(P::compute);
                const Tensor flat = test::random({s.batch, s.tokens, s.heads, s.d}, 2, P::compute);
                const Tensor x = flat.transpose(1, 2), want = rotary_equation(x, cos, sin);
                const FallbackScope fallbacks;
                const Tensor there = flat.to(home), c = cos.to(home), n = sin.to(home);
                const Tensor y = run<op::Rotary, E>(there.transpose(1, 2), c, n);
                CHECK(y.scalar_type() == P::compute);
                CHECK(test::differs(y, want, test::tolerance<P>()) == "");
                CHECK(test::differs(run<op::Rotary, E>(there.transpose(1, 2).contiguous(), c, n), want,
                                    test::tolerance<P>()) == "");
                CHECK(test::differs(there, flat, 0) == "");
                CHECK(fallbacks.report().empty());
            }
        }
    });
}

TEMPLATE_LIST_TEST_CASE("store_kv writes the slots and no others, exactly", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        const auto home = test::place<TestType>();
        for (const std::vector<std::int64_t>& at : {std::vector<std::int64_t>{0}, {6}, {2, 3, 4}, {5, 0, 3}}) {
            const auto tokens = static_cast<std::int64_t>(at.size());
            const Tensor slots = at::tensor(at, at::kLong);
            const Tensor old_k = test::random({2, 3, 7, 5}, 1, P::compute),
                         old_v = test::random({2, 3, 7, 4}, 2, P::compute);
            const Tensor k = test::random({2, tokens, 3, 5}, 3, P::compute).transpose(1, 2),
                         v = test::random({2, 3, tokens, 4}, 4, P::compute);
            Tensor keys = old_k.clone().to(home), values = old_v.clone().to(home);
            const FallbackScope fallbacks;
            run<op::StoreKv, Exec<TestType, P>>(InOut<Tensor>{keys}, InOut<Tensor>{values}, k.to(home), v.to(home),
                                                slots.to(home));
            const Tensor want_k = old_k.clone(), want_v = old_v.clone();
            for (std::int64_t t = 0; t < tokens; ++t) {
                want_k.select(2, at[static_cast<std::size_t>(t)]).copy_(k.select(2, t));
                want_v.select(2, at[static_cast<std::size_t>(t)]).copy_(v.select(2, t));
            }
            CHECK(test::differs(keys, want_k, 0) == "");
            CHECK(test::differs(values, want_v, 0) == "");
            CHECK(fallbacks.report().empty());
        }
    });
}

TEMPLATE_LIST_TEST_CASE("rotary_store turns q and k, and stores k and v in one slot", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        const auto home = test::place<TestType>();
        struct Shape {
            std::int64_t batch, heads, kv, d;
        };
        for (const auto& s : {Shape{1, 1, 1, 2}, Shape{2, 4, 2, 8}, Shape{3, 6, 1, 34}, Shape{1, 8, 8, 64}}) {
            for (const std::int64_t rows : {std::int64_t{1}, s.batch}) {
                CAPTURE(s.batch, s.heads, s.kv, s.d, rows);
                const Tensor angle = test::random({rows, 1, s.d / 2}, 1) * 3;
                const Tensor cos = angle.cos().to(P::compute), sin = angle.sin().to(P::compute);
                const Tensor qkv = test::random({s.batch, 1, (s.heads + 2 * s.kv) * s.d}, 2, P::compute);
                const Tensor by_head = qkv.view({s.batch, 1, s.heads + 2 * s.kv, s.d}).transpose(1, 2);
                const Tensor old = test::random({s.batch, s.kv, 6, s.d}, 3, P::compute);
                Tensor keys = old.clone().to(home), values = (-old).to(home);
                const FallbackScope fallbacks;
                const Tensor q = run<op::RotaryStore, Exec<TestType, P>>(qkv.to(home), cos.to(home), sin.to(home),
                                                                         InOut<Tensor>{keys}, InOut<Tensor>{values},
                                                                         slot_of(4).to(home));
                const Tensor turned = rotary_equation(by_head, cos, sin);
                CHECK(q.scalar_type() == P::compute);
                CHECK(test::differs(q, turned.narrow(1, 0, s.heads), test::tolerance<P>()) == "");
                CHECK(test::differs(keys.select(2, 4), turned.narrow(1, s.heads, s.kv).select(2, 0),
                                    test::tolerance<P>()) == "");
                CHECK(test::differs(values.select(2, 4), by_head.narrow(1, s.heads + s.kv, s.kv).select(2, 0), 0) ==
                      "");
                for (const std::int64_t slot : {0, 3, 5}) {
                    CHECK(test::differs(keys.select(2, slot), old.select(2, slot), 0) == "");
                    CHECK(test::differs(values.select(2, slot), -old.select(2, slot), 0) == "");
                }
                CHECK(fallbacks.report().empty());
            }
        }
    });
}

TEMPLATE_LIST_TEST_CASE("decode_attention = softmax(scale q k^T) v over the filled slots", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        for (const auto& s :
             {Decode{1, 1, 1, 1, 1, 1}, Decode{1, 4, 4, 9, 5, 8}, Decode{2, 6, 2, 20, 20, 16},
              Decode{3, 4, 1, 70, 65, 20}, Decode{1, 8, 1, 300, 257, 64}, Decode{1, 32, 4, 140, 129, 64},
              Decode{2, 14, 2, 33, 1, 64}, Decode{1, 9, 1, 40, 33, 80}, Decode{1, 2, 2, 5000, 4500, 32}})
            check_decode<TestType, P>(s);
    });
}

TEMPLATE_LIST_TEST_CASE("decode_attention with every mask that broadcasts, bool or added", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        const Decode s{2, 4, 2, 75, 70, 16};
        const Tensor added = test::random({2, 4, 1, 75}, 4).to(P::compute);
        Tensor keep = test::random({2, 4, 1, 75}, 5) > 0;
        keep.select(3, 0).fill_(true);  // every query sees one key at least
        for (const Tensor& m : {keep, added}) {
            check_decode<TestType, P>(s, m);
            check_decode<TestType, P>(s, m.slice(1, 0, 1));
            check_decode<TestType, P>(s, m.slice(0, 0, 1));
            check_decode<TestType, P>(s, m.slice(0, 0, 1).slice(1, 0, 1));
        }
        Tensor later = at::ones({2, 1, 1, 75}, at::kBool);  // a left-padded batch: whole blocks of keys are not seen
        later.slice(0, 0, 1).slice(3, 0, 69).fill_(false);
        check_decode<TestType, P>(s, later);
    });
}

TEMPLATE_LIST_TEST_CASE("decode_attention of a row that attends to nothing is zeros", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        const float never = -std::numeric_limits<float>::infinity();
        Tensor keep = at::ones({2, 1, 1, 12}, at::kBool), added = at::zeros({2, 1, 1, 12}, test::options_of<P>());
        keep.select(0, 1).fill_(false);
        added.select(0, 1).fill_(never);
        check_decode<TestType, P>({2, 4, 2, 12, 9, 8}, keep);
        check_decode<TestType, P>({2, 4, 2, 12, 9, 8}, added);
    });
}

TEMPLATE_LIST_TEST_CASE("argmax is the first index of the largest value of each row", "", test::Devices) {
    if (!test::present<TestType>()) return;
    in_every_precision([]<class P>() {
        const auto home = test::place<TestType>();
        for (const std::int64_t n : {1, 2, 17, 100, 3001}) {
            CAPTURE(n);
            const Tensor x = (test::random({5, n}, 1) * 4).to(P::compute);  // rounded: some values are equal
            const auto wide = x.to(at::kFloat);
            const auto* const v = wide.template const_data_ptr<float>();
            const Tensor want = at::zeros({5}, at::kLong);
            for (std::int64_t r = 0; r < 5; ++r) {
                std::int64_t best = 0;
                for (std::int64_t i = 1; i < n; ++i)
                    if (v[r * n + i] > v[r * n + best]) best = i;
                want.mutable_data_ptr<std::int64_t>()[r] = best;
            }
            const FallbackScope fallbacks;
            const Tensor y = run<op::Argmax, Exec<TestType, P>>(x.to(home));
            CHECK(y.scalar_type() == at::kLong);
            CHECK(test::differs(y, want, 0) == "");
            CHECK(test::differs(run<op::Argmax, Exec<TestType, P>>(-at::ones({2, n}, x.options()).to(home)),
                                at::zeros({2}, at::kLong), 0) == "");
            CHECK(fallbacks.report().empty());
        }
    });
}
