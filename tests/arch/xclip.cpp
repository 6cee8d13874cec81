// X-CLIP against transformers: every golden case, on every device, in every precision; its models alone, from their own
// files and from those of the whole.
#include "silica/arch/xclip.hpp"

#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using silica::test::Halves;

namespace {

using device::Cpu, device::Mps;
using precision::Fp32;

const auto base = test::golden("xclip", "base");

/// Equal, but for the way that sums are grouped.
void same(const Tensor& got, const Tensor& want) { CHECK(test::differs(got, want, 1e-5) == ""); }

}  // namespace

TEST_CASE("XCLIPModel equals transformers on every device, in every precision, with every loader") {
    test::run_case_with_every_loader<arch::XClip>("xclip", "base", Halves::given);
}

TEST_CASE("XCLIPModel equals transformers for other frames, activations, depths, and from a .bin file") {
    test::run_case<arch::XClip>("xclip", "other", Halves::none);
    test::run_case<arch::XClip>("xclip", "one_frame", Halves::none);
    test::run_case<arch::XClip>("xclip", "torch_file", Halves::none);
}

TEST_CASE("X-CLIP's models of text and of frames equal transformers") {
    test::run_case<arch::XClipTextModel>("xclip", "text", Halves::none);
    test::run_case<arch::XClipVisionModel>("xclip", "vision", Halves::given);
}

TEST_CASE("A file of all of X-CLIP opens as each of its models, with nothing left over") {
    const auto in = test::inputs_of<arch::XClip>(base);
    const auto whole = Model<arch::XClip, Cpu>::open(base.string(), {.strict = true})(in);
    const auto text = Model<arch::XClipTextModel, Cpu>::open(base.string(), {.strict = true})(in.text());
    same(text.last_hidden_state, whole.text_model_output.last_hidden_state);
    same(text.pooler_output, whole.text_model_output.pooler_output);
    const auto frames = Model<arch::XClipVisionModel, Cpu>::open(base.string(), {.strict = true})(in.frames());
    same(frames.last_hidden_state, whole.vision_model_output.last_hidden_state);
    same(frames.pooler_output, whole.vision_model_output.pooler_output);
}

TEST_CASE("X-CLIP's models alone have names with and without the prefix that they have inside the whole") {
    const auto check = [](auto arch, const std::string& name, const std::string& prefix) {
        const auto golden = test::golden("xclip", name);
        std::map<std::string, Tensor> renamed;
        for (const auto& [n, t] : test::tensors_of(golden)) {
            CHECK_FALSE(n.starts_with(prefix));
            renamed.emplace(prefix + n, t);
        }
        const test::Directory directory;
        test::write_checkpoint(directory.path(), test::read_file(golden / "config.json"), renamed);
        test::check_directory<typename decltype(arch)::type>(directory.path(), golden / "reference.safetensors");
    };
    check(std::type_identity<arch::XClipTextModel>(), "text", "text_model.");
    check(std::type_identity<arch::XClipVisionModel>(), "vision", "vision_model.");
}

TEST_CASE("Videos are judged alone: each as in a batch of its own") {
    const auto model = Model<arch::XClip, Cpu>::open(base.string());
    const auto in = test::inputs_of<arch::XClip>(base);
    const auto both = model(in);
    for (std::int64_t i = 0; i < 2; ++i) {
        auto one = in;
        one.pixel_values = in.pixel_values.narrow(0, i, 1);
        const auto out = model(one);
        same(out.logits_per_video, both.logits_per_video.narrow(0, i, 1));
        same(out.text_embeds, both.text_embeds.narrow(0, i, 1));
    }
}

TEST_CASE("Texts read once serve many videos") {
    const auto model = Model<arch::XClip, Cpu>::open(base.string());
    const auto in = arch::prepare_xclip(model.config(), test::inputs_of<arch::XClip>(base));
    const Tensor want = model(in).logits_per_video;
    model.on_device([&] {
        const Tensor texts = model.network().text_vectors(in.text());
        CHECK(texts.sizes() == c10::IntArrayRef({in.input_ids.size(0), 12}));
        same(model.network().logits_per_video(in.frames(), texts), want);
    });
}

TEST_CASE("Random weights make an X-CLIP of the same parameters") {
    const auto parameters = [](auto arch, const std::string& name) {
        using Arch = typename decltype(arch)::type;
        const auto golden = test::golden("xclip", name);
        std::uint64_t elements = 0;
        for (const auto& [n, t] : test::tensors_of(golden)) elements += static_cast<std::uint64_t>(t.numel());
        CHECK(Model<Arch, Cpu>::open(golden.string()).account().parameters == elements);
        const auto random = Model<Arch, Cpu>::from(checkpoint::read_config<Arch>(golden), loader::Random());
        CHECK(random.account().parameters == elements);
    };
    parameters(std::type_identity<arch::XClip>(), "base");
    parameters(std::type_identity<arch::XClipVisionModel>(), "vision");
}

TEST_CASE("Positions in the file of an X-CLIP are known and not read") {
    const auto model = Model<arch::XClip, Cpu>::open(test::golden("xclip", "torch_file").string());
    CHECK(model.account().unexpected.empty());
    CHECK(model.account().ignored ==
          std::vector<std::string>{"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"});
}

TEST_CASE("Inputs of X-CLIP may be strided, on the device, and of other types") {
    const auto reference = test::reference_of(base);
    const auto in = reference.inputs<arch::XClipInputs>();
    boost::hana::for_each(boost::hana::tuple_t<Cpu, Mps>, [&](auto d) {
        using D = typename decltype(d)::type;
        if (!test::present<D>()) return;
        const auto model = Model<arch::XClip, D, Fp32>::open(base.string());
        auto there = in;
        there.pixel_values = in.pixel_values.transpose(0, 1).contiguous().transpose(0, 1);
        test::check<Fp32>(reference, model(there), test::place<D>());
        there.pixel_values = in.pixel_values.to(at::kDouble);
        there.input_ids = in.input_ids.to(test::place<D>());
        test::check<Fp32>(reference, model(there), test::place<D>());
    });
}
