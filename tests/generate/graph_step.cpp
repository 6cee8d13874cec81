// A recorded step gives what the same step gives as it is: on a GPU the graph is compared with it, elsewhere both are
// the same code. What the host does about a recording is tested on the CPU, with one that a test pretends.
#include <cstdint>
#include <functional>
#include <stdexcept>

#include <ATen/ops/tensor.h>

#include "silica/arch/llama.hpp"
#include "silica/arch/qwen2.hpp"
#include "silica/arch/t5.hpp"
#include "silica/device/cuda.hpp"
#include "silica/generate/model_decoder.hpp"
#include "silica/loader/mapped.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

namespace graph_step_tests {

using namespace silica;
using generate::ModelDecoder;

static_assert(capturable<Model<arch::LlamaForCausalLM, device::Cuda>>);
static_assert(capturable<Model<arch::T5ForConditionalGeneration, device::Cuda>>);
static_assert(!capturable<Model<arch::LlamaForCausalLM, device::Cpu>>);
static_assert(std::is_same_v<decltype(CapturedWork::available()), Availability>);

namespace {

/// `rows` prompts of `tokens` tokens; for an encoder and a decoder, texts of the encoder and the decoder's beginnings.
template <class Model>
generate::Prompt prompt(std::int64_t rows, std::int64_t tokens, std::uint64_t seed) {
    const Tensor ids = test::random_ids({rows, tokens}, 60, seed);
    if constexpr (requires(typename Model::Inputs in) { in.decoder_input_ids; }) {
        const Tensor mask = at::cat({at::ones({rows, 6}, at::kLong), at::zeros({rows, 3}, at::kLong)}, 1);
        return {test::random_ids({rows, 9}, 60, seed + 7), mask, ids};
    }
    return {ids};
}

template <class Model>
void compare(const Model& model) {
    ModelDecoder<Model> recorded(model, {.capture = true}), plain(model, {.capture = false});
    const auto both = [&](auto f) {
        const Tensor a = f(recorded), b = f(plain);
        CHECK(test::differs(a, b, 0) == "");
        CHECK(recorded.length() == plain.length());
        return b.clone();
    };
    for (const std::int64_t rows : {1, 2, 5}) {
        CAPTURE(rows);
        both([&](auto& d) {
            d.start(rows, 25);
            d.start(rows, 24);
            return d.prefill(prompt<Model>(rows, 5, 1));
        });
        Tensor next = both([&](auto& d) { return d.greedy_step(test::random_ids({rows}, 60, 2).to(d.device())); });
        for (int i = 0; i < 5; ++i) next = both([&](auto& d) { return d.greedy_step(next); });
        auto more = prompt<Model>(rows, 3, 3);
        if (!more.decoder_input_ids)  // from here on masked
            more.attention_mask = at::cat({at::zeros({rows, 1}, at::kLong), at::ones({rows, 2}, at::kLong)}, 1);
        both([&](auto& d) { return d.prefill(more); });
        for (int i = 0; i < 3; ++i)
            both([&](auto& d) { return d.step(test::random_ids({rows}, 60, 4).to(d.device())); });
        both([&](auto& d) {
            d.reorder(at::zeros({rows}, at::kLong));
            return d.greedy_step(next);
        });
        for (int i = 0; i < 6; ++i) next = both([&](auto& d) { return d.greedy_step(next); });
        CHECK(recorded.length() == recorded.capacity());
        CHECK_THROWS_AS(recorded.greedy_step(next), InputError);
        CHECK_THROWS_AS(plain.greedy_step(next), InputError);
        for (const std::int64_t tokens : {7, 4}) {  // another text in the same state: the recording serves again
            both([&](auto& d) {
                d.start(rows, 24);
                return d.prefill(prompt<Model>(rows, tokens, 5));
            });
            ModelDecoder<Model> fresh(model, {.capture = false});
            fresh.start(rows, 24);
            static_cast<void>(fresh.prefill(prompt<Model>(rows, tokens, 5)));
            next = test::random_ids({rows}, 60, 6).to(plain.device());
            for (int i = 0; i < 5; ++i) {
                const Tensor want = fresh.step(next).clone();
                CHECK(test::differs(both([&](auto& d) { return d.step(next); }), want, 0) == "");
                next = fresh.most_likely(want);
            }
        }
    }
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("Recorded steps equal steps", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using precision::Fp32;
    compare(Model<arch::LlamaForCausalLM, TestType, Fp32>::open(test::golden("llama", "base").string()));
    compare(Model<arch::T5ForConditionalGeneration, TestType, Fp32>::open(test::golden("t5", "base").string()));
    compare(Model<arch::Qwen2ForCausalLM, TestType, Fp32>::open(test::golden("qwen2", "sliding").string()));
}

namespace {

/// Records nothing, and keeps to the rules of what does: a replay repeats what was recorded on the same tensors, and
/// leaves what the host counts. The test says what a state's tensors are, and how the host counts.
struct Pretended {
    template <class Model>
    static constexpr bool records = true;
    static Availability available() { return {true}; }

    static inline std::function<std::string()> tensors = {};
    static inline std::function<void(std::int64_t)> count = {};
    static inline int runs = 0, recorded = 0, replayed = 0, fail = 0;

    template <class F>
    bool operator()(c10::Device, F&& f) {
        if (!warm_) {
            f();
            return warm_ = true, ++runs, true;
        }
        const bool first = recording_.empty();
        if (first) {
            if (fail > 0) {
                --fail;
                count(1);  // what the device was to do is lost, what the host counted is not
                throw NotRecorded("the test wants it so", "");
            }
            recording_ = tensors();
            ++recorded;
        } else if (recording_ != tensors()) {
            throw std::logic_error("replayed on other tensors: " + tensors() + ", not " + recording_);
        } else {
            ++replayed;
        }
        f();
        if (!first) count(-1);
        return first;
    }
    void forget() { recording_.clear(); }

private:
    std::string recording_;
    bool warm_ = false;
};

std::string place(const Tensor& t) {
    return std::to_string(reinterpret_cast<std::uintptr_t>(t.const_data_ptr())) + shape_text(t.sizes());
}

/// What a step of a state does to which tensors.
std::string work_of(nn::DecoderState& s) {
    std::string text = place(s.positions) + place(s.cos);
    for (const auto& cache : s.caches) text += place(cache.keys) + place(cache.values);
    s.for_each_kind([&](nn::KvSlots& slots) { text += place(slots.next()) + (slots.masked() ? " masked" : " all"); });
    return text;
}

/// Steps, recorded by pretence and as they are, of two states that are treated alike.
template <class Model>
struct Pair {
    explicit Pair(const Model& m, std::int64_t rows, std::int64_t capacity)
        : model(m),
          a(m.make_state(rows, capacity)),
          b(m.make_state(rows, capacity)),
          recorded(m, a),
          plain(m, b, {.capture = false}) {
        Pretended::tensors = [this] { return work_of(a); };
        Pretended::count = [this](std::int64_t tokens) { a.advance(tokens); };
        Pretended::runs = Pretended::recorded = Pretended::replayed = Pretended::fail = 0;
    }
    void prefill(const typename Model::Inputs& in) {
        CHECK(test::differs(model.prefill(in, a), model.prefill(in, b), 0) == "");
    }
    void steps(int n) {
        for (int i = 0; i < n; ++i) {
            const Tensor ids = test::random_ids({a.batch()}, 60, static_cast<std::uint64_t>(++seed));
            CHECK(test::differs(recorded(ids), plain(ids), 0) == "");
            CHECK(a.length() == b.length());
        }
    }
    const Model& model;
    typename Model::State a, b;
    generate::Step<Model, Pretended> recorded;
    generate::Step<Model, Pretended> plain;
    int seed = 0;
};

}  // namespace

TEST_CASE("What the host does about a recording: counts, kinds, forgetting") {
    using M = Model<arch::LlamaForCausalLM, device::Cpu, precision::Fp32>;
    const auto model = M::open(test::golden("llama", "base"));
    Pair<M> p(model, 2, 30);
    const Tensor ids = test::random_ids({2, 4}, 60, 1);
    const Tensor mask = at::cat({at::zeros({2, 1}, at::kLong), at::ones({2, 3}, at::kLong)}, 1);
    p.prefill({.input_ids = ids});
    p.steps(5);
    CHECK(Pretended::runs == 1);
    CHECK(Pretended::recorded == 1);
    CHECK(Pretended::replayed == 3);
    p.prefill({.input_ids = ids, .attention_mask = mask});  // a step of another kind
    p.steps(3);
    CHECK(Pretended::recorded == 2);
    CHECK(Pretended::replayed == 5);
    model.reorder(at::tensor({1, 0}, at::kLong), p.a);
    model.reorder(at::tensor({1, 0}, at::kLong), p.b);
    p.steps(2);
    CHECK(Pretended::recorded == 2);
    p.recorded.clear();
    p.plain.clear();
    CHECK(p.a.length() == 0);
    p.prefill({.input_ids = ids});  // without a mask again: the first kind
    p.steps(4);
    CHECK(Pretended::recorded == 3);
    p.recorded.clear();
    p.plain.clear();
    p.prefill({.input_ids = ids.slice(1, 0, 2)});  // the same kind: the recording serves again
    p.steps(28);
    CHECK(Pretended::recorded == 3);
    CHECK(Pretended::runs == 1);
    CHECK_THROWS_AS(p.recorded(at::zeros({2}, at::kLong)), InputError);
    CHECK(p.a.length() == 30);
}

TEST_CASE("A step that cannot be recorded runs as it is, once and from then on") {
    using M = Model<arch::LlamaForCausalLM, device::Cpu, precision::Fp32>;
    const auto model = M::open(test::golden("llama", "base"));
    Pair<M> p(model, 1, 12);
    p.prefill({.input_ids = test::random_ids({1, 3}, 60, 1)});
    p.steps(1);
    CHECK(p.recorded.not_recorded().empty());
    Pretended::fail = 1;
    p.steps(8);
    CHECK(p.recorded.not_recorded() == "the test wants it so");
    CHECK(p.a.length() == p.a.capacity());
    CHECK(Pretended::fail == 0);
    CHECK(Pretended::runs == 1);
    CHECK(Pretended::recorded == 0);
}

#ifdef SILICA_HAS_SIM_MPS
TEST_CASE("A step reads nothing on the host") {
    if (!test::present<device::Mps>()) return;
    const auto check = [](const auto& model, auto inputs) {
        auto state = model.make_state(2, 9);
        model.prefill(inputs, state);
        const Tensor ids = at::full({2}, 5, at::kLong).to(model.device());
        model.step(ids, state);
        test::sim::reset();
        for (int i = 0; i < 3; ++i) model.step(ids, state);
        CHECK(test::sim::counters().implicit_syncs == 0);
        CHECK(test::sim::counters().syncs == 0);
        CHECK(test::sim::counters().d2h_copies == 0);
    };
    const Tensor ids = test::random_ids({2, 4}, 60, 1);
    const Tensor mask = at::cat({at::zeros({2, 1}, at::kLong), at::ones({2, 3}, at::kLong)}, 1);
    using precision::Fp32;
    using Llama = Model<arch::LlamaForCausalLM, device::Mps, Fp32>;
    check(Llama::open(test::golden("llama", "base")), Llama::Inputs{ids, mask});
    using T5 = Model<arch::T5ForConditionalGeneration, device::Mps, Fp32>;
    check(T5::open(test::golden("t5", "base")), T5::Inputs{ids, std::nullopt, at::zeros({2, 1}, at::kLong)});
}
#endif

}  // namespace graph_step_tests
