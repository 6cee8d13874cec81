// CLAP against transformers: every golden case, on every device, in every precision, in every spelling of a checkpoint;
// each head from the files of the others.
#include "silica/arch/clap.hpp"

#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using device::Cpu;
using silica::test::Halves;

namespace {

const auto base = test::golden("clap", "base");

/// Equal, but for the way that sums are grouped.
void same(const Tensor& got, const Tensor& want) { CHECK(test::differs(got, want, 1e-5) == ""); }

template <class Arch>
auto strictly(const std::filesystem::path& directory, const typename Arch::Inputs& in) {
    return Model<Arch, Cpu>::open(directory.string(), {.strict = true})(in);
}

}  // namespace

TEST_CASE("ClapModel equals transformers on every device, in every precision, with every loader") {
    test::run_case_with_every_loader<arch::Clap>("clap", "base", Halves::given);
}

TEST_CASE("ClapModel equals transformers with the fusion of long sounds, and from a .bin file") {
    test::run_case<arch::Clap>("clap", "fused", Halves::given);
    test::run_case<arch::Clap>("clap", "torch_file", Halves::none);
}

TEST_CASE("CLAP's text model equals transformers, with its projection and without") {
    test::run_case<arch::ClapTextModel>("clap", "text", Halves::given);
    test::run_case<arch::ClapTextModelWithProjection>("clap", "text_projection", Halves::none);
}

TEST_CASE("CLAP's audio model equals transformers: windows that do not fit, patches that overlap, several channels") {
    test::run_case<arch::ClapAudioModel>("clap", "audio", Halves::given);
    test::run_case<arch::ClapAudioModel>("clap", "audio_overlap", Halves::none);
    test::run_case<arch::ClapAudioModelWithProjection>("clap", "audio_projection", Halves::none);
    test::run_case<arch::ClapAudioModelWithProjection>("clap", "audio_fused", Halves::none);
}

TEST_CASE("A file of both models of CLAP opens as each of them, with nothing left over") {
    const auto in = test::inputs_of<arch::Clap>(base);
    const auto whole = Model<arch::Clap, Cpu>::open(base.string(), {.strict = true})(in);
    const auto text = strictly<arch::ClapTextModel>(base, in.text());
    same(text.last_hidden_state, whole.text_model_output.last_hidden_state);
    same(text.pooler_output, whole.text_model_output.pooler_output);
    const auto audio = strictly<arch::ClapAudioModel>(base, in.audio());
    same(audio.last_hidden_state, whole.audio_model_output.last_hidden_state);
    same(audio.pooler_output, whole.audio_model_output.pooler_output);
    const auto unit = [](const Tensor& x) { return x / x.norm(2, {1}, true); };
    same(unit(strictly<arch::ClapTextModelWithProjection>(base, in.text()).text_embeds), whole.text_embeds);
    same(unit(strictly<arch::ClapAudioModelWithProjection>(base, in.audio()).audio_embeds), whole.audio_embeds);
}

TEST_CASE("A file of one model with its projection opens without it; names may have the prefix or lack it") {
    const auto check = [](auto arch, auto bare_arch, const std::string& name, const std::string& prefix) {
        using Arch = typename decltype(arch)::type;
        using Bare = typename decltype(bare_arch)::type;
        const auto golden = test::golden("clap", name);
        const auto reference = test::reference_of(golden);
        const auto out = strictly<Bare>(golden, reference.inputs<typename Arch::Inputs>());
        same(out.last_hidden_state, reference.tensors.at("outputs.last_hidden_state"));
        std::map<std::string, Tensor> bare;
        for (const auto& [key, t] : test::tensors_of(golden))
            bare.emplace(key.starts_with(prefix) ? key.substr(prefix.size()) : key, t);
        const test::Directory directory;
        test::write_checkpoint(directory.path(), test::read_file(golden / "config.json"), bare);
        test::check_directory<Arch>(directory.path(), golden / "reference.safetensors");
    };
    using std::type_identity;
    check(type_identity<arch::ClapTextModelWithProjection>(), type_identity<arch::ClapTextModel>(), "text_projection",
          "text_model.");
    check(type_identity<arch::ClapAudioModelWithProjection>(), type_identity<arch::ClapAudioModel>(),
          "audio_projection", "audio_model.");
}

TEST_CASE("Vectors of texts and of sounds, and their logits, are those of both models together") {
    const auto model = Model<arch::Clap, Cpu>::open(base.string());
    const auto in = test::inputs_of<arch::Clap>(base);
    const auto whole = model(in);
    const auto ready = model.checked(in);
    model.on_device([&] {
        const Tensor texts = model.network().text_embeds(ready.text());
        const Tensor sounds = model.network().audio_embeds(ready.audio());
        same(texts, whole.text_embeds);
        same(sounds, whole.audio_embeds);
        same(model.network().logits(sounds, texts), whole.logits_per_audio);
    });
}

TEST_CASE("Which sounds are longer may be said in any way, and without fusion it does not matter") {
    const auto golden = test::golden("clap", "fused");
    const auto model = Model<arch::Clap, Cpu>::open(golden.string());
    const auto reference = test::reference_of(golden);  // rows 0 and 2 of 3 are longer
    const auto in = reference.inputs<arch::ClapInputs>();
    const auto with = [&](auto change) {
        auto other = in;
        change(other);
        test::check<precision::Fp32>(reference, model(other), c10::Device("cpu"));
    };
    with([](auto& i) { i.is_longer = i.is_longer->to(at::kByte); });
    with([](auto& i) { i.is_longer = i.is_longer->to(at::kLong).view({3}); });
    with([&](auto& i) {
        i = model.checked(i);
        CHECK_FALSE(i.is_longer.has_value());
    });
    auto none = in;
    none.is_longer.reset();
    const auto short_ones = model(none).audio_embeds;
    CHECK(test::differs(short_ones.narrow(0, 1, 1), reference.tensors.at("outputs.audio_embeds").narrow(0, 1, 1),
                        5e-5) == "");
    CHECK(test::differs(short_ones, reference.tensors.at("outputs.audio_embeds"), 1e-2) != "");
    none.input_features = none.input_features.narrow(1, 0, 1);  // the parts are not looked at
    same(model(none).audio_embeds, short_ones);

    const auto unfused = Model<arch::Clap, Cpu>::open(base.string());
    auto plain = test::inputs_of<arch::Clap>(base);
    const Tensor want = unfused(plain).logits_per_audio;
    plain.is_longer = at::ones({4, 1}, at::kBool);
    CHECK(unfused(plain).logits_per_audio.equal(want));
}

TEST_CASE("A sound of a batch is the sound alone, in every window") {
    const auto golden = test::golden("clap", "audio");
    const auto model = Model<arch::ClapAudioModel, Cpu>::open(golden.string());
    const auto in = test::inputs_of<arch::ClapAudioModel>(golden);
    const Tensor whole = model(in).pooler_output;
    for (std::int64_t row = 0; row < 2; ++row)
        same(model({.input_features = in.input_features.narrow(0, row, 1)}).pooler_output, whole.narrow(0, row, 1));
}
