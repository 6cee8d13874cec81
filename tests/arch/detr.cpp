// DETR against transformers: every golden case, on every device, in every precision, in every spelling of a checkpoint;
// one case with every loader.
#include "silica/arch/detr.hpp"

#include <functional>

#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using device::Cpu;
using test::Halves, test::Reference;

namespace {

using Tensors = std::map<std::string, Tensor>;
using Rename = std::function<std::string(const std::string&)>;

Tensors renamed(const Tensors& tensors, const Rename& rename) {
    Tensors other;
    for (const auto& [name, t] : tensors) other.emplace(rename(name), t);
    return other;
}

/// `from` replaced by `to` wherever it stands; a name may have none.
std::string swapped(std::string name, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = name.find(from, at)) != std::string::npos; at += to.size())
        name.replace(at, from.size(), to);
    return name;
}

std::string config_of(const std::string& name) { return test::read_file(test::golden("detr", name) / "config.json"); }

/// The case's checkpoint under other names gives what it gives.
template <class Arch>
void check_renamed(const std::string& name, const Rename& rename) {
    const test::Directory directory;
    test::write_checkpoint(directory / "there", config_of(name),
                           renamed(test::tensors_of(test::golden("detr", name)), rename));
    test::check_directory<Arch>(directory / "there", test::golden("detr", name) / "reference.safetensors");
    CHECK(Model<Arch, Cpu>::open((directory / "there").string()).account().unexpected.empty());
}

/// transformers' names of a ResNet as timm's: "encoder.stages.0.layers.1.layer.2.convolution" is "layer1.1.conv3".
std::string timm_name(const std::string& name) {
    const std::string net = "backbone.conv_encoder.model.";
    const auto at = name.find(net);
    if (at == std::string::npos) return name;
    const std::string place = name.substr(0, at + net.size());
    std::string rest = name.substr(at + net.size());
    rest = swapped(swapped(rest, "embedder.embedder.convolution", "conv1"), "embedder.embedder.normalization", "bn1");
    for (int s = 0; s < 4; ++s) {
        for (int l = 0; l < 3; ++l) {
            const std::string from = "encoder.stages." + std::to_string(s) + ".layers." + std::to_string(l) + ".",
                              to = "layer" + std::to_string(s + 1) + "." + std::to_string(l) + ".";
            rest = swapped(rest, from + "shortcut.convolution", to + "downsample.0");
            rest = swapped(rest, from + "shortcut.normalization", to + "downsample.1");
            for (int k = 0; k < 3; ++k) {
                const std::string layer = from + "layer." + std::to_string(k) + ".", n = std::to_string(k + 1);
                rest = swapped(swapped(rest, layer + "convolution", to + "conv" + n), layer + "normalization",
                               to + "bn" + n);
            }
        }
    }
    return place + rest;
}

}  // namespace

TEST_CASE("DetrModel equals transformers on every device, in every precision, with every loader") {
    test::run_case_with_every_loader<arch::Detr>("detr", "base", Halves::given);
}

TEST_CASE("Learned positions, basic blocks, a stem as a map and norms after each layer equal transformers'") {
    test::run_case<arch::Detr>("detr", "learned", Halves::none);
}

TEST_CASE("DetrForObjectDetection equals transformers") {
    test::run_case<arch::DetrForObjectDetection>("detr", "detection", Halves::given);
}

TEST_CASE("DetrForSegmentation equals transformers, with four maps, with three, and in the names of version 5") {
    test::run_case<arch::DetrForSegmentation>("detr", "segmentation", Halves::given);
    test::run_case<arch::DetrForSegmentation>("detr", "segmentation_three_maps", Halves::none);
    test::run_case<arch::DetrForSegmentation>("detr", "torch_file", Halves::none);
}

TEST_CASE("Names of timm's networks and of transformers' are the same weights") {
    CHECK(timm_name("detr.model.backbone.conv_encoder.model.encoder.stages.1.layers.1.layer.0.convolution.weight") ==
          "detr.model.backbone.conv_encoder.model.layer2.1.conv1.weight");
    check_renamed<arch::Detr>("base", timm_name);
    check_renamed<arch::DetrForObjectDetection>("detection", timm_name);
    check_renamed<arch::DetrForSegmentation>("segmentation", timm_name);
    check_renamed<arch::DetrForSegmentation>("segmentation", [](const std::string& name) {
        return swapped(timm_name(name), "conv_encoder.model.", "conv_encoder.model._backbone.");
    });
}

TEST_CASE("Names of version 5, and a base model's with and without its prefix, are the same weights") {
    const Rename v5 = [](const std::string& n) {
        return swapped(swapped(swapped(n, "conv_encoder.", ""), "out_proj", "o_proj"), ".fc", ".mlp.fc");
    };
    check_renamed<arch::DetrForObjectDetection>("detection", v5);
    check_renamed<arch::Detr>("base", v5);
    check_renamed<arch::Detr>("base", [](const std::string& n) { return "model." + n; });
    check_renamed<arch::Detr>("base", [](const std::string& n) { return "detr.model." + n; });
    check_renamed<arch::Detr>(
        "learned", [](const std::string& n) { return n.starts_with("position_embedding.") ? "backbone." + n : n; });
}

TEST_CASE("A checkpoint opens with every head whose weights it holds, and says what is left") {
    const auto golden = test::golden("detr", "segmentation");
    const Reference reference(golden / "reference.safetensors");
    const auto in = reference.inputs<arch::DetrInputs>();
    const auto boxes = Model<arch::DetrForObjectDetection, Cpu>::open(golden.string());
    CHECK(boxes.account().unexpected.size() == 4 + 10 + 10 + 6 + 2);
    const auto got = boxes(in);
    CHECK(test::differs(got.logits, reference.tensors.at("outputs.logits"), 2e-5) == "");
    CHECK(test::differs(got.pred_boxes, reference.tensors.at("outputs.pred_boxes"), 2e-5) == "");
    const auto base = Model<arch::Detr, Cpu>::open(golden.string());
    CHECK(test::differs(base(in).last_hidden_state, reference.tensors.at("outputs.last_hidden_state"), 2e-5) == "");

    const test::Directory directory;
    Tensors tensors = test::tensors_of(golden);
    tensors.emplace(
        "detr.model.backbone.conv_encoder.model.encoder.stages.0.layers.0.layer.0.normalization."
        "num_batches_tracked",
        at::zeros({}, at::kLong));
    test::write_checkpoint(directory / "there", config_of("segmentation"), tensors);
    const auto model = Model<arch::DetrForSegmentation, Cpu>::open((directory / "there").string());
    CHECK(model.account().ignored.size() == 1);
    CHECK(model.account().unexpected.empty());
}

TEST_CASE("Random weights make a model of the same shapes: detr") {
    const auto golden = test::golden("detr", "segmentation");
    const auto config = checkpoint::read_config<arch::DetrForSegmentation>(golden);
    const auto random = Model<arch::DetrForSegmentation, Cpu>::from(config, loader::Random());
    const Reference reference(golden / "reference.safetensors");
    const auto out = random(reference.inputs<arch::DetrInputs>());
    CHECK(out.pred_masks.sizes() == reference.tensors.at("outputs.pred_masks").sizes());
    const auto opened = Model<arch::DetrForSegmentation, Cpu>::open(golden.string());
    CHECK(random.account().parameters == opened.account().parameters);
}

TEST_CASE("An image of a batch is what it is alone, and a mask of ones is no mask") {
    const auto model = Model<arch::DetrForSegmentation, Cpu>::open(test::golden("detr", "segmentation").string());
    const Tensor images = test::random({2, 1, 64, 97}, 3);
    const auto both = model({.pixel_values = images, .pixel_mask = at::ones({2, 64, 97}, at::kLong)});
    for (std::int64_t i = 0; i < 2; ++i) {
        const auto alone = model({.pixel_values = images.narrow(0, i, 1)});
        CHECK(test::differs(both.logits.narrow(0, i, 1), alone.logits, 2e-5) == "");
        CHECK(test::differs(both.pred_masks.narrow(0, i, 1), alone.pred_masks, 2e-5) == "");
    }
}

TEST_CASE("Large masks are computed some queries at a time, and are the same") {
    const auto golden = test::golden("detr", "segmentation");
    auto config = checkpoint::read_config<arch::DetrForSegmentation>(golden);
    Tensors tensors = test::tensors_of(golden);
    const Tensor image = test::random({1, 1, 700, 1100}, 3);  // 16 * 175 * 275 values a query at most: 21 fit
    const auto few = Model<arch::DetrForSegmentation, Cpu>::open(golden.string())({.pixel_values = image});
    const std::string queries = "detr.model.query_position_embeddings.weight";
    REQUIRE(tensors.contains(queries));
    tensors[queries] = tensors.at(queries).repeat({10, 1});
    config.num_queries = 70;
    const auto many =
        Model<arch::DetrForSegmentation, Cpu>::from(config, loader::InMemory(tensors))({.pixel_values = image});
    REQUIRE(many.pred_masks.size(1) == 70);
    // Ten times the same queries attend as one set of them does.
    CHECK(test::differs(many.pred_masks, few.pred_masks.repeat({1, 10, 1, 1}), 1e-4) == "");
}
