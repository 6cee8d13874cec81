// T5 against transformers: every golden case, on every device, in every precision, one with every loader, in every
// spelling of a checkpoint; and its text: prefill and steps beside a whole pass, batches beside rows alone, greedy
// decoding.
#include "silica/arch/t5.hpp"

#include <ATen/ops/stack.h>

#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using silica::test::Halves, silica::test::Reference;

namespace {

namespace hana = boost::hana;
using arch::T5ForConditionalGeneration;
using device::Cpu, device::Mps;
using precision::Bf16, precision::Fp16, precision::Fp32;

using Tensors = std::map<std::string, Tensor>;

std::string config_of(const std::string& name) { return test::read_file(test::golden("t5", name) / "config.json"); }

arch::T5Inputs main_inputs(const std::string& name) { return test::inputs_of<arch::T5>(test::golden("t5", name)); }

const std::vector<std::string> word_names = {"shared.weight", "encoder.embed_tokens.weight",
                                             "decoder.embed_tokens.weight", "lm_head.weight"};

/// Logits of every token of the decoder, taken in pieces of these sizes; a piece of one is a step, after the first.
template <class M>
Tensor in_pieces(const M& model, const arch::T5Inputs& in, const std::vector<std::int64_t>& sizes, bool steps) {
    const auto tokens = in.decoder_input_ids->size(1);
    auto state = model.make_state(in.input_ids.size(0), tokens + 3);
    std::vector<Tensor> logits;
    std::int64_t at = 0;
    for (const auto n : sizes) {
        auto piece = in;
        piece.decoder_input_ids = in.decoder_input_ids->narrow(1, at, n);
        if (in.decoder_attention_mask) piece.decoder_attention_mask = in.decoder_attention_mask->narrow(1, at, n);
        if (at > 0 && n == 1 && steps)
            logits.push_back(model.step(piece.decoder_input_ids->squeeze(1).to(model.device()), state));
        else
            logits.push_back(model.prefill(piece, state));
        at += n;
        CHECK(state.length() == at);
    }
    REQUIRE(at == tokens);
    return at::stack(logits, 1);
}

/// The greedy continuation of `start` (batch, tokens), `new_tokens` more; rows end with token 1, after which 0 stands.
template <class M>
Tensor greedy(const M& model, const arch::T5Inputs& in, std::int64_t new_tokens) {
    const auto rows = in.input_ids.size(0);
    auto state = model.make_state(rows, new_tokens + 1);
    std::vector<Tensor> tokens = {at::zeros({rows}, at::kLong)};
    Tensor logits = model.prefill(in, state), going = at::ones({rows}, at::kBool);
    for (std::int64_t i = 0; i < new_tokens; ++i) {
        const Tensor next = at::where(going, logits.to(at::kCPU).argmax(1), 0);
        tokens.push_back(next);
        going = going & (next != 1);
        if (!going.any().item<bool>()) break;
        if (i + 1 < new_tokens) logits = model.step(next.to(model.device()), state);
    }
    return at::stack(tokens, 1);
}

struct Generated {
    arch::T5Inputs inputs;
    Tensor sequences;
    std::int64_t new_tokens;
};

Generated generated(const std::string& name) {
    const auto file = test::golden("t5", name) / "generate.safetensors";
    const auto tensors = test::tensors_of(file);
    const auto metadata = checkpoint::Checkpoint::open(file).metadata();
    return {{.input_ids = tensors.at("inputs.input_ids"), .attention_mask = tensors.at("inputs.attention_mask")},
            tensors.at("outputs.sequences"),
            std::stol(metadata.at("max_new_tokens"))};
}

}  // namespace

// ---- whole passes

TEST_CASE("T5ForConditionalGeneration equals transformers: versions 1.0 and 1.1, tied and not, gated and not") {
    test::run_case_with_every_loader<T5ForConditionalGeneration>("t5", "v1_0", Halves::given);
    test::run_case<T5ForConditionalGeneration>("t5", "v1_1", Halves::given);
    test::run_case<T5ForConditionalGeneration>("t5", "gated_silu", Halves::none);
    test::run_case<T5ForConditionalGeneration>("t5", "activation", Halves::none);
    test::run_case<T5ForConditionalGeneration>("t5", "torch_file", Halves::none);
}

TEST_CASE("T5Model equals transformers, with a decoder deeper than the encoder") {
    test::run_case<arch::T5>("t5", "base", Halves::given);
}

TEST_CASE("T5EncoderModel equals transformers, and opens the checkpoint of any head") {
    test::run_case<arch::T5EncoderModel>("t5", "encoder", Halves::given);
    for (const std::string name : {"v1_0", "v1_1", "torch_file"}) {
        CAPTURE(name);
        const auto model = Model<arch::T5EncoderModel, Cpu>::open(test::golden("t5", name).string());
        CHECK(model.account().unexpected.empty());
        const Reference reference(test::golden("t5", name) / "reference.safetensors");
        const auto in = reference.inputs<arch::T5Inputs>();
        const Tensor got = model({.input_ids = in.input_ids, .attention_mask = in.attention_mask}).last_hidden_state;
        CHECK(test::differs(got, reference.tensors.at("outputs.encoder_last_hidden_state"), 2e-5) == "");
    }
}

TEST_CASE("Sums beyond the range of float16 stay finite, and no further from float32 than transformers has them") {
    const auto directory = test::golden("t5", "overflow");
    const Reference reference(directory / "reference.safetensors");
    hana::for_each(hana::cartesian_product(hana::make_tuple(test::devices, test::precisions)), [&](auto point) {
        hana::unpack(point, [&](auto d, auto p) {
            using D = typename decltype(d)::type;
            using P = typename decltype(p)::type;
            if (!test::present<D>()) return;
            INFO(D::name << ", " << P::name);
            const auto out =
                Model<T5ForConditionalGeneration, D, P>::open(directory.string())(reference.inputs<arch::T5Inputs>());
            CHECK(out.logits.to(at::kCPU).isfinite().all().template item<bool>());
            if constexpr (!std::is_same_v<P, Fp16>) test::check<P>(reference, out, test::place<D>());
            test::check_beside_transformers<P>(reference, directory, Halves::given, out);
        });
    });
}

TEST_CASE("Distances fall in buckets as in transformers, at the edges too") {
    // 32 buckets to distance 128, both directions: single distances to 7, then steps at these
    const std::vector<std::int64_t> edges = {8, 12, 16, 23, 32, 46, 64, 91};
    for (std::int64_t d = 0; d < 200; ++d) {
        CAPTURE(d);
        const auto beyond = std::count_if(edges.begin(), edges.end(), [&](auto edge) { return edge <= d; });
        const std::int64_t want = d < 8 ? d : 7 + beyond;
        CHECK(arch::t5_bucket(-d, true, 32, 128) == want);
        if (d > 0) CHECK(arch::t5_bucket(d, true, 32, 128) == 16 + want);
        CHECK(arch::t5_bucket(d, false, 32, 128) == 0);
    }
    CHECK(arch::t5_bucket(-15, false, 32, 128) == 15);
    CHECK(arch::t5_bucket(-18, false, 32, 128) == 16);
    CHECK(arch::t5_bucket(-19, false, 32, 128) == 17);
    CHECK(arch::t5_bucket(-128, false, 32, 128) == 31);
    CHECK(arch::t5_bucket(-100000, false, 32, 128) == 31);
}

// ---- checkpoints

TEST_CASE("Word vectors tie in every direction and are counted once; those that differ stay apart") {
    const test::Directory directory;
    const auto path = directory / "t5";
    const auto golden = test::golden("t5", "v1_0");
    const Reference reference(golden / "reference.safetensors");
    const Tensors tied = test::tensors_of(golden);
    const Tensor words = tied.at("shared.weight");
    const auto parameters = Model<T5ForConditionalGeneration, Cpu>::open(golden.string()).account().parameters;
    std::uint64_t elements = 0;
    for (const auto& [name, t] : tied) elements += static_cast<std::uint64_t>(t.numel());
    CHECK(parameters == elements);

    SECTION("under one of their names") {
        for (const auto& name : word_names) {
            CAPTURE(name);
            Tensors other = tied;
            other.erase("shared.weight");
            other.emplace(name, words);
            test::write_checkpoint(path, config_of("v1_0"), other);
            test::check_directory<T5ForConditionalGeneration>(path, golden / "reference.safetensors");
            CHECK(Model<T5ForConditionalGeneration, Cpu>::open(path.string()).account().parameters == parameters);
        }
    }
    SECTION("under all of their names") {
        Tensors other = tied;
        for (const auto& name : word_names) other[name] = words.clone();
        test::write_checkpoint(path, config_of("v1_0"), other);
        test::check_directory<T5ForConditionalGeneration>(path, golden / "reference.safetensors");
        CHECK(Model<T5ForConditionalGeneration, Cpu>::open(path.string()).account().unexpected.empty());
    }
    SECTION("as one storage in a file of torch.save") {
        const auto model = Model<T5ForConditionalGeneration, Cpu>::open(test::golden("t5", "torch_file").string());
        std::uint64_t own = 0;
        for (const auto& [name, t] : test::tensors_of(test::golden("t5", "torch_file"))) {
            if (name.find("embed_tokens") == std::string::npos && name != "lm_head.weight" &&
                name.find("EncDecAttention.relative") == std::string::npos)
                own += static_cast<std::uint64_t>(t.numel());
        }
        CHECK(model.account().parameters == own);
    }
    SECTION("each of them apart") {
        const auto in = reference.inputs<arch::T5Inputs>();
        const Tensor before = Model<T5ForConditionalGeneration, Cpu>::open(golden.string())(in).logits;
        for (const auto& name : word_names) {
            CAPTURE(name);
            Tensors other = tied;
            for (const auto& n : word_names) other[n] = words;
            other[name] = words + test::random({60, 16}, 3);
            const auto got = Model<T5ForConditionalGeneration, Cpu>::from(
                checkpoint::read_config<T5ForConditionalGeneration>(golden), loader::InMemory(other))(in);
            const Tensor encoder = reference.tensors.at("outputs.encoder_last_hidden_state");
            CHECK((test::differs(got.encoder_last_hidden_state, encoder, 2e-5) == "") ==
                  (name != "encoder.embed_tokens.weight"));
            // all users of `shared` have a matrix of their own here
            CHECK((test::differs(got.logits, before, 2e-5) == "") == (name == "shared.weight"));
        }
    }
}

TEST_CASE("Scores are scaled unless the configuration says otherwise, in each of its spellings") {
    const test::Directory directory;
    const auto tensors = test::tensors_of(test::golden("t5", "v1_0"));
    const auto in = main_inputs("v1_0");
    const auto logits = [&](const std::string& keys) {
        auto config = config_of("v1_0");
        for (const std::string key : {"\"scale_decoder_outputs\": true,", "\"tie_word_embeddings\": true,"})
            config = test::replaced(config, key, "");
        config = test::replaced(config, "\"model_type\"", keys + "\"model_type\"");
        test::write_checkpoint(directory / "t5", config, tensors);
        return Model<T5ForConditionalGeneration, Cpu>::open((directory / "t5").string())(in).logits;
    };
    const Tensor scaled = logits(""), whole = scaled * 4;  // d_model is 16
    const std::string tie = "\"tie_word_embeddings\": ", scale = "\"scale_decoder_outputs\": ";
    CHECK(test::differs(logits(tie + "true, "), scaled, 1e-6) == "");
    CHECK(test::differs(logits(tie + "null, "), scaled, 1e-6) == "");
    CHECK(test::differs(logits(tie + "false, "), whole, 1e-6) == "");
    CHECK(test::differs(logits(tie + "true, " + scale + "false, "), whole, 1e-6) == "");
    CHECK(test::differs(logits(tie + "false, " + scale + "true, "), scaled, 1e-6) == "");
}

TEST_CASE("The feed-forward layer is what feed_forward_proj says, unless dense_act_fn and is_gated_act say it apart") {
    arch::T5Config c;
    CHECK(c.activation() == Activation::relu);
    CHECK_FALSE(c.gated());
    c.feed_forward_proj = "gated-gelu";
    CHECK(c.activation() == Activation::gelu_tanh);
    CHECK(c.gated());
    c.feed_forward_proj = "gated-silu";
    CHECK(c.activation() == Activation::silu);
    c.feed_forward_proj = "gelu";
    CHECK(c.activation() == Activation::gelu);
    c.dense_act_fn = Activation::relu;
    c.is_gated_act = true;
    CHECK(c.activation() == Activation::relu);
    CHECK(c.gated());
}

TEST_CASE("Names with the prefix of other heads are the same weights; the stray bias is ignored") {
    const test::Directory directory;
    Tensors tensors;
    for (const auto& [name, t] : test::tensors_of(test::golden("t5", "base")))
        tensors.emplace("transformer." + name, t);
    tensors.emplace("transformer.decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",
                    at::ones({8, 2}));
    tensors.emplace("classification_head.dense.weight", at::ones({16, 16}));
    test::write_checkpoint(directory / "t5", config_of("base"), tensors);
    test::check_directory<arch::T5>(directory / "t5", test::golden("t5", "base") / "reference.safetensors");
    const auto account = Model<arch::T5, Cpu>::open((directory / "t5").string()).account();
    CHECK(account.ignored == std::vector<std::string>{
                                 "transformer.decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"});
    CHECK(account.unexpected == std::vector<std::string>{"classification_head.dense.weight"});
}

TEST_CASE("Half-precision, sharded and random checkpoints make models of T5") {
    const test::Directory directory;
    const auto golden = test::golden("t5", "v1_1");
    const Reference reference(golden / "reference.safetensors");
    const auto in = reference.inputs<arch::T5Inputs>();
    test::write_sharded(directory / "shards", config_of("v1_1"), test::tensors_of(golden), 3);
    hana::for_each(test::loaders, [&](auto l) {
        using L = typename decltype(l)::type;
        const auto model = Model<T5ForConditionalGeneration, Cpu, Fp32, L>::open((directory / "shards").string());
        test::check<Fp32>(reference, model(in), c10::Device("cpu"));
    });
    for (const auto dtype : {at::kHalf, at::kBFloat16}) {
        Tensors tensors = test::tensors_of(golden), rounded;
        for (auto& [name, t] : tensors) {
            t = t.to(dtype);
            rounded.emplace(name, t.to(at::kFloat));
        }
        test::write_checkpoint(directory / "half", config_of("v1_1"), tensors);
        const auto config = checkpoint::read_config<T5ForConditionalGeneration>(golden);
        const Tensor want = Model<T5ForConditionalGeneration, Cpu>::from(config, loader::InMemory(rounded))(in).logits;
        hana::for_each(test::precisions, [&](auto p) {
            using P = typename decltype(p)::type;
            const Tensor got =
                Model<T5ForConditionalGeneration, Cpu, P>::open((directory / "half").string())(in).logits;
            if constexpr (std::is_same_v<P, Fp32>)
                CHECK(test::differs(got, want, 2e-5) == "");
            else
                CHECK(test::relative_error(got, want) <= test::verified<P>);
        });
        const auto random = Model<T5ForConditionalGeneration, Cpu>::from(config, loader::Random());
        CHECK(random(in).logits.sizes() == want.sizes());
    }
}

// ---- text

TEST_CASE("Decoding step by step, in pieces and at once gives the same logits, on every device, in every precision") {
    hana::for_each(hana::cartesian_product(hana::make_tuple(test::devices, test::precisions)), [&](auto point) {
        hana::unpack(point, [&](auto d, auto p) {
            using D = typename decltype(d)::type;
            using P = typename decltype(p)::type;
            if (!test::present<D>()) return;
            for (const std::string name : {"v1_0", "v1_1"}) {
                INFO(name << ", " << D::name << ", " << P::name);
                const auto model = Model<T5ForConditionalGeneration, D, P>::open(test::golden("t5", name).string());
                auto in = main_inputs(name);
                for (const bool masked : {true, false}) {
                    CAPTURE(masked);
                    if (masked) {  // padding on the left, which only a prompt can have: 3, 0, 1 and 2 tokens of it
                        in.decoder_attention_mask = at::ones({4, 9}, at::kLong);
                        for (const auto& [row, n] : {std::pair{0, 3}, {2, 1}, {3, 2}})
                            in.decoder_attention_mask->select(0, row).narrow(0, 0, n).fill_(0);
                    } else {
                        in.attention_mask.reset(), in.decoder_attention_mask.reset();
                    }
                    const FallbackScope fallbacks;
                    const Tensor whole = model(in).logits;  // (4, 9, 60)
                    const auto same = [&](const Tensor& got, const Tensor& want) {
                        if constexpr (std::is_same_v<P, Fp32>)
                            CHECK(test::differs(got, want, 2e-5) == "");
                        else
                            CHECK(test::relative_error(got, want) <= test::verified<P>);
                    };
                    const auto check_pieces = [&](const std::vector<std::int64_t>& sizes, bool steps) {
                        const Tensor got = in_pieces(model, in, sizes, steps);
                        for (std::int64_t i = 0, end = -1; i < got.size(1); ++i) {
                            end += sizes[static_cast<std::size_t>(i)];
                            CAPTURE(end, steps);
                            if (!masked || end >= 3) same(got.select(1, i), whole.select(1, end));
                        }
                    };
                    check_pieces(std::vector<std::int64_t>(9, 1), false);
                    check_pieces({4, 1, 3, 1}, true);
                    check_pieces({4, 1, 1, 1, 1, 1}, true);
                    if (!masked) check_pieces(std::vector<std::int64_t>(9, 1), true);
                    CHECK(fallbacks.report().empty());
                }
            }
        });
    });
}

TEST_CASE("A batch with padding gives each row what it gives alone") {
    const auto check = [](auto d) {
        using D = typename decltype(d)::type;
        if (!test::present<D>()) return;
        const auto model = Model<T5ForConditionalGeneration, D, Fp32>::open(test::golden("t5", "v1_0").string());
        for (const auto* const file : {"reference.safetensors", "reference-float32-left.safetensors"}) {
            const auto in = Reference(test::golden("t5", "v1_0") / file).inputs<arch::T5Inputs>();
            const Tensor logits = model(in).logits;
            for (std::int64_t row = 0; row < in.input_ids.size(0); ++row) {
                CAPTURE(file, row);
                const auto kept = [&](const Tensor& t, const Tensor& mask) {
                    return t.select(0, row).index({mask.select(0, row).to(at::kBool).to(t.device())}).unsqueeze(0);
                };
                const Tensor alone =
                    model({.input_ids = kept(in.input_ids, *in.attention_mask),
                           .decoder_input_ids = kept(*in.decoder_input_ids, *in.decoder_attention_mask)})
                        .logits;
                CHECK(test::differs(kept(logits, *in.decoder_attention_mask), alone, 2e-5) == "");
            }
        }
    };
    check(type_tag<Cpu>());
    check(type_tag<device::Cuda>());
}

TEST_CASE("Greedy decoding equals transformers' generate token for token, batched and alone, on every device") {
    hana::for_each(test::devices, [&](auto d) {
        using D = typename decltype(d)::type;
        if (!test::present<D>()) return;
        for (const std::string name : {"v1_0", "v1_1"}) {
            INFO(name << ", " << D::name);
            const auto model = Model<T5ForConditionalGeneration, D, Fp32>::open(test::golden("t5", name).string());
            const auto [in, want, new_tokens] = generated(name);
            CHECK(greedy(model, in, new_tokens).equal(want));
            for (std::int64_t row = 0; row < in.input_ids.size(0); ++row) {
                CAPTURE(row);
                const Tensor got = greedy(model,
                                          {.input_ids = in.input_ids.narrow(0, row, 1),
                                           .attention_mask = in.attention_mask->narrow(0, row, 1)},
                                          new_tokens);
                CHECK(got.equal(want.narrow(0, row, 1).narrow(1, 0, got.size(1))));
            }
        }
    });
}

TEST_CASE("Reordering a state moves its own tokens, the encoder's text and both masks") {
    hana::for_each(test::devices, [&](auto d) {
        using D = typename decltype(d)::type;
        if (!test::present<D>()) return;
        CAPTURE(std::string(D::name));
        const auto model = Model<T5ForConditionalGeneration, D, Fp32>::open(test::golden("t5", "v1_0").string());
        const auto in = main_inputs("v1_0");
        const auto rows = at::empty({4}, at::kLong);
        for (const std::int64_t i : {0, 1, 2, 3}) rows[i] = std::vector<std::int64_t>{2, 0, 0, 3}.at(std::size_t(i));
        const auto first = [&](arch::T5Inputs piece, std::int64_t n) {
            piece.decoder_input_ids = piece.decoder_input_ids->narrow(1, 0, n);
            piece.decoder_attention_mask = piece.decoder_attention_mask->narrow(1, 0, n);
            return piece;
        };
        const auto rest = [&](auto& state) {
            std::vector<Tensor> logits;
            for (const std::int64_t token : {5, 9, 14})
                logits.push_back(model.step(at::full({4}, token, at::kLong).to(model.device()), state));
            return at::stack(logits, 1);
        };
        auto state = model.make_state(4, 9);
        static_cast<void>(model.prefill(first(in, 6), state));
        state.reorder(rows.to(model.device()));
        const Tensor got = rest(state);

        auto moved = in;
        moved.input_ids = in.input_ids.index_select(0, rows);
        moved.attention_mask = in.attention_mask->index_select(0, rows);
        moved.decoder_input_ids = in.decoder_input_ids->index_select(0, rows);
        moved.decoder_attention_mask = in.decoder_attention_mask->index_select(0, rows);
        auto fresh = model.make_state(4, 9);
        static_cast<void>(model.prefill(first(moved, 6), fresh));
        CHECK(test::differs(got, rest(fresh), 1e-5) == "");
        CHECK(fresh.bytes() == 2U * 2 * 4 * 2 * (9 + 13) * 6 * sizeof(float));  // layers, k and v, rows, heads, tokens
    });
}
