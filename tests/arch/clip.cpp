// CLIP against transformers: every golden case, on every device, in every precision, in every spelling of a checkpoint;
// each head from the files of the others; both models mounted inside another family.
#include "silica/arch/clip.hpp"

#include "silica/arch/siglip.hpp"
#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using silica::test::Halves;

namespace silica::test {

struct TowersInputs {
    arch::ClipTextInputs text;
    arch::ClipVisionInputs images;
};
struct TowersOutputs {
    arch::ClipTowerOutputs text;
    Tensor hidden_state;  ///< of the vision model, before its last layer
};

/// CLIP's two models inside another family: the text model at "text.", the vision model at "vision_tower." without its
/// last layer and its last norm.
struct Towers {
    static constexpr std::string_view family = "towers", name = "Towers";
    using Config = arch::ClipConfig;
    using Inputs = TowersInputs;
    using Outputs = TowersOutputs;

    static void check(const Config& c, const std::string& file) { arch::Clip::check(c, file); }
    static Inputs prepare(const Config& c, Inputs in) {
        return {arch::prepare_clip_text(c.text_config, in.text), arch::prepare_clip_images(c.vision_config, in.images)};
    }
    static checkpoint::NameRules names() {
        return checkpoint::NameRules{} + arch::ClipTextModel::names().under("text.") +
               arch::ClipVisionModel::names().under("vision_tower.");
    }

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename arch::ClipText<E>::Ops, typename arch::ClipVisionEncoder<E>::Ops>;
        Network(const Config& c, const Weights& w)
            : text(c.text_config, w / "text.text_model"),
              vision(c.vision_config, w / "vision_tower.vision_model",
                     arch::ClipVisionEncoder<E>::depth_of(c.vision_config, -2)) {}
        Outputs operator()(const Inputs& in) const { return {text(in.text), vision(in.images)}; }

    private:
        arch::ClipText<E> text;
        arch::ClipVisionEncoder<E> vision;
    };
};

}  // namespace silica::test

BOOST_HANA_ADAPT_STRUCT(silica::test::TowersInputs, text, images);
BOOST_HANA_ADAPT_STRUCT(silica::test::TowersOutputs, text, hidden_state);

namespace {

using device::Cpu, device::Mps;
using precision::Fp32;
using Tensors = std::map<std::string, Tensor>;

const auto base = test::golden("clip", "base");

/// The tensors of a case under other names.
template <class F>
Tensors renamed(const Tensors& tensors, F rename) {
    Tensors other;
    for (const auto& [name, t] : tensors) other.emplace(rename(name), t);
    return other;
}

/// `text` has to be equal, but for the way that sums are grouped.
void same(const Tensor& got, const Tensor& want) { CHECK(test::differs(got, want, 1e-5) == ""); }

}  // namespace

TEST_CASE("CLIPModel equals transformers on every device, in every precision, with every loader") {
    test::run_case_with_every_loader<arch::Clip>("clip", "base", Halves::given);
}

TEST_CASE("CLIPModel equals transformers with the end of old and new configurations, and from a .bin file") {
    test::run_case<arch::Clip>("clip", "dicts", Halves::none);
    test::run_case<arch::Clip>("clip", "torch_file", Halves::none);
}

TEST_CASE("CLIP's text model equals transformers, with its projection and without") {
    test::run_case<arch::ClipTextModel>("clip", "text", Halves::given);
    test::run_case<arch::ClipTextModelWithProjection>("clip", "text_projection", Halves::none);
}

TEST_CASE("CLIP's vision model equals transformers, with its projection and without, for images of any size") {
    test::run_case<arch::ClipVisionModel>("clip", "vision", Halves::given);
    test::run_case<arch::ClipVisionModelWithProjection>("clip", "vision_projection", Halves::none);
}

TEST_CASE("CLIPForImageClassification equals transformers, with labels and without") {
    test::run_case<arch::ClipForImageClassification>("clip", "classes", Halves::given);
    test::run_case<arch::ClipForImageClassification>("clip", "no_classes", Halves::none);
}

TEST_CASE("SigLIP's vision model equals transformers, alone and out of a file of both, with its pooler and without") {
    test::run_case<arch::SiglipVisionModel>("clip", "siglip_vision", Halves::given);
    test::run_case<arch::SiglipVisionModel>("clip", "siglip_no_pooler", Halves::none);
    test::run_case<arch::SiglipVisionModel>("clip", "siglip_both", Halves::none);
}

TEST_CASE("A file of both models opens as each of them, with nothing left over") {
    const auto reference = test::reference_of(base);
    const auto in = reference.inputs<arch::ClipInputs>();
    const auto whole = Model<arch::Clip, Cpu>::open(base.string())(in);
    const auto open = [&]<class Arch>(std::type_identity<Arch>) {
        return Model<Arch, Cpu>::open(base.string(), {.strict = true});
    };
    const auto text = open(std::type_identity<arch::ClipTextModel>())(in.text());
    same(text.last_hidden_state, whole.text_model_output.last_hidden_state);
    CHECK(text.pooler_output.size(1) == 16);  // of the text model, not projected
    const auto embeds = open(std::type_identity<arch::ClipTextModelWithProjection>())(in.text());
    same(embeds.text_embeds, whole.text_model_output.pooler_output);
    same(embeds.last_hidden_state, text.last_hidden_state);
    const auto images = open(std::type_identity<arch::ClipVisionModel>())(in.images());
    same(images.last_hidden_state, whole.vision_model_output.last_hidden_state);
    CHECK(images.pooler_output.size(1) == 24);
    const auto image_embeds = open(std::type_identity<arch::ClipVisionModelWithProjection>())(in.images());
    same(image_embeds.image_embeds, whole.vision_model_output.pooler_output);
}

TEST_CASE("A file of one model with a head opens without it, with nothing left over") {
    const auto without = [](auto arch, const std::string& name) {
        const auto model =
            Model<typename decltype(arch)::type, Cpu>::open(test::golden("clip", name).string(), {.strict = true});
        const auto reference = test::reference_of(test::golden("clip", name));
        return std::pair(model(reference.inputs<typename decltype(arch)::type::Inputs>()), reference);
    };
    const auto [text, text_reference] = without(std::type_identity<arch::ClipTextModel>(), "text_projection");
    same(text.last_hidden_state, text_reference.tensors.at("outputs.last_hidden_state"));
    const auto [images, reference] = without(std::type_identity<arch::ClipVisionModel>(), "vision_projection");
    same(images.last_hidden_state, reference.tensors.at("outputs.last_hidden_state"));
    const auto [classes, logits] = without(std::type_identity<arch::ClipVisionModel>(), "classes");
    const Tensor mean = classes.last_hidden_state.narrow(1, 1, 9).mean(1);
    const auto weights = test::tensors_of(test::golden("clip", "classes"));
    same(mean.matmul(weights.at("classifier.weight").t()) + weights.at("classifier.bias"),
         logits.tensors.at("outputs.logits"));
}

TEST_CASE("A model alone has names with and without the prefix that it has inside both") {
    const auto check = [](auto arch, const std::string& name, const std::string& prefix, bool has) {
        const auto golden = test::golden("clip", name);
        const auto tensors = test::tensors_of(golden);
        const bool prefixed = std::ranges::any_of(tensors, [&](const auto& t) { return t.first.starts_with(prefix); });
        CHECK(prefixed == has);
        const test::Directory directory;
        test::write_checkpoint(directory.path(), test::read_file(golden / "config.json"),
                               renamed(tensors, [&](const std::string& n) {
                                   if (n.ends_with("_projection.weight")) return n;
                                   return has ? n.substr(prefix.size()) : prefix + n;
                               }));
        test::check_directory<typename decltype(arch)::type>(directory.path(), golden / "reference.safetensors");
    };
    check(std::type_identity<arch::ClipTextModel>(), "text", "text_model.", false);
    check(std::type_identity<arch::ClipTextModelWithProjection>(), "text_projection", "text_model.", true);
    check(std::type_identity<arch::ClipVisionModel>(), "vision", "vision_model.", false);
    check(std::type_identity<arch::ClipVisionModelWithProjection>(), "vision_projection", "vision_model.", true);
}

TEST_CASE("Positions in the file are known and not read") {
    const auto model = Model<arch::Clip, Cpu>::open(test::golden("clip", "torch_file").string());
    CHECK(model.account().unexpected.empty());
    CHECK(model.account().ignored ==
          std::vector<std::string>{"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"});
}

TEST_CASE("Vectors and logits one after another are those of one call") {
    test::check_directory<arch::Clip>(base, base / "reference.safetensors");
    const auto model = Model<arch::Clip, Cpu>::open(base.string());
    const auto in = arch::prepare_clip(model.config(), test::inputs_of<arch::Clip>(base));
    const auto want = model(in);
    model.on_device([&] {
        const auto& network = model.network();
        const Tensor text = network.text_embeds(in.text()), images = network.image_embeds(in.images());
        same(text, want.text_embeds);
        same(images, want.image_embeds);
        same(network.logits(images, text), want.logits_per_image);
        same(network.logits(text, images), want.logits_per_text);
    });
}

TEST_CASE("Hidden states of the vision model are those that transformers counts from both ends") {
    const auto golden = test::golden("clip", "vision");
    const auto reference = test::reference_of(golden);
    const auto config = checkpoint::read_config<arch::ClipVisionModel>(golden).vision_config;
    using Encoder = arch::ClipVisionEncoder<Exec<Cpu, Fp32>>;
    loader::InMemory source(test::tensors_of(golden));
    const Weights w(source, arch::ClipVisionModel::names(), c10::Device("cpu"));
    const Encoder encoder(config, w / "vision_model", 2), shorter(config, w / "vision_model", 1);
    const auto in = reference.inputs<arch::ClipVisionInputs>();
    const auto states = encoder.hidden_states(in, {2, 0, 1, 2});
    REQUIRE(states.size() == 4);
    same(states[0], reference.tensors.at("outputs.last_hidden_state"));
    CHECK(states[3].is_same(states[0]));
    CHECK(states[2].equal(shorter(in)));
    CHECK_FALSE(states[1].equal(states[2]));
    CHECK(encoder.hidden_states(in, {}).empty());
    CHECK(Encoder::depth_of(config, -1) == 2);
    CHECK(Encoder::depth_of(config, -2) == 1);
    CHECK(Encoder::depth_of(config, -3) == 0);
    CHECK(Encoder::depth_of(config, 2) == 2);
    CHECK_THROWS_AS(Encoder::depth_of(config, 3), InputError);
    CHECK_THROWS_AS(Encoder::depth_of(config, -4), InputError);
}

TEST_CASE("Both models inside another family compute what they compute alone, in each of their spellings") {
    const auto config = checkpoint::read_config<arch::Clip>(base);
    const auto tensors = test::tensors_of(base);
    const auto in = test::inputs_of<arch::Clip>(base);
    const auto text = Model<arch::ClipTextModel, Cpu>::open(base.string())(in.text());
    auto shallow = config;
    shallow.vision_config.num_hidden_layers = 1;
    const auto images = Model<arch::ClipVisionModel, Cpu>::from(shallow, loader::InMemory(tensors))(in.images());
    for (const bool prefixed : {true, false}) {
        CAPTURE(prefixed);
        Tensors mounted;
        for (const auto& [name, t] : tensors) {
            if (name.starts_with("text_model.")) mounted.emplace("text." + (prefixed ? name : name.substr(11)), t);
            if (name.starts_with("vision_model."))
                mounted.emplace("vision_tower." + (prefixed ? name : name.substr(13)), t);
        }
        const auto model = Model<test::Towers, Cpu, Fp32>::from(config, loader::InMemory(mounted));
        const auto out = model({in.text(), in.images()});
        CHECK(out.text.pooler_output.equal(text.pooler_output));
        CHECK(out.hidden_state.equal(images.last_hidden_state));
    }
}

TEST_CASE("Random weights make a model of the same parameters") {
    const auto parameters = [](auto arch, const std::string& name) {
        using Arch = typename decltype(arch)::type;
        const auto golden = test::golden("clip", name);
        const auto random = Model<Arch, Cpu>::from(checkpoint::read_config<Arch>(golden), loader::Random());
        CHECK(random.account().parameters == Model<Arch, Cpu>::open(golden.string()).account().parameters);
        std::uint64_t elements = 0;
        for (const auto& [n, t] : test::tensors_of(golden)) elements += static_cast<std::uint64_t>(t.numel());
        return elements - random.account().parameters;
    };
    CHECK(parameters(std::type_identity<arch::Clip>(), "base") == 0);
    CHECK(parameters(std::type_identity<arch::ClipTextModelWithProjection>(), "text_projection") == 0);
    CHECK(parameters(std::type_identity<arch::ClipVisionModelWithProjection>(), "vision_projection") == 0);
    CHECK(parameters(std::type_identity<arch::ClipForImageClassification>(), "classes") == 48);  // the last norm
}

TEST_CASE("Inputs of CLIP may lie on the device, be strided, of other types, or a boolean mask") {
    const auto reference = test::reference_of(base);
    const auto in = reference.inputs<arch::ClipInputs>();
    boost::hana::for_each(boost::hana::tuple_t<Cpu, Mps>, [&](auto d) {
        using D = typename decltype(d)::type;
        if (!test::present<D>()) return;
        const auto model = Model<arch::Clip, D, Fp32>::open(base.string());
        auto there = in;
        there.input_ids = in.input_ids.to(test::place<D>());
        there.attention_mask = in.attention_mask->to(at::kBool).t().contiguous().t();
        there.pixel_values = in.pixel_values.transpose(2, 3).contiguous().transpose(2, 3);
        if (D::type == c10::DeviceType::CPU) there.pixel_values = there.pixel_values.to(at::kDouble);
        test::check<Fp32>(reference, model(there), test::place<D>());
        there.eos_positions = arch::prepare_clip(model.config(), in).eos_positions;
        test::check<Fp32>(reference, model(there), test::place<D>());
    });
}
