// What Whisper does when things go wrong, and what it must not do: ops outside of its lists, hops, waits, crashes.
#include <ATen/ops/stack.h>

#include "silica/arch/whisper.hpp"
#include "silica/captured_work.hpp"
#include "silica/loader/in_memory.hpp"
#include "support/faults.hpp"

namespace whisper_faults {

using namespace silica;
using arch::WhisperForConditionalGeneration;
using device::Cpu, device::Mps;
using precision::Fp32;
using test::refuses;

static_assert(capturable<Model<WhisperForConditionalGeneration, device::Cuda>>);

namespace {

const auto generation = test::golden("whisper", "generation");
using Heads = std::vector<std::array<std::int64_t, 2>>;

arch::WhisperInputs main_inputs() { return test::inputs_of<WhisperForConditionalGeneration>(generation); }

/// Logits of the start and of three steps after it.
template <class M>
Tensor start_and_steps(const M& model, const arch::WhisperInputs& in) {
    auto state = model.make_state(in.decoder_input_ids->size(0), in.decoder_input_ids->size(1) + 3);
    std::vector<Tensor> all = {model.prefill(in, state)};
    for (int i = 0; i < 3; ++i) all.push_back(model.step(all.back().argmax(-1), state));
    return at::stack(all);
}

/// Forward pass, prefill, steps and alignment of a case.
template <bool Fused>
void check_speech_ops(const std::string& name) {
    const auto directory = test::golden("whisper", name);
    using Arch = WhisperForConditionalGeneration;
    const std::initializer_list<std::string_view> ops = {Fused ? "conv_activation" : "conv", "attention",
                                                         "decode_attention", "scores", "softmax"};
    test::check_traced<Arch, Fused>(directory, ops, [&](const auto& model) {
        const auto in = test::inputs_of<Arch>(directory);
        CHECK(test::wrong(directory, model(in), 1e-4) == "");
        static_cast<void>(start_and_steps(model, in));
        static_cast<void>(model.on_device([&] {
            return model.network().alignment(model.network().encode(in.input_features), *in.decoder_input_ids,
                                             Heads{{0, 0}});
        }));
    });
}

void refused_config(const std::string& keys, std::initializer_list<std::string_view> words) {
    test::refused_config<WhisperForConditionalGeneration>(R"({"model_type": "whisper", )" + keys + "}", words);
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of Whisper, with fused kernels and without") {
    check_speech_ops<true>("generation");
    check_speech_ops<false>("distil");
    test::check_ops<arch::WhisperEncoder, true>(test::golden("whisper", "encoder"), 1e-4, {"conv_activation"});
}

TEST_CASE("Every op of Whisper stays on MPS and CUDA") {
    STATIC_REQUIRE(native<WhisperForConditionalGeneration, Exec<Mps>>);
    STATIC_REQUIRE(native<WhisperForConditionalGeneration, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(native<arch::WhisperEncoder, Exec<Mps>>);
    STATIC_REQUIRE(native<WhisperForConditionalGeneration, Exec<device::Cuda>>);
}

TEMPLATE_LIST_TEST_CASE("Wrong inputs of Whisper are refused before anything runs", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<WhisperForConditionalGeneration, TestType, Fp32>::open(generation.string());
    const auto good = main_inputs();  // (3, 5, 18) and (3, 9)
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::WhisperInputs;
    const auto ids = [](std::int64_t rows, std::int64_t tokens, std::int64_t id) {
        return at::full({rows, tokens}, id, at::kLong);
    };
    refused([](In& in) { in.input_features = Tensor(); }, {"input_features is missing", "encoder_outputs"});
    refused([](In& in) { in.encoder_outputs = at::zeros({3, 9, 16}); }, {"both", "encoder_outputs"});
    refused([](In& in) { in.input_features = in.input_features[0]; }, {"input_features", "(5, 18)", "rank 3"});
    refused([](In& in) { in.input_features = in.input_features.to(at::kLong); }, {"input_features", "Long"});
    refused([](In& in) { in.input_features = at::zeros({3, 6, 18}); }, {"(3, 6, 18)", "num_mel_bins is 5"});
    refused([](In& in) { in.input_features = at::zeros({3, 5, 17}); }, {"17 frames", "18", "pad"});
    refused([](In& in) { in.input_features = at::zeros({0, 5, 18}); }, {"input_features", "empty"});
    refused([](In& in) { in.input_features = Tensor(), in.encoder_outputs = at::zeros({3, 9, 15}); },
            {"encoder_outputs", "(3, 9, 15)", "d_model is 16"});
    refused([](In& in) { in.attention_mask = at::ones({2, 18}, at::kLong); }, {"attention_mask", "(2, 18)", "3"});
    refused([](In& in) { in.attention_mask = at::ones({3, 18}); }, {"attention_mask", "Float"});
    refused([](In& in) { in.decoder_input_ids.reset(); }, {"decoder_input_ids", "mask"});
    refused([&](In& in) { in.decoder_input_ids = ids(3, 9, 60); }, {"decoder_input_ids", "60", "0 to 59"});
    refused([&](In& in) { in.decoder_input_ids = ids(3, 9, -1); }, {"decoder_input_ids", "-1"});
    refused([](In& in) { in.decoder_input_ids = in.decoder_input_ids->to(at::kInt); }, {"decoder_input_ids", "Int"});
    refused([&](In& in) { in.decoder_input_ids = ids(3, 21, 0), in.decoder_attention_mask.reset(); },
            {"21 tokens", "20"});
    refused([&](In& in) { in.decoder_input_ids = ids(4, 9, 0), in.decoder_attention_mask.reset(); },
            {"(4, 9)", "3 windows"});
    refused([](In& in) { in.decoder_attention_mask = at::ones({3, 8}, at::kLong); },
            {"decoder_attention_mask", "(3, 8)", "(3, 9)"});
    refused([&](In& in) { in.decoder_position_ids = ids(3, 9, 20); }, {"decoder_position_ids", "20", "0 to 19"});
    refused([&](In& in) { in.decoder_position_ids = ids(1, 9, 0); }, {"decoder_position_ids", "(1, 9)"});
    CHECK(test::wrong(generation, model(good), 1e-4) == "");  // and nothing was spoilt

    const auto aligned = [&](const Tensor& encoded, const Tensor& tokens, const Heads& heads) {
        return [&model, encoded, tokens, heads] {
            static_cast<void>(model.on_device([&] { return model.network().alignment(encoded, tokens, heads); }));
        };
    };
    const Tensor encoded = at::zeros({1, 9, 16});
    refuses<InputError>(aligned(encoded, ids(1, 3, 0), {{3, 0}}), {"[3, 0]", "3 layers of 2 heads"});
    refuses<InputError>(aligned(encoded, ids(1, 3, 0), {{0, -1}}), {"[0, -1]"});
    refuses<InputError>(aligned(encoded, ids(1, 3, 0), {}), {"no alignment heads"});
    refuses<InputError>(aligned(encoded, ids(1, 3, 60), {{0, 0}}), {"60", "0 to 59"});
    refuses<InputError>(aligned(at::zeros({1, 9, 5}), ids(1, 3, 0), {{0, 0}}), {"(1, 9, 5)", "16"});
    refuses<InputError>(
        [&] { static_cast<void>(model.on_device([&] { return model.network().encode(at::zeros({1, 5, 19})); })); },
        {"19 frames"});
}

TEMPLATE_LIST_TEST_CASE("A state of Whisper that is too small, too large, of other rows or empty says so", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<WhisperForConditionalGeneration, TestType, Fp32>::open(generation.string());
    const auto in = main_inputs();
    refuses<InputError>([&] { static_cast<void>(model.make_state(1, 21)); }, {"21 tokens", "positions for 20"});
    auto small = model.make_state(3, 8);
    refuses<InputError>([&] { static_cast<void>(model.prefill(in, small)); }, {"9 places", "8", "capacity"});
    refuses<InputError>([&] { static_cast<void>(model.step(at::zeros({3}, at::kLong).to(model.device()), small)); },
                        {"prefill"});
    CHECK(small.length() == 0);
    auto other = model.make_state(2, 20);
    refuses<InputError>([&] { static_cast<void>(model.prefill(in, other)); }, {"3 rows", "2"});
    auto full = model.make_state(3, 9);
    const Tensor next = model.prefill(in, full).argmax(-1);
    refuses<InputError>([&] { static_cast<void>(model.step(next, full)); }, {"9 tokens", "no room", "capacity"});
    CHECK(full.length() == 9);
}

TEST_CASE("Without decoder_input_ids the decoder starts with decoder_start_token_id, where the vocabulary has it") {
    auto config = checkpoint::read_config<WhisperForConditionalGeneration>(generation);
    const auto tensors = test::tensors_of(generation);
    const Tensor features = main_inputs().input_features;
    const auto logits = [&](const std::optional<Tensor>& ids) {
        return Model<WhisperForConditionalGeneration, Cpu>::from(
                   config, loader::InMemory(tensors))({.input_features = features, .decoder_input_ids = ids})
            .logits;
    };
    CHECK(logits({}).equal(logits(at::full({3, 1}, 58, at::kLong))));
    for (const auto& id : {std::optional<std::int64_t>(60), std::optional<std::int64_t>()}) {
        config.decoder_start_token_id = id;
        refuses<InputError>([&] { static_cast<void>(logits({})); }, {"decoder_input_ids", "decoder_start_token_id"});
    }
}

TEST_CASE("Configurations of Whisper that cannot be are refused with the key and the value") {
    for (const std::string key :
         {"vocab_size", "num_mel_bins", "d_model", "decoder_layers", "encoder_ffn_dim", "decoder_ffn_dim",
          "max_source_positions", "max_target_positions", "encoder_attention_heads", "decoder_attention_heads"})
        refused_config("\"" + key + "\": 0", {key + " is 0"});
    refused_config(R"("encoder_layers": -1)", {"encoder_layers is -1"});
    refused_config(R"("encoder_attention_heads": 5)", {"d_model 384", "encoder_attention_heads 5"});
    refused_config(R"("decoder_attention_heads": 7)", {"d_model 384", "decoder_attention_heads 7"});
    refused_config(R"("activation_function": "prelu")", {"activation_function", "prelu", "known are"});
    refused_config(R"("d_model": 2.5)", {"d_model", "2.5", "integer"});
}

TEST_CASE("What a configuration of Whisper leaves out has transformers' defaults") {
    const auto c = test::config_of<WhisperForConditionalGeneration>(R"({"num_hidden_layers": 7, "hidden_size": 12})");
    CHECK(c.vocab_size == 51865);
    CHECK(c.num_mel_bins == 80);
    CHECK(c.d_model == 12);
    CHECK(c.encoder_layers == 7);
    CHECK(c.decoder_layers == 4);
    CHECK(c.frames() == 3000);
    CHECK(c.max_target_positions == 448);
    CHECK(c.decoder_start_token_id == 50257);
    CHECK(c.eos_token_id == std::vector<std::int64_t>{50256});
    CHECK(c.tie_word_embeddings);
    CHECK(c.activation_function == Activation::gelu);
}

TEST_CASE("Weights of Whisper that do not fit are refused with the tensor, both shapes and a remedy") {
    using Arch = WhisperForConditionalGeneration;
    test::ChangedCase changed(generation);
    const std::string k = "model.decoder.layers.1.encoder_attn.k_proj",
                      positions = "model.encoder.embed_positions.weight";
    SECTION("missing") {
        changed.tensors.erase(k + ".weight");
        changed.refused<Arch>({k, "(16, 16)", "nearest"});
    }
    SECTION("a query without its bias") {
        changed.tensors.erase("model.encoder.layers.0.self_attn.q_proj.bias");
        changed.refused<Arch>({"self_attn.q_proj.bias", "(16)"});
    }
    SECTION("a key with a bias, which is not read") {
        changed.tensors[k + ".bias"] = at::ones({16});
        const auto model = Model<Arch, Cpu>::open(changed.written().string());
        CHECK(model.account().unexpected == std::vector<std::string>{k + ".bias"});
    }
    SECTION("positions of another window") {
        changed.tensors[positions] = at::ones({10, 16});
        changed.refused<Arch>({positions, "(10, 16)", "(9, 16)"});
    }
}

TEST_CASE("Threads with a state each generate with one Whisper at once") {
    const auto model = Model<WhisperForConditionalGeneration, Cpu>::open(generation.string());
    const auto in = main_inputs();
    const Tensor want = start_and_steps(model, in);
    CHECK(test::wrong_at_once([&] { return test::differs(start_and_steps(model, in), want, 1e-5).empty(); }) == 0);
}

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS a call of Whisper copies its inputs there and reads nothing; a step copies nothing") {
    if (!test::present<Mps>()) return;
    namespace sim = test::sim;
    const sim::Settings settings;
    const auto check = [&](const auto& model) {
        auto in = main_inputs();
        in.decoder_attention_mask.reset();  // whose positions are counted on the host
        test::check_quiet_call(model, in, 2);
        const FallbackScope fallbacks;
        auto state = model.make_state(3, 20);
        sim::reset();
        Tensor next = model.prefill(in, state).argmax(-1);
        test::check_quiet(2);
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
    check(Model<WhisperForConditionalGeneration, Chain<Mps>, Fp32>::open(generation.string()));
    check(Model<WhisperForConditionalGeneration, Chain<Mps>>::open(generation.string()));
}

#endif

}  // namespace whisper_faults
