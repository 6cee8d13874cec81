// What T5 does when things go wrong, and what it must not do: ops outside of its list, hops, waits, crashes.
#include <ATen/ops/stack.h>

#include "silica/arch/t5.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace t5_faults {

using namespace silica;
using arch::T5ForConditionalGeneration;
using device::Cpu, device::Mps;
using precision::Fp16, precision::Fp32;
using test::refuses;

namespace {

const auto v1_0 = test::golden("t5", "v1_0");
const auto v1_1 = test::golden("t5", "v1_1");

constexpr double bound = 2e-5;

arch::T5Inputs main_inputs(const std::filesystem::path& directory) {
    return test::inputs_of<T5ForConditionalGeneration>(directory);
}

/// Logits of the start and of three steps after it.
template <class M>
Tensor start_and_steps(const M& model, const arch::T5Inputs& in) {
    auto state = model.make_state(in.input_ids.size(0), 4);
    std::vector<Tensor> all = {model.prefill({.input_ids = in.input_ids, .attention_mask = in.attention_mask}, state)};
    for (int i = 0; i < 3; ++i) all.push_back(model.step(all.back().argmax(-1), state));
    return at::stack(all);
}

template <class Arch, bool Fused>
void check_ops(const std::filesystem::path& directory) {
    test::check_traced<Arch, Fused>(directory, {Fused ? "linear_add" : "linear", "attention"}, [&](const auto& model) {
        const auto in = test::inputs_of<Arch>(directory);
        CHECK(test::wrong(directory, model(in), bound) == "");
        if constexpr (std::is_same_v<Arch, T5ForConditionalGeneration>) {
            static_cast<void>(start_and_steps(model, in));
            CHECK(test::traced.contains("decode_attention"));
        }
    });
}

/// These keys, added to the defaults and a vocabulary of 60, must be refused.
template <class Arch = T5ForConditionalGeneration>
void refused_config(const std::string& keys, std::initializer_list<std::string_view> words) {
    test::refused_config<Arch>(R"({"model_type": "t5", "vocab_size": 60, )" + keys + "}", words);
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of T5, in a forward pass, a prefill and a step") {
    check_ops<T5ForConditionalGeneration, true>(v1_0);
    check_ops<T5ForConditionalGeneration, false>(v1_0);
    check_ops<T5ForConditionalGeneration, true>(v1_1);
    check_ops<T5ForConditionalGeneration, false>(v1_1);
    check_ops<arch::T5, true>(test::golden("t5", "base"));
    check_ops<arch::T5, false>(test::golden("t5", "base"));
    check_ops<arch::T5EncoderModel, true>(test::golden("t5", "encoder"));
    check_ops<arch::T5EncoderModel, false>(test::golden("t5", "encoder"));
}

TEST_CASE("Every op of T5 stays on MPS and CUDA") {
    STATIC_REQUIRE(native<T5ForConditionalGeneration, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::T5, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(native<arch::T5EncoderModel, Exec<Mps>>);
    STATIC_REQUIRE(native<T5ForConditionalGeneration, Exec<device::Cuda>>);
}

TEMPLATE_LIST_TEST_CASE("Wrong inputs of T5 are refused before anything runs", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<T5ForConditionalGeneration, TestType, Fp32>::open(v1_0.string());
    const auto good = main_inputs(v1_0);  // (4, 13) and (4, 9)
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::T5Inputs;
    const auto full = [](std::int64_t rows, std::int64_t tokens, std::int64_t id) {
        return at::full({rows, tokens}, id, at::kLong);
    };
    refused([](In& in) { in.input_ids = Tensor(); }, {"input_ids", "missing"});
    refused([](In& in) { in.input_ids = in.input_ids[0]; }, {"input_ids", "(13)", "rank 2"});
    refused([](In& in) { in.input_ids = in.input_ids.to(at::kInt); }, {"input_ids", "Int", "Long"});
    refused([](In& in) { in.input_ids = in.input_ids.slice(1, 0, 0); }, {"input_ids", "empty"});
    refused([&](In& in) { in.input_ids = full(4, 13, 60); }, {"input_ids", "60", "0 to 59", "vocab_size"});
    refused([&](In& in) { in.input_ids = full(4, 13, -1); }, {"input_ids", "-1", "0 to 59"});
    refused([](In& in) { in.attention_mask = at::ones({4, 12}, at::kLong); }, {"attention_mask", "(4, 12)", "(4, 13)"});
    refused([](In& in) { in.attention_mask = at::ones({4, 13}); }, {"attention_mask", "Float"});
    refused([](In& in) { in.decoder_input_ids = Tensor(); }, {"decoder_input_ids", "missing"});
    refused([](In& in) { in.decoder_input_ids = in.decoder_input_ids->to(at::kInt); }, {"decoder_input_ids", "Int"});
    refused([](In& in) { in.decoder_input_ids = in.decoder_input_ids->slice(1, 0, 0); },
            {"decoder_input_ids", "empty"});
    refused([&](In& in) { in.decoder_input_ids = full(4, 9, 60); }, {"decoder_input_ids", "60", "0 to 59"});
    refused([&](In& in) { in.decoder_input_ids = full(3, 9, 0), in.decoder_attention_mask.reset(); },
            {"decoder_input_ids", "(3, 9)", "(4, 13)"});
    refused([](In& in) { in.decoder_attention_mask = at::ones({4, 8}, at::kLong); },
            {"decoder_attention_mask", "(4, 8)", "(4, 9)"});
    refused([](In& in) { in.decoder_input_ids.reset(); }, {"decoder_attention_mask", "decoder_input_ids"});
    CHECK(test::wrong(v1_0, model(good), bound) == "");  // and nothing was spoilt

    const auto encoder = Model<arch::T5EncoderModel, TestType, Fp32>::open(v1_0.string());
    refuses<InputError>([&] { static_cast<void>(encoder({.input_ids = full(1, 3, 60)})); }, {"input_ids", "60"});
}

TEMPLATE_LIST_TEST_CASE("A state that is too small, of other rows or without a text says so, and keeps what it has", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<T5ForConditionalGeneration, TestType, Fp32>::open(v1_0.string());
    const auto in = main_inputs(v1_0);
    refuses<InputError>([&] { static_cast<void>(model.make_state(0, 5)); }, {"0 rows", "1 or more"});
    auto small = model.make_state(4, 8);
    refuses<InputError>([&] { static_cast<void>(model.prefill(in, small)); }, {"9 places", "8", "capacity"});
    refuses<InputError>([&] { static_cast<void>(model.step(at::zeros({4}, at::kLong).to(model.device()), small)); },
                        {"prefill"});
    CHECK(small.length() == 0);
    auto other = model.make_state(3, 20);
    refuses<InputError>([&] { static_cast<void>(model.prefill(in, other)); }, {"4 rows", "3"});
    auto full = model.make_state(4, 9);
    const Tensor next = model.prefill(in, full).argmax(-1);
    refuses<InputError>([&] { static_cast<void>(model.step(next, full)); }, {"9 tokens", "no room", "capacity"});
    refuses<InputError>([&] { static_cast<void>(model.prefill(in, full)); }, {"18 places", "9"});
    CHECK(full.length() == 9);
    full.clear();  // and the encoder's text with its tokens
    refuses<InputError>([&] { static_cast<void>(model.step(next, full)); }, {"prefill"});
    const Tensor want = model(in).logits.select(1, 8);
    CHECK(test::differs(model.prefill(in, full), want, bound) == "");
}

TEST_CASE("Without decoder_input_ids the decoder starts with decoder_start_token_id, where there is one") {
    auto config = checkpoint::read_config<T5ForConditionalGeneration>(v1_0);
    const auto tensors = test::tensors_of(v1_0);
    const auto in = main_inputs(v1_0);
    config.decoder_start_token_id = 7;
    const auto model = Model<T5ForConditionalGeneration, Cpu>::from(config, loader::InMemory(tensors));
    const Tensor got = model({.input_ids = in.input_ids}).logits;
    const Tensor want = model({.input_ids = in.input_ids, .decoder_input_ids = at::full({4, 1}, 7, at::kLong)}).logits;
    CHECK(got.equal(want));
    config.decoder_start_token_id.reset();
    const auto none = Model<T5ForConditionalGeneration, Cpu>::from(config, loader::InMemory(tensors));
    refuses<InputError>([&] { static_cast<void>(none({.input_ids = in.input_ids})); },
                        {"decoder_input_ids", "decoder_start_token_id"});
}

TEST_CASE("Configurations that cannot be are refused with the key and the value") {
    refused_config(R"("num_heads": 0)", {"num_heads is 0"});
    refused_config(R"("num_heads": 2.5)", {"num_heads", "2.5", "integer"});
    refused_config(R"("d_model": 0)", {"d_model is 0"});
    refused_config(R"("d_kv": -1)", {"d_kv is -1"});
    refused_config(R"("d_ff": 0)", {"d_ff is 0"});
    refused_config(R"("num_layers": 0)", {"num_layers is 0"});
    refused_config(R"("num_decoder_layers": 0)", {"num_decoder_layers is 0"});
    refused_config(R"("vocab_size": 0)", {"vocab_size"});
    refused_config(R"("relative_attention_num_buckets": 3)", {"relative_attention_num_buckets is 3", "4 or more"});
    refused_config(R"("relative_attention_max_distance": 16)", {"relative_attention_max_distance is 16", "17 or more"});
    refused_config(R"("relative_attention_max_distance": 1000000000)", {"relative_attention_max_distance"});
    refused_config(R"("layer_norm_epsilon": -1)", {"layer_norm_epsilon"});
    refused_config(R"("feed_forward_proj": "prelu")", {"feed_forward_proj", "prelu"});
    refused_config(R"("feed_forward_proj": "gated-")", {"feed_forward_proj", "gated-"});
    refused_config(R"("feed_forward_proj": "tied-gelu")", {"feed_forward_proj", "tied-gelu"});
    refused_config(R"("dense_act_fn": "prelu")", {"dense_act_fn", "prelu", "known are"});
    refused_config(R"("is_gated_act": "yes")", {"is_gated_act", "true or false"});
    refused_config(R"("decoder_start_token_id": 60)", {"decoder_start_token_id is 60", "0 to 59"});
    refused_config(R"("decoder_start_token_id": -1)", {"decoder_start_token_id is -1"});
    refused_config<arch::T5EncoderModel>(R"("is_decoder": true)", {"is_decoder", "true"});
    test::refused_config<T5ForConditionalGeneration>(R"({"model_type": "mt5"})", {"model_type", "mt5", "t5"});
}

TEST_CASE("What a configuration leaves out has transformers' defaults") {
    const auto c = test::config_of<T5ForConditionalGeneration>(
        R"({"num_layers": 4, "num_decoder_layers": null, "n_positions": 512})");
    CHECK(c.vocab_size == 32128);
    CHECK(c.d_model == 512);
    CHECK(c.d_kv == 64);
    CHECK(c.d_ff == 2048);
    CHECK(c.decoder_layers() == 4);
    CHECK(c.num_heads == 8);
    CHECK(c.relative_attention_num_buckets == 32);
    CHECK(c.relative_attention_max_distance == 128);
    CHECK(c.layer_norm_epsilon == 1e-6);
    CHECK(c.activation() == Activation::relu);
    CHECK_FALSE(c.gated());
    CHECK(c.scales_outputs());
    CHECK(c.pad_token_id == 0);
    CHECK(c.eos_token_id == std::vector<std::int64_t>{1});
    CHECK_FALSE(c.decoder_start_token_id.has_value());
}

TEST_CASE("Weights of T5 that do not fit are refused with the tensor, both shapes and a remedy") {
    test::ChangedCase changed(v1_0);
    auto& tensors = changed.tensors;
    const auto refused = [&](std::initializer_list<std::string_view> words) {
        changed.refused<T5ForConditionalGeneration>(words);
    };
    const std::string k = "decoder.block.1.layer.1.EncDecAttention.k.weight",
                      bias = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
    SECTION("missing") {
        tensors.erase(k);
        refused({k, "(12, 16)", "nearest"});
    }
    SECTION("no word vectors") {
        tensors.erase("shared.weight");
        refused({"shared.weight", "(60, 16)"});
    }
    SECTION("of another shape") {
        tensors[k] = at::ones({12, 15});
        refused({k, "(12, 15)", "(12, 16)"});
    }
    SECTION("buckets of another number") {
        tensors[bias] = at::ones({32, 2});
        refused({bias, "(32, 2)", "(8, 2)"});
    }
    SECTION("a gate that the configuration does not know") {
        for (const std::string block : {"encoder.block.0.layer.1", "decoder.block.0.layer.2"}) {
            auto found = tensors.extract(block + ".DenseReluDense.wi.weight");
            tensors[block + ".DenseReluDense.wi_0.weight"] = found.mapped();
        }
        refused({"DenseReluDense.wi.weight", "(29, 16)"});
    }
}

TEST_CASE("Threads with a state each generate with one T5 at once") {
    const auto model = Model<T5ForConditionalGeneration, Cpu>::open(v1_0.string());
    const auto in = main_inputs(v1_0);
    const Tensor want = start_and_steps(model, in);
    CHECK(test::wrong_at_once([&] { return test::differs(start_and_steps(model, in), want, 1e-5).empty(); }) == 0);
}

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS a call of T5 copies its inputs there, waits for nothing and reads nothing; a step copies nothing") {
    if (!test::present<Mps>()) return;
    namespace sim = test::sim;
    const sim::Settings settings;
    const auto check = [&](const auto& model, bool masked) {
        auto in = main_inputs(v1_0);
        if (!masked) in.attention_mask.reset(), in.decoder_attention_mask.reset();
        const std::size_t inputs = masked ? 4 : 2;
        const FallbackScope fallbacks;
        sim::reset();
        static_cast<void>(model(in));
        test::check_quiet(inputs);
        auto state = model.make_state(4, 20);
        sim::reset();
        Tensor next = model.prefill(in, state).argmax(-1);
        test::check_quiet(inputs);
        std::size_t allocations = 0;
        for (int i = 0; i < 5; ++i) {
            sim::reset();
            next = model.step(next, state).argmax(-1);
            const auto now = test::check_quiet(0).allocations;
            if (i > 0) CHECK(now == allocations);
            allocations = now;
        }
        CHECK(fallbacks.report().empty());
    };
    for (const bool masked : {false, true}) {
        CAPTURE(masked);
        check(Model<T5ForConditionalGeneration, Chain<Mps>, Fp32>::open(v1_0.string()), masked);
        check(Model<T5ForConditionalGeneration, Chain<Mps>, Fp16>::open(v1_0.string()), masked);
    }
}

#endif

}  // namespace t5_faults
