// What the decoders do when things go wrong, what their checkpoints may look like, and that they run no op that they do
// not list.
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include "silica/arch/llama.hpp"
#include "silica/arch/mistral.hpp"
#include "silica/arch/qwen2.hpp"
#include "silica/model.hpp"
#include "silica/op/argmax.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace decoder_faults {

using namespace silica;
using arch::LlamaForCausalLM, arch::MistralForCausalLM, arch::Qwen2ForCausalLM;
using device::Cpu;
using test::refused_config, test::refuses;

namespace {

const auto base = test::golden("llama", "base");

nn::DecoderInputs inputs_of(const std::filesystem::path& directory) {
    return test::inputs_of<LlamaForCausalLM>(directory);
}
Tensor logits_of(const std::filesystem::path& directory) {
    return test::reference_of(directory).tensors.at("outputs.logits");
}

/// Logits of a prompt and of two steps after it.
template <class M>
Tensor prompt_and_steps(const M& model, const nn::DecoderInputs& in) {
    auto state = model.make_state(in.input_ids.size(0), in.input_ids.size(1) + 2);
    std::vector<Tensor> all = {model.prefill(in, state)};
    for (int i = 0; i < 2; ++i) all.push_back(model.step(all.back().argmax(-1), state));
    return at::stack(all);
}

template <class Arch, bool Fused>
void check_ops(const std::filesystem::path& directory) {
    const auto run = [&](const auto& model) {
        const auto in = inputs_of(directory);
        CHECK(test::wrong(directory, model(in), 2e-5) == "");
        static_cast<void>(prompt_and_steps(model, in));
    };
    test::check_traced<Arch, Fused>(directory, {"decode_attention", Fused ? "linear_add" : "rotary"}, run);
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of a decoder, in a forward pass, a prefill and a step") {
    check_ops<LlamaForCausalLM, true>(base);
    check_ops<LlamaForCausalLM, false>(base);
    check_ops<MistralForCausalLM, true>(test::golden("mistral", "sliding"));
    check_ops<MistralForCausalLM, false>(test::golden("mistral", "sliding"));
    check_ops<Qwen2ForCausalLM, true>(test::golden("qwen2", "tied"));
    check_ops<Qwen2ForCausalLM, false>(test::golden("qwen2", "tied"));
}

TEMPLATE_LIST_TEST_CASE("Wrong inputs of a decoder are refused before anything runs", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<LlamaForCausalLM, TestType, precision::Fp32>::open(base.string());
    const auto good = inputs_of(base);
    const auto refused = test::refused_inputs_of(model, good);
    using In = nn::DecoderInputs;
    refused([](In& in) { in.input_ids = Tensor(); }, {"input_ids", "missing"});
    refused([](In& in) { in.input_ids = in.input_ids[0]; }, {"input_ids", "(12)", "rank 2"});
    refused([](In& in) { in.input_ids = in.input_ids.to(at::kInt); }, {"input_ids", "Int", "Long"});
    refused([](In& in) { in.input_ids = in.input_ids.slice(1, 0, 0); }, {"input_ids", "empty"});
    refused([](In& in) { in.input_ids = at::full({4, 12}, 60, at::kLong); }, {"input_ids", "60", "0 to 59"});
    refused([](In& in) { in.input_ids = at::full({4, 12}, -1, at::kLong); }, {"input_ids", "-1", "0 to 59"});
    refused([](In& in) { in.attention_mask = at::ones({4, 11}, at::kLong); }, {"attention_mask", "(4, 11)", "(4, 12)"});
    refused([](In& in) { in.attention_mask = at::ones({4, 12}); }, {"attention_mask", "Float"});
}

TEMPLATE_LIST_TEST_CASE("A state that is too small or of other rows says so, and keeps what it has", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<LlamaForCausalLM, TestType, precision::Fp32>::open(base.string());
    const auto in = inputs_of(base);
    refuses<InputError>([&] { static_cast<void>(model.make_state(0, 5)); }, {"0 rows", "1 or more"});
    refuses<InputError>([&] { static_cast<void>(model.make_state(1, -5)); }, {"-5 tokens", "1 or more"});
    auto small = model.make_state(4, 11);
    refuses<InputError>([&] { static_cast<void>(model.prefill(in, small)); }, {"12 places", "11", "capacity"});
    auto other = model.make_state(3, 20);
    refuses<InputError>([&] { static_cast<void>(model.prefill(in, other)); }, {"4 rows", "3"});
    auto full = model.make_state(4, 12);
    const Tensor next = model.prefill(in, full).argmax(-1);
    refuses<InputError>([&] { static_cast<void>(model.step(next, full)); }, {"12 tokens", "no room", "capacity"});
    CHECK(full.length() == 12);
    CHECK(full.capacity() == 12);
}

TEST_CASE("Rows of a state change places, with their padding") {
    const auto model = Model<MistralForCausalLM, Cpu>::open(test::golden("mistral", "sliding").string());
    const auto in = inputs_of(test::golden("mistral", "sliding"));
    const Tensor order = at::tensor({2, 0, 0, 3}, at::kLong);
    auto straight = model.make_state(4, 16), changed = model.make_state(4, 16);
    const Tensor next = model.prefill(in, straight).argmax(-1);
    static_cast<void>(model.prefill(in, changed));
    changed.reorder(order);
    for (int i = 0; i < 3; ++i) {
        const Tensor want = model.step(next, straight), got = model.step(next.index_select(0, order), changed);
        CHECK(test::differs(got, want.index_select(0, order), 1e-5) == "");
    }
}

TEST_CASE("Threads with a state each generate with one model at once") {
    const auto model = Model<LlamaForCausalLM, Cpu>::open(base.string());
    const auto in = inputs_of(base);
    const Tensor want = prompt_and_steps(model, in);
    CHECK(test::wrong_at_once([&] { return test::differs(prompt_and_steps(model, in), want, 1e-5).empty(); }) == 0);
}

TEST_CASE("Configurations of decoders that cannot be are refused with the key and the value") {
    const auto llama = [](const std::string& keys, std::initializer_list<std::string_view> words) {
        refused_config<LlamaForCausalLM>("{" + keys + "}", words);
    };
    llama(R"("num_attention_heads": 0)", {"num_attention_heads is 0"});
    llama(R"("num_key_value_heads": 3)", {"num_attention_heads 32", "num_key_value_heads 3"});
    llama(R"("num_key_value_heads": 0)", {"num_key_value_heads is 0"});
    llama(R"("hidden_size": -16)", {"hidden_size is -16"});
    llama(R"("vocab_size": 0)", {"vocab_size is 0"});
    llama(R"("num_hidden_layers": -1)", {"num_hidden_layers is -1"});
    llama(R"("hidden_size": "big")", {"hidden_size", "an integer is wanted"});
    llama(R"("hidden_act": "prelu")", {"hidden_act", "prelu", "known are"});
    llama(R"("rms_norm_eps": -1)", {"rms_norm_eps"});
    llama(R"("head_dim": 5)", {"head_dim 5 is odd"});
    llama(R"("head_dim": 0)", {"head_dim is 0"});
    llama(R"("head_dim": null, "hidden_size": 18)", {"hidden_size 18", "num_attention_heads 32"});
    llama(R"("rope_scaling": {"type": "cubic", "factor": 2})", {"rope_scaling.type", "cubic", "known are"});
    llama(R"("rope_scaling": {"type": "linear"})", {"rope_scaling", "factor is missing"});
    llama(R"("rope_scaling": {"type": "dynamic", "factor": -2})", {"factor is not above 0"});
    llama(R"("rope_scaling": {"rope_type": "llama3", "factor": 8})", {"low_freq_factor is missing"});
    llama(R"("rope_scaling": {"rope_type": "longrope", "short_factor": [1], "long_factor": [1]})",
          {"short_factor has 1 numbers", "= 64 are needed"});
    llama(R"("rope_parameters": {"rope_type": "default", "rope_theta": 0})", {"rope_theta is not above 0"});
    llama(R"("rope_parameters": {"rope_type": "linear", "factor": 2, "partial_rotary_factor": 0.5})",
          {"partial_rotary_factor"});
    llama(R"("model_type": "qwen2")", {"model_type", "qwen2", "llama"});
    refused_config<MistralForCausalLM>(R"({"sliding_window": 0, "num_hidden_layers": 1})", {"sliding_window is 0"});
    refused_config<Qwen2ForCausalLM>(R"({"num_hidden_layers": 2, "layer_types": ["full_attention"]})",
                                     {"layer_types names 1 layers", "2"});
    refused_config<Qwen2ForCausalLM>(R"({"num_hidden_layers": 1, "layer_types": ["sliding_attention"]})",
                                     {"sliding_attention", "no window"});
    refused_config<Qwen2ForCausalLM>(R"({"num_hidden_layers": 1, "layer_types": ["chunked_attention"]})",
                                     {"layer_types", "chunked_attention"});
}

TEST_CASE("What the configuration of a decoder leaves out has transformers' defaults") {
    const auto llama = test::config_of<LlamaForCausalLM>("{}");
    CHECK(llama.rms_norm_eps == 1e-6);
    CHECK(llama.shape("").num_key_value_heads == 32);
    CHECK(llama.shape("").head_dim == 128);
    CHECK(*llama.shape("").rope.rope_theta == 10000.0);
    CHECK_FALSE(llama.tie_word_embeddings);
    CHECK(llama.eos_token_id == std::vector<std::int64_t>{2});
    CHECK(LlamaForCausalLM::context(llama) == 2048);
    const auto mistral = test::config_of<MistralForCausalLM>("{}");
    CHECK(mistral.sliding_window == 4096);
    CHECK(mistral.shape("").num_key_value_heads == 8);
    const auto qwen2 = test::config_of<Qwen2ForCausalLM>("{}");
    CHECK_FALSE(qwen2.shape("").windows.back().has_value());
    CHECK(qwen2.eos_token_id.empty());
}

TEST_CASE("How long a text may be follows from how positions are scaled") {
    const auto context = [](const std::string& rope) {
        return LlamaForCausalLM::context(
            test::config_of<LlamaForCausalLM>(R"({"max_position_embeddings": 100, "rope_scaling": )" + rope + "}"));
    };
    CHECK(context("null") == 100);
    CHECK(context(R"({"type": "linear", "factor": 4})") == 400);
    CHECK(context(R"({"type": "yarn", "factor": 4, "original_max_position_embeddings": 25})") == 100);
    CHECK_FALSE(context(R"({"type": "dynamic", "factor": 4})").has_value());
}

TEST_CASE("Checkpoints in other spellings, tied in both directions, with and without what is not read") {
    const auto tied = test::golden("qwen2", "tied");
    const auto config = test::read_file(tied / "config.json");
    const auto tensors = test::tensors_of(tied);
    REQUIRE_FALSE(tensors.contains("lm_head.weight"));
    const Tensor words = tensors.at("model.embed_tokens.weight");
    const test::Directory directory;
    const auto logits = [&](const std::map<std::string, Tensor>& t) {
        test::write_checkpoint(directory.path(), config, t);
        const auto model = Model<Qwen2ForCausalLM, Cpu>::open(directory.path().string());
        CHECK(model.account().unexpected.empty());
        return model(inputs_of(tied)).logits;
    };
    SECTION("the matrix is there too, and the same") {
        auto t = tensors;
        t["lm_head.weight"] = words.clone();
        CHECK(test::differs(logits(t), logits_of(tied), 1e-5) == "");
    }
    SECTION("only the matrix is there") {
        auto t = tensors;
        t["lm_head.weight"] = t.extract("model.embed_tokens.weight").mapped();
        CHECK(test::differs(logits(t), logits_of(tied), 1e-5) == "");
    }
    SECTION("the matrix differs, so it is not tied") {
        auto t = tensors;
        t["lm_head.weight"] = words * 2;
        CHECK(test::differs(logits(t), logits_of(tied) * 2, 1e-5) == "");
    }
    SECTION("names without their prefix, and frequencies that nobody reads") {
        std::map<std::string, Tensor> t;
        for (const auto& [name, tensor] : tensors) t[name.substr(std::string("model.").size())] = tensor;
        t["layers.0.self_attn.rotary_emb.inv_freq"] = at::ones({2});
        CHECK(test::differs(logits(t), logits_of(tied), 1e-5) == "");
    }
    SECTION("in shards") {
        test::write_sharded(directory.path(), config, tensors, 3);
        const auto model = Model<Qwen2ForCausalLM, Cpu>::open(directory.path().string());
        CHECK(test::differs(model(inputs_of(tied)).logits, logits_of(tied), 1e-5) == "");
    }
    SECTION("a bias that the configuration demands is missing") {
        auto t = tensors;
        t.erase("model.layers.1.self_attn.k_proj.bias");
        test::write_checkpoint(directory.path(), config, t);
        refuses<CheckpointError>(
            [&] { static_cast<void>(Model<Qwen2ForCausalLM, Cpu>::open(directory.path().string())); },
            {"model.layers.1.self_attn.k_proj.bias", "(8)"});
    }
}

}  // namespace decoder_faults
