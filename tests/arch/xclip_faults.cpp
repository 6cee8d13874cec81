// What X-CLIP does when things go wrong, and what it must not do: ops outside of its lists, hops, waits.
#include "silica/arch/xclip.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace xclip_faults {

using namespace silica;
using device::Mps;
using precision::Bf16, precision::Fp16, precision::Fp32;
using test::config_of, test::inputs_of, test::refused_config, test::refuses;

namespace {

const auto base = test::golden("xclip", "base");
constexpr double bound = 3e-5;

template <class Arch, bool Fused>
void check_ops(const std::string& name, const std::string& reference) {
    test::check_ops<Arch, Fused>(test::golden("xclip", name), bound, {"attention"}, {reference});
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of X-CLIP, with fused kernels and without") {
    check_ops<arch::XClip, true>("base", "reference-wide");
    check_ops<arch::XClip, false>("base", "reference-wide");
    check_ops<arch::XClipTextModel, true>("text", "reference");
    check_ops<arch::XClipTextModel, false>("text", "reference");
    check_ops<arch::XClipVisionModel, true>("vision", "reference-two-wide");
    check_ops<arch::XClipVisionModel, false>("vision", "reference-two-wide");
}

TEST_CASE("Every op of X-CLIP stays on MPS and CUDA") {
    STATIC_REQUIRE(native<arch::XClip, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::XClip, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(native<arch::XClip, Exec<Mps, Bf16>>);
    STATIC_REQUIRE(native<arch::XClip, Exec<device::Cuda>>);
}

// ---- bad inputs

TEMPLATE_LIST_TEST_CASE("Wrong inputs of X-CLIP are refused with their name and a remedy, before anything runs", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<arch::XClip, TestType, Fp32>::open(base.string());
    const auto good = inputs_of<arch::XClip>(base);  // 4 texts of 9 tokens, 2 videos of (4, 3, 8, 8)
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::XClipInputs;
    refused([](In& in) { in.input_ids = at::full({1, 13}, 5, at::kLong); }, {"input_ids", "13 tokens", "12"});
    refused([](In& in) { in.input_ids = at::full({4, 9}, 40, at::kLong); }, {"input_ids", "40", "0 to 39"});
    refused([](In& in) { in.attention_mask = at::ones({4, 8}, at::kLong); }, {"attention_mask", "(4, 8)", "(4, 9)"});
    refused([](In& in) { in.pixel_values = Tensor(); }, {"pixel_values", "missing"});
    refused([](In& in) { in.pixel_values = in.pixel_values[0]; }, {"pixel_values", "(4, 3, 8, 8)", "unsqueeze"});
    refused([](In& in) { in.pixel_values = in.pixel_values.to(at::kLong); }, {"pixel_values", "Long", "Float"});
    refused([](In& in) { in.pixel_values = in.pixel_values.slice(0, 0, 0); }, {"pixel_values", "empty"});
    refused([](In& in) { in.pixel_values = in.pixel_values.slice(1, 0, 3); },
            {"pixel_values", "(2, 3, 3, 8, 8)", "4 frames", "num_frames"});
    refused([](In& in) { in.pixel_values = at::ones({1, 8, 3, 8, 8}); },
            {"pixel_values", "(1, 8, 3, 8, 8)", "4 frames"});
    refused([](In& in) { in.pixel_values = at::ones({1, 4, 8, 8, 3}); },
            {"pixel_values", "(1, 4, 8, 8, 3)", "3 channels", "frames, channels,"});
    refused([](In& in) { in.pixel_values = at::ones({1, 4, 3, 8, 12}); },
            {"pixel_values", "8 x 12", "8 x 8", "interpolate_pos_encoding"});
    refused([](In& in) { in.pixel_values = at::ones({1, 4, 3, 3, 12}), in.interpolate_pos_encoding = true; },
            {"3 x 12", "smaller than a patch of 4 x 4"});
    CHECK(test::wrong(base, model(good), bound) == "");  // and nothing was spoilt
    const auto frames = Model<arch::XClipVisionModel, TestType, Fp32>::open(base.string());
    refuses<InputError>([&] { static_cast<void>(frames({.pixel_values = at::ones({6, 3, 8, 8})})); },
                        {"pixel_values", "6 frames", "no whole videos of 4"});
}

// ---- configurations

TEST_CASE("Configurations of X-CLIP that cannot be are refused with the part, the key and the value") {
    const auto vision = [](const std::string& keys, std::initializer_list<std::string_view> words) {
        refused_config<arch::XClip>(R"({"model_type": "xclip", "vision_config": {)" + keys + "}}", words);
    };
    vision(R"("num_frames": 0)", {"num_frames is 0"});
    vision(R"("mit_hidden_size": 0)", {"mit_hidden_size is 0"});
    vision(R"("mit_hidden_size": 256)", {"mit_hidden_size is 256", "projection_dim is 512"});
    vision(R"("mit_num_attention_heads": 7)", {"mit_hidden_size 512", "mit_num_attention_heads 7"});
    vision(R"("mit_num_attention_heads": 0)", {"mit_num_attention_heads is 0"});
    vision(R"("mit_num_hidden_layers": -1)", {"mit_num_hidden_layers is -1"});
    vision(R"("mit_intermediate_size": 0)", {"mit_intermediate_size is 0"});
    vision(R"("image_size": [224, 224])", {"image_size", "integer"});
    vision(R"("num_attention_heads": 5)", {"hidden_size 768", "num_attention_heads 5"});
    vision(R"("patch_size": 300)", {"holds no patch"});
    refused_config<arch::XClipVisionModel>(R"({"model_type": "xclip_vision_model", "num_frames": -1})",
                                           {"num_frames is -1"});
    refused_config<arch::XClip>(R"({"model_type": "xclip", "text_config": {"num_attention_heads": 3}})",
                                {"hidden_size 512", "num_attention_heads 3"});
    refused_config<arch::XClip>(R"({"model_type": "xclip", "prompt_num_attention_heads": 7})",
                                {"projection_dim 512", "prompt_num_attention_heads 7"});
    refused_config<arch::XClip>(R"({"model_type": "xclip", "prompt_num_attention_heads": 0})",
                                {"prompt_num_attention_heads is 0"});
    refused_config<arch::XClip>(R"({"model_type": "xclip", "prompt_layers": -1})", {"prompt_layers is -1"});
    refused_config<arch::XClip>(R"({"model_type": "xclip", "prompt_hidden_act": "quick"})", {"prompt_hidden_act"});
    refused_config<arch::XClip>(R"({"model_type": "clip"})", {"model_type", "'clip'", "'xclip'"});
    refused_config<arch::XClipTextModel>(R"({"model_type": "clip_text_model"})", {"model_type", "xclip_text_model"});
}

TEST_CASE("What a configuration of X-CLIP leaves out has transformers' defaults") {
    const auto c = config_of<arch::XClip>("{}");
    CHECK(c.projection_dim == 512);
    CHECK(c.prompt_layers == 2);
    CHECK(c.prompt_num_attention_heads == 8);
    CHECK(c.prompt_hidden_act == Activation::quick_gelu);
    CHECK(c.text_config.eos_token_id == 2);
    CHECK(c.vision_config.num_frames == 8);
    CHECK(c.vision_config.mit_hidden_size == 512);
    CHECK(c.vision_config.mit_intermediate_size == 2048);
    CHECK(c.vision_config.mit_num_hidden_layers == 1);
    CHECK(c.vision_config.mit().num_attention_heads == 8);
    CHECK(c.vision_config.clip().num_attention_heads == 12);
    const auto other = config_of<arch::XClip>(R"({"model_type": "xclip", "text_config": {"eos_token_id": 49407},
        "vision_config": {"num_frames": 4}, "vision_config_dict": {"num_frames": 32}})");
    CHECK(other.text_config.eos_token_id == 2);
    CHECK(other.vision_config.num_frames == 32);
}

TEST_CASE("Weights of X-CLIP that do not fit are refused with the tensor, both shapes and a remedy") {
    test::ChangedCase changed(base);
    auto& tensors = changed.tensors;
    const auto refused = [&](std::initializer_list<std::string_view> words) { changed.refused<arch::XClip>(words); };
    SECTION("positions of other frames") {
        tensors["mit.position_embedding"] = at::ones({1, 8, 12});
        refused({"mit.position_embedding", "(1, 8, 12)", "(1, 4, 12)"});
    }
    SECTION("a projection the other way round") {
        tensors["prompts_visual_projection"] = at::ones({12, 20});
        refused({"prompts_visual_projection", "(12, 20)", "(20, 12)"});
    }
    SECTION("no messages: a CLIP") {
        std::erase_if(tensors, [](const auto& t) { return t.first.find("message") != std::string::npos; });
        refused({"message_fc.weight"});
    }
    SECTION("no prompts") {
        tensors.erase("prompts_generator.alpha");
        refused({"prompts_generator.alpha", "(12)"});
    }
}

// ---- the simulated MPS device

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS a call of X-CLIP copies its inputs there, waits for nothing and reads nothing") {
    if (!test::present<Mps>()) return;
    const auto check = [](const auto& model, const auto& in, std::size_t tensors) {
        CHECK(test::check_quiet_call(model, in, tensors).count("aten::argmax") == 0);  // of ids: found on the host
    };
    const auto in = inputs_of<arch::XClip>(base);  // ids, mask, pixels, and the places of the ends
    check(Model<arch::XClip, Chain<Mps>, Fp32>::open(base.string()), in, 4);
    check(Model<arch::XClip, Chain<Mps>, Fp16>::open(base.string()), in, 4);
    check(Model<arch::XClip, Chain<Mps>, Bf16>::open(base.string()), inputs_of<arch::XClip>(base, "reference-wide"), 4);
}

#endif

}  // namespace xclip_faults
