// What Wav2Vec2 does when things go wrong, and what it must not do: ops outside of its lists, hops, waits, crashes.
#include <algorithm>

#include "silica/arch/wav2vec2.hpp"
#include "silica/loader/in_memory.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace wav2vec2_faults {

using namespace silica;
using arch::Wav2Vec2, arch::Wav2Vec2ForCTC, arch::Wav2Vec2ForSequenceClassification;
using device::Cpu, device::Mps;
using precision::Bf16, precision::Fp32;
using test::refuses;

namespace {

const auto base = test::golden("wav2vec2", "base");
const auto languages = test::golden("wav2vec2", "languages");

constexpr double bound = 1e-4;

template <class Arch, bool Fused>
void check_ops(const std::string& name) {
    test::check_ops<Arch, Fused>(test::golden("wav2vec2", name), bound,
                                 {Fused ? "conv_activation" : "conv", "attention"});
}

/// These keys, added to the defaults, must be refused.
template <class Arch = Wav2Vec2>
void refused_config(const std::string& keys, std::initializer_list<std::string_view> words) {
    test::refused_config<Arch>(R"({"model_type": "wav2vec2", )" + keys + "}", words);
}

Model<Wav2Vec2ForCTC, Cpu> speaking(const std::filesystem::path& directory, const std::string& language) {
    return Model<Wav2Vec2ForCTC, Cpu>::open(directory.string(), {.target_lang = language});
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of Wav2Vec2, with fused kernels and without") {
    check_ops<Wav2Vec2ForCTC, true>("base");
    check_ops<Wav2Vec2ForCTC, false>("base");
    check_ops<Wav2Vec2ForCTC, true>("large");
    check_ops<Wav2Vec2ForCTC, false>("languages");
    check_ops<Wav2Vec2ForCTC, true>("adapter");
    check_ops<Wav2Vec2, false>("adapter_narrow");
    check_ops<Wav2Vec2ForSequenceClassification, true>("classes");
    check_ops<Wav2Vec2ForSequenceClassification, false>("weighted");
}

TEST_CASE("Every op of Wav2Vec2 stays on MPS and CUDA") {
    STATIC_REQUIRE(native<Wav2Vec2ForCTC, Exec<Mps>>);
    STATIC_REQUIRE(native<Wav2Vec2ForCTC, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(native<Wav2Vec2ForCTC, Exec<Mps, Bf16>>);
    STATIC_REQUIRE(native<Wav2Vec2ForSequenceClassification, Exec<Mps>>);
    STATIC_REQUIRE(native<Wav2Vec2ForCTC, Exec<device::Cuda>>);
    STATIC_REQUIRE(native<Wav2Vec2ForSequenceClassification, Exec<device::Cuda>>);
}

TEST_CASE("Several threads run one Wav2Vec2 on the CPU at once, and each gets the same") {
    const auto model = Model<Wav2Vec2ForCTC, Cpu>::open(base.string());
    const auto inputs = test::inputs_of<Wav2Vec2>(base);
    const Tensor want = model(inputs).logits;
    CHECK(test::wrong_at_once([&] { return model(inputs).logits.equal(want); }) == 0);
}

TEMPLATE_LIST_TEST_CASE("Wrong inputs of Wav2Vec2 are refused with their name and a remedy, before anything runs", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<Wav2Vec2ForCTC, TestType, Fp32>::open(base.string());
    const auto good = test::inputs_of<Wav2Vec2>(base);  // 3 rows of 300 samples, of which a frame takes 23
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::Wav2Vec2Inputs;
    const auto least = std::to_string(model.config().least_samples());
    refused([](In& in) { in.input_values = Tensor(); }, {"input_values", "missing"});
    refused([](In& in) { in.input_values = in.input_values[0]; }, {"input_values", "(300)", "rank 2", "unsqueeze"});
    refused([](In& in) { in.input_values = in.input_values.to(at::kShort); }, {"input_values", "Short", "Float"});
    refused([](In& in) { in.input_values = in.input_values.slice(1, 0, 0); }, {"input_values", "empty", "(3, 0)"});
    refused([&](In& in) { in = {.input_values = at::ones({2, model.config().least_samples() - 1})}; },
            {"input_values", "samples, a frame needs " + least});
    refused([](In& in) { in.attention_mask = at::ones({3, 299}, at::kLong); },
            {"attention_mask", "(3, 299)", "(3, 300)"});
    refused([](In& in) { in.attention_mask = at::ones({3, 300}); }, {"attention_mask", "Float", "Bool"});
    refused([](In& in) { in.attention_mask = at::zeros({3, 300}, at::kLong); },
            {"Row 0 of attention_mask has 0 samples", least});
    refused([](In& in) { in.frames = at::ones({2}, at::kLong); }, {"frames", "(2)", "(3, 300)"});
    refused([](In& in) { in.frames = at::zeros({3}, at::kLong); }, {"frames holds 0"});
    refused([](In& in) { in.frames = at::full({3}, 500, at::kLong); }, {"frames holds 500"});
    refused([](In& in) { in.frames = at::ones({3}); }, {"frames", "Float", "Long"});
    CHECK(test::wrong(base, model(good), bound) == "");  // and nothing was spoilt
    if constexpr (std::is_same_v<TestType, Cpu>) {
        const auto narrow = Model<Wav2Vec2, Cpu>::open(test::golden("wav2vec2", "adapter_narrow").string());
        auto config = narrow.config();
        config.num_adapter_layers = 40, config.adapter_kernel_size = 5;
        const auto deep = Model<Wav2Vec2, Cpu>::from(config, loader::Random());
        refuses<InputError>([&] { static_cast<void>(deep({.input_values = at::ones({1, 300})})); },
                            {"300 samples", "add_adapter"});
    }
}

#ifdef SILICA_HAS_SIM_MPS
TEST_CASE("What a sound of over 65,536 frames needs is convolved elsewhere before macOS 15.1, and is never wrong") {
    const test::sim::Settings settings;
    auto config = checkpoint::read_config<Wav2Vec2ForCTC>(base);
    config.conv_stride = {4, 128, 8};  // so that the transformer sees few frames
    const auto weights = test::tensors_of(base);
    const auto model = [&](auto device) {
        return Model<Wav2Vec2ForCTC, typename decltype(device)::type, Fp32>::from(config, loader::InMemory(weights));
    };
    const arch::Wav2Vec2Inputs in{.input_values = at::arange(270'000, at::kFloat).sin().view({1, -1})};
    const Tensor want = model(std::type_identity<Cpu>())(in).logits;
    for (const unsigned minor : {0U, 1U}) {
        test::sim::set_macos(15, minor);
        const FallbackScope fallbacks;
        const Tensor got = model(std::type_identity<Mps>())(in).logits;
        CHECK(test::differs(got, want, 1e-4) == "");
        const bool left =
            std::ranges::any_of(fallbacks.report(), [](const auto& f) { return f.op.starts_with("conv"); });
        CHECK(left == (minor == 0 && device::mps::libtorch_before(2, 15)));
    }
    test::sim::set_macos(15, 0);
    if (device::mps::libtorch_before(2, 15)) {
        const auto strict = model(std::type_identity<Chain<Mps>>());
        refuses<DeviceError>([&] { static_cast<void>(strict(in)); }, {"conv"});
    }
}
#endif

TEST_CASE("Configurations of Wav2Vec2 that cannot be are refused with the key and the value") {
    refused_config(R"("vocab_size": 0)", {"vocab_size is 0"});
    refused_config(R"("hidden_size": 0)", {"hidden_size is 0"});
    refused_config(R"("num_hidden_layers": -1)", {"num_hidden_layers is -1"});
    refused_config(R"("num_attention_heads": 0)", {"num_attention_heads is 0"});
    refused_config(R"("num_attention_heads": 7)", {"hidden_size 768", "num_attention_heads 7", "multiple"});
    refused_config(R"("num_conv_pos_embedding_groups": 7)", {"hidden_size 768", "num_conv_pos_embedding_groups 7"});
    refused_config(R"("num_conv_pos_embedding_groups": 0)", {"num_conv_pos_embedding_groups is 0"});
    refused_config(R"("num_conv_pos_embeddings": 0)", {"num_conv_pos_embeddings is 0"});
    refused_config(R"("intermediate_size": 0)", {"intermediate_size is 0"});
    refused_config(R"("layer_norm_eps": -1)", {"layer_norm_eps"});
    refused_config(R"("layer_norm_eps": NaN)", {"layer_norm_eps"});
    refused_config(R"("feat_extract_norm": "batch")", {"feat_extract_norm", "batch", "group, layer"});
    refused_config(R"("hidden_act": "snake")", {"hidden_act", "snake"});
    refused_config(R"("conv_dim": [])", {"conv_dim", "0, 7 and 7"});
    refused_config(R"("conv_kernel": [10, 3])", {"conv_kernel", "7, 7 and 2"});
    refused_config(R"("conv_dim": [0], "conv_stride": [1], "conv_kernel": [1])", {"conv_dim is 0"});
    refused_config(R"("conv_dim": [1], "conv_stride": [0], "conv_kernel": [1])", {"conv_stride is 0"});
    refused_config(R"("conv_dim": [1], "conv_stride": [1], "conv_kernel": [-1])", {"conv_kernel is -1"});
    refused_config(R"("conv_stride": [2000000000, 2000000000, 9, 9, 9, 9, 9])", {"conv_stride", "2147483647"});
    refused_config(R"("adapter_attn_dim": 0)", {"adapter_attn_dim is 0"});
    refused_config(R"("add_adapter": true, "adapter_stride": 0)", {"adapter_stride is 0"});
    refused_config(R"("add_adapter": true, "adapter_kernel_size": 0)", {"adapter_kernel_size is 0"});
    refused_config(R"("add_adapter": true, "num_adapter_layers": -1)", {"num_adapter_layers is -1"});
    refused_config(R"("add_adapter": true, "output_hidden_size": -3)", {"output_hidden_size is -3"});
    refused_config<Wav2Vec2ForSequenceClassification>(R"("add_adapter": true)", {"add_adapter", "true"});
    refused_config<Wav2Vec2ForSequenceClassification>(R"("classifier_proj_size": 0)", {"classifier_proj_size is 0"});
    refused_config<Wav2Vec2ForSequenceClassification>(R"("num_labels": 0)", {"labels", "0"});
}

TEST_CASE("A language that a model does not speak is refused, and so is a file that is no adapter of it") {
    refuses<InputError>([&] { static_cast<void>(speaking(base, "xyz")); },
                        {"no adapters of languages", "'xyz'", "MMS"});
    refuses<InputError>([&] { static_cast<void>(speaking(languages, "fra")); }, {"'fra'", "adapter.fra.safetensors"});
    refuses<InputError>([&] { static_cast<void>(speaking(languages, "../x")); }, {"'../x'", "no name of a language"});
    refuses<InputError>(
        [&] { static_cast<void>(Model<Wav2Vec2, Cpu>::open(languages.string(), {.target_lang = "xyz"})); },
        {"Wav2Vec2Model", "xyz"});
    const test::Directory directory;
    for (const auto* name : {"config.json", "model.safetensors"})
        std::filesystem::copy_file(languages / name, directory / name);
    const auto good = test::tensors_of(languages / "adapter.xyz.safetensors");
    const auto with = [&](auto change, std::initializer_list<std::string_view> words) {
        auto bad = good;
        change(bad);
        checkpoint::write_safetensors(directory / "adapter.xyz.safetensors", {bad.begin(), bad.end()});
        refuses<CheckpointError>([&] { static_cast<void>(speaking(directory.path(), "xyz")); }, words);
    };
    with([](auto& t) { t.erase("lm_head.bias"); }, {"lacks", "lm_head.bias"});
    with([](auto& t) { t.emplace("other", at::ones({1})); }, {"'other'", "none of an adapter"});
    with([](auto& t) { t.at("lm_head.weight") = at::ones({3}); }, {"lm_head.weight", "(3)"});
    with([](auto& t) { t.at("lm_head.weight") = at::ones({17, 5}); }, {"lm_head.weight", "(17, 5)"});
    test::write_file(directory / "adapter.xyz.safetensors", "no such file");
    refuses<CheckpointError>([&] { static_cast<void>(speaking(directory.path(), "xyz")); },
                             {"adapter.xyz.safetensors"});
}

}  // namespace wav2vec2_faults
