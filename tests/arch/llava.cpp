// LLaVA and LLaVA-NeXT against transformers: one forward pass over devices and precisions, each spelling of a
// checkpoint, heads from the files of the others; texts about images, written with caches, turn by turn, by beams.
#include "silica/arch/llava.hpp"
#include "silica/arch/llava_next.hpp"
#include "silica/generate/complete.hpp"
#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using silica::test::Halves;

namespace {

namespace fs = std::filesystem;
using device::Cpu;
using precision::Fp32;
using Llava = arch::LlavaForConditionalGeneration;
using Next = arch::LlavaNextForConditionalGeneration;

const auto clip = test::golden("llava", "clip_llama"), tiles = test::golden("llava_next", "clip_mistral");
constexpr double bound = 5e-5;

generate::Prompt prompt_of(const std::map<std::string, Tensor>& tensors) {
    generate::Prompt prompt;
    for (const auto& [name, t] : tensors) {
        if (name == "inputs.input_ids")
            prompt.input_ids = t;
        else if (name == "inputs.attention_mask")
            prompt.attention_mask = t;
        else if (name.starts_with("inputs."))
            prompt.extra.emplace_back(name.substr(7), t);
    }
    return prompt;
}

/// Every text of a case, as transformers' generate() wrote it.
template <class Arch, class D>
void texts(const fs::path& directory, std::size_t files) {
    if (!test::present<D>()) return;
    const auto model = Model<Arch, D, Fp32>::open(directory.string());
    generate::ModelDecoder decoder(model);
    std::size_t seen = 0;
    for (const auto& file : fs::directory_iterator(directory)) {
        const auto name = file.path().filename().string();
        if (!name.starts_with("generate") || file.path().extension() != ".safetensors") continue;
        CAPTURE(std::string(D::name), name);
        const auto metadata = checkpoint::Checkpoint::open(file.path()).metadata();
        const auto tensors = test::tensors_of(file.path());
        generate::GenerationConfig config;
        read_json(config, Json::parse(metadata.at("generation_config"), name), name + ":");
        config.max_new_tokens = std::stoll(metadata.at("max_new_tokens"));
        const FallbackScope fallbacks;
        const auto got = generate::complete(decoder, prompt_of(tensors), config);
        CHECK(got.sequences.equal(tensors.at("outputs.sequences")));
        CHECK(fallbacks.report().empty());
        ++seen;
    }
    CHECK(seen == files);
}

/// `name` of the hub in another spelling.
std::string spelled(std::string name, bool hub, bool vision_model) {
    const std::string tower = "vision_tower.vision_model.";
    if (!vision_model && name.starts_with(tower)) name = "vision_tower." + name.substr(tower.size());
    if (hub) return name;
    if (name.starts_with("language_model.lm_head.")) return name.substr(15);
    if (name.starts_with("language_model.model.")) return "model.language_model." + name.substr(21);
    return "model." + name;
}

/// A row of texts with its images, alone and without padding; `first` and `images` say which images are its own.
arch::LlavaInputs row_of(const arch::LlavaInputs& in, std::int64_t row, std::int64_t first, std::int64_t images) {
    const Tensor ids = in.input_ids.narrow(0, row, 1);
    const auto n = in.attention_mask->narrow(0, row, 1).sum().item<std::int64_t>();
    arch::LlavaInputs one{ids.narrow(1, 0, n)};  // padded on the right
    if (images > 0) one.pixel_values = in.pixel_values->narrow(0, first, images);
    if (images > 0 && in.image_sizes) one.image_sizes = in.image_sizes->narrow(0, first, images);
    return one;
}

}  // namespace

TEST_CASE("LLaVA with CLIP and LLaMA equals transformers on every device, in every precision, with every loader") {
    test::run_case_with_every_loader<Llava>("llava", "clip_llama", Halves::given);
}

TEST_CASE("LLaVA with SigLIP and a tied Qwen2, and with several layers' features and Mistral, equals transformers") {
    test::run_case<Llava>("llava", "siglip_qwen2", Halves::given);
    test::run_case<Llava>("llava", "layers_mistral", Halves::none);
}

TEST_CASE("LLaVA-NeXT equals transformers on every device, in every precision, for images of any shape") {
    test::run_case<Next>("llava_next", "clip_mistral", Halves::given);
    test::run_case<Next>("llava_next", "siglip_qwen2", Halves::none);
}

TEST_CASE("Both without a head equal transformers") {
    const auto model = test::golden("llava", "model"), next = test::golden("llava_next", "model");
    test::check_directory<arch::Llava>(model, model / "reference.safetensors");
    test::check_directory<arch::LlavaNext>(next, next / "reference.safetensors");
}

TEST_CASE("A file with a head opens without it, and as images alone, with nothing left over") {
    const auto reference = test::reference_of(clip);
    const auto in = reference.inputs<arch::LlavaInputs>();
    const auto base = Model<arch::Llava, Cpu>::open(clip.string(), {.strict = true})(in);
    const auto weights = test::tensors_of(clip / "model.safetensors");
    const Tensor logits = base.last_hidden_state.matmul(weights.at("language_model.lm_head.weight").t());
    CHECK(test::differs(logits, reference.tensors.at("outputs.logits"), bound) == "");
    const auto images = Model<arch::LlavaImages, Cpu>::open(clip.string(), {.strict = true})({*in.pixel_values});
    CHECK(test::differs(images.image_hidden_states, reference.tensors.at("outputs.image_hidden_states"), bound) == "");

    const auto next = test::reference_of(tiles);
    const auto sizes = next.inputs<arch::LlavaInputs>();
    const auto seen = Model<arch::LlavaNextImages, Cpu>::open(tiles.string(), {.strict = true})(sizes.images());
    CHECK(test::differs(seen.image_hidden_states, next.tensors.at("outputs.image_hidden_states"), bound) == "");
}

TEST_CASE("Each of the four spellings of a checkpoint is read, with nothing left over") {
    const auto config = checkpoint::read_config<Llava>(clip);
    const auto in = test::inputs_of<Llava>(clip);
    const auto hub = test::tensors_of(clip / "model.safetensors");
    const Tensor want = Model<Llava, Cpu>::open(clip.string())(in).logits;
    for (const bool as_hub : {true, false}) {
        for (const bool vision_model : {true, false}) {
            CAPTURE(as_hub, vision_model);
            std::map<std::string, Tensor> tensors;
            for (const auto& [name, t] : hub) tensors.emplace(spelled(name, as_hub, vision_model), t);
            REQUIRE(tensors.size() == hub.size());
            tensors.emplace(spelled("vision_tower.vision_model.embeddings.position_ids", as_hub, vision_model),
                            at::arange(10).unsqueeze(0));
            const auto model = Model<Llava, Cpu>::from(config, loader::InMemory(tensors), {.strict = true});
            CHECK(model(in).logits.equal(want));
        }
    }
}

TEST_CASE("Layers after those whose features are chosen are known, and not loaded") {
    const auto model = Model<Llava, Cpu>::open(clip.string());  // -2 of three layers
    const auto& ignored = model.account().ignored;
    CHECK(std::ranges::count_if(ignored, [](const auto& n) { return n.find("encoder.layers.2.") != n.npos; }) == 16);
    CHECK(std::ranges::count_if(ignored, [](const auto& n) { return n.find("post_layernorm") != n.npos; }) == 2);
    CHECK(ignored.size() == 18);
    CHECK(model.account().unexpected.empty());
    auto tensors = test::tensors_of(clip / "model.safetensors");
    std::erase_if(tensors, [](const auto& t) { return t.first.find("encoder.layers.2.") != std::string::npos; });
    const auto without = Model<Llava, Cpu>::from(model.config(), loader::InMemory(tensors));
    const auto in = test::inputs_of<Llava>(clip);
    CHECK(without(in).logits.equal(model(in).logits));
}

TEMPLATE_LIST_TEST_CASE("Texts about images equal transformers', in batches, without images, by beams", "",
                        test::Devices) {
    texts<Llava, TestType>(clip, 4);
    texts<Llava, TestType>(test::golden("llava", "siglip_qwen2"), 1);
    texts<Llava, TestType>(test::golden("llava", "layers_mistral"), 1);
}

TEST_CASE("Texts about tiled images equal transformers'") { texts<Next, Cpu>(tiles, 3); }

TEST_CASE("A prompt in pieces, each with its own images, is the prompt at once") {
    const auto check = [](const auto& model, const arch::LlavaInputs& in, std::int64_t cut, std::int64_t images) {
        auto whole = model.make_state(1, 80), pieces = model.make_state(1, 80);
        const auto tokens = in.input_ids.size(1), all = in.pixel_values->size(0);
        const auto piece = [&](std::int64_t from, std::int64_t n, std::int64_t first, std::int64_t shown) {
            arch::LlavaInputs part{in.input_ids.narrow(1, from, n)};
            if (shown > 0) part.pixel_values = in.pixel_values->narrow(0, first, shown);
            if (shown > 0 && in.image_sizes) part.image_sizes = in.image_sizes->narrow(0, first, shown);
            return part;
        };
        const Tensor at_once = model.prefill(in, whole);
        static_cast<void>(model.prefill(piece(0, cut, 0, images), pieces));
        const Tensor second = model.prefill(piece(cut, tokens - cut, images, all - images), pieces);
        CHECK(test::differs(second, at_once, bound) == "");
        CHECK(pieces.length() == tokens);
        // and a turn that shows nothing new
        const Tensor words = at::full({1, 3}, 7, at::kLong);
        CHECK(test::differs(model.prefill({words}, pieces), model.prefill({words}, whole), bound) == "");
        CHECK(test::differs(model(in).logits.select(1, tokens - 1), at_once, bound) == "");
    };
    // row 1 shows two images: the start, two words, 9 features, a word, 9 features, two words
    check(Model<Llava, Cpu>::open(clip.string()), row_of(test::inputs_of<Llava>(clip), 1, 1, 2), 13, 1);
    const auto in = row_of(test::inputs_of<Next>(tiles), 1, 1, 2);
    const auto second = (in.input_ids == 55).nonzero().select(1, 1);
    std::int64_t cut = 0;  // after the first image: where its tokens end
    for (std::int64_t i = 0; cut == 0; ++i)
        if (second[i + 1].item<std::int64_t>() != second[i].item<std::int64_t>() + 1)
            cut = second[i].item<std::int64_t>() + 1;
    check(Model<Next, Cpu>::open(tiles.string()), in, cut, 1);
}

TEST_CASE("Rows of one text share its images, which are looked at once") {
    const auto model = Model<Llava, Cpu>::open(clip.string());
    const auto in = test::inputs_of<Llava>(clip);  // three rows with one, two and no images
    auto twice = in, shared = in;
    twice.input_ids = in.input_ids.repeat_interleave(2, 0);
    twice.attention_mask = in.attention_mask->repeat_interleave(2, 0);
    shared.input_ids = twice.input_ids, shared.attention_mask = twice.attention_mask;
    const Tensor first = in.pixel_values->narrow(0, 0, 1), second = in.pixel_values->narrow(0, 1, 2);
    twice.pixel_values = at::cat({first, first, second, second}, 0);
    shared.rows_per_text = at::full({}, 2, at::kLong);
    const auto got = model(shared), want = model(twice);
    CHECK(test::differs(got.logits, want.logits, bound) == "");
    CHECK(test::differs(*got.image_hidden_states, *want.image_hidden_states, bound) == "");
    CHECK(test::differs(got.logits.slice(0, 0, 6, 2), model(in).logits, bound) == "");
}

TEST_CASE("Inputs of LLaVA may be strided, doubles or bytes; places that are given are not looked at") {
    const auto model = Model<Llava, Cpu>::open(clip.string());
    const auto in = test::inputs_of<Llava>(clip);
    const Tensor want = model(in).logits;
    auto other = in;
    other.pixel_values = in.pixel_values->to(at::kDouble).transpose(2, 3).contiguous().transpose(2, 3);
    other.attention_mask = in.attention_mask->to(at::kBool).t().contiguous().t();
    other.image_places = at::full({3}, -5, at::kLong);
    other.image_features = other.image_tiles = other.image_places;
    CHECK(model(other).logits.equal(want));
    other.pixel_values = (*in.pixel_values * 20).round().clamp(0, 255).to(at::kByte);
    auto rounded = in;
    rounded.pixel_values = other.pixel_values->to(at::kFloat);
    CHECK(model(other).logits.equal(model(rounded).logits));

    const auto next = Model<Next, Cpu>::open(tiles.string());
    const auto sizes = test::inputs_of<Next>(tiles);
    auto strided = sizes;
    strided.pixel_values = sizes.pixel_values->to(at::kDouble).transpose(0, 1).contiguous().transpose(0, 1);
    strided.image_sizes = sizes.image_sizes->t().contiguous().t();
    CHECK(next(strided).logits.equal(next(sizes).logits));
}

TEST_CASE("Random weights make a LLaVA of the same parameters") {
    const auto model = Model<Llava, Cpu>::from(checkpoint::read_config<Llava>(clip), loader::Random());
    CHECK(model.account().parameters == Model<Llava, Cpu>::open(clip.string()).account().parameters);
    const auto next = Model<Next, Cpu>::from(checkpoint::read_config<Next>(tiles), loader::Random());
    CHECK(next.account().parameters == Model<Next, Cpu>::open(tiles.string()).account().parameters);
}
