// config.json from strangers: every number within bounds, nothing ignored that changes what the weights mean; and
// tensors that change what other tensors mean.

#include "silica/checkpoint/config.hpp"
#include "checkpoint/support.hpp"
#include "silica/arch/bert.hpp"
#include "silica/arch/llama.hpp"
#include "silica/arch/mistral.hpp"
#include "silica/arch/qwen2.hpp"
#include "silica/arch/t5.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/checkpoint/weights.hpp"
#include "silica/core/allocate.hpp"
#include "silica/core/checked_product.hpp"
#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/refuses.hpp"

#include <limits>

using namespace silica;
using test::contains, test::Directory, test::refuses;

namespace {

/// What reading a config.json with this text says; "(accepted)" when it is read.
template <class Arch, class Precision = void>
std::string said(const std::string& text) {
    const Directory directory;
    directory.write("config.json", text);
    try {
        static_cast<void>(checkpoint::read_config<Arch, Precision>(directory.path()));
    } catch (const ConfigError& e) {
        CHECK(contains(e.what(), (directory.path() / "config.json").string()));
        return e.remedy().empty() ? "(no remedy)" : e.what();
    }
    return "(accepted)";
}

template <class Arch>
std::string with(const std::string& key, const std::string& value) {
    return R"({"model_type": ")" + std::string(Arch::family) + R"(", ")" + key + "\": " + value + "}";
}

template <class T>
concept Whole = std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::optional<std::int64_t>> ||
                std::is_same_v<T, std::vector<std::int64_t>>;
template <class T>
concept Real = std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>;

struct ReadsQuip {
    static bool reads(const Json& quantisation) {
        const Json* method = quantisation.find("quant_method");
        return method != nullptr && method->is_string() && method->string() == "quip";
    }
};

/// Takes "q.weight" (2) and "q.bias" (2) where they are, and settles the account.
LoadingAccount load(std::map<std::string, Tensor> more) {
    more.emplace("q.weight", at::ones({2}));
    loader::InMemory source(std::move(more));
    const Weights w(source, {.ignored = {"seen"}, .tied = {"tied.weight"}}, c10::Device(c10::DeviceType::CPU));
    static_cast<void>((w / "q").get("weight", {2}, at::kFloat, w.home()));
    if ((w / "q").has("bias")) static_cast<void>((w / "q").get("bias", {2}, at::kFloat, w.home()));
    return w.account();
}

}  // namespace

TEMPLATE_TEST_CASE("every integer of every configuration has a bound, told with key and number at once", "", arch::Bert,
                   arch::Llama, arch::Mistral, arch::Qwen2, arch::T5) {
    int integers = 0;
    const double start = test::processor_seconds();
    for_each_member(typename TestType::Config{}, [&](std::string_view name, const auto& member) {
        if constexpr (Whole<std::remove_cvref_t<decltype(member)>>) {
            ++integers;
            const std::string key(name);
            for (const auto* value : {"2147483648", "1000000000000000000", "4611686018427387904",
                                      "-9223372036854775808", "100000000000000000000", "-2147483648"}) {
                const auto text = said<TestType>(with<TestType>(key, value));
                CAPTURE(text);
                CHECK(contains(text, key + " is "));
                CHECK(contains(text, value[0] == '-' ? "at least -2147483647" : "at most"));
            }
            if (key.ends_with("layers") && !key.starts_with("max_"))
                CHECK(contains(said<TestType>(with<TestType>(key, "100001")), "at most 100000"));
        }
    });
    CHECK(integers >= 6);
    CHECK(test::processor_seconds() - start < 5);
}

TEMPLATE_TEST_CASE("numbers that must be finite are", "", arch::Bert, arch::Llama, arch::Mistral, arch::Qwen2,
                   arch::T5) {
    int numbers = 0;
    for_each_member(typename TestType::Config{}, [&](std::string_view name, const auto& member) {
        if constexpr (Real<std::remove_cvref_t<decltype(member)>>) {
            ++numbers;
            for (const auto* value : {"Infinity", "-Infinity", "NaN"})
                CHECK(contains(said<TestType>(with<TestType>(std::string(name), value)), std::string(name) + " is "));
        }
    });
    CHECK(numbers >= 1);
    CHECK(said<TestType>(with<TestType>("time_limit", "[0.0, Infinity]")) == "(accepted)");  // nobody reads it
}

TEMPLATE_TEST_CASE("an end that is null is none, and one that is absent the family's", "", arch::Llama, arch::Mistral) {
    const auto ends = [](const std::string& text) {
        typename TestType::Config c;
        read_json(c, Json::parse(text, "config.json"), "config.json:");
        return c.eos_token_id;
    };
    using Ids = std::vector<std::int64_t>;
    CHECK(ends("{}") == Ids{2});
    CHECK(ends(R"({"eos_token_id": null})").empty());
    CHECK(ends(R"({"eos_token_id": [3, 4]})") == Ids{3, 4});
}

TEST_CASE("bounds reach into lists and objects") {
    CHECK(contains(said<arch::Llama>(with<arch::Llama>("eos_token_id", "[2, 8589934592]")),
                   "eos_token_id is 8589934592"));
    const auto rope = said<arch::Llama>(with<arch::Llama>(
        "rope_scaling", R"({"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 8589934592})"));
    CHECK(contains(rope, "original_max_position_embeddings is 8589934592, at most"));
    const auto infinite = with<arch::Llama>("rope_scaling", R"({"rope_type": "linear", "factor": Infinity})");
    CHECK(contains(said<arch::Llama>(infinite), "factor is inf"));
    CHECK(said<arch::Llama>(with<arch::Llama>("pad_token_id", "-1")) == "(accepted)");
}

TEST_CASE("a product that 64 bits do not hold is an error with its factors") {
    CHECK(checked_product("a x b", {3, 4}) == 12);
    CHECK(checked_product("a x b", {}) == 1);
    CHECK(checked_product("a x b", {std::int64_t{1} << 62, 4, 0}) == 0);
    CHECK(checked_product("a x b", {-2, 3}) == -6);
    refuses<ConfigError>([] { static_cast<void>(checked_product("a x b", {2147483647, 2147483647, 8})); },
                         {"a x b is 2147483647 x 2147483647 x 8, more than any memory"});
    const c10::Device cpu(c10::DeviceType::CPU);
    refuses<ConfigError>([&] { static_cast<void>(allocate({2147483647, 2147483647, 8}, at::kFloat, cpu)); },
                         {"The size of a tensor is 2147483647 x"});
    refuses<ConfigError>([&] { static_cast<void>(allocate({2147483647, 2147483647}, at::kFloat, cpu)); },
                         {"4611686014132420609 x 4"});
}

TEST_CASE("a configuration of quantised weights is refused by key and value") {
    const auto refused = [](const std::string& key, const std::string& value, const std::string& words) {
        const auto text = said<arch::Llama>(with<arch::Llama>(key, value));
        INFO(text << "\n  wanted: " << words);
        CHECK(contains(text, words));
    };
    refused("quantization_config", R"({"quant_method": "fp8", "activation_scheme": "dynamic"})",
            "quantization_config.quant_method = 'fp8'");
    refused("quantization_config", R"({"bits": 4})", "quantization_config = an object");
    refused("compression_config", R"({"format": "float-quantized"})", "compression_config");
    refused("quantization", R"({"group_size": 64, "bits": 3})", "quantization.bits = 3");
    refused("torch_dtype", R"("float8_e4m3fn")", "torch_dtype = 'float8_e4m3fn'");
    refused("dtype", R"("int8")", "dtype = 'int8'");
    refused("text_config", R"({"quantization_config": {"quant_method": "hqq"}})",
            "text_config: quantization_config.quant_method = 'hqq'");
    for (const auto* method : {"awq", "gptq", "compressed-tensors"})  // Decoded reads these
        refused("quantization_config", R"({"quant_method": ")" + std::string(method) + R"("})", "(accepted)");
    for (const auto* value : {"null", "false", "{}"}) refused("quantization_config", value, "(accepted)");
    for (const auto* value : {R"("bfloat16")", R"("torch.float16")", R"("auto")", "null"})
        refused("dtype", value, "(accepted)");

    const auto quip = with<arch::Llama>("quantization_config", R"({"quant_method": "quip"})");
    CHECK(said<arch::Llama, precision::Fp32>(quip) != "(accepted)");
    CHECK(said<arch::Llama, ReadsQuip>(quip) == "(accepted)");
    CHECK(said<arch::Llama, ReadsQuip>(with<arch::Llama>("quantization_config", R"({"quant_method": "hqq"})")) !=
          "(accepted)");
}

TEST_CASE("a tensor without which another means nothing is not left out") {
    const auto one = at::ones({1});
    CHECK(load({{"q.bias", at::ones({2})}}).tensors == 2);
    for (const auto* name :
         {"q.weight_scale", "q.weight_scale_inv", "q.weight.absmax", "q.weight.quant_state.bitsandbytes__nf4",
          "q.weight_zero_point", "q.weight_packed", "q.qweight", "q.qzeros", "q.scales", "q.biases", "q.g_idx", "q.SCB",
          "q.input_scale", "q.lora_A.weight", "q.lora_B.default.weight", "q.base_layer.weight", "x.y.lora_A.weight"}) {
        INFO(name);
        refuses<CheckpointError>([&] { static_cast<void>(load({{name, one}})); }, {name, "belongs to", "dequantise"});
    }
    for (const auto* name : {"r.scales", "q2.weight", "q.weighty", "p.q.weight", "head.weight", "q.part.scales"}) {
        INFO(name);
        CHECK(load({{name, one}}).unexpected == std::vector<std::string>{name});
    }
    CHECK(load({{"tied.weight", one}, {"seen", one}}).ignored.size() == 2);
}

TEST_CASE("weights are of four types, and what is missing is told before anything is read") {
    loader::InMemory source({{"a.weight", at::ones({2, 3}).to(at::ScalarType::Float8_e4m3fn)},
                             {"b.weight", at::ones({2, 3}, at::kChar)},
                             {"c.weight", at::ones({2, 3}, at::kDouble)},
                             {"d.qweight", at::ones({2, 3}, at::kInt)}});
    const Weights w(source, {}, c10::Device(c10::DeviceType::CPU));
    const auto get = [&](std::string_view place, std::vector<std::int64_t> shape) {
        static_cast<void>((w / place).get("weight", shape, at::kFloat, w.home()));
    };
    refuses<CheckpointError>([&] { get("a", {2, 3}); }, {"'a.weight' is of type Float8_e4m3fn", "float32"});
    refuses<CheckpointError>([&] { get("b", {2, 3}); }, {"'b.weight' is of type Char"});
    refuses<CheckpointError>([&] { get("d", {2, 3}); }, {"no tensor 'd.weight'", "but 'd.qweight'", "dequantise"});
    get("c", {2, 3});
    refuses<CheckpointError>([&] { (w / "c").require("weight", {2147483647, 3}); }, {"has shape (2, 3)", "2147483647"});
    refuses<CheckpointError>([&] { (w / "e").require("weight", {2, 3}); }, {"no tensor 'e.weight'"});
    (w / "c").require("weight", {2, 3});
    CHECK(w.account().tensors == 1);
}

TEST_CASE("an adapter is told as that, beside its base weights or without them") {
    const Directory directory;
    directory.write("adapter_config.json", R"({"peft_type": "LORA"})");
    directory.write("adapter_model.safetensors", "");
    const auto at = directory.path();
    const std::string place = at.string();
    refuses<ConfigError>([&] { static_cast<void>(checkpoint::read_json_file(at, "config.json")); }, {"PEFT adapter"});
    refuses<CheckpointError>([&] { static_cast<void>(checkpoint::Checkpoint::open(at)); }, {"PEFT adapter", "merge"});
    directory.write("config.json", "{}");
    refuses<CheckpointError>([&] { static_cast<void>(checkpoint::resolve(place)); }, {"PEFT adapter", "Merge"});
    CHECK(checkpoint::resolve(place, checkpoint::Need::directory) == at);
}

TEST_CASE("a configuration that is something else is told as that") {
    CHECK(contains(said<arch::Bert>("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 570\n"),
                   "is a Git LFS pointer, not the file itself. Remedy: Run `git lfs pull`"));
    for (const auto* page : {"<!DOCTYPE html><html>", "\n  <!doctype HTML>", "<HTML lang='en'>", "\xEF\xBB\xBF<html>"})
        CHECK(contains(said<arch::Bert>(page), "is a web page"));
    CHECK(contains(said<arch::Bert>("Entry not found"), "the error message of a download"));
    CHECK(contains(said<arch::Bert>("{"), "config.json (line 1"));
    const Directory directory;
    const auto index = directory.write("model.safetensors.index.json", "version https://git-lfs.github.com/spec/v1\n");
    refuses<CheckpointError>([&] { static_cast<void>(checkpoint::Checkpoint::open(index)); }, {"Git LFS pointer"});
}
