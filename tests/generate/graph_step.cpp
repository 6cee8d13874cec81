// A recorded step gives what the same step gives as it is: on a GPU the graph is compared with it, elsewhere both are
// the same code.
#include "silica/arch/llama.hpp"
#include "silica/arch/qwen2.hpp"
#include "silica/arch/t5.hpp"
#include "silica/generate/model_decoder.hpp"
#include "silica/loader/mapped.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

using namespace silica;
using generate::ModelDecoder;

static_assert(generate::capturable<Model<arch::LlamaForCausalLM, device::Cuda>>);
static_assert(generate::capturable<Model<arch::T5ForConditionalGeneration, device::Cuda>>);
static_assert(!generate::capturable<Model<arch::LlamaForCausalLM, device::Cpu>>);

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
