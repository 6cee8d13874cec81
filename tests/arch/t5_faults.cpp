// What T5 does when things go wrong, and what it must not do: ops outside of its list, hops, waits, crashes.
#include <atomic>
#include <thread>

#include <ATen/ops/stack.h>

#include "silica/arch/t5.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"
#include "support/traced.hpp"

using namespace silica;
using arch::T5ForConditionalGeneration;
using device::Cpu, device::Mps;
using precision::Fp16, precision::Fp32;
using test::refuses;

namespace {

const auto v1_0 = test::golden("t5", "v1_0");
const auto v1_1 = test::golden("t5", "v1_1");

test::Reference main_reference(const std::filesystem::path& directory) {
    return test::Reference(directory / "reference.safetensors");
}
arch::T5Inputs main_inputs(const std::filesystem::path& directory) {
    return main_reference(directory).inputs<arch::T5Inputs>();
}

/// "" where the outputs of the case are what they should be, in float32.
template <class Outputs>
std::string wrong(const std::filesystem::path& directory, const Outputs& out) {
    std::string text;
    main_reference(directory).compare(out, [&](std::string_view, const Tensor& got, const Tensor& want) {
        if (text.empty()) text = test::differs(got, want, 2e-5);
    });
    return text;
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
    test::traced.clear();
    const auto model = Model<Arch, test::Traced<Fused>>::open(directory.string());
    const auto in = main_reference(directory).inputs<typename Arch::Inputs>();
    CHECK(wrong(directory, model(in)) == "");
    if constexpr (std::is_same_v<Arch, T5ForConditionalGeneration>) {
        static_cast<void>(start_and_steps(model, in));
        CHECK(test::traced.contains("decode_attention"));
    }
    CHECK(test::traced.contains(Fused ? "linear_add" : "linear"));
    CHECK(test::traced.contains("attention"));
    CHECK(test::unlisted<Arch, Fused>() == "");
}

/// Reads a configuration that must be refused: the case's, with keys added or replaced.
template <class Arch = T5ForConditionalGeneration>
void refused_config(const std::string& keys, std::initializer_list<std::string_view> words) {
    CAPTURE(keys);
    const test::Directory directory;
    test::write_file(directory / "config.json", R"({"model_type": "t5", "vocab_size": 60, )" + keys + "}");
    refuses<ConfigError>([&] { static_cast<void>(checkpoint::read_config<Arch>(directory.path())); }, words);
    refuses<ConfigError>([&] { static_cast<void>(checkpoint::read_config<Arch>(directory.path())); }, {"config.json"});
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
    const auto refused = [&](auto change, std::initializer_list<std::string_view> words) {
        auto bad = good;
        change(bad);
        refuses<InputError>([&] { static_cast<void>(model(bad)); }, words);
        auto state = model.make_state(4, 20);
        refuses<InputError>([&] { static_cast<void>(model.prefill(bad, state)); }, words);
        CHECK(state.length() == 0);
    };
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
    CHECK(wrong(v1_0, model(good)) == "");  // and nothing was spoilt

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
    CHECK(test::differs(model.prefill(in, full), want, 2e-5) == "");
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
    const test::Directory directory;
    test::write_file(directory / "config.json", R"({"model_type": "mt5"})");
    refuses<ConfigError>(
        [&] { static_cast<void>(checkpoint::read_config<T5ForConditionalGeneration>(directory.path())); },
        {"model_type", "mt5", "t5"});
}

TEST_CASE("What a configuration leaves out has transformers' defaults") {
    const test::Directory directory;
    test::write_file(directory / "config.json", R"({"num_layers": 4, "num_decoder_layers": null, "n_positions": 512})");
    const auto c = checkpoint::read_config<T5ForConditionalGeneration>(directory.path());
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
    const test::Directory directory;
    const auto config = test::read_file(v1_0 / "config.json");
    auto tensors = test::tensors_of(v1_0);
    const auto open = [&] {
        test::write_checkpoint(directory.path(), config, tensors);
        static_cast<void>(Model<T5ForConditionalGeneration, Cpu>::open(directory.path().string()));
    };
    const std::string k = "decoder.block.1.layer.1.EncDecAttention.k.weight",
                      bias = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
    SECTION("missing") {
        tensors.erase(k);
        refuses<CheckpointError>(open, {k, "(12, 16)", "nearest"});
    }
    SECTION("no word vectors") {
        tensors.erase("shared.weight");
        refuses<CheckpointError>(open, {"shared.weight", "(60, 16)"});
    }
    SECTION("of another shape") {
        tensors[k] = at::ones({12, 15});
        refuses<CheckpointError>(open, {k, "(12, 15)", "(12, 16)"});
    }
    SECTION("buckets of another number") {
        tensors[bias] = at::ones({32, 2});
        refuses<CheckpointError>(open, {bias, "(32, 2)", "(8, 2)"});
    }
    SECTION("a gate that the configuration does not know") {
        for (const std::string block : {"encoder.block.0.layer.1", "decoder.block.0.layer.2"}) {
            auto found = tensors.extract(block + ".DenseReluDense.wi.weight");
            tensors[block + ".DenseReluDense.wi_0.weight"] = found.mapped();
        }
        refuses<CheckpointError>(open, {"DenseReluDense.wi.weight", "(29, 16)"});
    }
}

TEST_CASE("Threads with a state each generate with one T5 at once") {
    const auto model = Model<T5ForConditionalGeneration, Cpu>::open(v1_0.string());
    const auto in = main_inputs(v1_0);
    const Tensor want = start_and_steps(model, in);
    std::atomic<int> wrong_results = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 5; ++n)
                wrong_results += test::differs(start_and_steps(model, in), want, 1e-5).empty() ? 0 : 1;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong_results == 0);
}

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS a call of T5 copies its inputs there, waits for nothing and reads nothing; a step copies nothing") {
    if (!test::present<Mps>()) return;
    namespace sim = test::sim;
    const sim::Settings settings;
    const auto quiet = [](std::size_t inputs) {
        const auto after = sim::counters();
        CHECK(after.d2h_copies == 0);
        CHECK(after.h2d_copies == inputs);
        CHECK(after.syncs == 0);
        CHECK(after.implicit_syncs <= inputs);
        CHECK(after.not_implemented == 0);
        CHECK(after.early_host_aliases == 0);
        return after.allocations;
    };
    const auto check = [&](const auto& model, bool masked) {
        auto in = main_inputs(v1_0);
        if (!masked) in.attention_mask.reset(), in.decoder_attention_mask.reset();
        const std::size_t inputs = masked ? 4 : 2;
        const FallbackScope fallbacks;
        sim::reset();
        static_cast<void>(model(in));
        quiet(inputs);
        auto state = model.make_state(4, 20);
        sim::reset();
        Tensor next = model.prefill(in, state).argmax(-1);
        quiet(inputs);
        std::size_t allocations = 0;
        for (int i = 0; i < 5; ++i) {
            sim::reset();
            next = model.step(next, state).argmax(-1);
            const auto now = quiet(0);
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
