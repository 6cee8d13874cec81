// Wav2Vec2 against transformers: every golden case, on every device, in every precision, in every spelling of a
// checkpoint; each head from the files of the others; the languages of MMS.
#include "silica/arch/wav2vec2.hpp"

#include <ATen/ops/tensor.h>

#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using arch::Wav2Vec2, arch::Wav2Vec2ForCTC, arch::Wav2Vec2ForSequenceClassification;
using device::Cpu;
using precision::Fp32;
using silica::test::Halves, silica::test::Reference;

namespace {

const auto base = test::golden("wav2vec2", "base");
const auto languages = test::golden("wav2vec2", "languages");

void same(const Tensor& got, const Tensor& want) { CHECK(test::differs(got, want, 1e-5) == ""); }

}  // namespace

TEST_CASE("Wav2Vec2ForCTC equals transformers on every device, in every precision, with every loader") {
    test::run_case_with_every_loader<Wav2Vec2ForCTC>("wav2vec2", "base", Halves::given);
}

TEST_CASE("Wav2Vec2ForCTC equals transformers with norms of layers, and from a .bin file with the old names") {
    test::run_case<Wav2Vec2ForCTC>("wav2vec2", "large", Halves::given);
    test::run_case<Wav2Vec2ForCTC>("wav2vec2", "torch_file", Halves::none);
}

TEST_CASE("Wav2Vec2Model equals transformers with each norm of the convolutions and each place of the others") {
    test::run_case<Wav2Vec2>("wav2vec2", "model", Halves::none);
    test::run_case<Wav2Vec2>("wav2vec2", "large_model", Halves::none);
    test::run_case<Wav2Vec2>("wav2vec2", "group_stable", Halves::none);
    test::run_case<Wav2Vec2>("wav2vec2", "layer_post", Halves::none);
}

TEST_CASE("Wav2Vec2 equals transformers with convolutions after the transformer") {
    test::run_case<Wav2Vec2ForCTC>("wav2vec2", "adapter", Halves::none);
    test::run_case<Wav2Vec2>("wav2vec2", "adapter_narrow", Halves::none);
}

TEST_CASE("Wav2Vec2ForSequenceClassification equals transformers, from the last state and from all of them") {
    test::run_case<Wav2Vec2ForSequenceClassification>("wav2vec2", "classes", Halves::given);
    test::run_case<Wav2Vec2ForSequenceClassification>("wav2vec2", "weighted", Halves::none);
    test::run_case<Wav2Vec2ForSequenceClassification>("wav2vec2", "weighted_post", Halves::none);
}

TEST_CASE("Without a language, a model of MMS speaks what its weights hold; with one, what the adapter holds") {
    test::run_case<Wav2Vec2ForCTC>("wav2vec2", "languages", Halves::none);
    const Reference reference(languages / "languages" / "reference-xyz.safetensors");
    for (const std::string language : {"xyz", "abc_old"}) {
        const auto model =
            Model<Wav2Vec2ForCTC, Cpu>::open(languages.string(), {.strict = true, .target_lang = language});
        CHECK(model.config().vocab_size == 17);
        test::check<Fp32>(reference, model(reference.inputs<arch::Wav2Vec2Inputs>()), c10::Device("cpu"));
    }
    const auto file = Model<Wav2Vec2ForCTC, Cpu, Fp32, loader::Streamed>::open(
        (languages / "model.safetensors").string(), {.target_lang = "xyz"});
    test::check<Fp32>(reference, file(reference.inputs<arch::Wav2Vec2Inputs>()), c10::Device("cpu"));
}

TEST_CASE("A file of a head opens as the model without it, and names may lack the prefix") {
    const auto model = Model<Wav2Vec2, Cpu>::open(base.string());
    CHECK(model.account().unexpected == std::vector<std::string>{"lm_head.bias", "lm_head.weight"});
    const auto reference = test::reference_of(base);
    const auto out = model(reference.inputs<arch::Wav2Vec2Inputs>());
    const auto weights = test::tensors_of(base);
    same(out.last_hidden_state.matmul(weights.at("lm_head.weight").t()) + weights.at("lm_head.bias"),
         reference.tensors.at("outputs.logits"));
    std::map<std::string, Tensor> bare;
    for (const auto& [name, t] : weights) bare.emplace(name.starts_with("wav2vec2.") ? name.substr(9) : name, t);
    const test::Directory directory;
    test::write_checkpoint(directory.path(), test::read_file(base / "config.json"), bare);
    test::check_directory<Wav2Vec2ForCTC>(directory.path(), base / "reference.safetensors");
}

TEST_CASE("Rows of a batch are the rows alone where padding cannot reach them") {
    const auto large = test::golden("wav2vec2", "large");  // no norm over time
    const auto model = Model<Wav2Vec2ForCTC, Cpu>::open(large.string());
    const auto in = test::inputs_of<Wav2Vec2>(large);
    const Tensor whole = model(in).logits;
    const std::int64_t lengths[] = {300, 211, 47};
    for (std::int64_t row = 0; row < 3; ++row) {
        const Tensor alone =
            model({.input_values = in.input_values.narrow(0, row, 1).narrow(1, 0, lengths[row])}).logits;
        const auto frames = model.config().frames(lengths[row]);
        REQUIRE(alone.size(1) == frames);
        same(whole.narrow(0, row, 1).narrow(1, 0, frames), alone);
    }
}

TEST_CASE("A mask says how many frames there are: of any type, on either side, or by their number") {
    const auto model = Model<Wav2Vec2ForCTC, Cpu>::open(base.string());
    const auto reference = test::reference_of(base);
    const auto in = reference.inputs<arch::Wav2Vec2Inputs>();
    const Tensor want = reference.tensors.at("outputs.logits");
    const auto with = [&](auto change) {
        auto other = in;
        change(other);
        test::check<Fp32>(reference, model(other), c10::Device("cpu"));
    };
    with([](auto& i) { i.attention_mask = i.attention_mask->to(at::kInt); });
    with([](auto& i) { i.attention_mask = i.attention_mask->to(at::kBool); });
    with([](auto& i) { i.attention_mask = i.attention_mask->flip({1}); });  // as transformers counts them
    with([](auto& i) { i.input_values = i.input_values.to(at::kDouble); });
    with([&](auto& i) {
        i = model.checked(i);
        CHECK_FALSE(i.attention_mask.has_value());
    });
    const auto prepared = model.checked(in);
    const auto& c = model.config();
    CHECK(prepared.frames->equal(at::tensor({c.frames(300), c.frames(211), c.frames(47)})));
    const auto all = model.checked({.input_values = in.input_values, .attention_mask = at::ones({3, 300}, at::kLong)});
    CHECK_FALSE(all.frames.has_value());
}

TEST_CASE("Numbers of frames and samples are those of the convolutions") {
    const arch::Wav2Vec2Config c;
    CHECK(c.least_samples() == 400);
    CHECK(c.inputs_to_logits_ratio() == 320);
    CHECK(c.frames(399) == 0);
    CHECK(c.frames(400) == 1);
    CHECK(c.frames(719) == 1);
    CHECK(c.frames(720) == 2);
    CHECK(c.frames(160000) == 499);
    CHECK(c.frames(0) == 0);
    CHECK(c.frames(-5) == 0);
}
