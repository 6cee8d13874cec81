// Multi-head attention in each of its forms, against the paper's equations in float64.
#include "silica/nn/attention.hpp"

#include <cmath>
#include <limits>

#include "silica/loader/in_memory.hpp"
#include "silica/nn/cross_cache.hpp"
#include "silica/nn/transformer_layer.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"

namespace attention_tests {

using namespace silica;

namespace {

constexpr std::int64_t hidden = 12, heads = 3, d = 4;

/// Matrices and biases of one layer; `source`: columns of what keys and values are made of.
std::map<std::string, Tensor> tensors(std::int64_t source) {
    std::map<std::string, Tensor> all;
    std::uint64_t seed = 1;
    const auto add = [&](const std::string& name, std::int64_t out, std::int64_t in, bool biased) {
        all.emplace(name + ".weight", test::random({out, in}, seed++) / std::sqrt(static_cast<double>(in)));
        if (biased) all.emplace(name + ".bias", test::random({out}, seed++));
    };
    add("q", heads * d, hidden, true);
    add("k", heads * d, source, false);  // Whisper's keys have no bias
    add("v", heads * d, source, true);
    add("o", hidden, heads * d, true);
    return all;
}

Tensor linear(const std::map<std::string, Tensor>& w, const std::string& name, const Tensor& x) {
    const Tensor y = x.to(at::kDouble).matmul(w.at(name + ".weight").to(at::kDouble).t());
    return w.contains(name + ".bias") ? y + w.at(name + ".bias").to(at::kDouble) : y;
}

/// Concat(head_1, ..., head_h) W_O of q made of `x`, k of `y_k`, v of `y_v`; `keep` (batch, 1, queries, keys) bool.
Tensor equation(const std::map<std::string, Tensor>& w, const Tensor& x, const Tensor& y_k, const Tensor& y_v,
                double scale, const std::optional<Tensor>& keep = {}) {
    const auto cut = [](const Tensor& t) { return t.view({t.size(0), t.size(1), heads, d}).transpose(1, 2); };
    Tensor scores = cut(linear(w, "q", x)).matmul(cut(linear(w, "k", y_k)).transpose(2, 3)) * scale;
    if (keep) scores = at::where(*keep, scores, at::full({}, -std::numeric_limits<double>::infinity(), at::kDouble));
    const Tensor context = scores.softmax(-1).matmul(cut(linear(w, "v", y_v)));
    return linear(w, "o", context.transpose(1, 2).reshape({x.size(0), x.size(1), heads * d}));
}

/// Attention on a device with these weights.
template <class D>
struct On {
    using E = Exec<D, precision::Fp32>;

    On(std::map<std::string, Tensor> all, nn::JoinedProducts joined, std::int64_t source,
       std::optional<double> scale = {})
        : from(std::move(all)),
          w(from, {}, test::place<D>()),
          attention({hidden, heads, d, scale, source}, {w / "q", w / "k", w / "v", w / "o"}, joined) {}

    loader::InMemory from;
    Weights w;
    nn::Attention<E> attention;
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("Self-attention is its equation, plain, masked, and with positions on queries and keys alone",
                        "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto all = tensors(hidden);
    const auto home = test::place<TestType>();
    const Tensor x = test::random({2, 5, hidden}, 20), positions = test::random({1, 5, hidden}, 21);
    const double scale = 1 / std::sqrt(4.0);
    const On<TestType> joined(all, nn::JoinedProducts::all, hidden);
    const auto out = [&](const auto& on, const Tensor& context) { return on.attention.output(context); };
    CHECK(test::differs(out(joined, joined.attention(x.to(home))), equation(all, x, x, x, scale), 1e-5) == "");
    const Tensor keep = (test::random({2, 1, 1, 5}, 22) > -0.5).logical_or(at::arange(5) == 2);
    CHECK(test::differs(out(joined, joined.attention(x.to(home), op::Attends{.mask = keep.to(home)})),
                        equation(all, x, x, x, scale, keep), 1e-5) == "");
    const On<TestType> apart(all, nn::JoinedProducts::query_key, hidden, 0.3);
    CHECK(test::differs(out(apart, apart.attention(x.to(home), positions.to(home), {})),
                        equation(all, x + positions, x + positions, x, 0.3), 1e-5) == "");
}

TEMPLATE_LIST_TEST_CASE("Cross-attention is its equation, with another width and with positions on keys", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    constexpr std::int64_t source = 7;
    const auto all = tensors(source);
    const auto home = test::place<TestType>();
    const Tensor x = test::random({2, 5, hidden}, 20), y = test::random({2, 6, source}, 21),
                 positions = test::random({1, 6, source}, 22);
    const On<TestType> joined(all, nn::JoinedProducts::key_value, source, 1.0);
    const auto& a = joined.attention;
    CHECK(test::differs(a.output(a.cross(x.to(home), a.keys_values(y.to(home)))), equation(all, x, y, y, 1.0), 1e-5) ==
          "");
    const On<TestType> apart(all, nn::JoinedProducts::none, source, 1.0);
    const auto& b = apart.attention;
    CHECK(test::differs(b.output(b.cross(x.to(home), b.keys_values(y.to(home), positions.to(home)))),
                        equation(all, x, y + positions, y, 1.0), 1e-5) == "");
}

TEMPLATE_LIST_TEST_CASE("Tokens in a cache are attended to as if all came at once", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto all = tensors(hidden);
    const auto home = test::place<TestType>();
    const On<TestType> on(all, nn::JoinedProducts::all, hidden);
    const Tensor x = test::random({2, 6, hidden}, 20);
    const Tensor later = (at::arange(6).unsqueeze(0) <= at::arange(6).unsqueeze(1)).view({1, 1, 6, 6});
    const Tensor want = equation(all, x, x, x, 0.5, later);
    nn::KvCache cache(2, heads, 8, d, at::TensorOptions().dtype(at::kFloat).device(home));
    nn::KvSlots slots(2, 8, home);
    const Tensor there = x.to(home);
    const auto piece = [&](std::int64_t before, std::int64_t tokens) {
        const Tensor at = slots.of_new(before, tokens);
        slots.stored(before, tokens, {});
        const Tensor context =
            on.attention(there.narrow(1, before, tokens), op::Attends::causal(before), cache, at, before + tokens);
        CHECK(test::differs(on.attention.output(context), want.narrow(1, before, tokens), 1e-5) == "");
    };
    piece(0, 3);
    piece(3, 2);
    slots.begin_step();
    const Tensor context = on.attention.step(there.narrow(1, 5, 1), cache, slots, {});
    CHECK(test::differs(on.attention.output(context), want.narrow(1, 5, 1), 1e-5) == "");
    auto copy = cache.clone();
    CHECK(copy.keys.equal(cache.keys));
    copy.keys.fill_(0);
    CHECK_FALSE(copy.keys.equal(cache.keys));
}

TEMPLATE_LIST_TEST_CASE("What an encoder read serves one row or several that share a text, whole and step by step", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    constexpr std::int64_t source = 7;
    const auto all = tensors(source);
    const auto home = test::place<TestType>();
    const On<TestType> on(all, nn::JoinedProducts::key_value, source);
    const auto& a = on.attention;
    for (const std::int64_t share : {1, 3}) {
        nn::CrossCache text(1);
        CHECK(text.clone().capacity() == 0);
        std::int64_t shapes = 0;
        struct Text {
            std::int64_t tokens;
            bool masked;
        };
        for (const auto& [tokens, masked] :
             {Text{6, false}, Text{4, false}, Text{4, true}, Text{6, true}, Text{8, true}}) {
            CAPTURE(share, tokens, masked);
            const Tensor y = test::random({2, tokens, source}, static_cast<std::uint64_t>(30 + tokens)),
                         x = test::random({2 * share, 3, hidden}, 40);
            std::optional<Tensor> attend;
            if (masked) attend = at::arange(tokens).unsqueeze(0) < at::full({2, 1}, tokens - 1, at::kLong);
            text.take(y.to(home), attend ? std::optional(attend->to(home)) : std::nullopt, 2 * share,
                      [&](std::size_t) { return a.keys_values(y.to(home)); });
            const Tensor wide = y.repeat_interleave(share, 0);
            std::optional<Tensor> keep;
            if (attend) keep = attend->repeat_interleave(share, 0).unsqueeze(1).unsqueeze(1);
            const Tensor want = equation(all, x, wide, wide, 0.5, keep);
            CHECK(test::differs(a.output(text.attend(a, x.to(home), 0)), want, 1e-5) == "");
            CHECK(test::differs(a.output(text.step(a, x.to(home).narrow(1, 1, 1), 0)), want.narrow(1, 1, 1), 1e-5) ==
                  "");
            const auto clone = text.clone();
            CHECK(test::differs(a.output(clone.step(a, x.to(home).narrow(1, 2, 1), 0)), want.narrow(1, 2, 1), 1e-5) ==
                  "");
            // only a longer text, or the first mask, makes a step of another kind
            CHECK((text.shapes() != shapes) == ((tokens == 6 && !masked) || (tokens == 4 && masked) || tokens == 8));
            shapes = text.shapes();
        }
    }
}

TEMPLATE_LIST_TEST_CASE("A layer of a transformer has its norms before or after its branches", "", test::Devices) {
    if (!test::present<TestType>()) return;
    auto all = tensors(hidden);
    all.emplace("up.weight", test::random({20, hidden}, 50) / 4);
    all.emplace("up.bias", test::random({20}, 51));
    all.emplace("down.weight", test::random({hidden, 20}, 52) / 4);
    all.emplace("down.bias", test::random({hidden}, 53));
    for (const auto* norm : {"n1", "n2"}) {
        all.emplace(norm + std::string(".weight"), test::random({hidden}, 54));
        all.emplace(norm + std::string(".bias"), test::random({hidden}, 55));
    }
    const auto normed = [&](const std::string& name, const Tensor& x) {
        const Tensor wide = x.to(at::kDouble), mean = wide.mean(-1, true);
        return (wide - mean) / ((wide - mean).square().mean(-1, true) + 1e-5).sqrt() * all.at(name + ".weight") +
               all.at(name + ".bias");
    };
    const auto feed = [&](const Tensor& h) { return linear(all, "down", linear(all, "up", h).relu()); };
    const auto attended = [&](const Tensor& h) { return equation(all, h, h, h, 0.5); };
    const Tensor x = test::random({2, 5, hidden}, 20);
    loader::InMemory from(all);
    const Weights w(from, {}, test::place<TestType>());
    for (const auto place : {nn::NormPlace::after, nn::NormPlace::before}) {
        const nn::TransformerLayer<Exec<TestType, precision::Fp32>> layer(
            {nn::AttentionShape::of(hidden, heads), 20, 1e-5, Activation::relu, place},
            {{w / "q", w / "k", w / "v", w / "o"}, w / "n1", w / "up", w / "down", w / "n2"});
        Tensor want;
        if (place == nn::NormPlace::after) {
            const Tensor h = normed("n1", x.to(at::kDouble) + attended(x));
            want = normed("n2", h + feed(h));
        } else {
            const Tensor h = x.to(at::kDouble) + attended(normed("n1", x));
            want = h + feed(normed("n2", h));
        }
        CHECK(test::differs(layer(x.to(test::place<TestType>()), {}), want, 2e-5) == "");
    }
}

}  // namespace attention_tests
