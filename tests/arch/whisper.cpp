// Whisper against transformers: every golden case, on every device, in every precision, one with every loader, in every
// spelling of a checkpoint; its text: prefill and steps beside a whole pass, beams, greedy decoding; alignment.
#include "silica/arch/whisper.hpp"

#include <ATen/ops/stack.h>

#include "silica/generate/complete.hpp"
#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using arch::WhisperForConditionalGeneration;
using device::Cpu;
using precision::Fp32;
using silica::test::Halves, silica::test::Reference;

namespace {

const auto generation = test::golden("whisper", "generation");

template <class D>
using Speech = Model<WhisperForConditionalGeneration, D, Fp32>;

template <class D>
Speech<D> opened(const std::filesystem::path& directory = generation) {
    return Speech<D>::open(directory.string());
}

arch::WhisperInputs inputs_of(const std::string& file) {
    return Reference(generation / (file + ".safetensors")).inputs<arch::WhisperInputs>();
}
Tensor logits_of(const std::string& file) {
    return Reference(generation / (file + ".safetensors")).tensors.at("outputs.logits");
}

/// What is given of the decoder, tokens [first, first + n).
arch::WhisperInputs piece(arch::WhisperInputs in, std::int64_t first, std::int64_t n) {
    for (auto* t : {&in.decoder_input_ids, &in.decoder_attention_mask, &in.decoder_position_ids})
        if (*t) *t = (*t)->narrow(1, first, n);
    return in;
}

/// Logits after each piece of the decoder's tokens; a piece of one, after the first, is a step.
template <class M>
Tensor in_pieces(const M& model, const arch::WhisperInputs& in, const std::vector<std::int64_t>& sizes) {
    auto state = model.make_state(in.decoder_input_ids->size(0), in.decoder_input_ids->size(1));
    std::vector<Tensor> logits;
    std::int64_t at = 0;
    for (const auto n : sizes) {
        const auto part = piece(in, at, n);
        logits.push_back(at > 0 && n == 1 ? model.step(part.decoder_input_ids->squeeze(1).to(model.device()), state)
                                          : model.prefill(part, state));
        at += n;
        CHECK(state.length() == at);
    }
    return at::stack(logits, 1);
}

/// The greedy continuation, `new_tokens` more; rows end with token 57, after which 57 stands.
template <class M>
Tensor greedy(const M& model, const arch::WhisperInputs& in, std::int64_t new_tokens) {
    const auto rows = in.decoder_input_ids->size(0), start = in.decoder_input_ids->size(1);
    auto state = model.make_state(rows, start + new_tokens - 1);
    std::vector<Tensor> tokens = {*in.decoder_input_ids};
    Tensor logits = model.prefill(in, state), going = at::ones({rows}, at::kBool);
    for (std::int64_t i = 0; i < new_tokens; ++i) {
        const Tensor next = at::where(going, logits.to(at::kCPU).argmax(1), 57);
        tokens.push_back(next.unsqueeze(1));
        going = going & (next != 57);
        if (!going.any().item<bool>()) break;
        if (i + 1 < new_tokens) logits = model.step(next.to(model.device()), state);
    }
    return at::cat(tokens, 1);
}

/// The tensors of an alignment, as transformers has them.
struct Alignment {
    std::map<std::string, Tensor> tensors = test::tensors_of(generation / "alignment.safetensors");
    [[nodiscard]] std::vector<std::array<std::int64_t, 2>> heads() const {
        std::vector<std::array<std::int64_t, 2>> all;
        const Tensor t = tensors.at("heads").contiguous();
        for (std::int64_t i = 0; i < t.size(0); ++i)
            all.push_back({t[i][0].item<std::int64_t>(), t[i][1].item<std::int64_t>()});
        return all;
    }
};

}  // namespace

// ---- whole passes

TEST_CASE("Whisper equals transformers: the model, with its head, distilled; tied and not") {
    test::run_case_with_every_loader<WhisperForConditionalGeneration>("whisper", "generation", Halves::given);
    test::run_case<WhisperForConditionalGeneration>("whisper", "distil", Halves::given);
    test::run_case<arch::Whisper>("whisper", "model", Halves::given);
    test::run_case<arch::WhisperEncoder>("whisper", "encoder", Halves::given);
}

TEST_CASE("A file of torch.save with both names of the tied matrix is the same, and counts it once") {
    const auto directory = test::golden("whisper", "torch_file");
    test::check_directory<WhisperForConditionalGeneration>(directory, directory / "reference.safetensors");
    const auto account = opened<Cpu>(directory).account();
    CHECK(account.unexpected.empty());
    std::uint64_t own = 0;
    for (const auto& [name, t] : test::tensors_of(directory))
        if (name != "proj_out.weight") own += static_cast<std::uint64_t>(t.numel());
    CHECK(account.parameters == own);
}

TEST_CASE("The encoder opens the checkpoint of any head, and a head the encoder and decoder of the model") {
    for (const std::string name : {"generation", "distil", "torch_file", "model"}) {
        CAPTURE(name);
        const Reference reference(test::golden("whisper", name) / "reference.safetensors");
        const auto model = Model<arch::WhisperEncoder, Cpu>::open(test::golden("whisper", name).string());
        CHECK(model.account().unexpected.empty());
        const Tensor got = model({.input_features = reference.tensors.at("inputs.input_features")}).last_hidden_state;
        CHECK(test::differs(got, reference.tensors.at("outputs.encoder_last_hidden_state"), 2e-5) == "");
    }
    const Reference base(test::golden("whisper", "model") / "reference.safetensors");
    const auto speech = opened<Cpu>(test::golden("whisper", "model"));  // its scores are those of the word vectors
    const Tensor words = test::tensors_of(test::golden("whisper", "model")).at("decoder.embed_tokens.weight");
    const Tensor want = base.tensors.at("outputs.last_hidden_state").matmul(words.t());
    CHECK(test::differs(speech(base.inputs<arch::WhisperInputs>()).logits, want, 1e-4) == "");
}

TEST_CASE("Word vectors may be left out beside proj_out, and proj_out may differ from them") {
    const auto config = checkpoint::read_config<WhisperForConditionalGeneration>(generation);
    auto tensors = test::tensors_of(generation);
    const auto in = inputs_of("reference");
    const Tensor want = logits_of("reference"), words = tensors.at("model.decoder.embed_tokens.weight");
    const auto logits = [&] { return Speech<Cpu>::from(config, loader::InMemory(tensors))(in).logits; };
    tensors["proj_out.weight"] = words * 2;
    CHECK(test::differs(logits(), want * 2, 1e-4) == "");
    tensors["proj_out.weight"] = words;
    tensors.erase("model.decoder.embed_tokens.weight");
    CHECK(test::differs(logits(), want, 1e-4) == "");
}

// ---- text

TEMPLATE_LIST_TEST_CASE("What the encoder gave stands in the place of features", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = opened<TestType>();
    const auto tensors = test::tensors_of(generation / "encoded.safetensors");
    arch::WhisperInputs in{.encoder_outputs = tensors.at("inputs.encoder_outputs"),
                           .decoder_input_ids = tensors.at("inputs.decoder_input_ids"),
                           .decoder_attention_mask = tensors.at("inputs.decoder_attention_mask")};
    CHECK(test::differs(model(in).logits, tensors.at("outputs.logits"), 1e-4) == "");
    const Tensor encoded =
        model.on_device([&] { return model.network().encode(inputs_of("reference").input_features); });
    CHECK(encoded.device() == model.device());
    CHECK(test::differs(encoded, *in.encoder_outputs, 2e-5) == "");
    in.encoder_outputs = encoded;
    CHECK(test::differs(model(in).logits, tensors.at("outputs.logits"), 1e-4) == "");
}

TEMPLATE_LIST_TEST_CASE("Decoding step by step, in pieces and at once gives the same", "", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = opened<TestType>();
    const FallbackScope fallbacks;
    const auto check = [&](const std::string& file, arch::WhisperInputs in, const std::vector<std::int64_t>& sizes,
                           std::int64_t from) {
        CAPTURE(file, sizes);
        const Tensor got = in_pieces(model, in, sizes), want = logits_of(file);
        for (std::int64_t i = 0, end = -1; i < got.size(1); ++i) {
            end += sizes[static_cast<std::size_t>(i)];
            if (end >= from) CHECK(test::differs(got.select(1, i), want.select(1, end), 1e-4) == "");
        }
    };
    check("reference-no-mask", inputs_of("reference-no-mask"), std::vector<std::int64_t>(20, 1), 0);
    check("reference-no-mask", inputs_of("reference-no-mask"), {7, 1, 5, 1, 1, 5}, 0);
    // Prompts padded on the left: generation counts the tokens that are attended to, as if their positions were given.
    auto left = inputs_of("reference-float32-positions");
    check("reference-float32-positions", left, {6, 1, 1}, 5);
    left.decoder_position_ids.reset();
    check("reference-float32-positions", left, {8}, 5);
    check("reference-float32-positions", left, {6, 1, 1}, 5);
    check("reference-float32-positions", left, {3, 4, 1}, 5);
    CHECK(fallbacks.report().empty());
}

TEMPLATE_LIST_TEST_CASE("Greedy decoding equals transformers token for token, batched and alone", "", test::Devices) {
    if (!test::present<TestType>()) return;
    for (const std::string name : {"generation", "distil"}) {
        CAPTURE(name);
        const auto file = test::golden("whisper", name) / "generate.safetensors";
        const auto tensors = test::tensors_of(file);
        const auto new_tokens = std::stol(checkpoint::Checkpoint::open(file).metadata().at("max_new_tokens"));
        arch::WhisperInputs in{.input_features = tensors.at("inputs.input_features"),
                               .decoder_input_ids = tensors.at("inputs.decoder_input_ids")};
        if (tensors.contains("inputs.decoder_attention_mask"))
            in.decoder_attention_mask = tensors.at("inputs.decoder_attention_mask");
        const Tensor want = tensors.at("outputs.sequences");
        const auto model = opened<TestType>(test::golden("whisper", name));
        CHECK(greedy(model, in, new_tokens).equal(want));
        for (std::int64_t row = 0; row < want.size(0); ++row) {
            CAPTURE(row);
            std::int64_t padding = 0;
            if (in.decoder_attention_mask)
                padding = in.decoder_input_ids->size(1) -
                          in.decoder_attention_mask->select(0, row).sum().template item<std::int64_t>();
            const Tensor got = greedy(model,
                                      {.input_features = in.input_features.narrow(0, row, 1),
                                       .decoder_input_ids = in.decoder_input_ids->narrow(0, row, 1).slice(1, padding)},
                                      new_tokens);
            CHECK(got.equal(want.narrow(0, row, 1).narrow(1, padding, got.size(1))));
        }
    }
}

TEST_CASE("The loop of generation writes what transformers' does: prompts as they are, their masks with their beams") {
    const auto model = opened<Cpu>();
    generate::ModelDecoder decoder(model);
    for (const std::int64_t beams : {1, 3}) {
        CAPTURE(beams);
        const auto tensors =
            test::tensors_of(generation / (beams == 1 ? "generate.safetensors" : "generate-beams.safetensors"));
        const auto extra = [&](const std::string& name) { return std::pair{name, tensors.at("inputs." + name)}; };
        const auto out = generate::complete(decoder,
                                            {.decoder_input_ids = tensors.at("inputs.decoder_input_ids"),
                                             .extra = {extra("input_features"), extra("decoder_attention_mask")}},
                                            {.max_new_tokens = 13, .num_beams = beams});
        CHECK(out.sequences.equal(tensors.at("outputs.sequences")));
    }
}

TEMPLATE_LIST_TEST_CASE("Beams of a window share it; rows move with their positions; copies are apart", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = opened<TestType>();
    auto in = inputs_of("reference-float32-positions");
    in.decoder_position_ids.reset();
    const auto step = [&](auto& state, std::int64_t rows) {
        return model.step(at::full({rows}, 7, at::kLong).to(model.device()), state);
    };
    auto state = model.make_state(3, 12);
    static_cast<void>(model.prefill(in, state));
    auto copy = state.clone();
    const Tensor want = step(state, 3).clone();
    // two rows of the decoder for each window
    arch::WhisperInputs twice = in;
    for (auto* t : {&twice.decoder_input_ids, &twice.decoder_attention_mask}) *t = (*t)->repeat_interleave(2, 0);
    auto beams = model.make_state(6, 12);
    static_cast<void>(model.prefill(twice, beams));
    const Tensor both = step(beams, 6);
    CHECK(test::differs(both.slice(0, 0, 6, 2), want, 2e-5) == "");
    CHECK(test::differs(both.slice(0, 1, 6, 2), want, 2e-5) == "");
    // rows that move
    Tensor rows = at::empty({3}, at::kLong);
    for (const auto& [i, from] : {std::pair{0, 2}, {1, 0}, {2, 0}}) rows[i] = from;
    model.reorder(rows, copy);
    CHECK(copy.length() == 8);
    CHECK(test::differs(step(copy, 3), want.index_select(0, rows.to(want.device())), 2e-5) == "");
    // and one that begins again
    model.on_device([&] { state.clear(); });
    static_cast<void>(model.prefill(in, state));
    CHECK(test::differs(step(state, 3), want, 2e-5) == "");
}

// ---- alignment

TEMPLATE_LIST_TEST_CASE("Alignment is the cross-attention of transformers, several rows to a window", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const Alignment a;
    const auto check = [&](const auto& model, double bound) {
        const FallbackScope fallbacks;
        const Tensor got = model.on_device(
            [&] { return model.network().alignment(a.tensors.at("encoder_outputs"), a.tensors.at("ids"), a.heads()); });
        CHECK(got.scalar_type() == at::kFloat);
        CHECK(test::differs(got, a.tensors.at("weights"), bound) == "");
        CHECK(fallbacks.report().empty());
    };
    check(opened<TestType>(), 2e-5);
    check(Model<WhisperForConditionalGeneration, TestType, precision::Bf16>::open(generation.string()), 5e-2);
}
