// ViT and DeiT against transformers: every golden case, on every device, in every precision, in every spelling of a
// checkpoint; one case with every loader.
#include "silica/arch/vit.hpp"

#include "silica/arch/deit.hpp"
#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"
#include "support/refuses.hpp"

using namespace silica;
using silica::test::Halves, silica::test::Reference;

namespace {

using device::Cpu, device::Mps;
using precision::Fp32;

using Tensors = std::map<std::string, Tensor>;

/// The tensors of a case under other names.
template <class F>
Tensors renamed(const Tensors& tensors, F rename) {
    Tensors other;
    for (const auto& [name, t] : tensors) other.emplace(rename(name), t);
    return other;
}

/// The name that transformers' modules have in memory since version 5.
std::string modern(std::string name) {
    const std::pair<std::string, std::string> parts[] = {{"encoder.layer.", "layers."},
                                                         {"attention.attention.query", "attention.q_proj"},
                                                         {"attention.attention.key", "attention.k_proj"},
                                                         {"attention.attention.value", "attention.v_proj"},
                                                         {"attention.output.dense", "attention.o_proj"},
                                                         {"intermediate.dense", "mlp.fc1"},
                                                         {"output.dense", "mlp.fc2"}};
    for (const auto& [from, to] : parts) {
        if (const auto at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
    }
    return name;
}

/// Judges the case under the names that `rename` gives.
template <class Arch, class F>
void check_spelling(const std::string& family, const std::string& name, F rename) {
    const test::Directory directory;
    const auto golden = test::golden(family, name);
    test::write_checkpoint(directory.path(), test::read_file(golden / "config.json"),
                           renamed(test::tensors_of(golden), rename));
    test::check_directory<Arch>(directory.path(), golden / "reference.safetensors");
    CHECK(Model<Arch, Cpu>::open(directory.path().string()).account().unexpected.empty());
}

}  // namespace

TEST_CASE("ViTModel equals transformers on every device, in every precision, with every loader") {
    test::run_case_with_every_loader<arch::ViT>("vit", "base", Halves::given);
}

TEST_CASE("ViTModel equals transformers for any image, patch, head, bias and pooler") {
    test::run_case<arch::ViT>("vit", "rectangles", Halves::none);
    test::run_case<arch::ViT>("vit", "square_grid_of_a_rectangle", Halves::none);
    test::run_case<arch::ViT>("vit", "pooler", Halves::none);
}

TEST_CASE("ViTForImageClassification equals transformers, with several labels, one and none") {
    test::run_case<arch::ViTForImageClassification>("vit", "classes", Halves::given);
    test::run_case<arch::ViTForImageClassification>("vit", "no_layers", Halves::none);
    test::run_case<arch::ViTForImageClassification>("vit", "no_classes", Halves::none);
    test::run_case<arch::ViTForImageClassification>("vit", "torch_file", Halves::none);
}

TEST_CASE("DeiT equals transformers with each head") {
    test::run_case<arch::DeiT>("deit", "base", Halves::given);
    test::run_case<arch::DeiT>("deit", "rectangles", Halves::none);
    test::run_case<arch::DeiTForImageClassification>("deit", "classes", Halves::none);
    test::run_case<arch::DeiTForImageClassificationWithTeacher>("deit", "teacher", Halves::given);
}

TEST_CASE("A kernel of convolution may lie channels last, as MLX has it") {
    const auto golden = test::golden("vit", "rectangles");
    auto tensors = test::tensors_of(golden);
    int kernels = 0;
    for (auto& [name, t] : tensors) {
        if (t.dim() == 4) t = t.movedim(1, -1).contiguous(), ++kernels;
    }
    CHECK(kernels == 1);
    const test::Directory directory;
    test::write_checkpoint(directory.path(), test::read_file(golden / "config.json"), tensors);
    test::refuses<CheckpointError>(
        [&] { (void)Model<arch::ViT, device::Cpu>::open(directory.path().string()); },
        {"patch_embeddings.projection.weight", "has shape"});  // nothing says that it is MLX's
    checkpoint::write_safetensors(directory.path() / "model.safetensors", {tensors.begin(), tensors.end()},
                                  {{"format", "mlx"}});
    test::check_directory<arch::ViT>(directory.path(), golden / "reference.safetensors");
}

TEST_CASE("Masked image modeling equals transformers, in the size of the image and in another") {
    test::run_case<arch::ViTForMaskedImageModeling>("vit", "reconstruction", Halves::none);
    test::run_case<arch::DeiTForMaskedImageModeling>("deit", "reconstruction", Halves::none);
}

TEST_CASE("A checkpoint for masked image modeling opens without its head, and masks patches") {
    const auto check = [](auto arch, const std::string& family) {
        using Arch = decltype(arch);
        const auto golden = test::golden(family, "masked");
        for (const auto& file : test::references(golden)) test::check_directory<Arch>(golden, file);
        const auto model = Model<Arch, Cpu>::open(golden.string());
        CHECK(model.account().unexpected == std::vector<std::string>{"decoder.0.bias", "decoder.0.weight"});
        const Reference reference(golden / "reference-masked.safetensors");
        auto in = reference.template inputs<typename Arch::Inputs>();
        in.bool_masked_pos = in.bool_masked_pos->to(at::kLong);
        test::check<Fp32>(reference, model(in), c10::Device("cpu"));
        if (!test::present<Mps>()) return;
        test::check<Fp32>(reference, Model<Arch, Mps, Fp32>::open(golden.string())(in), test::place<Mps>());
    };
    check(arch::ViT(), "vit");
    check(arch::DeiT(), "deit");
}

TEST_CASE("A head's checkpoint opens as the base model, and as each head whose weights it holds") {
    const auto base = [](auto arch, const std::string& family, const std::string& name,
                         const std::vector<std::string>& left) {
        const auto golden = test::golden(family, name);
        const auto model = Model<decltype(arch), Cpu>::open(golden.string());
        CHECK(model.account().unexpected == left);
        const Reference reference(golden / "reference.safetensors");
        const auto out = model(reference.inputs<arch::ViTInputs>());
        CHECK_FALSE(out.pooler_output);
        CHECK(out.last_hidden_state.size(2) == 16);
    };
    base(arch::ViT(), "vit", "torch_file", {"classifier.bias", "classifier.weight"});
    base(arch::DeiT(), "deit", "teacher",
         {"cls_classifier.bias", "cls_classifier.weight", "distillation_classifier.bias",
          "distillation_classifier.weight"});
    const auto teacher = test::golden("deit", "teacher").string();
    CHECK_THROWS_AS((Model<arch::DeiTForImageClassification, Cpu>::open(teacher)), CheckpointError);

    const test::Directory directory;
    auto tensors = test::tensors_of(teacher);
    for (const std::string part : {"weight", "bias"})
        tensors.emplace("classifier." + part, tensors.at("cls_classifier." + part));
    test::write_checkpoint(directory.path(), test::read_file(test::golden("deit", "teacher") / "config.json"), tensors);
    const Reference reference(test::golden("deit", "teacher") / "reference.safetensors");
    const auto out = Model<arch::DeiTForImageClassification, Cpu>::open(directory.path().string())(
        reference.inputs<arch::DeiTInputs>());
    CHECK(test::differs(out.logits, reference.tensors.at("outputs.cls_logits"), 2e-5) == "");
}

TEST_CASE("Names of the hub and of transformers 5, with and without the base prefix, are the same weights") {
    const auto as_is = [](const std::string& name) { return name; };
    const auto bare = [](const std::string& name) { return name.starts_with("vit.") ? name.substr(4) : name; };
    const auto bare_deit = [](const std::string& name) { return name.starts_with("deit.") ? name.substr(5) : name; };
    using Classes = arch::ViTForImageClassification;
    check_spelling<Classes>("vit", "classes", as_is);
    check_spelling<Classes>("vit", "classes", modern);
    check_spelling<Classes>("vit", "classes", bare);
    check_spelling<Classes>("vit", "classes", [&](const auto& name) { return bare(modern(name)); });
    check_spelling<arch::ViT>("vit", "base", modern);
    check_spelling<arch::ViT>("vit", "base", [](const auto& name) { return "vit." + name; });
    check_spelling<arch::ViT>("vit", "base", [](const auto& name) { return "vit." + modern(name); });
    check_spelling<arch::DeiT>("deit", "base", modern);
    using Teacher = arch::DeiTForImageClassificationWithTeacher;
    check_spelling<Teacher>("deit", "teacher", modern);
    check_spelling<Teacher>("deit", "teacher", bare_deit);
}

TEST_CASE("Biases of queries, keys and values are taken where qkv_bias says so, and only there") {
    const test::Directory directory;
    const auto golden = test::golden("vit", "no_classes");
    auto tensors = test::tensors_of(golden);
    const std::string place = "vit.encoder.layer.0.attention.attention.";
    for (const std::string part : {"query", "key", "value"}) tensors[place + part + ".bias"] = test::random({16}, 1);
    const auto config = test::read_file(golden / "config.json");
    test::write_checkpoint(directory / "off", config, tensors);
    test::check_directory<arch::ViTForImageClassification>(directory / "off", golden / "reference.safetensors");
    const auto on = test::replaced(config, "\"qkv_bias\": false", "\"qkv_bias\": true");
    test::write_checkpoint(directory / "on", on, tensors);
    const Reference reference(golden / "reference.safetensors");
    const auto out = Model<arch::ViTForImageClassification, Cpu>::open((directory / "on").string())(
        reference.inputs<arch::ViTInputs>());
    CHECK(test::differs(out.logits, reference.tensors.at("outputs.logits"), 1e-2) != "");
    tensors.erase(place + "key.bias");
    test::write_checkpoint(directory / "half", on, tensors);
    CHECK_THROWS_AS((Model<arch::ViTForImageClassification, Cpu>::open((directory / "half").string())),
                    CheckpointError);
}

TEST_CASE("Pixels may be of any floating type, bytes, strided, or on the device") {
    const auto golden = test::golden("vit", "base");
    const Reference reference(golden / "reference.safetensors");
    const auto in = reference.inputs<arch::ViTInputs>();
    const auto model = Model<arch::ViT, Cpu>::open(golden.string());
    const auto with = [&](const Tensor& pixels) { return model({.pixel_values = pixels}); };
    test::check<Fp32>(reference, with(in.pixel_values.to(at::kDouble)), c10::Device("cpu"));
    test::check<Fp32>(reference, with(in.pixel_values.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2})),
                      c10::Device("cpu"));
    const Tensor half = in.pixel_values.to(at::kHalf), bytes = (in.pixel_values * 20 + 128).to(at::kByte);
    CHECK(with(half).last_hidden_state.equal(with(half.to(at::kFloat)).last_hidden_state));
    CHECK(with(bytes).last_hidden_state.equal(with(bytes.to(at::kFloat)).last_hidden_state));
    if (!test::present<Mps>()) return;
    const auto there = Model<arch::ViT, Mps, Fp32>::open(golden.string());
    test::check<Fp32>(reference, there({.pixel_values = in.pixel_values.to(test::place<Mps>())}), test::place<Mps>());
    test::check<Fp32>(reference, there({.pixel_values = in.pixel_values.to(at::kDouble)}), test::place<Mps>());
}

TEST_CASE("Tensors in memory and random ones make models of the same shapes") {
    const auto golden = test::golden("deit", "teacher");
    using Arch = arch::DeiTForImageClassificationWithTeacher;
    const auto config = checkpoint::read_config<Arch>(golden);
    const Reference reference(golden / "reference.safetensors");
    const auto in = reference.inputs<arch::DeiTInputs>();
    test::check<Fp32>(reference, Model<Arch, Cpu>::from(config, loader::InMemory(test::tensors_of(golden)))(in),
                      c10::Device("cpu"));
    const auto random = Model<Arch, Cpu>::from(config, loader::Random());
    CHECK(random(in).logits.sizes() == reference.tensors.at("outputs.logits").sizes());
}
