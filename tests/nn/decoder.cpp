// What a decoder keeps of its tokens, and the decoder with it: at once, in pieces of a prompt and token by token,
// against the equations of LLaMA's paper in float64.
#include <cmath>
#include <limits>

#include <ATen/ops/tensor.h>

#include "silica/nn/causal_lm.hpp"
#include "silica/nn/decoder_layer.hpp"
#include "silica/nn/decoder_slots.hpp"
#include "silica/nn/decoder_state.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/refuses.hpp"

using namespace silica;
using test::Checkpoint, test::exact;

namespace {

Tensor longs(std::initializer_list<std::int64_t> values) { return at::tensor(std::vector(values), at::kLong); }

template <class D>
at::TensorOptions floats() {
    return at::TensorOptions().dtype(at::kFloat).device(test::place<D>());
}

// ---- the equations

constexpr std::int64_t vocabulary = 13, hidden = 10, heads = 6, kv_heads = 2, d = 4, inner = 7, tokens = 9;
constexpr double eps = 1e-5, theta = 50;

nn::DecoderShape decoder_shape() {
    nn::RopeParameters rope;
    rope.rope_theta = theta;
    return {.vocab_size = vocabulary,
            .hidden_size = hidden,
            .intermediate_size = inner,
            .num_hidden_layers = 2,
            .num_attention_heads = heads,
            .num_key_value_heads = kv_heads,
            .head_dim = d,
            .max_position_embeddings = 32,
            .rms_norm_eps = eps,
            .hidden_act = Activation::silu,
            .rope = rope,
            .windows = {std::nullopt, 3},
            .qkv_bias = true,
            .mlp_bias = true};
}

std::map<std::string, Tensor> decoder_tensors() {
    std::map<std::string, Tensor> all;
    std::uint64_t seed = 1;
    const auto add = [&](const std::string& name, std::int64_t out, std::int64_t in, bool biased) {
        all.emplace(name + ".weight", test::random({out, in}, seed++) / std::sqrt(static_cast<double>(in)));
        if (biased) all.emplace(name + ".bias", test::random({out}, seed++) * 0.3);
    };
    const auto norm = [&](const std::string& name) {
        all.emplace(name + ".weight", test::random({hidden}, seed++) * 0.2 + 1);
    };
    all.emplace("model.embed_tokens.weight", test::random({vocabulary, hidden}, seed++));
    for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
        norm(layer + "input_layernorm");
        norm(layer + "post_attention_layernorm");
        add(layer + "self_attn.q_proj", heads * d, hidden, true);
        add(layer + "self_attn.k_proj", kv_heads * d, hidden, true);
        add(layer + "self_attn.v_proj", kv_heads * d, hidden, true);
        add(layer + "self_attn.o_proj", hidden, heads * d, false);
        add(layer + "mlp.gate_proj", inner, hidden, true);
        add(layer + "mlp.up_proj", inner, hidden, true);
        add(layer + "mlp.down_proj", hidden, inner, true);
    }
    norm("model.norm");
    add("lm_head", vocabulary, hidden, false);
    return all;
}

/// Logits of ids (batch, tokens) whose first tokens, `padding` of each row, nobody attends to; positions count the
/// others.
Tensor equation(const std::map<std::string, Tensor>& w, const Tensor& ids, const std::vector<std::int64_t>& padding) {
    const auto batch = ids.size(0), n = ids.size(1);
    const auto linear = [&](const std::string& name, const Tensor& x) {
        const Tensor y = x.matmul(exact(w.at(name + ".weight")).t());
        return w.contains(name + ".bias") ? y + exact(w.at(name + ".bias")) : y;
    };
    const auto norm = [&](const std::string& name, const Tensor& x) {
        return x / ((x * x).mean({-1}, true) + eps).sqrt() * exact(w.at(name + ".weight"));
    };
    const Tensor before = at::tensor(padding, at::kLong).view({-1, 1});
    const Tensor positions = (at::arange(n).unsqueeze(0) - before).clamp_min(0).to(at::kDouble);  // (batch, n)
    const Tensor frequencies = (at::arange(d / 2).to(at::kDouble) * (-2.0 / d * std::log(theta))).exp();
    const Tensor angles = (positions.unsqueeze(-1) * frequencies).unsqueeze(1);  // (batch, 1, n, d / 2)
    const auto cut = [&](const Tensor& x) { return x.view({batch, n, -1, d}).transpose(1, 2); };
    const auto turned = [&](const Tensor& x) {
        const Tensor a = x.narrow(3, 0, d / 2), b = x.narrow(3, d / 2, d / 2);
        return at::cat({a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()}, 3);
    };
    const auto shared = [&](const Tensor& x) { return x.repeat_interleave(heads / kv_heads, 1); };
    const Tensor query = at::arange(n).view({1, 1, n, 1}), key = at::arange(n).view({1, 1, 1, n});
    Tensor x = exact(w.at("model.embed_tokens.weight")).index_select(0, ids.view({-1})).view({batch, n, hidden});
    for (const bool sliding : {false, true}) {
        const std::string layer = sliding ? "model.layers.1." : "model.layers.0.";
        const std::int64_t window = sliding ? 3 : n;
        const Tensor h = norm(layer + "input_layernorm", x);
        const auto part = [&](const char* name) { return cut(linear(layer + "self_attn." + name, h)); };
        // Padding sees itself, which no one does: so it is a number.
        const Tensor seen = (key <= query)
                                .logical_and(key > query - window)
                                .logical_and(key >= before.view({-1, 1, 1, 1}))
                                .logical_or(key == query);
        const Tensor none = at::full({}, -std::numeric_limits<double>::infinity(), at::kDouble);
        const Tensor scores = turned(part("q_proj")).matmul(shared(turned(part("k_proj"))).transpose(2, 3)) / 2.0;
        const Tensor context = at::where(seen, scores, none).softmax(-1).matmul(shared(part("v_proj")));
        x = x + linear(layer + "self_attn.o_proj", context.transpose(1, 2).reshape({batch, n, heads * d}));
        const Tensor g = norm(layer + "post_attention_layernorm", x);
        const Tensor gate = linear(layer + "mlp.gate_proj", g);
        x = x + linear(layer + "mlp.down_proj", gate * gate.sigmoid() * linear(layer + "mlp.up_proj", g));
    }
    return linear("lm_head", norm("model.norm", x));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("Slots: a cache for each layer, rings where windows are shorter than the text", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto home = test::place<TestType>();
    nn::DecoderSlots state(2, 6, 3, 5, {std::nullopt, 4, 9, 6}, floats<TestType>());
    REQUIRE(state.caches.size() == 4);
    const std::int64_t capacities[] = {6, 4, 6, 6};
    for (std::size_t layer = 0; layer < 4; ++layer) {
        CAPTURE(layer);
        const auto slots = capacities[layer];
        CHECK(state.caches[layer].keys.sizes() == c10::IntArrayRef({2, 3, slots, 5}));
        CHECK(state.slots(layer).capacity() == slots);
        CHECK(&state.slots(layer) == (slots == 4 ? &*state.sliding : &state.full));
    }
    CHECK(state.bytes() == std::uint64_t{2} * 2 * 3 * 5 * 4 * (6 + 4 + 6 + 6));
    CHECK(state.capacity() == 6);
    CHECK(state.batch() == 2);
    CHECK(state.length() == 0);
    CHECK_FALSE(nn::DecoderSlots(2, 6, 3, 5, {6, 7}, floats<TestType>()).sliding.has_value());

    CHECK_NOTHROW(state.require_room(2, 6));
    state.advance(5);
    CHECK_NOTHROW(state.require_room(2, 1));
    test::refuses<InputError>([&] { state.require_room(2, 2); }, {"7 places", "6"});
    test::refuses<InputError>([&] { state.require_room(3, 1); }, {"3 rows", "2"});
    CHECK_NOTHROW(state.require_caches(4, 3, 5));
    test::refuses<InputError>([&] { state.require_caches(3, 3, 5); }, {"other sizes"});
    test::refuses<InputError>([&] { state.require_caches(4, 2, 5); }, {"other sizes"});
    test::refuses<InputError>([&] { state.require_caches(4, 3, 4); }, {"other sizes"});
    test::refuses<InputError>(
        [&] { nn::DecoderSlots(1 << 20, 1 << 20, 1 << 10, 1 << 10, {std::nullopt}, floats<TestType>()); },
        {"1048576 rows", "memory"});

    CHECK(state.step_kind() == 0);
    const Tensor mask = at::tensor({0, 1, 1, 1, 1, 1, 1, 1, 0, 1}, at::kInt).view({2, 5}).to(at::kBool).to(home);
    state.sliding->stored(0, 5, mask);
    CHECK(state.step_kind() == 2);
    state.full.stored(0, 5, mask);
    CHECK(state.step_kind() == 3);
    state.caches[1].values.fill_(7);
    const auto kept = state.caches[1].values.data_ptr();
    state.clear();
    CHECK(state.step_kind() == 0);
    CHECK(state.length() == 0);
    CHECK(state.caches[1].values.data_ptr() == kept);
    int kinds = 0;
    state.for_each_kind([&](const nn::KvSlots& slots) {
        ++kinds;
        CHECK(slots.next().cpu().equal(longs({0})));
        CHECK(slots.filled().cpu().equal(longs({0})));
    });
    CHECK(kinds == 2);
    const auto taken = std::move(state);
    CHECK(taken.length() == 0);
    test::refuses<InputError>([&] { state.require_caches(4, 3, 5); }, {"moved"});  // NOLINT: what is left of it
    test::refuses<InputError>([&] { static_cast<void>(state.clone()); }, {"moved"});
    test::refuses<InputError>([&] { state.reorder(longs({0, 1}).to(home)); }, {"moved"});
    test::refuses<InputError>([&] { state.clear(); }, {"moved"});
    test::refuses<InputError>([&] { state.shorten(0); }, {"moved"});
    test::refuses<InputError>([&] { state.resume(taken); }, {"moved"});
}

TEMPLATE_LIST_TEST_CASE("A clone of a state shares nothing with it; rows change places with all that is kept of them",
                        "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto home = test::place<TestType>();
    nn::RopeParameters p;
    p.rope_theta = theta, p.factor = 2, p.rope_type = nn::RopeType::dynamic;
    const nn::Rope rope(p, d, 8);
    nn::DecoderState state(3, 6, 2, d, {std::nullopt, 4}, rope, floats<TestType>());
    CHECK_FALSE(state.replays());
    CHECK(state.cos.cpu().equal(rope.table(6, 1).cos));
    const std::vector<Tensor> filled = {test::random({3, 2, 6, d}, 1), test::random({3, 2, 4, d}, 2)};
    const Tensor mask = at::tensor({0, 1, 1, 1, 0, 1, 1, 1, 0}, at::kInt).view({3, 3}).to(at::kBool);
    const auto fill = [&](nn::DecoderState& s) {
        for (std::size_t n = 0; n < 2; ++n) s.caches[n].keys.copy_(filled[n]), s.caches[n].values.copy_(-filled[n]);
        s.for_each_kind([&](nn::KvSlots& slots) { slots.stored(0, 3, mask.to(home)); });
        s.positions.copy_(longs({4, 5, 6}));
        s.use_angles(20);
        s.advance(3);
    };
    // It must be as `fill` left it, its rows in this order.
    const auto check = [&](nn::DecoderState& s, const Tensor& rows) {
        for (std::size_t n = 0; n < 2; ++n) {
            CHECK(s.caches[n].keys.cpu().equal(filled[n].index_select(0, rows)));
            CHECK(s.caches[n].values.cpu().equal(-filled[n].index_select(0, rows)));
        }
        s.for_each_kind([&](nn::KvSlots& slots) {
            CHECK(slots.attend_in_order(3).cpu().equal(mask.index_select(0, rows)));
            CHECK(slots.filled().cpu().equal(longs({3})));
        });
        CHECK(s.positions.cpu().equal(longs({4, 5, 6}).index_select(0, rows)));
        CHECK(s.cos.cpu().equal(rope.table(6, 20).cos));
        CHECK(s.sin.cpu().equal(rope.table(6, 20).sin));
        CHECK(s.longest() == 20);
        CHECK(s.length() == 3);
        CHECK(s.step_kind() == 3);
    };
    const Tensor straight = longs({0, 1, 2});
    fill(state);
    CHECK_FALSE(rope.table(6, 20).cos.equal(rope.table(6, 1).cos));
    auto copy = state.clone();
    check(copy, straight);
    copy.clear();
    for (auto& cache : copy.caches) cache.keys.fill_(0), cache.values.fill_(0);
    CHECK(copy.length() == 0);
    CHECK(copy.step_kind() == 0);
    CHECK(copy.positions.cpu().equal(longs({0, 0, 0})));
    CHECK(copy.cos.cpu().equal(rope.table(6, 1).cos));
    check(state, straight);
    fill(copy);
    check(copy, straight);
    copy.reorder(longs({2, 0, 2}).to(home));
    check(copy, longs({2, 0, 2}));
    copy.reorder(longs({1, 1, 0}).to(home));
    check(copy, longs({0, 0, 2}));
    check(state, straight);

    p.rope_type = nn::RopeType::plain;
    nn::DecoderState fixed(1, 6, 2, d, {std::nullopt}, nn::Rope(p, d, 8), floats<TestType>());
    CHECK(fixed.replays());
    const Tensor cos = fixed.cos.clone();
    fixed.use_angles(20);
    CHECK(fixed.cos.equal(cos));
}

TEMPLATE_LIST_TEST_CASE("A language model is its equations: at once, in pieces of a prompt, token by token", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    using E = Exec<TestType, precision::Fp32>;
    const auto home = test::place<TestType>();
    const auto w = decoder_tensors();
    Checkpoint<TestType> file(w);
    const nn::CausalLmNetwork<E> model(decoder_shape(), file.root);
    const Tensor ids = test::random_ids({2, tokens}, vocabulary, 30), there = ids.to(home);
    const auto is = [](const Tensor& got, const Tensor& want) { CHECK(test::differs(got, want, 2e-5) == ""); };
    is(model({.input_ids = there}).logits, equation(w, ids, {0, 0}));

    for (const bool padded : {false, true}) {
        CAPTURE(padded);
        const std::vector<std::int64_t> padding = {0, padded ? 2 : 0};
        const Tensor want = equation(w, ids, padding);
        const Tensor attend = (at::arange(tokens).unsqueeze(0) >= longs({0, 2}).unsqueeze(1)).to(home);
        const auto piece = [&](std::int64_t from, std::int64_t n) {
            nn::DecoderInputs in{.input_ids = there.narrow(1, from, n)};
            if (padded) in.attention_mask = attend.narrow(1, from, n);
            return in;
        };
        const auto step = [&](std::int64_t token, nn::DecoderState& state) {
            return model.step(there.select(1, token).contiguous(), state);
        };
        auto state = model.make_state(2, tokens);
        is(model.prefill(piece(0, 4), state), want.select(1, 3));
        is(model.prefill(piece(4, 2), state), want.select(1, 5));
        is(step(6, state), want.select(1, 6));
        auto copy = state.clone();
        is(step(7, state), want.select(1, 7));
        is(step(7, copy), want.select(1, 7));  // the other took it too, and this one did not see
        copy.reorder(longs({1, 0}).to(home));
        const Tensor swapped = there.select(1, 8).index_select(0, longs({1, 0}).to(home));
        is(model.step(swapped, copy), want.select(1, 8).index_select(0, longs({1, 0})));
        is(step(8, state), want.select(1, 8));
        CHECK(state.length() == tokens);
        state.clear();
        is(model.prefill(piece(0, 5), state), want.select(1, 4));
        is(step(5, state), want.select(1, 5));
        auto other = model.make_state(1, tokens);
        test::refuses<InputError>([&] { static_cast<void>(model.prefill(piece(0, 3), other)); }, {"2 rows", "1"});
    }
}

TEST_CASE("Word vectors and the last matrix of a language model stand in for each other where they are tied") {
    using E = Exec<device::Cpu, precision::Fp32>;
    auto shape = decoder_shape();
    shape.tie_word_embeddings = true;
    auto w = decoder_tensors();
    const Tensor ids = test::random_ids({1, 5}, vocabulary, 31);
    const auto logits = [&](const std::map<std::string, Tensor>& t) {
        Checkpoint<device::Cpu> file(t);
        return nn::CausalLmNetwork<E>(shape, file.root)({.input_ids = ids}).logits;
    };
    CHECK(test::differs(logits(w), equation(w, ids, {0}), 2e-5) == "");  // they differ: not tied
    auto tied = w, headless = w, wordless = w;
    tied["lm_head.weight"] = w["model.embed_tokens.weight"].clone();
    headless.erase("lm_head.weight");
    wordless["lm_head.weight"] = wordless.extract("model.embed_tokens.weight").mapped();
    const Tensor want = equation(tied, ids, {0});
    CHECK(test::differs(logits(tied), want, 2e-5) == "");
    CHECK(test::differs(logits(headless), want, 2e-5) == "");
    CHECK(test::differs(logits(wordless), want, 2e-5) == "");
}
