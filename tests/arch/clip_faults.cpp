// What CLIP does when things go wrong, and what it must not do: ops outside of its lists, hops, waits, crashes.
#include "silica/arch/clip.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"
#include "support/op_inputs.hpp"

namespace clip_faults {

using namespace silica;
using device::Cpu, device::Mps;
using precision::Bf16, precision::Fp16, precision::Fp32;
using test::config_of, test::inputs_of, test::refused_config, test::refuses;

namespace {

const auto base = test::golden("clip", "base");
constexpr double bound = 3e-5;

template <class Arch, bool Fused>
void check_ops(const std::string& name, const std::string& reference = "reference") {
    test::check_ops<Arch, Fused>(test::golden("clip", name), bound,
                                 {Fused ? "linear_activation" : "linear", "attention"}, {reference});
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of CLIP, with fused kernels and without") {
    check_ops<arch::Clip, true>("base");
    check_ops<arch::Clip, false>("base", "reference-wide");
    check_ops<arch::ClipTextModel, true>("text");
    check_ops<arch::ClipTextModel, false>("text");
    check_ops<arch::ClipTextModelWithProjection, true>("text_projection");
    check_ops<arch::ClipTextModelWithProjection, false>("text_projection");
    check_ops<arch::ClipVisionModel, true>("vision", "reference-large");
    check_ops<arch::ClipVisionModel, false>("vision", "reference-large");
    check_ops<arch::ClipVisionModelWithProjection, true>("vision_projection");
    check_ops<arch::ClipVisionModelWithProjection, false>("vision_projection");
    check_ops<arch::ClipForImageClassification, true>("classes", "reference-wide");
    check_ops<arch::ClipForImageClassification, false>("classes", "reference-wide");
}

TEST_CASE("Every op of CLIP stays on MPS and CUDA") {
    STATIC_REQUIRE(native<arch::Clip, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::Clip, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(native<arch::Clip, Exec<Mps, Bf16>>);
    STATIC_REQUIRE(native<arch::ClipForImageClassification, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::Clip, Exec<device::Cuda>>);
    STATIC_REQUIRE(native<arch::ClipForImageClassification, Exec<device::Cuda>>);
}

TEST_CASE("Several threads run one CLIP on the CPU at once, and each gets the same") {
    const auto model = Model<arch::Clip, Cpu>::open(base.string());
    const auto inputs = inputs_of<arch::Clip>(base);
    const Tensor want = model(inputs).logits_per_image;
    CHECK(test::wrong_at_once([&] { return model(inputs).logits_per_image.equal(want); }) == 0);
}

// ---- bad inputs

TEMPLATE_LIST_TEST_CASE("Wrong inputs of CLIP are refused with their name and a remedy, before anything runs", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<arch::Clip, TestType, Fp32>::open(base.string());
    const auto good = inputs_of<arch::Clip>(base);  // 4 texts of 9 tokens, 3 images of (3, 12, 12)
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::ClipInputs;
    refused([](In& in) { in.input_ids = Tensor(); }, {"input_ids", "missing"});
    refused([](In& in) { in.input_ids = in.input_ids[0]; }, {"input_ids", "(9)", "rank 2", "unsqueeze"});
    refused([](In& in) { in.input_ids = in.input_ids.to(at::kInt); }, {"input_ids", "Int", "Long"});
    refused([](In& in) { in.input_ids = in.input_ids.slice(1, 0, 0); }, {"input_ids", "empty", "(4, 0)"});
    refused([](In& in) { in.input_ids = at::full({4, 9}, 40, at::kLong); }, {"input_ids", "40", "0 to 39"});
    refused([](In& in) { in.input_ids = at::full({4, 9}, -1, at::kLong); }, {"input_ids", "-1", "vocab_size"});
    refused([](In& in) { in.input_ids = at::full({1, 13}, 5, at::kLong); }, {"input_ids", "13 tokens", "12"});
    refused([](In& in) { in.attention_mask = at::ones({4, 8}, at::kLong); }, {"attention_mask", "(4, 8)", "(4, 9)"});
    refused([](In& in) { in.attention_mask = at::ones({4, 9}); }, {"attention_mask", "Float", "Long or Bool"});
    refused([](In& in) { in.position_ids = at::zeros({3, 9}, at::kLong); }, {"position_ids", "(3, 9)", "(4, 9)"});
    refused([](In& in) { in.position_ids = at::zeros({1, 8}, at::kLong); }, {"position_ids", "(1, 8)", "(4, 9)"});
    refused([](In& in) { in.position_ids = at::full({4, 9}, 12, at::kLong); },
            {"position_ids", "12", "0 to 11", "max_position_embeddings"});
    refused([](In& in) { in.position_ids = at::zeros({4, 9}); }, {"position_ids", "Float"});
    refused([](In& in) { in.eos_positions = at::zeros({3}, at::kLong); }, {"eos_positions", "(3)", "(4, 9)"});
    refused([](In& in) { in.eos_positions = at::full({4}, 9, at::kLong); }, {"eos_positions", "9", "0 to 8"});
    refused([](In& in) { in.eos_positions = at::zeros({4, 1}, at::kLong); }, {"eos_positions", "rank 1"});
    refused([](In& in) { in.pixel_values = Tensor(); }, {"pixel_values", "missing"});
    refused([](In& in) { in.pixel_values = in.pixel_values[0]; }, {"pixel_values", "(3, 12, 12)", "unsqueeze"});
    refused([](In& in) { in.pixel_values = in.pixel_values.to(at::kLong); }, {"pixel_values", "Long", "Float"});
    refused([](In& in) { in.pixel_values = at::ones({1, 12, 12, 3}); }, {"pixel_values", "3 channels"});
    refused([](In& in) { in.pixel_values = at::ones({1, 3, 12, 16}); },
            {"pixel_values", "12 x 16", "12 x 12", "interpolate_pos_encoding"});
    refused([](In& in) { in.pixel_values = at::ones({1, 3, 3, 16}), in.interpolate_pos_encoding = true; },
            {"3 x 16", "smaller than a patch of 4 x 4"});
    CHECK(test::wrong(base, model(good), bound) == "");  // and nothing was spoilt
}

// ---- configurations

TEST_CASE("Configurations of CLIP that cannot be are refused with the part, the key and the value") {
    const auto text = [](const std::string& keys, std::initializer_list<std::string_view> words) {
        refused_config<arch::Clip>(R"({"model_type": "clip", "text_config": {)" + keys + "}}", words);
        refused_config<arch::ClipTextModel>(R"({"model_type": "clip", "text_config": {)" + keys + "}}", words);
        refused_config<arch::ClipTextModel>(R"({"model_type": "clip_text_model", )" + keys + "}", words);
    };
    text(R"("vocab_size": 0)", {"vocab_size is 0"});
    text(R"("hidden_size": -8)", {"hidden_size is -8"});
    text(R"("num_attention_heads": 0)", {"num_attention_heads is 0"});
    text(R"("num_attention_heads": 7)", {"hidden_size 512", "num_attention_heads 7", "multiple"});
    text(R"("num_hidden_layers": -1)", {"num_hidden_layers is -1"});
    text(R"("intermediate_size": 0)", {"intermediate_size is 0"});
    text(R"("max_position_embeddings": 0)", {"max_position_embeddings is 0"});
    text(R"("projection_dim": 0)", {"projection_dim is 0"});
    text(R"("layer_norm_eps": -1e-5)", {"layer_norm_eps"});
    text(R"("layer_norm_eps": NaN)", {"layer_norm_eps"});
    text(R"("hidden_act": "quick")", {"hidden_act", "quick", "quick_gelu"});
    text(R"("eos_token_id": [2, 3])", {"eos_token_id", "integer"});
    text(R"("hidden_size": "512")", {"hidden_size", "'512'", "integer"});

    const auto vision = [](const std::string& keys, std::initializer_list<std::string_view> words) {
        refused_config<arch::Clip>(R"({"model_type": "clip", "vision_config": {)" + keys + "}}", words);
        refused_config<arch::ClipForImageClassification>(R"({"vision_config": {)" + keys + "}}", words);
        refused_config<arch::ClipVisionModel>(R"({"model_type": "clip_vision_model", )" + keys + "}", words);
    };
    vision(R"("image_size": 0)", {"image_size is 0"});
    vision(R"("image_size": [224, 224])", {"image_size", "integer"});
    vision(R"("patch_size": -1)", {"patch_size is -1"});
    vision(R"("patch_size": 225)", {"224 x 224", "225 x 225", "holds no patch"});
    vision(R"("num_channels": 0)", {"num_channels is 0"});
    vision(R"("num_attention_heads": 5)", {"hidden_size 768", "num_attention_heads 5"});
    vision(R"("layer_norm_eps": Infinity)", {"layer_norm_eps"});

    refused_config<arch::Clip>(R"({"model_type": "clip", "projection_dim": 0})", {"projection_dim is 0"});
    refused_config<arch::Clip>(R"({"model_type": "clip", "text_config": 3})", {"text_config", "object"});
    refused_config<arch::Clip>(R"({"model_type": "clip", "text_config_dict": []})", {"text_config_dict", "object"});
    refused_config<arch::Clip>(R"({"model_type": "clip", "vision_config_dict": {"patch_size": 0}})",
                               {"patch_size is 0"});
    refused_config<arch::Clip>(R"({"model_type": "clip_text_model"})", {"model_type", "clip_text_model", "'clip'"});
    refused_config<arch::ClipTextModel>(R"({"model_type": "clip_vision_model"})", {"model_type", "clip_text_model"});
    refused_config<arch::ClipVisionModel>(R"({"model_type": "siglip"})", {"model_type", "siglip"});
    refused_config<arch::ClipForImageClassification>(R"({"model_type": "clip", "num_labels": -1})", {"labels", "-1"});
}

TEST_CASE("What a configuration of CLIP leaves out has transformers' defaults") {
    const auto c = config_of<arch::Clip>(R"({"text_config": null, "vision_config": {}, "projection_dim": null})");
    CHECK(c.projection_dim == 512);
    CHECK(c.labels() == 2);
    CHECK(c.text_config.vocab_size == 49408);
    CHECK(c.text_config.hidden_size == 512);
    CHECK(c.text_config.intermediate_size == 2048);
    CHECK(c.text_config.num_hidden_layers == 12);
    CHECK(c.text_config.num_attention_heads == 8);
    CHECK(c.text_config.max_position_embeddings == 77);
    CHECK(c.text_config.eos_token_id == 49407);
    CHECK(c.text_config.hidden_act == Activation::quick_gelu);
    CHECK(c.text_config.layer_norm_eps == 1e-5);
    CHECK(c.vision_config.hidden_size == 768);
    CHECK(c.vision_config.intermediate_size == 3072);
    CHECK(c.vision_config.num_attention_heads == 12);
    CHECK(c.vision_config.num_channels == 3);
    CHECK(c.vision_config.image_size == 224);
    CHECK(c.vision_config.patch_size == 32);
    CHECK(c.vision_config.hidden_act == Activation::quick_gelu);
}

TEST_CASE("text_config_dict stands instead of text_config, completed with defaults; null does not") {
    const auto c = config_of<arch::Clip>(R"({"model_type": "clip",
        "text_config": {"hidden_size": 64, "eos_token_id": 2}, "text_config_dict": {"vocab_size": 100},
        "vision_config": {"patch_size": 16}, "vision_config_dict": null})");
    CHECK(c.text_config.vocab_size == 100);
    CHECK(c.text_config.hidden_size == 512);
    CHECK(c.text_config.eos_token_id == 49407);
    CHECK(c.vision_config.patch_size == 16);
    const auto alone = config_of<arch::ClipVisionModelWithProjection>(
        R"({"model_type": "clip_vision_model", "patch_size": 14, "projection_dim": 33})");
    CHECK(alone.vision_config.patch_size == 14);
    CHECK(alone.projection_dim == 33);
    CHECK(config_of<arch::ClipForImageClassification>(R"({"id2label": {}})").labels() == 0);
    CHECK(config_of<arch::ClipForImageClassification>(R"({"id2label": {"0": "a"}})").labels() == 1);
}

// ---- weights

TEST_CASE("Weights of CLIP that do not fit are refused with the tensor, both shapes and a remedy") {
    test::ChangedCase changed(base);
    auto& tensors = changed.tensors;
    const auto refused = [&](std::initializer_list<std::string_view> words) { changed.refused<arch::Clip>(words); };
    const std::string positions = "vision_model.embeddings.position_embedding.weight";
    SECTION("positions of another image size") {
        tensors[positions] = at::ones({17, 24});
        refused({positions, "(17, 24)", "(10, 24)"});
    }
    SECTION("a norm in X-CLIP's spelling") {
        tensors["vision_model.pre_layernorm.weight"] = tensors.extract("vision_model.pre_layrnorm.weight").mapped();
        refused({"vision_model.pre_layrnorm.weight", "nearest", "pre_layernorm"});
    }
    SECTION("no scale") {
        tensors.erase("logit_scale");
        refused({"logit_scale", "()"});
    }
    SECTION("a projection of another size") {
        tensors["text_projection.weight"] = at::ones({9, 16});
        refused({"text_projection.weight", "(9, 16)", "(10, 16)"});
    }
    SECTION("the head that is asked for is not there") {
        changed.refused<arch::ClipForImageClassification>({"classifier.weight"});
    }
    SECTION("one model alone is not both") {
        std::erase_if(tensors, [](const auto& t) { return !t.first.starts_with("text_model."); });
        refused({"vision_model"});
    }
}

// ---- the simulated MPS device

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS a call of CLIP copies its inputs there, waits for nothing and reads nothing") {
    if (!test::present<Mps>()) return;
    const auto check = [](const auto& model, const auto& in, std::size_t tensors) {
        CHECK(test::check_quiet_call(model, in, tensors).count("aten::argmax") == 0);  // of ids: found on the host
    };
    const auto in = inputs_of<arch::Clip>(base);  // ids, mask, pixels, and the places of the ends
    check(Model<arch::Clip, Chain<Mps>, Fp32>::open(base.string()), in, 4);
    check(Model<arch::Clip, Chain<Mps>, Fp16>::open(base.string()), in, 4);
    const auto wide = inputs_of<arch::Clip>(base, "reference-wide");
    check(Model<arch::Clip, Chain<Mps>, Bf16>::open(base.string()), wide, 4);
    const auto classes = test::golden("clip", "classes");
    check(Model<arch::ClipForImageClassification, Chain<Mps>>::open(classes.string()),
          inputs_of<arch::ClipForImageClassification>(classes), 1);
}

TEST_CASE("On MPS the text model's attention gets contiguous heads, and a mask of its own in half precision") {
    if (!test::present<Mps>()) return;
    auto in = inputs_of<arch::ClipTextModel>(test::golden("clip", "text"));
    in.attention_mask.reset();
    const auto masked = [&](auto precision) {
        using P = typename decltype(precision)::type;
        const auto model = Model<arch::ClipTextModel, Chain<Mps>, P>::open(test::golden("clip", "text").string());
        const test::OpInputs seen("aten::scaled_dot_product_attention");
        static_cast<void>(model(in));
        REQUIRE(seen.calls().size() == 2);
        for (const auto& call : seen.calls()) CHECK(call.contiguous());
        return seen.calls()[0].tensors.size() == 4;
    };
    CHECK(masked(std::type_identity<Fp16>()));
    CHECK(masked(std::type_identity<Bf16>()));
    CHECK_FALSE(masked(std::type_identity<Fp32>()));  // where is_causal does what it says
}

#endif

}  // namespace clip_faults
