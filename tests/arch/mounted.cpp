// Two families mounted under one root: what composites (a vision tower and a decoder) are made of.
#include "silica/arch/bert.hpp"
#include "silica/arch/decoder_config.hpp"
#include "silica/arch/llama.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"

#include "silica/model.hpp"

namespace silica::test {

struct PairConfig {
    arch::BertConfig text;
    arch::LlamaConfig decoder;
};
struct PairInputs {
    Tensor text_ids;  ///< (batch, tokens) int64, for BERT
    Tensor ids;       ///< (batch, tokens) int64, for LLaMA
};
struct PairOutputs {
    Tensor hidden;  ///< of BERT
    Tensor logits;  ///< of LLaMA
};

/// BERT at "tower.", LLaMA at "language_model.", each with its own spellings; older files say "encoder." for "tower.".
struct Pair {
    static constexpr std::string_view family = "pair", name = "Pair";
    using Config = PairConfig;
    using Inputs = PairInputs;
    using Outputs = PairOutputs;

    static void check(const Config& c, const std::string& file) {
        arch::Bert::check(c.text, file);
        arch::Llama::check(c.decoder, file);
    }
    static Inputs prepare(const Config& c, Inputs in) {
        in.text_ids = arch::Bert::prepare(c.text, {in.text_ids}).input_ids;
        in.ids = arch::Llama::prepare(c.decoder, {in.ids}).input_ids;
        return in;
    }
    static checkpoint::NameRules names() {
        return checkpoint::NameRules{.renames = {{"^encoder", "tower"}}} + arch::Bert::names().under("tower.") +
               arch::Llama::names().under("language_model.");
    }

    template <class E>
    class Network {
    public:
        using Text = typename arch::Bert::Network<E>;
        using Decoder = typename arch::LlamaForCausalLM::Network<E>;
        using Ops = union_of<typename Text::Ops, typename Decoder::Ops>;

        Network(const Config& c, const Weights& w)
            : text(c.text, w / "tower"), decoder(c.decoder, w / "language_model") {}
        Outputs operator()(const Inputs& in) const {
            return {text({in.text_ids}).last_hidden_state, decoder({in.ids}).logits};
        }

    private:
        Text text;
        Decoder decoder;
    };
};

}  // namespace silica::test

BOOST_HANA_ADAPT_STRUCT(silica::test::PairConfig, text, decoder);
BOOST_HANA_ADAPT_STRUCT(silica::test::PairInputs, text_ids, ids);
BOOST_HANA_ADAPT_STRUCT(silica::test::PairOutputs, hidden, logits);

using namespace silica;

namespace {

using device::Cpu;
using precision::Fp32;

/// The tensors of a golden case under `prefix`, without `dropped` at the start of their own names.
void add(std::map<std::string, Tensor>& to, const std::filesystem::path& directory, const std::string& prefix,
         const std::string& dropped) {
    for (const auto& [name, tensor] : test::tensors_of(directory / "model.safetensors"))
        to.emplace(prefix + (name.starts_with(dropped) ? name.substr(dropped.size()) : name), tensor);
}

}  // namespace

TEST_CASE("Two families under one root compute what each computes alone, in each of their spellings") {
    const auto bert = test::golden("bert", "base"), llama = test::golden("llama", "biases_tied");
    const test::PairConfig config{checkpoint::read_config<arch::Bert>(bert),
                                  checkpoint::read_config<arch::LlamaForCausalLM>(llama)};
    const auto text = Model<arch::Bert, Cpu, Fp32>::open(bert.string());
    const auto decoder = Model<arch::LlamaForCausalLM, Cpu, Fp32>::open(llama.string());
    const test::PairInputs in{test::random_ids({2, 5}, config.text.vocab_size, 1),
                              test::random_ids({2, 7}, config.decoder.vocab_size, 2)};
    struct Spelling {
        std::string tower, bert, language, llama;  // prefixes, and what the families' own names lose
    };
    for (const auto& s :
         {Spelling{"tower.", "", "language_model.", ""}, Spelling{"encoder.", "", "language_model.", ""},
          Spelling{"tower.", "bert.", "language_model.", "model."}}) {
        CAPTURE(s.tower, s.bert, s.language, s.llama);
        std::map<std::string, Tensor> tensors;
        add(tensors, bert, s.tower, s.bert);
        add(tensors, llama, s.language, s.llama);
        const auto model = Model<test::Pair, Cpu, Fp32>::from(config, loader::InMemory(tensors));
        CHECK(model.account().unexpected.empty());
        const auto out = model(in);
        CHECK(out.hidden.equal(text({in.text_ids}).last_hidden_state));
        CHECK(out.logits.equal(decoder({in.ids}).logits));
    }
    std::map<std::string, Tensor> tensors;
    add(tensors, bert, "tower.", "");
    add(tensors, llama, "elsewhere.", "");
    CHECK_THROWS_AS((Model<test::Pair, Cpu, Fp32>::from(config, loader::InMemory(tensors))), CheckpointError);
}

TEST_CASE("A state moves and is cloned, and a clone goes its own way") {
    const auto model = Model<arch::LlamaForCausalLM, Cpu, Fp32>::open(test::golden("llama", "biases_tied").string());
    const auto ids = [](std::int64_t seed) { return test::random_ids({2}, 60, static_cast<std::uint64_t>(seed)); };
    auto state = model.make_state(2, 8);
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<decltype(state)>);
    STATIC_REQUIRE(std::is_move_constructible_v<decltype(state)>);
    static_cast<void>(model.prefill({ids(1).unsqueeze(1)}, state));
    auto saved = state.clone();
    const Tensor first = model.step(ids(2), state), other = model.step(ids(3), saved);
    CHECK_FALSE(first.equal(other));
    auto again = model.make_state(2, 8);
    static_cast<void>(model.prefill({ids(1).unsqueeze(1)}, again));
    CHECK(model.step(ids(3), again).equal(other));
    CHECK(model.step(ids(4), state).equal([&] {
        auto fresh = model.make_state(2, 8);
        static_cast<void>(model.prefill({ids(1).unsqueeze(1)}, fresh));
        static_cast<void>(model.step(ids(2), fresh));
        return model.step(ids(4), fresh);
    }()));
}

TEST_CASE("A state of another model, and one that was moved away, are refused") {
    const auto model = Model<arch::LlamaForCausalLM, Cpu, Fp32>::open(test::golden("llama", "biases_tied").string());
    const auto other = Model<arch::LlamaForCausalLM, Cpu, Fp32>::from(
        [&] {
            auto config = model.config();
            config.num_hidden_layers += 1;
            return config;
        }(),
        loader::Random());
    const Tensor id = at::full({1}, 5, at::kLong);
    auto state = other.make_state(1, 4);
    test::refuses<InputError>([&] { model.step(id, state); }, {"not of this model"});
    test::refuses<InputError>([&] { model.prefill({id.unsqueeze(0)}, state); }, {"not of this model"});
    auto own = model.make_state(1, 4);
    const auto taken = std::move(own);
    test::refuses<InputError>([&] { model.prefill({id.unsqueeze(0)}, own); }, {"moved"});
    CHECK(taken.length() == 0);
}

TEST_CASE("A decoder's configuration is read with the keys and defaults of the family it names") {
    const auto read = [](const std::string& text) {
        arch::DecoderConfig config;
        read_json(config, Json::parse(text, "config.json"), "config.json: text_config");
        return config;
    };
    const auto shape = [&](const std::string& text) { return read(text).shape("config.json: text_config"); };
    CHECK(shape("{}").intermediate_size == 11008);  // LLaMA's
    CHECK(shape(R"({"model_type": "mistral"})").intermediate_size == 14336);
    CHECK(shape(R"({"model_type": "mistral", "sliding_window": 9})").windows[0] == 9);
    CHECK(shape(R"({"model_type": "qwen2"})").qkv_bias);
    CHECK_FALSE(shape(R"({"model_type": "llama", "num_hidden_layers": 3})").qkv_bias);
    CHECK(shape(R"({"model_type": "llama", "num_hidden_layers": 3})").windows.size() == 3);
    test::refuses<ConfigError>([&] { read(R"({"model_type": "gpt2"})"); }, {"text_config", "gpt2", "qwen2"});
    test::refuses<ConfigError>([&] { read(R"({"model_type": 7})"); }, {"text_config", "7"});
    test::refuses<ConfigError>([&] { shape(R"({"num_key_value_heads": 3})"); }, {"text_config", "multiple"});

    // a network is built from it as from the family's own
    const auto directory = test::golden("llama", "biases_tied");
    arch::DecoderConfig config;
    read_json(config, checkpoint::read_json_file(directory, "config.json"), "config.json:");
    loader::InMemory source(test::tensors_of(directory / "model.safetensors"));
    const Weights w(source, arch::Llama::names(), c10::Device("cpu"));
    const nn::CausalLmNetwork<Exec<Cpu, Fp32>> network(config, w);
    const auto model = Model<arch::LlamaForCausalLM, Cpu, Fp32>::open(directory.string());
    const nn::DecoderInputs in{test::random_ids({2, 7}, 60, 2)};
    CHECK(network(in).logits.equal(model(in).logits));
}
