// What DETR does when things go wrong, and what it must not do: ops outside of its list, hops, waits, crashes.
#include "silica/arch/detr.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace detr_faults {

using namespace silica;
using arch::Detr, arch::DetrForObjectDetection, arch::DetrForSegmentation;
using device::Cpu, device::Mps;
using precision::Fp16, precision::Fp32;
using test::refuses;

namespace {

const auto segmentation = test::golden("detr", "segmentation");
const auto learned = test::golden("detr", "learned");

constexpr double bound = 5e-5;

arch::DetrInputs main_inputs(const std::filesystem::path& directory) { return test::inputs_of<Detr>(directory); }

template <class Arch, bool Fused>
void check_ops(const std::filesystem::path& directory) {
    test::check_ops<Arch, Fused>(directory, bound, {Fused ? "conv_add" : "conv", "max_pool", "attention"});
}

/// These keys, added to the defaults, must be refused.
template <class Arch = DetrForObjectDetection>
void refused_config(const std::string& keys, std::initializer_list<std::string_view> words) {
    test::refused_config<Arch>(R"({"model_type": "detr", )" + keys + "}", words);
}

/// The backbone that a configuration of these keys means.
nn::ResNetShape backbone(const std::string& keys) {
    CAPTURE(keys);
    return arch::detr_backbone(test::config_of<Detr>("{" + keys + "}"), "config.json");
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of DETR, with fused kernels and without") {
    check_ops<DetrForSegmentation, true>(segmentation);
    check_ops<DetrForSegmentation, false>(segmentation);
    check_ops<DetrForObjectDetection, true>(test::golden("detr", "detection"));
    check_ops<Detr, false>(learned);
}

TEST_CASE("Every op of DETR stays on MPS and CUDA") {
    STATIC_REQUIRE(native<Detr, Exec<Chain<Mps>>>);
    STATIC_REQUIRE(native<DetrForSegmentation, Exec<Chain<device::Cuda>>>);
}

TEMPLATE_LIST_TEST_CASE("Wrong inputs of DETR are refused before anything runs", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<DetrForSegmentation, TestType, Fp32>::open(segmentation.string());
    const auto good = main_inputs(segmentation);  // (2, 1, 40, 70)
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::DetrInputs;
    refused([](In& in) { in.pixel_values = Tensor(); }, {"pixel_values", "missing"});
    refused([](In& in) { in.pixel_values = in.pixel_values[0]; }, {"pixel_values", "(1, 40, 70)", "unsqueeze"});
    refused([](In& in) { in.pixel_values = in.pixel_values.to(at::kByte); }, {"pixel_values", "Byte", "Float"});
    refused([](In& in) { in.pixel_values = in.pixel_values.slice(2, 0, 0); }, {"pixel_values", "empty"});
    refused([](In& in) { in.pixel_values = in.pixel_values.expand({2, 3, 40, 70}); }, {"3 channels", "takes 1"});
    refused([](In& in) { in.pixel_mask = in.pixel_mask->to(at::kFloat); }, {"pixel_mask", "Float", "Long"});
    refused([](In& in) { in.pixel_mask = in.pixel_mask->unsqueeze(1); }, {"pixel_mask", "rank 3"});
    refused([](In& in) { in.pixel_mask = in.pixel_mask->slice(2, 1); },
            {"pixel_mask", "(2, 40, 69)", "(2, 1, 40, 70)"});
    refused([](In& in) { in.pixel_mask = in.pixel_mask->slice(0, 1); }, {"pixel_mask", "(1, 40, 70)"});
    CHECK(test::wrong(segmentation, model(good), bound) == "");  // and nothing was spoilt
    const auto narrow = Model<Detr, TestType, Fp32>::open(learned.string());
    refuses<InputError>([&] { static_cast<void>(narrow({.pixel_values = at::zeros({1, 1, 40, 1640})})); },
                        {"52 columns", "50", "smaller"});
    CHECK(narrow({.pixel_values = at::zeros({1, 1, 40, 1600})}).encoder_last_hidden_state.size(1) == 2 * 50);
}

TEST_CASE("An image of which nothing is visible gives numbers, and leaves those beside it alone") {
    const auto model = Model<DetrForSegmentation, Cpu>::open(segmentation.string());
    auto in = main_inputs(segmentation);
    in.pixel_mask = in.pixel_mask->clone();
    in.pixel_mask->narrow(0, 1, 1).fill_(0);
    const auto out = model(in);
    const auto want = test::reference_of(segmentation).tensors;
    for (const Tensor& t : {out.logits, out.pred_boxes, out.pred_masks}) CHECK(t.isfinite().all().item<bool>());
    CHECK(test::differs(out.pred_masks[0], want.at("outputs.pred_masks")[0], 2e-5) == "");
}

TEST_CASE("Configurations of DETR that cannot be are refused with the key and the value") {
    refused_config(R"("d_model": 0)", {"d_model is 0"});
    refused_config(R"("num_queries": 0)", {"num_queries is 0"});
    refused_config(R"("encoder_layers": -1)", {"encoder_layers is -1"});
    refused_config(R"("decoder_ffn_dim": 0)", {"decoder_ffn_dim is 0"});
    refused_config(R"("encoder_attention_heads": 7)", {"d_model 256", "encoder_attention_heads 7"});
    refused_config(R"("decoder_attention_heads": 0)", {"decoder_attention_heads is 0"});
    refused_config(R"("num_labels": 0)", {"labels"});
    refused_config(R"("position_embedding_type": "rotary")", {"position_embedding_type", "rotary", "sine"});
    refused_config(R"("d_model": 30, "encoder_attention_heads": 3, "decoder_attention_heads": 3)",
                   {"d_model 30", "4", "sine"});
    refused_config(R"("d_model": 15, "encoder_attention_heads": 3, "decoder_attention_heads": 3,
                       "position_embedding_type": "learned")",
                   {"d_model 15", "2", "learned"});
    refused_config(R"("activation_function": "prelu")", {"activation_function", "prelu", "known are"});
    refused_config(R"("backbone": "resnet50d")", {"backbone", "resnet50d", "resnet50"});
    refused_config(R"("backbone": "swin_tiny")", {"backbone", "swin_tiny"});
    refused_config(R"("use_timm_backbone": false, "backbone": "microsoft/resnet-50")",
                   {"microsoft/resnet-50", "use_timm_backbone", "backbone_config"});
    refused_config(R"("num_channels": 0)", {"num_channels is 0"});
    refused_config(R"("backbone_config": {"model_type": "swin"})", {"backbone_config.model_type", "swin"});
    refused_config(R"("backbone_config": {"model_type": "timm_backbone"})", {"backbone_config", "names no backbone"});
    const auto net = [](const std::string& keys, std::initializer_list<std::string_view> words) {
        refused_config(R"("backbone_config": {"model_type": "resnet", )" + keys + "}", words);
    };
    net(R"("depths": [1, 2])", {"2 depths", "4 hidden_sizes"});
    net(R"("depths": [], "hidden_sizes": [])", {"0 depths"});
    net(R"("depths": [1, 1, 0, 1])", {"depths", "0"});
    net(R"("depths": [1, 1, 1000000, 1])", {"depths", "1000000"});
    net(R"("hidden_sizes": [8, 8, 3, 8])", {"hidden_sizes", "3", "4 or more"});
    net(R"("embedding_size": 0)", {"embedding_size is 0"});
    net(R"("num_channels": -3)", {"num_channels is -3"});
    net(R"("layer_type": "wide")", {"layer_type", "wide", "bottleneck"});
    net(R"("out_features": ["stage5"])", {"out_features", "stage5", "stage4"});
    net(R"("out_features": ["stage2", "stage1"])", {"rising"});
    net(R"("out_indices": [])", {"out_indices"});
    net(R"("out_indices": [1, 5])", {"out_indices", "0 to 4"});
    net(R"("out_indices": [-6])", {"out_indices", "-5"});
    net(R"("out_indices": [4, -1])", {"out_indices", "rising"});
    net(R"("out_indices": [3], "out_features": ["stage4"])", {"out_features", "out_indices", "other stages"});
    refused_config(R"("backbone_config": {"model_type": "timm_backbone", "backbone": "resnet50", "output_stride": 4})",
                   {"output_stride", "4", "16"});
    refused_config<DetrForSegmentation>(R"("use_timm_backbone": false)", {"1 maps", "three"});
    refused_config<DetrForSegmentation>(R"("d_model": 256, "encoder_attention_heads": 4)",
                                        {"256", "4", "multiples of 8"});
    refused_config<DetrForSegmentation>(R"("d_model": 40, "encoder_attention_heads": 8)", {"40", "multiples of 8"});
    refused_config<DetrForSegmentation>(R"("d_model": 8)", {"mask head", "8"});
    test::refused_config<Detr>(R"({"model_type": "conditional_detr"})", {"model_type", "conditional_detr", "detr"});
}

TEST_CASE("A configuration means the backbone that transformers reads from it") {
    const std::vector<std::size_t> four = {1, 2, 3, 4}, last = {4};
    const auto published = backbone(R"("backbone": "resnet50", "use_timm_backbone": true, "backbone_config": null)");
    CHECK(published.maps == four);
    CHECK(published.bottleneck);
    CHECK(published.width(4) == 2048);
    CHECK(published.side(800) == 25);
    CHECK(published.side(1066) == 34);
    CHECK_FALSE(published.stride_in_first);
    CHECK(backbone("").stages[2].depth == 6);
    CHECK(backbone(R"("backbone": "resnet101.a1h_in1k")").stages[2].depth == 23);
    const auto dc5 = backbone(R"("backbone": "resnet101", "dilation": true)");
    CHECK(dc5.stages[3].stride == 1);
    CHECK(dc5.stages[3].dilation == 2);
    CHECK(dc5.stages[3].before == 1);
    CHECK(dc5.side(800) == 50);
    const auto own = backbone(R"("use_timm_backbone": false)");
    CHECK(own.maps == last);
    CHECK(own.stem_pooled);
    CHECK(backbone(R"("backbone": "resnet18", "num_channels": 4)").channels == 4);
    CHECK(backbone(R"("backbone": "resnet18", "num_channels": 4)").width(4) == 512);
    CHECK(backbone(R"("backbone_kwargs": {"out_indices": [2, 3], "in_chans": 1})").channels == 1);
    const std::string timm = R"("backbone_config": {"model_type": "timm_backbone", "backbone": "resnet18")";
    CHECK(backbone(timm + "}").maps == last);
    CHECK(backbone(timm + R"(, "out_indices": [-2, -1]}, "dilation": true)").maps == std::vector<std::size_t>{3, 4});
    CHECK(backbone(timm + R"(, "output_stride": 8})").stages[3].dilation == 4);
    CHECK(backbone(R"("backbone_config": {"model_type": "resnet", "out_indices": [1, -1], "layer_type": "basic"})")
              .maps == std::vector<std::size_t>{1, 4});
    const auto c = test::config_of<Detr>(R"({"hidden_size": 64, "num_attention_heads": 4, "num_labels": 7})");
    CHECK(c.d_model == 64);
    CHECK(c.encoder_attention_heads == 4);
    CHECK(c.num_queries == 100);
    CHECK(c.encoder_layers == 6);
    CHECK(c.decoder_ffn_dim == 2048);
    CHECK(c.activation_function == Activation::relu);
    CHECK(c.labels() == 7);
}

TEST_CASE("Weights of DETR that do not fit are refused with the tensor, both shapes and a remedy") {
    test::ChangedCase changed(segmentation);
    auto& tensors = changed.tensors;
    const auto refused = [&](std::initializer_list<std::string_view> words) {
        changed.refused<DetrForSegmentation>(words);
    };
    const std::string net = "detr.model.backbone.conv_encoder.model.";
    SECTION("no batch norm") {
        tensors.erase(net + "embedder.embedder.normalization.running_var");
        refused({"bn1.running_var", "(6)"});
    }
    SECTION("variances that are none") {
        tensors[net + "embedder.embedder.normalization.running_var"] = at::full({6}, -1.0);
        refused({"bn1.running_var", "variances"});
    }
    SECTION("a kernel of another shape") {
        tensors["detr.mask_head.lay1.weight"] = at::ones({2, 2});
        tensors["mask_head.lay1.weight"] = at::ones({24, 24, 1, 1});
        tensors.erase("detr.mask_head.lay1.weight");
        refused({"mask_head.lay1.weight", "(24, 24, 1, 1)", "(24, 24, 3, 3)"});
    }
    SECTION("other queries") {
        tensors["detr.model.query_position_embeddings.weight"] = at::ones({100, 16});
        refused({"query_position_embeddings.weight", "(100, 16)", "(7, 16)"});
    }
}

TEST_CASE("Threads call one DETR at once") {
    const auto model = Model<DetrForSegmentation, Cpu>::open(segmentation.string());
    const auto in = main_inputs(segmentation);
    const Tensor want = test::reference_of(segmentation).tensors.at("outputs.pred_masks");
    CHECK(test::wrong_at_once([&] { return test::differs(model(in).pred_masks, want, bound).empty(); }) == 0);
}

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS a call of DETR copies its inputs there, waits for nothing and reads nothing") {
    if (!test::present<Mps>()) return;
    const test::sim::Settings settings;
    const auto check = [&](const auto& model) {
        auto in = main_inputs(segmentation);
        test::check_quiet_call(model, in, 2);
        in.pixel_mask.reset();
        test::check_quiet_call(model, in, 1);
    };
    check(Model<DetrForSegmentation, Chain<Mps>, Fp32>::open(segmentation.string()));
    check(Model<DetrForSegmentation, Chain<Mps>, Fp16>::open(segmentation.string()));
}

#endif

}  // namespace detr_faults
