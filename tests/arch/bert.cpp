// BERT against transformers: every golden case, on every device, in every precision, in every spelling of a
// checkpoint; one case with every loader.
#include "silica/arch/bert.hpp"

#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden_grid.hpp"

using namespace silica;
using silica::test::Halves, silica::test::Reference;

namespace {

namespace hana = boost::hana;
using device::Cpu, device::Mps;
using precision::Bf16, precision::Fp16, precision::Fp32;

using Tensors = std::map<std::string, Tensor>;

/// The tensors of a case under other names; an empty name drops one.
template <class F>
Tensors renamed(const Tensors& tensors, F rename) {
    Tensors other;
    for (const auto& [name, t] : tensors) {
        if (const std::string to = rename(name); !to.empty()) other.emplace(to, t);
    }
    return other;
}

std::string config_of(const std::string& name) { return test::read_file(test::golden("bert", name) / "config.json"); }

}  // namespace

TEST_CASE("BertModel equals transformers on every device, in every precision, with every loader") {
    test::run_case_with_every_loader<arch::Bert>("bert", "base", Halves::given);
    test::run_case<arch::Bert>("bert", "base_without_pooler", Halves::none);
}

TEST_CASE("BertForMaskedLM equals transformers, with a tied decoder and with one of its own") {
    test::run_case<arch::BertForMaskedLM>("bert", "masked_lm", Halves::given);
    test::run_case<arch::BertForMaskedLM>("bert", "masked_lm_untied", Halves::none);
    test::run_case<arch::BertForMaskedLM>("bert", "torch_file", Halves::none);
}

TEST_CASE("BertForSequenceClassification equals transformers, with several labels and with one") {
    test::run_case<arch::BertForSequenceClassification>("bert", "sequence_classification", Halves::given);
    test::run_case<arch::BertForSequenceClassification>("bert", "sequence_classification_one_label", Halves::none);
}

TEST_CASE("Every activation name of BERT configurations computes what transformers computes") {
    using Arch = arch::BertForSequenceClassification;
    const auto golden = test::golden("bert", "activations");
    const test::Directory directory;
    std::filesystem::copy_file(golden / "model.safetensors", directory / "model.safetensors");
    for (const auto& [name, act] : activation_names) {
        CAPTURE(std::string(name));
        test::write_file(directory / "config.json", test::replaced(config_of("activations"), "\"hidden_act\": \"gelu\"",
                                                                   "\"hidden_act\": \"" + std::string(name) + "\""));
        const Reference reference(golden / ("reference-" + std::string(name) + ".safetensors"));
        const auto inputs = reference.inputs<arch::BertInputs>();
        const auto on_cpu = Model<Arch, Cpu>::open(directory.path().string());
        CHECK(on_cpu.config().hidden_act == act);
        test::check<Fp32>(reference, on_cpu(inputs), c10::Device("cpu"));
        if (!test::present<Mps>()) continue;
        test::check<Fp32>(reference, Model<Arch, Mps, Fp32>::open(directory.path().string())(inputs),
                          test::place<Mps>());
        test::check<Fp16>(reference, Model<Arch, Mps, Fp16>::open(directory.path().string())(inputs),
                          test::place<Mps>());
    }
}

TEST_CASE("Tensors in memory make the same model as the file that holds them") {
    hana::for_each(
        hana::cartesian_product(hana::make_tuple(hana::tuple_t<Cpu, Mps>, test::precisions)), [](auto point) {
            hana::unpack(point, [](auto d, auto p) {
                using D = typename decltype(d)::type;
                using P = typename decltype(p)::type;
                if (!test::present<D>()) return;
                const auto golden = test::golden("bert", "masked_lm");
                const auto config = checkpoint::read_config<arch::BertForMaskedLM>(golden);
                const auto model =
                    Model<arch::BertForMaskedLM, D, P>::from(config, loader::InMemory(test::tensors_of(golden)));
                CHECK(model.account().loader == "in-memory");
                const Reference reference(golden / "reference.safetensors");
                test::check<P>(reference, model(reference.inputs<arch::BertInputs>()), test::place<D>());
            });
        });
}

TEST_CASE("Random weights make a model of the same shapes") {
    const auto config = checkpoint::read_config<arch::Bert>(test::golden("bert", "base"));
    const auto model = Model<arch::Bert, Cpu>::from(config, loader::Random());
    const Reference reference(test::golden("bert", "base") / "reference.safetensors");
    const auto out = model(reference.inputs<arch::BertInputs>());
    CHECK(out.last_hidden_state.sizes() == reference.tensors.at("outputs.last_hidden_state").sizes());
    CHECK(out.pooler_output.has_value());
    const auto lm = Model<arch::BertForMaskedLM, Cpu>::from(config, loader::Random());
    CHECK(lm.account().parameters == model.account().parameters - (32 * 32 + 32) + (32 * 32 + 3 * 32) + 100);
}

TEST_CASE("A checkpoint in half precision loads into every precision") {
    const test::Directory directory;
    const auto golden = test::golden("bert", "base");
    for (const auto dtype : {at::kHalf, at::kBFloat16}) {
        CAPTURE(c10::toString(dtype));
        Tensors tensors = test::tensors_of(golden), rounded;
        for (auto& [name, t] : tensors) {
            t = t.to(dtype);
            rounded.emplace(name, t.to(at::kFloat));
        }
        test::write_checkpoint(directory / "half", config_of("base"), tensors);
        const Reference reference(golden / "reference.safetensors");
        const auto inputs = reference.inputs<arch::BertInputs>();
        const auto want = Model<arch::Bert, Cpu>::from(checkpoint::read_config<arch::Bert>(golden),
                                                       loader::InMemory(rounded))(inputs);
        hana::for_each(test::grid, [&](auto point) {
            hana::unpack(point, [&](auto d, auto p, auto l) {
                using D = typename decltype(d)::type;
                using P = typename decltype(p)::type;
                if (!test::present<D>()) return;
                const auto model =
                    Model<arch::Bert, D, P, typename decltype(l)::type>::open((directory / "half").string());
                const Tensor got = model(inputs).last_hidden_state;
                INFO(D::name << ", " << P::name << ", " << decltype(l)::type::name);
                if constexpr (std::is_same_v<P, Fp32>)
                    CHECK(test::differs(got, want.last_hidden_state, 1e-5) == "");
                else
                    CHECK(test::relative_error(got, want.last_hidden_state) <= test::verified<P>);
            });
        });
    }
}

TEST_CASE(
    "Names with and without the prefix of the base model, and TensorFlow's names of norms, are the same weights") {
    const test::Directory directory;
    const auto strip = [](const std::string& name) { return name.starts_with("bert.") ? name.substr(5) : name; };
    const auto tensorflow = [](std::string name) {
        if (name.ends_with("LayerNorm.weight")) name.replace(name.size() - 6, 6, "gamma");
        if (name.ends_with("LayerNorm.bias")) name.replace(name.size() - 4, 4, "beta");
        return name;
    };
    const auto both = [&](const auto& from, const char* name, auto check_it) {
        const Tensors tensors = test::tensors_of(test::golden("bert", name));
        test::write_checkpoint(directory / from, config_of(name), renamed(tensors, tensorflow));
        check_it();
        test::write_checkpoint(directory / from, config_of(name), renamed(tensors, strip));
        check_it();
        test::write_checkpoint(directory / from, config_of(name), renamed(renamed(tensors, strip), tensorflow));
        check_it();
    };
    both("lm", "masked_lm", [&] {
        test::check_directory<arch::BertForMaskedLM>(directory / "lm",
                                                     test::golden("bert", "masked_lm") / "reference.safetensors");
    });
    both("classes", "sequence_classification", [&] {
        test::check_directory<arch::BertForSequenceClassification>(
            directory / "classes", test::golden("bert", "sequence_classification") / "reference.safetensors");
    });
    const Tensors base = test::tensors_of(test::golden("bert", "base"));
    CHECK_FALSE(base.begin()->first.starts_with("bert."));
    test::write_checkpoint(directory / "base", config_of("base"),
                           renamed(base, [](const auto& n) { return "bert." + n; }));
    test::check_directory<arch::Bert>(directory / "base", test::golden("bert", "base") / "reference.safetensors");
}

TEST_CASE("The account says which tensors were ignored and which belong to another head") {
    const test::Directory directory;
    Tensors tensors = test::tensors_of(test::golden("bert", "masked_lm"));
    const auto taken = tensors.size();
    tensors.emplace("bert.embeddings.position_ids", at::arange(24).unsqueeze(0));
    tensors.emplace("cls.seq_relationship.weight", test::random({2, 16}, 1));
    test::write_checkpoint(directory / "lm", config_of("masked_lm"), tensors);
    const auto lm = Model<arch::BertForMaskedLM, Cpu>::open((directory / "lm").string());
    CHECK(lm.account().ignored == std::vector<std::string>{"bert.embeddings.position_ids"});
    CHECK(lm.account().unexpected == std::vector<std::string>{"cls.seq_relationship.weight"});
    CHECK(lm.account().tensors == taken);
    test::check_directory<arch::BertForMaskedLM>(directory / "lm",
                                                 test::golden("bert", "masked_lm") / "reference.safetensors");

    const auto base = Model<arch::Bert, Cpu>::open((directory / "lm").string());  // opens a checkpoint of any head
    CHECK(base.account().unexpected.size() == 5);
    const Reference reference(test::golden("bert", "masked_lm") / "reference.safetensors");
    const auto out = base(reference.inputs<arch::BertInputs>());
    CHECK(out.last_hidden_state.size(2) == 16);
    CHECK_FALSE(out.pooler_output);
}

TEST_CASE("Tied weights are counted once and tie in both directions; a decoder that differs is used") {
    const test::Directory directory;
    const auto reference = test::golden("bert", "masked_lm") / "reference.safetensors";
    const Tensors tied = test::tensors_of(test::golden("bert", "masked_lm"));
    const Tensor words = tied.at("bert.embeddings.word_embeddings.weight");
    const auto parameters =
        Model<arch::BertForMaskedLM, Cpu>::open(test::golden("bert", "masked_lm").string()).account().parameters;
    std::uint64_t elements = 0;
    for (const auto& [name, t] : tied) elements += static_cast<std::uint64_t>(t.numel());
    CHECK(parameters == elements);

    SECTION("only the decoder holds them") {
        Tensors other = tied;
        other.erase("bert.embeddings.word_embeddings.weight");
        other.emplace("cls.predictions.decoder.weight", words);
        test::write_checkpoint(directory / "lm", config_of("masked_lm"), other);
        test::check_directory<arch::BertForMaskedLM>(directory / "lm", reference);
        CHECK(Model<arch::BertForMaskedLM, Cpu>::open((directory / "lm").string()).account().parameters == parameters);
    }
    SECTION("the file holds them twice") {
        Tensors other = tied;
        other.emplace("cls.predictions.decoder.weight", words.clone());
        other.emplace("cls.predictions.decoder.bias", tied.at("cls.predictions.bias").clone());
        test::write_checkpoint(directory / "lm", config_of("masked_lm"), other);
        test::check_directory<arch::BertForMaskedLM>(directory / "lm", reference);
        CHECK(Model<arch::BertForMaskedLM, Cpu>::open((directory / "lm").string()).account().unexpected.size() <= 1);
    }
    SECTION("tie_word_embeddings is true, and the file holds two that differ") {
        test::write_checkpoint(directory / "lm",
                               test::replaced(config_of("masked_lm_untied"), "\"tie_word_embeddings\": false",
                                              "\"tie_word_embeddings\": true"),
                               test::tensors_of(test::golden("bert", "masked_lm_untied")));
        test::check_directory<arch::BertForMaskedLM>(
            directory / "lm", test::golden("bert", "masked_lm_untied") / "reference.safetensors");
    }
    SECTION("tie_word_embeddings is false, and the file holds no decoder") {
        test::write_checkpoint(
            directory / "lm",
            test::replaced(config_of("masked_lm"), "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"),
            tied);
        REQUIRE_THROWS_AS((Model<arch::BertForMaskedLM, Cpu>::open((directory / "lm").string())), CheckpointError);
    }
}

TEST_CASE("A sharded checkpoint is the same model with every loader") {
    const test::Directory directory;
    const auto golden = test::golden("bert", "masked_lm");
    test::write_sharded(directory / "lm", config_of("masked_lm"), test::tensors_of(golden), 3);
    const Reference reference(golden / "reference.safetensors");
    hana::for_each(test::loaders, [&](auto l) {
        using L = typename decltype(l)::type;
        CAPTURE(std::string(L::name));
        const auto model = Model<arch::BertForMaskedLM, Cpu, Fp32, L>::open((directory / "lm").string());
        test::check<Fp32>(reference, model(reference.inputs<arch::BertInputs>()), c10::Device("cpu"));
    });
}

TEST_CASE("Inputs may lie on the device, be strided, or be a boolean mask") {
    const auto golden = test::golden("bert", "base");
    const Reference reference(golden / "reference.safetensors");
    const auto inputs = reference.inputs<arch::BertInputs>();
    hana::for_each(hana::tuple_t<Cpu, Mps>, [&](auto d) {
        using D = typename decltype(d)::type;
        if (!test::present<D>()) return;
        const auto model = Model<arch::Bert, D, Fp32>::open(golden.string());
        auto there = inputs;
        there.input_ids = inputs.input_ids.to(test::place<D>());
        there.attention_mask = inputs.attention_mask->to(at::kBool);
        there.token_type_ids = inputs.token_type_ids->t().contiguous().t();
        test::check<Fp32>(reference, model(there), test::place<D>());
        CHECK_FALSE(model(there).last_hidden_state.requires_grad());
    });
}
