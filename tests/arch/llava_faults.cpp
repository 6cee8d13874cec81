// What LLaVA and LLaVA-NeXT do when things go wrong, and what they must not do: ops outside of their lists, hops,
// waits.
#include "silica/arch/llava.hpp"
#include "silica/arch/llava_next.hpp"
#include "silica/core/anyres.hpp"
#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/faults.hpp"

namespace llava_faults {

using namespace silica;
using device::Cpu, device::Mps;
using precision::Bf16, precision::Fp16, precision::Fp32;
using test::config_of, test::inputs_of, test::refused_config, test::refuses;

namespace {

using Llava = arch::LlavaForConditionalGeneration;
using Next = arch::LlavaNextForConditionalGeneration;

const auto clip = test::golden("llava", "clip_llama"), tiles = test::golden("llava_next", "clip_mistral");
constexpr double bound = 5e-5;

/// A configuration of LLaVA, or of LLaVA-NeXT, with these keys must be refused.
template <class... Archs>
void refused(const std::string& keys, std::initializer_list<std::string_view> words) {
    (refused_config<Archs>(R"({"model_type": ")" + std::string(Archs::family) + "\", " + keys + "}", words), ...);
}

}  // namespace

TEST_CASE("No op runs that is not in the Ops of LLaVA, with fused kernels and without") {
    const auto ops = {std::string_view("conv"), std::string_view("attention"), std::string_view("rotary")};
    test::check_ops<Llava, true>(clip, bound, {"conv", "attention", "linear_activation"}, {"reference"});
    test::check_ops<Llava, false>(test::golden("llava", "siglip_qwen2"), bound, {"conv", "attention", "linear"});
    test::check_ops<Next, true>(tiles, bound, {"conv", "attention"}, {"reference", "reference-tiles"});
    test::check_traced<Next, false>(tiles, ops, [&](const auto& model) {
        auto state = model.make_state(3, 80);
        static_cast<void>(model.prefill(inputs_of<Next>(tiles), state));
        static_cast<void>(model.step(at::full({3}, 5, at::kLong), state));
    });
}

TEST_CASE("Every op of LLaVA stays on MPS and CUDA") {
    STATIC_REQUIRE(native<Llava, Exec<Mps>>);
    STATIC_REQUIRE(native<Llava, Exec<Mps, Fp32>>);
    STATIC_REQUIRE(native<Llava, Exec<Mps, Bf16>>);
    STATIC_REQUIRE(native<Llava, Exec<device::Cuda>>);
    STATIC_REQUIRE(native<Next, Exec<device::Cuda>>);
}

TEST_CASE("Several threads run one LLaVA on the CPU at once, and each gets the same") {
    const auto model = Model<Llava, Cpu>::open(clip.string());
    const auto inputs = inputs_of<Llava>(clip);
    const Tensor want = model(inputs).logits;
    CHECK(test::wrong_at_once([&] { return model(inputs).logits.equal(want); }) == 0);
}

// ---- bad inputs

TEMPLATE_LIST_TEST_CASE("Wrong inputs of LLaVA are refused with their name and a remedy, before anything runs", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = Model<Llava, TestType, Fp32>::open(clip.string());
    const auto good = inputs_of<Llava>(clip);  // 3 rows; 3 images of (3, 12, 12), 9 features each
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::LlavaInputs;
    refused([](In& in) { in.input_ids = Tensor(); }, {"input_ids", "missing"});
    refused([](In& in) { in.input_ids = in.input_ids.to(at::kInt); }, {"input_ids", "Int", "Long"});
    refused([](In& in) { in.input_ids = at::full({3, 4}, 60, at::kLong); }, {"input_ids", "60", "vocab_size"});
    refused([](In& in) { in.attention_mask = at::ones({3, 2}, at::kLong); }, {"attention_mask", "(3, 2)"});
    refused([](In& in) { in.pixel_values = Tensor(); }, {"pixel_values", "missing"});
    refused([](In& in) { in.pixel_values = in.pixel_values->select(0, 0); }, {"pixel_values", "rank 4"});
    refused([](In& in) { in.pixel_values = in.pixel_values->unsqueeze(0); }, {"pixel_values", "rank 4"});
    refused([](In& in) { in.pixel_values = at::ones({3, 3, 12, 16}); }, {"pixel_values", "12 x 16", "12 x 12"});
    refused([](In& in) { in.pixel_values = at::ones({3, 1, 12, 12}); }, {"pixel_values", "3 channels"});
    refused([](In& in) { in.pixel_values = in.pixel_values->to(at::kLong); }, {"pixel_values", "Long"});
    refused([](In& in) { in.image_sizes = at::ones({3, 2}, at::kLong); }, {"image_sizes", "leave it out"});
    // the tokens of images against their features, with both numbers
    refused([](In& in) { in.pixel_values = in.pixel_values->narrow(0, 0, 2); }, {"27 image tokens", "18 features"});
    refused([](In& in) { in.pixel_values = at::ones({4, 3, 12, 12}); }, {"27 image tokens", "36 features"});
    refused([](In& in) { in.input_ids = in.input_ids.masked_fill(in.input_ids == 55, 3); },
            {"0 image tokens", "27 features"});
    refused([](In& in) { in.rows_per_text = at::full({}, 2, at::kLong); }, {"rows_per_text is 2", "3 rows"});
    refused([](In& in) { in.rows_per_text = at::full({}, 0, at::kLong); }, {"rows_per_text is 0"});
    refused([](In& in) { in.rows_per_text = at::ones({1}, at::kLong); }, {"rows_per_text", "rank 0"});
    refused([](In& in) { in.rows_per_text = at::full({}, 3, at::kLong); },
            {"Row 1", "18 image tokens", "9", "rows_per_text"});
    CHECK(test::wrong(clip, model(good), bound) == "");  // and nothing was spoilt

    auto state = model.make_state(3, 40);
    refuses<InputError>([&] { static_cast<void>(model.step(at::full({2}, 5, at::kLong), state)); }, {"ids"});
    if (TestType::type == c10::DeviceType::CPU)
        refuses<InputError>([&] { static_cast<void>(model.step(at::full({3}, 60, at::kLong), state)); }, {"60"});
}

TEST_CASE("Wrong inputs of LLaVA-NeXT are refused with their name and a remedy, before anything runs") {
    const auto model = Model<Next, Cpu>::open(tiles.string());
    const auto good = inputs_of<Next>(tiles);  // 3 images of 5, 4 and 5 tiles, of (6, 3, 8, 8)
    const auto refused = test::refused_inputs_of(model, good);
    using In = arch::LlavaInputs;
    refused([](In& in) { in.image_sizes.reset(); }, {"image_sizes", "missing"});
    refused([](In& in) { in.image_sizes = at::ones({3, 3}, at::kLong); }, {"image_sizes", "(3, 3)", "(images, 2)"});
    refused([](In& in) { in.image_sizes = at::zeros({3, 2}, at::kLong); }, {"image_sizes", "holds no sizes"});
    refused([](In& in) { in.image_sizes = at::full({3, 2}, std::int64_t{1} << 40, at::kLong); }, {"image_sizes"});
    refused([](In& in) { in.image_sizes = at::ones({3, 2}); }, {"image_sizes", "Float"});
    refused([](In& in) { in.image_sizes = at::ones({2, 2}, at::kLong); }, {"image_sizes has 2", "pixel_values 3"});
    refused([](In& in) { in.pixel_values = Tensor(); }, {"pixel_values", "missing"});
    refused([](In& in) { in.pixel_values = at::ones({3, 3}); }, {"pixel_values", "rank 5"});
    refused([](In& in) { in.pixel_values = at::ones({3, 6, 3, 8, 9}); }, {"pixel_values", "8 x 9"});
    refused([](In& in) { in.pixel_values = in.pixel_values->to(at::kInt); }, {"pixel_values", "Int"});
    refused([](In& in) { in.pixel_values = in.pixel_values->narrow(1, 0, 2); }, {"Image 0", "needs 5 tiles", "has 2"});
    refused([](In& in) { in.pixel_values = in.pixel_values->flatten(0, 1); }, {"has 18 tiles", "needs 14"});
    refused([](In& in) { in.image_sizes = at::full({3, 2}, 50, at::kLong); }, {"image tokens", "features"});
    CHECK(test::wrong(tiles, model(good), bound) == "");
}

TEST_CASE("An image of any shape has a resolution, and some patch or none that shows it") {
    const std::vector<anyres::Extent> points = {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}};
    const auto best = [&](std::int64_t h, std::int64_t w) { return anyres::best_resolution({h, w}, points); };
    const auto features = [&](std::int64_t h, std::int64_t w) {
        const auto size = *best(h, w);
        return anyres::features({h, w}, {size.height / 336, size.width / 336}, 24);
    };
    CHECK(best(336, 336) == anyres::Extent{336, 672});
    CHECK(features(336, 336) == 1176);
    CHECK(features(480, 640) == 2340);
    CHECK(features(1000, 1000) == 2928);
    CHECK(features(100, 1000) == 1160);
    CHECK(best(1, 1'000'000) == anyres::Extent{336, 672});  // none shows a pixel: the least waste
    CHECK_FALSE(anyres::best_resolution({5, 5}, {}).has_value());
    CHECK(anyres::shown({1, 1000}, {4, 4}) == anyres::Shown{2, 0, {0, 4}});
    CHECK(anyres::shown({1, 1000}, {3, 3}) == anyres::Shown{1, 0, {1, 3}});
    CHECK(anyres::shown({100, 100}, {6, 3}) == anyres::Shown{1, 0, {4, 3}});  // an odd row of padding stays
}

// ---- configurations

TEST_CASE("Configurations of LLaVA that cannot be are refused with the part, the key and the value") {
    refused<Llava, Next>(R"("text_config": {"model_type": "gpt2"})", {"text_config", "gpt2", "mistral"});
    refused<Llava, Next>(R"("text_config": {"model_type": "qwen2", "vocab_size": 0})", {"text_config", "vocab_size"});
    refused<Llava, Next>(R"("text_config": {"rms_norm_eps": NaN})", {"text_config", "rms_norm_eps"});
    refused<Llava, Next>(R"("text_config": 7)", {"text_config"});
    refused<Llava, Next>(R"("vision_config": {"model_type": "pixtral"})", {"vision_config", "pixtral", "siglip"});
    refused<Llava, Next>(R"("vision_config": {"model_type": 3})", {"vision_config", "model_type = 3"});
    refused<Llava, Next>(R"("vision_config": {"patch_size": 0})", {"vision model", "patch_size is 0"});
    refused<Llava, Next>(R"("vision_config": {"num_attention_heads": 5})", {"hidden_size 768", "multiple"});
    refused<Llava, Next>(R"("vision_config": {"model_type": "siglip_vision_model", "patch_size": 500})",
                         {"224 x 224", "holds no patch"});
    refused<Llava, Next>(R"("vision_config": {"layer_norm_eps": Infinity})", {"vision_config", "layer_norm_eps"});
    refused<Llava, Next>(R"("vision_feature_layer": [])", {"vision_feature_layer", "empty list"});
    refused<Llava, Next>(R"("vision_feature_layer": 25)", {"vision_feature_layer", "25", "24 layers"});
    refused<Llava, Next>(R"("vision_feature_layer": [-2, -26])", {"vision_feature_layer", "-26", "-25 to 24"});
    refused<Llava, Next>(R"("vision_feature_layer": "last")", {"vision_feature_layer", "integer"});
    refused<Llava, Next>(R"("vision_feature_select_strategy": "cls")", {"vision_feature_select_strategy", "default"});
    refused<Llava, Next>(R"("projector_hidden_act": "glu")", {"projector_hidden_act", "glu", "gelu"});
    refused<Llava, Next>(R"("image_token_index": -1)", {"image_token_index is -1"});
    refused<Llava, Next>(R"("image_token_id": "x")", {"image_token_id", "integer"});
    refused<Llava>(R"("vision_config": {"model_type": "siglip_vision_model", "image_size": 16})",
                   {"no feature", "full"});

    refused<Next>(R"("vision_feature_select_strategy": "full")", {"577 features", "24 x 24", "SigLIP"});
    refused<Next>(R"("vision_config": {"model_type": "siglip_vision_model"})", {"195 features", "14 x 14", "'full'"});
    refused<Next>(R"("image_grid_pinpoints": [])", {"image_grid_pinpoints", "empty list"});
    refused<Next>(R"("image_grid_pinpoints": [[336, 672], [400, 336]])", {"[400, 336]", "multiples", "336"});
    refused<Next>(R"("image_grid_pinpoints": [[336]])", {"image_grid_pinpoints", "[336]"});
    refused<Next>(R"("image_grid_pinpoints": [336, 672])", {"image_grid_pinpoints", "[336]"});
    refused<Next>(R"("image_grid_pinpoints": [[0, 336]])", {"[0, 336]"});
    refused_config<Llava>(R"({"model_type": "llava_next"})", {"model_type", "llava_next", "'llava'"});
    refused_config<Next>(R"({"model_type": "llava"})", {"model_type", "'llava_next'"});
}

TEST_CASE("What a configuration of LLaVA leaves out has transformers' defaults") {
    const auto c = config_of<Llava>(R"({"model_type": "llava"})");
    const auto& vision = std::get<arch::ClipVisionConfig>(c.vision_config.tower);
    CHECK(vision.hidden_size == 1024);
    CHECK(vision.intermediate_size == 4096);
    CHECK(vision.num_hidden_layers == 24);
    CHECK(vision.num_attention_heads == 16);
    CHECK(vision.image_size == 336);
    CHECK(vision.patch_size == 14);
    CHECK(vision.hidden_act == Activation::quick_gelu);
    CHECK(c.features() == 576);
    CHECK(c.depths() == std::vector<std::int64_t>{23});
    CHECK(c.image_token_index == 32000);
    CHECK(c.projector_hidden_act == Activation::gelu);
    CHECK(c.multimodal_projector_bias);
    CHECK(std::holds_alternative<arch::LlamaConfig>(c.text_config.family));
    CHECK(c.text_config.vocab_size() == 32000);

    const auto given = config_of<Llava>(R"({"model_type": "llava", "vision_config": {"hidden_size": 64,
        "num_attention_heads": 4}, "image_token_id": 9, "vision_feature_layer": [-1, 0],
        "text_config": {"model_type": "qwen2", "eos_token_id": [4, 5], "vocab_size": 77}})");
    CHECK(std::get<arch::ClipVisionConfig>(given.vision_config.tower).patch_size == 32);  // CLIP's
    CHECK(given.image_token_index == 9);
    CHECK(given.depths() == std::vector<std::int64_t>{12, 0});
    const auto text = Llava::text(given);
    CHECK(text.vocab_size == 77);
    CHECK(text.eos_token_id == std::vector<std::int64_t>{4, 5});
    CHECK(Llava::context(given) == 32768);

    const auto siglip = config_of<Llava>(R"({"vision_config": {"model_type": "siglip_vision_model"}})");
    const auto& tower = std::get<arch::SiglipVisionConfig>(siglip.vision_config.tower);
    CHECK(tower.patch_size == 16);
    CHECK(tower.layer_norm_eps == 1e-6);
    CHECK(tower.hidden_act == Activation::gelu_tanh);
    CHECK(siglip.features() == 195);

    const auto next = config_of<Next>(R"({"model_type": "llava_next", "image_grid_pinpoints": null})");
    CHECK(next.image_grid_pinpoints.size() == 5);
    CHECK(next.image_grid_pinpoints[3] == std::vector<std::int64_t>{1008, 336});
}

// ---- weights

TEST_CASE("Weights of LLaVA that do not fit are refused with the tensor, both shapes and a remedy") {
    test::ChangedCase changed(clip);
    SECTION("a projector of another width") {
        changed.tensors["multi_modal_projector.linear_1.weight"] = at::ones({16, 24});
        changed.refused<Llava>({"multi_modal_projector.linear_1.weight", "(16, 24)", "(16, 12)"});
    }
    SECTION("a projector without its bias") {
        changed.tensors.erase("multi_modal_projector.linear_2.bias");
        changed.refused<Llava>({"multi_modal_projector.linear_2.bias", "(16)"});
    }
    SECTION("positions of another image size") {
        const std::string name = "vision_tower.vision_model.embeddings.position_embedding.weight";
        changed.tensors[name] = at::ones({9, 12});
        changed.refused<Llava>({"position_embedding", "(9, 12)", "(10, 12)"});
    }
    SECTION("no matrix of the vocabulary, and no tie") {
        changed.tensors.erase("language_model.lm_head.weight");
        changed.refused<Llava>({"lm_head.weight", "(60, 16)"});
    }
    SECTION("a layer of the vision model that is needed") {
        changed.tensors.erase("vision_tower.vision_model.encoder.layers.1.mlp.fc1.weight");
        changed.refused<Llava>({"encoder.layers.1.mlp.fc1.weight"});
    }
    SECTION("two spellings of one tensor that differ") {
        changed.tensors["model.multi_modal_projector.linear_2.bias"] = at::ones({16});
        changed.refused<Llava>({"two different tensors", "multi_modal_projector.linear_2.bias"});
    }
    SECTION("no newline") {
        test::ChangedCase next(tiles);
        next.tensors.erase("image_newline");
        next.refused<Next>({"image_newline", "(16)"});
    }
}

// ---- the simulated MPS device

#ifdef SILICA_HAS_SIM_MPS

TEST_CASE("On MPS a call of LLaVA copies its inputs there, waits for nothing and reads nothing") {
    if (!test::present<Mps>()) return;
    // ids, mask, cosines and sines; pixels and the places of images; LLaVA-NeXT's sizes, features and tiles
    test::check_quiet_call(Model<Llava, Chain<Mps>, Fp32>::open(clip.string()), inputs_of<Llava>(clip), 6);
    test::check_quiet_call(Model<Llava, Chain<Mps>, Fp16>::open(clip.string()), inputs_of<Llava>(clip), 6);
    test::check_quiet_call(Model<Next, Chain<Mps>, Bf16>::open(tiles.string()), inputs_of<Next>(tiles), 9);
    test::check_quiet_call(Model<Llava, Chain<Mps>, Fp32>::open(clip.string()),
                           inputs_of<Llava>(clip, "reference-text"), 4);
}

#endif

}  // namespace llava_faults
