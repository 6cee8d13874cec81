// What ViT and DeiT do when things go wrong, and what they must not do: ops outside of their lists, hops, waits.
#include "silica/arch/deit.hpp"
#include "silica/arch/vit.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace vit_faults {

using namespace silica;
using arch::ViTForImageClassification;
using device::Cpu, device::Mps;
using precision::Fp16, precision::Fp32;
using test::refuses;

namespace {

const auto classes = test::golden("vit", "classes");

template <class Arch, bool Fused>
void check_ops(const std::filesystem::path& directory) {
    test::check_ops<Arch, Fused>(directory, 2e-5, {"conv", "resize", "attention"}, {"reference", "reference-large"});
}

/// These keys, added to the defaults, must be refused.
void refused_config(const std::string& keys, std::initializer_list<std::string_view> words) {
    test::refused_config<arch::ViT>(R"({"model_type": "vit", )" + keys + "}", words);
}

arch::ViTConfig config_of(const std::string& keys) { return test::config_of<arch::ViT>("{" + keys + "}"); }

}  // namespace

TEST_CASE("No op runs that is not in the Ops of ViT and DeiT") {
    check_ops<ViTForImageClassification, true>(classes);
    check_ops<ViTForImageClassification, false>(classes);
    check_ops<arch::ViT, true>(test::golden("vit", "base"));
    check_ops<arch::ViT, false>(test::golden("vit", "base"));
    check_ops<arch::DeiTForImageClassificationWithTeacher, true>(test::golden("deit", "teacher"));
    check_ops<arch::DeiTForImageClassificationWithTeacher, false>(test::golden("deit", "teacher"));
}

TEST_CASE("Every op of ViT and DeiT stays on MPS and CUDA") {
    STATIC_REQUIRE(native<arch::ViT, Exec<Mps>>);
    STATIC_REQUIRE(native<ViTForImageClassification, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(native<arch::DeiT, Exec<Mps>>);
    STATIC_REQUIRE(native<arch::DeiTForImageClassificationWithTeacher, Exec<Mps>>);
    STATIC_REQUIRE(native<ViTForImageClassification, Exec<device::Cuda>>);
}

TEMPLATE_LIST_TEST_CASE("Wrong inputs of ViT are refused before anything runs", "", test::Devices) {
    if (!test::present<TestType>()) return;
    using In = arch::ViTInputs;
    const auto model = Model<ViTForImageClassification, TestType, Fp32>::open(classes.string());
    const auto good = test::inputs_of<arch::ViT>(classes);  // (3, 3, 12, 12), patches of 4
    const auto refused = test::refused_inputs_of(model, good);
    refused([](In& in) { in.pixel_values = Tensor(); }, {"pixel_values", "missing"});
    refused([](In& in) { in.pixel_values = in.pixel_values[0]; }, {"pixel_values", "(3, 12, 12)", "unsqueeze"});
    refused([](In& in) { in.pixel_values = in.pixel_values.to(at::kLong); }, {"pixel_values", "Long", "Float"});
    refused([](In& in) { in.pixel_values = in.pixel_values.slice(0, 0, 0); }, {"pixel_values", "empty"});
    refused([](In& in) { in.pixel_values = in.pixel_values.slice(1, 0, 1); },
            {"pixel_values", "(3, 1, 12, 12)", "3 channels"});
    refused([](In& in) { in.pixel_values = at::ones({1, 12, 12, 3}); }, {"pixel_values", "3 channels", "channels,"});
    refused([](In& in) { in.pixel_values = at::ones({1, 3, 12, 16}); },
            {"pixel_values", "12 x 16", "12 x 12", "interpolate_pos_encoding"});
    refused([](In& in) { in.pixel_values = at::ones({1, 3, 3, 16}), in.interpolate_pos_encoding = true; },
            {"3 x 16", "smaller than a patch of 4 x 4"});
    refused([](In& in) { in.bool_masked_pos = at::ones({3, 8}, at::kBool); }, {"bool_masked_pos", "(3, 8)", "(3, 9)"});
    refused([](In& in) { in.bool_masked_pos = at::ones({3, 9}); }, {"bool_masked_pos", "Float"});
    refused([](In& in) { in.bool_masked_pos = at::ones({3, 9}, at::kBool); }, {"bool_masked_pos", "mask_token"});
    CHECK(test::wrong(classes, model(good), 5e-5) == "");  // and nothing was spoilt
}

TEST_CASE("Positions whose patches or grid are no squares cannot be interpolated") {
    const auto golden = test::golden("vit", "rectangles");  // 13 x 22, patches of 3 x 5: a grid of 4 x 4
    const auto model = Model<arch::ViT, Cpu>::open(golden.string());
    auto in = test::inputs_of<arch::ViT>(golden);
    in.interpolate_pos_encoding = true;
    refuses<InputError>([&] { static_cast<void>(model(in)); }, {"13 x 22", "3 x 5", "interpolated"});
    auto config = checkpoint::read_config<arch::ViT>(golden);
    config.image_size = {8, 12}, config.patch_size = {4, 4};
    const auto six = Model<arch::ViT, Cpu>::from(config, loader::Random());
    CHECK_NOTHROW(six({.pixel_values = at::ones({1, 3, 8, 12})}));
    refuses<InputError>(
        [&] { static_cast<void>(six({.pixel_values = at::ones({1, 3, 16, 16}), .interpolate_pos_encoding = true})); },
        {"8 x 12", "4 x 4", "interpolated"});
}

TEST_CASE("Configurations of ViT that cannot be are refused with the key and the value") {
    refused_config(R"("num_attention_heads": 0)", {"num_attention_heads is 0"});
    refused_config(R"("num_attention_heads": 769)", {"num_attention_heads 769", "hidden_size 768"});
    refused_config(R"("head_dim": 0)", {"num_attention_heads", "head_dim"});
    refused_config(R"("hidden_size": 0)", {"hidden_size is 0"});
    refused_config(R"("intermediate_size": 0)", {"intermediate_size is 0"});
    refused_config(R"("num_hidden_layers": -1)", {"num_hidden_layers is -1"});
    refused_config(R"("num_channels": 0)", {"num_channels is 0"});
    refused_config(R"("image_size": 0)", {"image_size is 0"});
    refused_config(R"("image_size": [224, 0])", {"image_size is 0"});
    refused_config(R"("image_size": [224])", {"image_size", "[height, width]"});
    refused_config(R"("image_size": [1, 2, 3])", {"image_size", "[height, width]"});
    refused_config(R"("image_size": "224")", {"image_size", "integer"});
    refused_config(R"("image_size": [224, 2.5])", {"image_size[1]", "2.5"});
    refused_config(R"("image_size": {"height": 3})", {"image_size"});
    refused_config(R"("patch_size": -16)", {"patch_size is -16"});
    refused_config(R"("patch_size": [16, 225])", {"224 x 224", "no patch of 16 x 225"});
    refused_config(R"("pooler_output_size": -1)", {"pooler_output_size is -1"});
    refused_config(R"("pooler_act": "prelu")", {"pooler_act", "prelu", "known are"});
    refused_config(R"("hidden_act": "prelu")", {"hidden_act", "prelu", "known are"});
    refused_config(R"("layer_norm_eps": -1)", {"layer_norm_eps"});
    refused_config(R"("qkv_bias": "yes")", {"qkv_bias", "true or false"});
    refused_config(R"("num_labels": -1)", {"the number of labels is -1"});
    refused_config(R"("problem_type": "guess")", {"problem_type", "guess", "regression"});
    refused_config(R"("problem_type": "single_label_classification", "num_labels": 1)", {"problem_type", "num_labels"});
    test::refused_config<arch::ViT>(R"({"model_type": "vit_mae"})", {"model_type", "vit_mae", "vit"});
    test::refused_config<arch::DeiT>(R"({"model_type": "vit"})", {"model_type", "vit", "deit"});
}

TEST_CASE("What a configuration of ViT leaves out has transformers' defaults") {
    const auto c = config_of(R"("pooler_output_size": null)");
    CHECK(c.hidden_size == 768);
    CHECK(c.num_hidden_layers == 12);
    CHECK(c.num_attention_heads == 12);
    CHECK(c.intermediate_size == 3072);
    CHECK(c.image_size == nn::ImageSize{224, 224});
    CHECK(c.patch_size == nn::ImageSize{16, 16});
    CHECK(c.num_channels == 3);
    CHECK(c.layer_norm_eps == 1e-12);
    CHECK(c.hidden_act == Activation::gelu);
    CHECK(c.pooler_act == Activation::tanh);
    CHECK(c.qkv_bias);
    CHECK(c.pooled() == 768);
    CHECK(c.d() == 64);
    CHECK(c.labels() == 2);
    CHECK(config_of(R"("num_labels": 7)").labels() == 7);
    CHECK(config_of(R"("id2label": {})").labels() == 0);
    CHECK(config_of(R"("num_labels": 7, "id2label": {"0": "a"})").labels() == 1);
    CHECK(config_of(R"("image_size": [30, 40], "patch_size": [3, 4])").patches().patches() == 100);
    CHECK(config_of(R"("num_attention_heads": 5)").d() == 153);
}

TEST_CASE("Weights of ViT that do not fit are refused with the tensor, both shapes and a remedy") {
    test::ChangedCase changed(classes);
    auto& tensors = changed.tensors;
    const auto refused = [&](std::initializer_list<std::string_view> words) {
        changed.refused<ViTForImageClassification>(words);
    };
    const std::string patches = "vit.embeddings.patch_embeddings.projection.",
                      places = "vit.embeddings.position_embeddings";
    SECTION("no class token") {
        tensors.erase("vit.embeddings.cls_token");
        refused({"vit.embeddings.cls_token", "(1, 1, 16)"});
    }
    SECTION("positions of another image size") {
        tensors[places] = at::ones({1, 17, 16});
        refused({places, "(1, 17, 16)", "(1, 10, 16)"});
    }
    SECTION("patches of another size") {
        tensors[patches + "weight"] = at::ones({16, 3, 4, 5});
        refused({patches + "weight", "(16, 3, 4, 5)", "(16, 3, 4, 4)"});
    }
    SECTION("no bias of patches") {
        tensors.erase(patches + "bias");
        refused({patches + "bias"});
    }
    SECTION("no classifier") {
        tensors.erase("classifier.weight");
        refused({"classifier.weight", "(11, 16)"});
    }
    SECTION("a classifier of other labels") {
        tensors["classifier.weight"] = at::ones({4, 16});
        refused({"classifier.weight", "(4, 16)", "(11, 16)"});
    }
}

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS a call of ViT copies its pixels there, waits for nothing and reads nothing") {
    if (!test::present<Mps>()) return;
    const test::sim::Settings settings;
    for (const std::string name : {"reference", "reference-large"}) {
        const auto in = test::inputs_of<arch::ViT>(classes, name);
        test::check_quiet_call(Model<ViTForImageClassification, Chain<Mps>, Fp32>::open(classes.string()), in, 1);
        test::check_quiet_call(Model<ViTForImageClassification, Chain<Mps>, Fp16>::open(classes.string()), in, 1);
    }
}

#endif

}  // namespace vit_faults
