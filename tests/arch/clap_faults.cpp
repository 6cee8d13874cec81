// What CLAP does when things go wrong, and what it must not do: ops outside of its lists, hops, waits, crashes.
#include "silica/arch/clap.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace clap_faults {

using namespace silica;
using device::Cpu, device::Mps;
using precision::Bf16, precision::Fp32;
using test::config_of, test::inputs_of, test::refused_config, test::refuses;

namespace {

const auto base = test::golden("clap", "base");
constexpr double bound = 1e-4;

template <class Arch, bool Fused>
void check_ops(const std::string& name) {
    test::check_ops<Arch, Fused>(test::golden("clap", name), bound,
                                 {Fused ? "linear_activation" : "linear", "attention"});
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of CLAP, with fused kernels and without") {
    check_ops<arch::Clap, true>("base");
    check_ops<arch::Clap, false>("base");
    check_ops<arch::Clap, true>("fused");
    check_ops<arch::Clap, false>("fused");
    check_ops<arch::ClapTextModel, true>("text");
    check_ops<arch::ClapTextModelWithProjection, false>("text_projection");
    check_ops<arch::ClapAudioModel, true>("audio");
    check_ops<arch::ClapAudioModelWithProjection, false>("audio_fused");
}

TEST_CASE("Every op of CLAP stays on MPS and CUDA") {
    STATIC_REQUIRE(native<arch::Clap, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::Clap, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(native<arch::Clap, Exec<Mps, Bf16>>);
    STATIC_REQUIRE(native<arch::ClapAudioModelWithProjection, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::Clap, Exec<device::Cuda>>);
}

TEST_CASE("Several threads run one CLAP on the CPU at once, and each gets the same") {
    const auto model = Model<arch::Clap, Cpu>::open(base.string());
    const auto inputs = inputs_of<arch::Clap>(base);
    const Tensor want = model(inputs).logits_per_audio;
    CHECK(test::wrong_at_once([&] { return model(inputs).logits_per_audio.equal(want); }) == 0);
}

TEMPLATE_LIST_TEST_CASE("Wrong inputs of CLAP are refused with their name and a remedy, before anything runs", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto fused = test::golden("clap", "fused");
    const auto model = Model<arch::Clap, TestType, Fp32>::open(fused.string());
    const auto good = inputs_of<arch::Clap>(fused);  // 3 texts of 9 tokens, 3 sounds of (4, 101, 8)
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::ClapInputs;
    refused([](In& in) { in.input_ids = Tensor(); }, {"input_ids", "missing"});
    refused([](In& in) { in.input_ids = in.input_ids[0]; }, {"input_ids", "(9)", "rank 2"});
    refused([](In& in) { in.input_ids = at::full({3, 9}, 40, at::kLong); }, {"input_ids", "40", "0 to 39"});
    refused([](In& in) { in = {at::full({1, 13}, 5, at::kLong), in.input_features}; },
            {"input_ids", "13 tokens", "positions for 12"});
    refused([](In& in) { in.attention_mask = at::ones({3, 8}, at::kLong); }, {"attention_mask", "(3, 8)", "(3, 9)"});
    refused([](In& in) { in.position_ids = at::zeros({2, 9}, at::kLong); }, {"position_ids", "(2, 9)", "(3, 9)"});
    refused([](In& in) { in.position_ids = at::full({3, 9}, 14, at::kLong); }, {"position_ids", "14", "0 to 13"});
    refused([](In& in) { in.input_features = Tensor(); }, {"input_features", "missing"});
    refused([](In& in) { in.input_features = in.input_features[0]; }, {"input_features", "(4, 101, 8)", "rank 4"});
    refused([](In& in) { in.input_features = in.input_features.to(at::kLong); }, {"input_features", "Long", "Float"});
    refused([](In& in) { in.input_features = in.input_features.transpose(2, 3); }, {"input_features", "8 mels"});
    refused([](In& in) { in.input_features = at::ones({3, 4, 129, 8}); }, {"input_features", "128 frames"});
    refused([](In& in) { in.input_features = at::ones({3, 1, 101, 8}); }, {"input_features", "4 channels"});
    refused([](In& in) { in.input_features = at::ones({3, 3, 101, 8}); }, {"input_features", "4 channels"});
    refused([](In& in) { in.is_longer = at::ones({2, 1}, at::kBool); }, {"is_longer", "(2, 1)", "3 rows"});
    refused([](In& in) { in.is_longer = at::ones({1, 3}, at::kBool); }, {"is_longer", "(1, 3)", "3 rows"});
    refused([](In& in) { in.is_longer = at::ones({3, 1}); }, {"is_longer", "Float"});
    refused([](In& in) { in.longer_rows = at::full({1}, 3, at::kLong); }, {"longer_rows", "3", "of 3 rows"});
    refused([](In& in) { in.longer_rows = at::zeros({2}, at::kLong); }, {"longer_rows", "0 after 0"});
    CHECK(test::wrong(fused, model(good), bound) == "");  // and nothing was spoilt
    if constexpr (std::is_same_v<TestType, Cpu>) {
        const auto text = Model<arch::ClapTextModel, Cpu>::open(test::golden("clap", "text").string());
        auto in = inputs_of<arch::ClapTextModel>(test::golden("clap", "text"));
        in.token_type_ids = at::full({3, 9}, 2, at::kLong);
        refuses<InputError>([&] { static_cast<void>(text(in)); }, {"token_type_ids", "2", "0 to 1"});
        in.token_type_ids = at::ones({3, 8}, at::kLong);
        refuses<InputError>([&] { static_cast<void>(text(in)); }, {"token_type_ids", "(3, 8)"});
    }
}

TEST_CASE("Configurations of CLAP that cannot be are refused with the part, the key and the value") {
    const auto text = [](const std::string& keys, std::initializer_list<std::string_view> words) {
        refused_config<arch::Clap>(R"({"model_type": "clap", "text_config": {)" + keys + "}}", words);
        refused_config<arch::ClapTextModel>(R"({"model_type": "clap_text_model", )" + keys + "}", words);
    };
    text(R"("vocab_size": 0)", {"text model", "vocab_size is 0"});
    text(R"("num_attention_heads": 7)", {"768", "num_attention_heads 7"});
    text(R"("num_hidden_layers": -1)", {"num_hidden_layers is -1"});
    text(R"("max_position_embeddings": 2)", {"max_position_embeddings is 2"});
    text(R"("pad_token_id": -1)", {"pad_token_id is -1"});
    text(R"("type_vocab_size": 0)", {"type_vocab_size is 0"});
    text(R"("layer_norm_eps": -1)", {"layer_norm_eps"});
    text(R"("hidden_act": "snake")", {"hidden_act", "snake"});

    const auto audio = [](const std::string& keys, std::initializer_list<std::string_view> words) {
        refused_config<arch::Clap>(R"({"model_type": "clap", "audio_config": {)" + keys + "}}", words);
        refused_config<arch::ClapAudioModel>(R"({"model_type": "clap_audio_model", )" + keys + "}", words);
    };
    audio(R"("num_mel_bins": 0)", {"audio model", "num_mel_bins is 0"});
    audio(R"("num_mel_bins": 257)", {"spec_size 256", "257 mels"});
    audio(R"("num_mel_bins": 50)", {"spec_size 256", "50 mels"});
    audio(R"("spec_size": 2000000000)", {"spec_size 2000000000"});
    audio(R"("spec_size": [256, 256])", {"spec_size", "integer"});
    audio(R"("patch_size": 0)", {"patch_size is 0"});
    audio(R"("patch_size": [1, 2, 3])", {"patch_size", "height, width"});
    audio(R"("patch_stride": 0)", {"patch_stride is 0"});
    audio(R"("patch_stride": 5)", {"4 x 4", "5 x 5"});
    audio(R"("patch_size": 5)", {"5 x 5", "4 x 4"});
    audio(R"("window_size": 0)", {"window_size is 0"});
    audio(R"("window_size": 9)", {"window_size 9", "stage 3", "8 x 8"});
    audio(R"("depths": [])", {"depths has 0"});
    audio(R"("num_attention_heads": [4])", {"num_attention_heads 1"});
    audio(R"("num_attention_heads": [5, 8, 16, 32])", {"96", "num_attention_heads 5"});
    audio(R"("depths": [2, -2, 6, 2])", {"depths is -2"});
    audio(R"("depths": [1, 1, 1, 1, 1, 1, 1, 1], "num_attention_heads": [1, 1, 1, 1, 1, 1, 1, 1])", {"window_size 8"});
    audio(R"("depths": [2, 200000, 6, 2])", {"depths", "200000"});
    audio(R"("mlp_ratio": 0)", {"mlp_ratio"});
    audio(R"("mlp_ratio": 1e300)", {"mlp_ratio"});
    audio(R"("patch_embeds_hidden_size": 2000000000)", {"patch_embeds_hidden_size 2000000000"});
    audio(R"("flatten_patch_embeds": false)", {"flatten_patch_embeds", "false"});
    audio(R"("enable_fusion": true, "fusion_type": "channel_map")", {"fusion_type", "channel_map"});
    audio(R"("enable_fusion": true, "aff_block_r": 0)", {"aff_block_r is 0"});
    audio(R"("enable_fusion": true, "aff_block_r": 97)", {"aff_block_r is 0"});
    audio(R"("enable_fusion": true, "patch_embed_input_channels": 2)", {"patch_embed_input_channels", "2"});
    refused_config<arch::Clap>(R"({"model_type": "clap", "audio_config": {"hidden_size": 5}})",
                               {"hidden_size is 5", "768"});
    refused_config<arch::ClapAudioModelWithProjection>(R"({"model_type": "clap_audio_model", "hidden_size": 5})",
                                                       {"hidden_size is 5", "768"});
    refused_config<arch::Clap>(R"({"model_type": "clap", "projection_dim": 0})", {"projection_dim is 0"});
    refused_config<arch::Clap>(R"({"model_type": "clap_text_model"})", {"model_type", "clap_text_model", "'clap'"});
    refused_config<arch::ClapTextModel>(R"({"model_type": "clap_audio_model"})", {"model_type", "clap_text_model"});
}

TEST_CASE("What a configuration of CLAP leaves out has transformers' defaults; of projections, the whole decides") {
    const auto c = config_of<arch::Clap>(R"({"text_config": {"projection_dim": 3}, "audio_config": {"patch_stride": 4},
                                            "projection_dim": 33, "projection_hidden_act": "gelu"})");
    CHECK(c.text_config.projection_dim == 33);
    CHECK(c.audio_config.projection_dim == 33);
    CHECK(c.text_config.projection_hidden_act == Activation::gelu);
    CHECK(c.text_config.vocab_size == 50265);
    CHECK(c.text_config.max_position_embeddings == 514);
    CHECK(c.audio_config.bands() == 4);
    CHECK(c.audio_config.frames() == 1024);
    CHECK(c.audio_config.mels() == 64);
    CHECK(c.audio_config.grid(0) == nn::ImageSize{64, 64});
    CHECK(c.audio_config.features() == 768);
    CHECK(c.audio_config.inner(3) == 3072);
    const auto text = config_of<arch::ClapTextModelWithProjection>(R"({"model_type": "clap_text_model",
        "projection_dim": 11})");
    CHECK(text.projection_dim == 11);
}

}  // namespace clap_faults
