// Models with quantised weights: a decoder and BERT against the same networks with the weights that the codes stand
// for; tensor by tensor on every loader; MLX's form as it lies and as it is written; what is refused.
#include <ATen/Functions.h>

#include <algorithm>
#include <fstream>

#include "silica/arch/bert.hpp"
#include "silica/arch/llama.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "silica/loader/cpu_first.hpp"
#include "silica/loader/quantise_checkpoint.hpp"
#include "silica/loader/streamed.hpp"
#include "silica/model.hpp"
#include "silica/precision/int4.hpp"
#include "silica/precision/int8.hpp"
#include "support/catch.hpp"
#include "support/counted_memory.hpp"
#include "support/devices.hpp"
#include "support/directory.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"

using namespace silica;
namespace fs = std::filesystem;
using device::Cpu, test::refuses;

namespace {

using Tensors = std::map<std::string, Tensor>;
using Llama = arch::LlamaForCausalLM;

constexpr std::string_view tiny = R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64,
    "intermediate_size": 160, "max_position_embeddings": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "vocab_size": 51, "tie_word_embeddings": false)";

/// Whether this is a matrix of a product.
bool is_matrix(const std::string& name) {
    return name.ends_with("proj.weight") || name == "lm_head.weight" ||
           (name.ends_with(".weight") && (name.find("encoder.layer") != name.npos || name.find("dense") != name.npos) &&
            name.find("LayerNorm") == name.npos);
}

Tensors tiny_weights() {
    Tensors w;
    const auto add = [&](const std::string& name, c10::IntArrayRef shape) {
        w[name + ".weight"] = test::random(shape, w.size()) * (shape.size() == 1 ? 0.1 : 0.2);
        if (shape.size() == 1) w[name + ".weight"] += 1;
    };
    add("model.embed_tokens", {51, 64});
    for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
        add(layer + "self_attn.q_proj", {64, 64});
        add(layer + "self_attn.k_proj", {32, 64});
        add(layer + "self_attn.v_proj", {32, 64});
        add(layer + "self_attn.o_proj", {64, 64});
        add(layer + "mlp.gate_proj", {160, 64});
        add(layer + "mlp.up_proj", {160, 64});
        add(layer + "mlp.down_proj", {64, 160});
        add(layer + "input_layernorm", {64});
        add(layer + "post_attention_layernorm", {64});
    }
    add("model.norm", {64});
    add("lm_head", {51, 64});
    return w;
}

/// The weights as their codes say them.
Tensors rounded(Tensors w, int bits, std::int64_t group) {
    for (auto& [name, t] : w)
        if (is_matrix(name)) t = checkpoint::dequantised(checkpoint::quantise(t, bits, group, name), at::kFloat);
    return w;
}

/// A directory with these tensors and config.json.
struct Written {
    explicit Written(const Tensors& w, const std::string& more = "}") {
        checkpoint::write_safetensors(directory.path() / "model.safetensors", {w.begin(), w.end()});
        std::ofstream(directory.path() / "config.json") << tiny << more;
        std::ofstream(directory.path() / "tokenizer.json") << "{}";
    }
    test::Directory directory;
    [[nodiscard]] std::string path() const { return directory.path().string(); }
};

typename Llama::Config config_of(std::string_view text = tiny) {
    typename Llama::Config c;
    read_json(c, Json::parse(std::string(text) + "}", "test"), "test");
    return c;
}

nn::DecoderInputs prompt() { return {.input_ids = test::random_ids({2, 9}, 51, 5)}; }

/// Logits of the prompt, and of one token after it.
template <class M>
std::pair<Tensor, Tensor> logits(const M& model) {
    auto state = model.make_state(2, 16);
    const Tensor first = model.prefill(prompt(), state);
    return {first, model.step(at::full({2}, 7, at::kLong), state)};
}

template <class M, class N>
double check_same(const M& got, const N& want, double atol = 2e-4, double rtol = 1e-3) {
    const auto [a, b] = logits(got);
    const auto [c, d] = logits(want);
    CHECK(test::differs(a, c, atol, rtol) == "");
    CHECK(test::differs(b, d, atol, rtol) == "");
    return std::max(test::relative_error(a, c), test::relative_error(b, d));
}

/// Passes tensors on, and counts how many matrices there are at a time.
class Counting final : public checkpoint::TensorSource {
public:
    static constexpr std::string_view name = "counting";
    explicit Counting(TensorSource& source) : source_(source) {}
    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const override { return source_.entries(); }
    [[nodiscard]] Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
        if (!is_matrix(e.name)) return source_.read(e, dtype, device);
        for (const auto& other : read_) alive = alive || !other.expired();
        ++matrices;
        const Tensor t = source_.read(e, dtype, device).clone();
        read_.emplace_back(t.getIntrusivePtr());
        return t;
    }
    [[nodiscard]] std::string where() const override { return source_.where(); }

    int matrices = 0;
    bool alive = false;  ///< whether a matrix was read while another one was still there

private:
    TensorSource& source_;
    std::vector<c10::weak_intrusive_ptr<at::TensorImpl>> read_;
};

template <class L>
void load_with(const std::string& place) {
    using M = Model<Llama, Cpu, precision::Int4<>>;
    INFO(L::name);
    auto files = checkpoint::Checkpoint::open(place);
    files.read_one_by_one();
    L::load(files, [&](checkpoint::TensorSource& source) {
        Counting counting(source);
        const auto model = M::from(config_of(), counting, {.group = 32});
        CHECK(counting.matrices == 15);
        CHECK_FALSE(counting.alive);
        const auto plain = Model<Llama, Cpu>::from(config_of(), loader::InMemory(rounded(tiny_weights(), 4, 32)));
        test::covered(test::point_of<Llama, Cpu, precision::Int4<>, L>("llama"), check_same(model, plain));
        return 0;
    });
}

/// A matrix in MLX's form, written here: codes of `bits` from the lowest bits on.
void as_mlx(Tensors& w, const std::string& module, int bits, std::int64_t group) {
    const auto q = checkpoint::quantise(w.at(module + ".weight"), bits, group, module);
    w[module + ".weight"] = q.codes.view(at::kUInt32);
    w[module + ".scales"] = q.scales;
    w[module + ".biases"] = q.biases;
}

}  // namespace

TEST_CASE("A decoder computes with the weights that its codes stand for") {
    const auto w = tiny_weights();
    check_same(Model<Llama, Cpu, precision::Int4<>>::from(config_of(), loader::InMemory(w)),
               Model<Llama, Cpu>::from(config_of(), loader::InMemory(rounded(w, 4, 64))));
    using Int8 = Model<Llama, Cpu, precision::Int8<>>;
    check_same(Int8::from(config_of(), loader::InMemory(w), {.group = 0}),
               Model<Llama, Cpu>::from(config_of(), loader::InMemory(rounded(w, 8, 0))));
    // Inputs in 8 bits: near, where codes of 8 bits are.
    const auto exact = logits(Int8::from(config_of(), loader::InMemory(w)));
    const auto near = logits(Int8::from(config_of(), loader::InMemory(w), {.int8_activations = true}));
    CHECK(test::relative_error(near.first, exact.first) < 8e-2);
    refuses<InputError>([&] { static_cast<void>(Int8::from(config_of(), loader::InMemory(w), {.group = 48})); },
                        {"groups of 48"});
}

TEMPLATE_TEST_CASE("BERT with a tied projection computes with the weights that its codes stand for", "",
                   precision::Int8<>, precision::Int4<>) {
    constexpr int bits = TestType::bits;
    const auto directory = test::golden("bert", "masked_lm");
    using Bert = arch::BertForMaskedLM;
    const auto model = Model<Bert, Cpu, TestType>::open(directory.string(), {.group = 32});
    const auto files = checkpoint::Checkpoint::open(directory);
    Tensors w;
    for (const auto& e : files.entries()) w[e.name] = loader::read_whole(files, e).to(at::kFloat);
    const auto words = checkpoint::quantise(w.at("bert.embeddings.word_embeddings.weight"), bits, 32, "words");
    w = rounded(std::move(w), bits, 32);
    w["cls.predictions.decoder.weight"] = checkpoint::dequantised(words, at::kFloat);
    auto config = model.config();
    config.tie_word_embeddings = false;
    const auto want = Model<Bert, Cpu>::from(config, loader::InMemory(w));
    const test::Reference reference(directory / "reference.safetensors");
    const auto inputs = reference.inputs<typename Bert::Inputs>();
    const Tensor got = model(inputs).logits, expected = want(inputs).logits;
    CHECK(test::differs(got, expected, 2e-4, 1e-3) == "");
    test::covered(test::point_of<Bert, Cpu, precision::Int8<>, loader::Mapped>("bert"),
                  test::relative_error(got, expected));
}

TEST_CASE("Weights are quantised one after another, whatever the loader") {
    const Written written(tiny_weights());
    load_with<loader::Mapped>(written.path());
    load_with<loader::Streamed>(written.path());
    load_with<loader::CpuFirst>(written.path());
}

TEST_CASE("Packing stays within what the budget says, and what is kept is what it counts") {
    auto c = config_of();
    c.hidden_size = 512, c.intermediate_size = 1536, c.vocab_size = 8000, c.num_hidden_layers = 4;
    // A layer: 512 x 512 for queries and output, 256 x 512 for keys and values, three of 1536 x 512, two norms.
    const std::uint64_t matrices = 4 * (2 * 512 * 512 + 2 * 256 * 512 + 3 * 1536 * 512) + 8000 * 512,
                        words = 8000 * 512, norms = 9 * 512;
    loader::Random random;
    checkpoint::Shapes shapes(random);
    const auto budget = budget_of<Llama, Exec<Cpu, precision::Int4<>>>(
        c, shapes, {}, {.group = 64, .state_rows = 2, .state_tokens = 100}, "a model");
    CHECK(parameters_of(budget.kept) == matrices + words + norms);
    const auto needs = budget.needs("random");
    // Codes of 4 bits, a scale and a bias in float32 for 64 of them; the rest in float32.
    CHECK(needs.weights == matrices / 2 + matrices / 64 * 8 + 4 * (words + norms));
    CHECK(needs.caches == 4ULL * 2 * 2 * 100 * 256 * 4);
    {
        const test::CountedMemory memory;
        const auto model = Model<Llama, Cpu, precision::Int4<>>::from(c, loader::Random(), {.group = 64});
        constexpr std::uint64_t slack = 8 << 20;  // the loader's block of random numbers, twice as it is made
        CHECK(memory.peak() <= needs.loading.host + slack);
        CHECK(memory.now() >= needs.weights);
        CHECK(memory.now() <= needs.weights + slack);
    }

    OpenOptions greedy;
    greedy.state_rows = 1 << 20, greedy.state_tokens = 1 << 20;
    CHECK_THROWS_AS((Model<Llama, Cpu, precision::Int4<>>::from(c, loader::Random(), greedy)), DeviceError);
    for (const auto& [rows, tokens] : {std::pair(0, 10), std::pair(-1, 10), std::pair(1, -1)}) {
        OpenOptions none;
        none.state_rows = rows, none.state_tokens = tokens;
        refuses<InputError>(
            [&] { static_cast<void>(Model<Llama, Cpu, precision::Int4<>>::from(c, loader::Random(), none)); },
            {"rows of " + std::to_string(tokens) + " tokens"});
    }
    greedy.budget = false;
    CHECK_NOTHROW((Model<Llama, Cpu, precision::Int4<>>::from(c, loader::Random(), greedy)));
}

TEST_CASE("MLX's form is read as it lies: embeddings, mixed bits, matrices that it keeps") {
    Tensors w = tiny_weights(), want = rounded(w, 4, 32);
    for (const auto& [name, t] : tiny_weights())
        if (is_matrix(name)) as_mlx(w, name.substr(0, name.size() - 7), 4, 32);
    // One matrix of three that are joined has more bits and other groups; one stays plain; the words are codes too.
    w["model.layers.0.self_attn.v_proj.weight"] = tiny_weights().at("model.layers.0.self_attn.v_proj.weight");
    as_mlx(w, "model.layers.0.self_attn.v_proj", 8, 64);
    want["model.layers.0.self_attn.v_proj.weight"] =
        rounded(tiny_weights(), 8, 64).at("model.layers.0.self_attn.v_proj.weight");
    const std::string kept = "model.layers.1.mlp.down_proj";
    w[kept + ".weight"] = want[kept + ".weight"] = tiny_weights().at(kept + ".weight");
    w.erase(kept + ".scales"), w.erase(kept + ".biases");
    const auto words = checkpoint::quantise(w.at("model.embed_tokens.weight"), 4, 32, "words");
    want["model.embed_tokens.weight"] = checkpoint::dequantised(words, at::kFloat);
    as_mlx(w, "model.embed_tokens", 4, 32);
    const std::string quantization = R"(, "quantization": {"group_size": 32, "bits": 4, "mode": "affine",
        "model.layers.0.self_attn.v_proj": {"group_size": 64, "bits": 8}, "model.layers.1.mlp.down_proj": false}})";
    const Written written(w, quantization);
    const auto model = Model<Llama, Cpu, precision::Int4<>>::open(written.path());
    CHECK(model.account().unexpected.empty());
    check_same(model, Model<Llama, Cpu>::from(config_of(), loader::InMemory(want)));
    check_same(Model<Llama, Cpu>::open(written.path()), Model<Llama, Cpu>::from(config_of(), loader::InMemory(want)));
}

TEST_CASE("Checkpoints that others quantised are the same model as codes, but for what no codes stand for") {
    int files = 0;
    for (const auto& each : fs::directory_iterator(fs::path(SILICA_TESTS_DIR) / "golden" / "formats")) {
        const auto config = checkpoint::read_json_file(each.path(), "config.json");
        if (config.find("model_type")->string() != "llama") continue;
        INFO(each.path());
        const auto plain = Model<Llama, Cpu>::open(each.path());
        const auto codes = Model<Llama, Cpu, precision::Int4<>>::open(each.path());
        const auto name = each.path().filename().string();
        if (plain.account().notes.empty()) continue;  // plain in the file: quantised here
        ++files;
        check_same(codes, plain);
        const bool kept = name.find("nf4") == name.npos && name.find("act_order") == name.npos;
        CHECK((codes.account().bytes < plain.account().bytes) == kept);
        const auto& notes = codes.account().notes;
        const bool dequantised = std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
            return note.find("7 matrices of") != note.npos && note.find("dequantised") != note.npos;
        });
        CHECK(dequantised != kept);
    }
    CHECK(files >= 12);
}

TEST_CASE("A checkpoint that is written quantised is the one that is quantised as it loads") {
    const Written written(tiny_weights());
    const test::Directory place;
    const auto files = checkpoint::Checkpoint::open(written.directory.path());
    const auto names = budget_of<Llama, Exec<Cpu, precision::Int4<>>>(config_of(), files, {}).in_codes;
    CHECK(names.size() == 15);
    CHECK_FALSE(names.contains("model.embed_tokens.weight"));
    const auto to = place.path() / "small";
    const auto made = loader::quantise_checkpoint(files, names, 4, 32, to);
    CHECK(made.quantised == 15);
    CHECK(made.kept == 6);
    CHECK(made.bytes < made.bytes_before / 2);
    CHECK(fs::exists(to / "tokenizer.json"));
    using M = Model<Llama, Cpu, precision::Int4<>>;
    check_same(M::open(to.string()), M::open(written.path(), {.group = 32}), 0, 0);
    refuses<InputError>([&] { loader::quantise_checkpoint(files, names, 4, 32, to); }, {"small", "there already"});
    refuses<InputError>([&] { loader::quantise_checkpoint(files, names, 8, 0, place.path() / "new"); }, {"whole row"});
    refuses<InputError>([&] { loader::quantise_checkpoint(files, {}, 4, 32, place.path() / "new"); },
                        {"no matrix", "groups of 32"});
    CHECK_FALSE(fs::exists(place.path() / "new"));
    const auto again = checkpoint::Checkpoint::open(to);
    refuses<ConfigError>([&] { loader::quantise_checkpoint(again, names, 4, 32, place.path() / "new"); },
                         {"quantization", "already"});
    CHECK(std::distance(fs::directory_iterator(place.path()), fs::directory_iterator{}) == 1);
}

TEST_CASE("Forms of codes that are not read are refused by name") {
    using M = Model<Llama, Cpu, precision::Int4<>>;
    const auto config = [&](const std::string& quantization, std::string_view word) {
        const Written written(tiny_weights(), ", \"quantization\": " + quantization + "}");
        refuses<ConfigError>([&] { static_cast<void>(M::open(written.path())); }, {"quantization", word});
    };
    config(R"({"group_size": 32, "bits": 3})", "bits = 3");
    config(R"({"group_size": 32, "bits": 4, "mode": "mxfp4"})", "mode = 'mxfp4'");
    config(R"({"group_size": 32, "bits": 4, "lm_head": {"bits": 6, "group_size": 32}})", "lm_head.bits = 6");
    const auto tensors = [&](auto&& spoil, std::string_view word) {
        Tensors w = tiny_weights();
        as_mlx(w, "lm_head", 4, 32);
        spoil(w);
        const Written written(w, R"(, "quantization": {"group_size": 32, "bits": 4}})");
        refuses<CheckpointError>([&] { static_cast<void>(M::open(written.path())); }, {"lm_head", word});
    };
    tensors([](Tensors& w) { w["lm_head.weight"] = w["lm_head.weight"].narrow(1, 0, 6); }, "(51, 48)");
    tensors([](Tensors& w) { w["lm_head.weight"] = w["lm_head.weight"].to(at::kFloat); }, "F32");
    tensors([](Tensors& w) { w["lm_head.scales"] = at::ones({51, 3}); }, "(51, 3)");
    tensors([](Tensors& w) { w["lm_head.biases"] = at::ones({51, 1}); }, "(51, 1)");
    tensors([](Tensors& w) { w.erase("lm_head.biases"); }, "lm_head.");
}
