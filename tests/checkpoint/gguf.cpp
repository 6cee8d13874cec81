// GGUF files, written here in a few lines: blocks by their codes, names, the order of rows, the configuration.

#include "silica/checkpoint/gguf_config.hpp"

#include "checkpoint/formats.hpp"
#include "silica/arch/llama.hpp"
#include "silica/arch/mistral.hpp"
#include "silica/arch/qwen2.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/generate/read_config.hpp"
#include "support/catch.hpp"
#include "support/gguf_writer.hpp"
#include "support/refuses.hpp"

#include <cstring>
#include <random>

using namespace silica;
using namespace silica::test;

namespace {

using Writer = GgufWriter;

/// Adds numbers as they are, of float32, float16 or bfloat16.
void add(Writer& w, const std::string& name, const Tensor& t) {
    const std::vector<std::int64_t> shape(t.sizes().rbegin(), t.sizes().rend());
    const int type = t.scalar_type() == at::kFloat ? 0 : t.scalar_type() == at::kHalf ? 1 : 30;
    w.tensor(name, shape, type, {static_cast<const char*>(t.const_data_ptr()), t.nbytes()});
}
Writer with(Writer w, const std::string& name, const Tensor& t) {
    add(w, name, t);
    return w;
}

/// A model of one layer: hidden 64, 4 heads, 2 of keys.
Writer model(const std::string& architecture = "llama") {
    Writer w;
    w.add("general.architecture", architecture.c_str());
    const auto key = [&](const char* name) { return architecture + "." + name; };
    w.add(key("block_count"), 1).add(key("embedding_length"), 64).add(key("feed_forward_length"), 96);
    w.add(key("context_length"), 512).add(key("attention.head_count"), 4).add(key("attention.head_count_kv"), 2);
    w.add(key("attention.layer_norm_rms_epsilon"), 1e-5F).add(key("rope.freq_base"), 500000.0F);
    w.add("tokenizer.ggml.bos_token_id", 1).add("tokenizer.ggml.eos_token_id", 2);
    return w;
}

std::string half(float x) {
    const c10::Half h(x);
    std::string bytes(2, '\0');
    std::memcpy(bytes.data(), &h, 2);
    return bytes;
}
float as_half(float x) { return static_cast<float>(c10::Half(x)); }

/// Blocks of random codes, and the weights that they are by the definition of their type.
struct Blocks {
    int type;
    std::int64_t numbers;
    std::string (*block)(std::mt19937_64& random, float* w);
};

std::string q4(std::mt19937_64& random, float* w, bool minimum) {
    const float d = as_half(0.01F + static_cast<float>(random() % 100) / 1000), m = as_half(-0.3F);
    std::string bytes = half(d) + (minimum ? half(m) : "");
    int codes[32];
    for (auto& c : codes) c = static_cast<int>(random() % 16);
    for (int i = 0; i < 16; ++i) bytes += static_cast<char>(codes[i] | codes[i + 16] << 4);
    for (int i = 0; i < 32; ++i)
        w[i] = minimum ? d * static_cast<float>(codes[i]) + m : d * static_cast<float>(codes[i] - 8);
    return bytes;
}
std::string q8(std::mt19937_64& random, float* w) {
    const float d = as_half(0.003F);
    std::string bytes = half(d);
    for (int i = 0; i < 32; ++i) {
        const auto c = static_cast<std::int8_t>(random());
        bytes += static_cast<char>(c);
        w[i] = d * static_cast<float>(c);
    }
    return bytes;
}
std::string q4k(std::mt19937_64& random, float* w) {
    const float d = as_half(0.002F), least = as_half(0.004F);
    unsigned scale[8], minimum[8], codes[256];
    for (int j = 0; j < 8; ++j) scale[j] = random() % 64, minimum[j] = random() % 64;
    for (auto& c : codes) c = random() % 16;
    std::string six(12, '\0');
    for (unsigned j = 0; j < 4; ++j) {
        six[j] = static_cast<char>(scale[j] | (scale[j + 4] >> 4) << 6);
        six[j + 4] = static_cast<char>(minimum[j] | (minimum[j + 4] >> 4) << 6);
        six[j + 8] = static_cast<char>((scale[j + 4] & 15) | (minimum[j + 4] & 15) << 4);
    }
    std::string bytes = half(d) + half(least) + six;
    for (int j = 0; j < 4; ++j)
        for (int i = 0; i < 32; ++i) bytes += static_cast<char>(codes[64 * j + i] | codes[64 * j + 32 + i] << 4);
    for (int i = 0; i < 256; ++i)
        w[i] = d * static_cast<float>(scale[i / 32]) * static_cast<float>(codes[i]) -
               least * static_cast<float>(minimum[i / 32]);
    return bytes;
}
std::string q6k(std::mt19937_64& random, float* w) {
    const float d = as_half(0.001F);
    int codes[256];
    std::int8_t scale[16];
    for (auto& c : codes) c = static_cast<int>(random() % 64);
    for (auto& s : scale) s = static_cast<std::int8_t>(random());
    std::string low(128, '\0'), high(64, '\0'), scales;
    for (int i = 0; i < 256; ++i) {  // 128 at a time: two halves of the low bytes, four pairs of the high ones
        const int part = i / 128, at = i % 128;
        low[static_cast<std::size_t>(64 * part + at % 64)] |= static_cast<char>((codes[i] & 15) << (at / 64 * 4));
        high[static_cast<std::size_t>(32 * part + at % 32)] |= static_cast<char>(codes[i] >> 4 << (at / 32 * 2));
    }
    for (const auto s : scale) scales += static_cast<char>(s);
    for (int i = 0; i < 256; ++i) w[i] = d * static_cast<float>(scale[i / 16]) * static_cast<float>(codes[i] - 32);
    return low + high + scales + half(d);
}

const Blocks every_type[] = {
    {2, 32, [](std::mt19937_64& random, float* w) { return q4(random, w, false); }},
    {3, 32, [](std::mt19937_64& random, float* w) { return q4(random, w, true); }},
    {8, 32, &q8},
    {12, 256, &q4k},
    {14, 256, &q6k},
};

/// Adds a matrix of such blocks; returns its weights.
Tensor add_blocks(Writer& w, const std::string& name, const Blocks& type, std::int64_t rows, std::int64_t columns) {
    std::mt19937_64 random(5);
    Tensor want = at::empty({rows, columns}, at::kFloat);
    std::string bytes;
    for (std::int64_t at = 0; at < rows * columns; at += type.numbers)
        bytes += type.block(random, want.mutable_data_ptr<float>() + at);
    w.tensor(name, {columns, rows}, type.type, std::move(bytes));
    return want;
}

std::string refusal_of_gguf(const std::string& bytes) {
    const Directory directory;
    const auto path = directory.write("model.gguf", bytes);
    try {
        static_cast<void>(opened(path));
        static_cast<void>(checkpoint::read_json_file(path, "config.json"));
    } catch (const Error& error) {
        return error.remedy().empty() ? "(no remedy)" : error.what();
    }
    return "(accepted)";
}

}  // namespace

TEST_CASE("every block of GGUF that is read is the weights of its definition") {
    for (const auto& type : every_type) {
        CAPTURE(type.type);
        Writer w = model("qwen2");
        const Tensor want = add_blocks(w, "blk.0.ffn_up.weight", type, 5, 512);
        const Directory directory;
        const auto path = directory.write("some.gguf", w.file());
        for (const auto& got : {opened<loader::Mapped>(path), opened<loader::Streamed>(directory.path()),
                                opened<loader::CpuFirst>(directory.path())}) {
            REQUIRE(got.tensors.contains("model.layers.0.mlp.up_proj.weight"));
            CHECK(same(got.tensors.at("model.layers.0.mlp.up_proj.weight"), want));
            CHECK(got.from_codes.at("model.layers.0.mlp.up_proj.weight").equal(want));
        }
    }
}

TEST_CASE("plain tensors of GGUF have the names of Hugging Face, and LLaMA's queries and keys their order") {
    for (const auto type : {at::kFloat, at::kHalf, at::kBFloat16})
        for (const auto* architecture : {"llama", "qwen2"}) {
            Writer w = model(architecture);
            const Tensor q = at::randn({64, 64}).to(type), k = at::randn({32, 64}).to(type), bias = at::randn({64});
            const auto llama = std::string_view(architecture) == "llama";
            const auto in_file = [&](const Tensor& t, std::int64_t heads) {  // what convert_hf_to_gguf.py does
                if (!llama) return t;
                auto shape = t.sizes().vec();
                std::vector<std::int64_t> parts{heads, 2, shape[0] / heads / 2};
                parts.insert(parts.end(), shape.begin() + 1, shape.end());
                return t.reshape(parts).transpose(1, 2).reshape(shape).contiguous();
            };
            add(w, "blk.0.attn_q.weight", in_file(q, 4));
            add(w, "blk.0.attn_k.weight", in_file(k, 2));
            add(w, "blk.0.attn_q.bias", in_file(bias, 4));
            add(w, "output_norm.weight", bias);
            add(w, "token_embd.weight", q);
            add(w, "output.weight", k);
            add(w, "rope_freqs.weight", at::ones({8}));
            for (const auto* name : {"attn_v", "attn_output", "ffn_gate", "ffn_down", "attn_norm", "ffn_norm"})
                add(w, "blk.0." + std::string(name) + ".weight", at::ones({1, 32}));
            const Directory directory;
            const auto got = opened(directory.write("model.gguf", w.file()));
            const auto is = [&](const std::string& name, const Tensor& want) {
                REQUIRE(got.tensors.contains(name));
                CHECK(same(got.tensors.at(name), want.to(at::kFloat)));
            };
            is("model.layers.0.self_attn.q_proj.weight", q);
            is("model.layers.0.self_attn.k_proj.weight", k);
            is("model.layers.0.self_attn.q_proj.bias", bias);
            is("model.norm.weight", bias);
            is("model.embed_tokens.weight", q);
            is("lm_head.weight", k);
            for (const auto* name : {"self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj",
                                     "input_layernorm", "post_attention_layernorm"})
                CHECK(got.tensors.contains("model.layers.0." + std::string(name) + ".weight"));
            CHECK(got.tensors.size() == 12);
            CHECK(got.from_codes.empty());
            CHECK(got.notes.empty());
        }
}

TEST_CASE("blocks of queries are reordered by whole rows") {
    Writer w = model();
    const Tensor in_file = add_blocks(w, "blk.0.attn_q.weight", every_type[0], 64, 64);
    const Directory directory;
    const auto got = opened(directory.write("model.gguf", w.file()));
    const Tensor want = in_file.reshape({4, 8, 2, 64}).transpose(1, 2).reshape({64, 64}).contiguous();
    CHECK(same(got.tensors.at("model.layers.0.self_attn.q_proj.weight"), want));
    CHECK(got.from_codes.at("model.layers.0.self_attn.q_proj.weight").equal(want));
    REQUIRE(got.notes.size() == 1);
    CHECK(got.notes[0] == "1 matrix of GGUF, Q4_0 was dequantised");
}

TEST_CASE("the configuration comes out of the metadata") {
    const Directory directory;
    const Tensor words = at::ones({10, 64});
    const auto path = directory.write("model.gguf", with(model(), "token_embd.weight", words).file());
    for (const auto& place : {path, directory.path()}) {
        const auto c = checkpoint::read_config<arch::Llama>(place);
        CHECK(c.vocab_size == 10);
        CHECK(c.hidden_size == 64);
        CHECK(c.intermediate_size == 96);
        CHECK(c.num_hidden_layers == 1);
        CHECK(c.num_attention_heads == 4);
        CHECK(c.num_key_value_heads == 2);
        CHECK(c.head_dim == 16);
        CHECK(c.max_position_embeddings == 512);
        CHECK(c.rms_norm_eps == 1e-5);
        CHECK(c.rope_theta == 500000.0);
        CHECK(c.tie_word_embeddings);
        CHECK(c.eos_token_id == std::vector<std::int64_t>{2});
        CHECK(generate::read_generation_config(place).eos_token_id == std::vector<std::int64_t>{2});
    }
    auto mistral = model();
    mistral.add("general.name", "Mistral 7B");
    add(mistral, "token_embd.weight", words);
    add(mistral, "output.weight", words);
    directory.write("model.gguf", mistral.file());
    CHECK_FALSE(checkpoint::read_config<arch::Mistral>(path).sliding_window);
    CHECK_FALSE(checkpoint::read_config<arch::Mistral>(path).tie_word_embeddings);
    // Whatever its name: llama.cpp calls both llama.
    directory.write("model.gguf", with(model(), "token_embd.weight", words).file());
    CHECK(checkpoint::read_config<arch::Mistral>(path).hidden_size == 64);
    directory.write("model.gguf", mistral.file());
    CHECK(checkpoint::read_config<arch::Llama>(path).hidden_size == 64);
    auto biased = model();
    add(biased, "token_embd.weight", words);
    add(biased, "blk.0.attn_q.bias", at::ones({64}));
    directory.write("model.gguf", biased.file());
    refuses<ConfigError>([&] { static_cast<void>(checkpoint::read_config<arch::Mistral>(path)); }, {"not 'mistral'"});
    auto window = mistral;
    directory.write("model.gguf", window.add("llama.attention.sliding_window", 8).file());
    CHECK(checkpoint::read_config<arch::Mistral>(path).sliding_window == 8);
    refuses<ConfigError>([&] { static_cast<void>(checkpoint::read_config<arch::Llama>(path)); }, {"not 'llama'"});
    auto qwen = model("qwen2");
    qwen.add("qwen2.rope.scaling.type", "yarn").add("qwen2.rope.scaling.factor", 4.0F);
    qwen.add("qwen2.rope.scaling.original_context_length", 128).add("tokenizer.ggml.eot_token_id", 7);
    directory.write("model.gguf", with(qwen, "token_embd.weight", words).file());
    const auto c = checkpoint::read_config<arch::Qwen2>(path);
    CHECK(c.eos_token_id == std::vector<std::int64_t>{2, 7});
    REQUIRE(c.rope_scaling);
    CHECK(c.rope_scaling->type() == nn::RopeType::yarn);
    CHECK(c.rope_scaling->factor == 4.0);
    CHECK(c.rope_scaling->original_max_position_embeddings == 128);
    auto llama3 = model();
    add(llama3, "token_embd.weight", words);
    add(llama3, "rope_freqs.weight", at::full({8}, 2.5F));
    directory.write("model.gguf", llama3.file());
    const auto scaled = checkpoint::read_config<arch::Llama>(path).rope_scaling;
    REQUIRE(scaled);
    CHECK(scaled->long_factor == std::vector<double>(8, 2.5));
    CHECK(scaled->attention_factor == 1.0);
    directory.write("config.json", R"({"model_type": "llama", "vocab_size": 77})");  // goes before the metadata
    CHECK(checkpoint::read_config<arch::Llama>(directory.path()).vocab_size == 77);
    CHECK(checkpoint::read_config<arch::Llama>(path).vocab_size == 10);
}

TEST_CASE("a number for each layer is that of all where they are the same") {
    const auto of_layers = [](std::vector<std::uint64_t> heads, std::uint64_t feed_forward) {
        std::vector<std::string> items;
        for (const auto n : heads) items.push_back(little(n, 4));
        Writer w;
        w.add("general.architecture", "llama").add("llama.block_count", 2).add("llama.embedding_length", 64);
        w.add("llama.context_length", 512).add("llama.attention.head_count", 4);
        w.add("llama.attention.layer_norm_rms_epsilon", 1e-5F).list("llama.attention.head_count_kv", 5, items);
        w.list("llama.feed_forward_length", 4, {little(feed_forward, 4), little(96, 4)});
        add(w, "token_embd.weight", at::ones({10, 64}));
        return w;
    };
    const Directory directory;
    Writer w = of_layers({2, 2}, 96);
    const Tensor k = at::randn({32, 64});
    add(w, "blk.0.attn_k.weight", k.reshape({2, 2, 8, 64}).transpose(1, 2).reshape({32, 64}).contiguous());
    const auto path = directory.write("model.gguf", w.file());
    CHECK(checkpoint::read_config<arch::Llama>(path).num_key_value_heads == 2);
    CHECK(checkpoint::read_config<arch::Llama>(path).intermediate_size == 96);
    CHECK(same(opened(path).tensors.at("model.layers.0.self_attn.k_proj.weight"), k));
    const auto refused = [&](const Writer& other, const std::string& words) {
        directory.write("model.gguf", other.file());
        refuses<ConfigError>([&] { static_cast<void>(checkpoint::read_config<arch::Llama>(path)); }, {words});
    };
    refused(of_layers({2, 4}, 96), "'llama.attention.head_count_kv' that is ");
    refused(of_layers({}, 96), "'llama.attention.head_count_kv' that is ");
    refused(of_layers({2, 2}, 95), "'llama.feed_forward_length' that is ");
}

TEST_CASE("a directory of several GGUF files asks for one, and towers of pictures are not models") {
    const Directory directory;
    const auto bytes = with(model(), "token_embd.weight", at::ones({10, 64})).file();
    directory.write("a.gguf", bytes);
    directory.write("mmproj-a.gguf", "nothing");
    CHECK(Checkpoint::open(directory.path()).format() == "GGUF");
    directory.write("b.gguf", bytes);
    CHECK(refusal([&] {
              static_cast<void>(Checkpoint::open(directory.path()));
          }).find("holds 2 GGUF files: 'a.gguf'") != std::string::npos);
    CHECK(Checkpoint::open(directory.path() / "b.gguf").entries().size() == 1);
}

TEST_CASE("a model that llama-gguf-split cut is opened by its directory and by any of its parts") {
    const auto part = [](Writer w, int number, int count = 3) {
        return w.add("split.no", number).add("split.count", count).add("split.tensors.count", 3);
    };
    const Directory directory;
    const Tensor words = at::randn({10, 64}), norm = at::randn({64}), output = at::randn({10, 64});
    const auto whole = directory.write(
        "whole.gguf",
        with(with(with(model(), "token_embd.weight", words), "output_norm.weight", norm), "output.weight", output)
            .file());
    const auto want = opened(whole);
    std::filesystem::remove(whole);
    directory.write("a-00001-of-00003.gguf", with(part(model(), 0), "token_embd.weight", words).file());
    const auto second =
        directory.write("a-00002-of-00003.gguf", with(part(Writer(), 1), "output_norm.weight", norm).file());
    const auto third =
        directory.write("a-00003-of-00003.gguf", with(part(Writer(), 2), "output.weight", output).file());
    for (const auto& place : {directory.path(), second, third}) {
        const auto got = opened(place);
        CHECK(got.tensors.size() == 3);
        for (const auto& [name, tensor] : want.tensors) CHECK(same(got.tensors.at(name), tensor));
        const auto c = checkpoint::read_config<arch::Llama>(place);
        CHECK(c.vocab_size == 10);
        CHECK_FALSE(c.tie_word_embeddings);  // its head is in another part
        CHECK(Checkpoint::open(place).files().size() == 3);
    }
    const auto refused = [&](std::string_view said) {
        const auto text = refusal([&] { static_cast<void>(opened(directory.path())); });
        INFO(text);
        CHECK(text.find(said) != std::string::npos);
    };
    directory.write("a-00003-of-00003.gguf", with(part(Writer(), 1), "output.weight", output).file());
    refused("another part");
    directory.write("a-00003-of-00003.gguf", part(Writer(), 2).file());
    refused("hold 3 tensors, and they hold 2");
    directory.write("a-00003-of-00003.gguf", with(part(Writer(), 2), "output_norm.weight", norm).file());
    refused("'model.norm.weight'");
    std::filesystem::remove(third);
    refused("a-00003-of-00003.gguf is missing");
}

TEST_CASE("GGUF files that are not read, or damaged, are told as that") {
    const auto said = [](const std::string& bytes, const std::string& words) {
        const auto text = refusal_of_gguf(bytes);
        INFO(text << "\n  wanted: " << words);
        CHECK(text.find(words) != std::string::npos);
    };
    const Tensor words = at::ones({10, 64});
    const auto whole = with(model(), "token_embd.weight", words);
    said(whole.file(), "(accepted)");
    said(whole.file(2), "(accepted)");
    said(whole.file(1), "is GGUF of version 1");
    said(whole.file(3U << 24U), "of a big-endian machine");
    said("GGUF", "ends within its header");
    said("PK\x03\x04 and more", "is no GGUF file");
    said("version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer");
    said(whole.file().substr(0, 300), "ends within its header");
    said(whole.file().substr(0, whole.file().size() - 1), "is cut short");
    for (const auto& [type, name] : {std::pair(13, "Q5_K"), std::pair(10, "Q2_K"), std::pair(20, "IQ4_NL")}) {
        const auto* known = ggml_type(static_cast<std::uint32_t>(type));
        auto w = model();
        w.tensor("token_embd.weight", {256, 1}, type,
                 std::string(static_cast<std::size_t>(256 / known->numbers * known->bytes), '\1'));
        said(w.file(), "'token_embd.weight' is of type " + std::string(name) + ", which is not read");
        said(w.file(), "GGUF (F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K)");
    }
    said(model().tensor("token_embd.weight", {256, 1}, 77, std::string(1000, '\1')).file(), "of ggml's type 77");
    said(model().tensor("token_embd.weight", {33, 1}, 8, std::string(68, '\1')).file(), "no whole number of blocks");
    said(with(model("gemma3"), "token_embd.weight", words).file(), "of the architecture 'gemma3', which is not read");
    said(with(model().add("general.type", "adapter"), "token_embd.weight", words).file(), "of type 'adapter'");
    said(with(model().add("llama.expert_count", 8), "token_embd.weight", words).file(), "llama.expert_count = 8");
    said(with(model().add("split.count", 3), "token_embd.weight", words).file(), "is one of several files");
    said(with(model().add("llama.block_count", 1), "token_embd.weight", words).file(), "'llama.block_count' twice");
    said(model().add("llama.vocab", "x").file(), "has no word vectors");
    said(with(whole, "token_embd.weight", words).file(), "has tensor 'token_embd.weight' twice");
    said(with(model().add("llama.rope.dimension_count", 8), "token_embd.weight", words).file(),
         "llama.rope.dimension_count = 8");
    said(with(whole, "blk.0.attn_q.weight", at::ones({12, 64})).file(), "12 rows, which 4 heads do not share");
    Writer huge = model();
    huge.tensor("token_embd.weight", {std::int64_t{1} << 40, std::int64_t{1} << 40}, 0, "");
    said(huge.file(), "more elements than any memory holds");
    said(model().list("x", 8, {little(std::uint64_t{1} << 60, 8)}).file(), "ends within its header");
    said(with(model().list("x", 4, std::vector<std::string>(3, little(1, 4))), "token_embd.weight", words).file(),
         "(accepted)");
}

TEST_CASE("damaged GGUF files are read within bounds or refused") {
    Writer w = model();
    add_blocks(w, "blk.0.attn_q.weight", every_type[3], 64, 256);
    add(w, "token_embd.weight", at::ones({10, 64}));
    w.texts("tokenizer.ggml.tokens", {"a", "b"});
    const auto whole = w.file();
    const Directory directory;
    const auto path = directory.path() / "model.gguf";
    std::mt19937_64 random(31);
    int good = 0, refused = 0;
    for (int i = 0; i < 600; ++i) {
        auto data = whole;
        for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
            const auto at = random() % 900;
            if (random() % 3 == 0) {
                const std::uint64_t edges[] = {0, 1, 0x7fffffff, 0xffffffff, 1ULL << 40U, 1ULL << 62U, ~0ULL};
                const auto edge = little(edges[random() % 7], 8);
                data.replace(at, 8, edge);
            } else {
                data[at] = static_cast<char>(data[at] ^ (1 << random() % 8));
            }
        }
        if (random() % 20 == 0) data.resize(random() % data.size());
        directory.write("model.gguf", data);
        try {
            static_cast<void>(opened(path));
            static_cast<void>(checkpoint::read_json_file(path, "config.json"));
            ++good;
        } catch (const Error& error) {
            ++refused;
            REQUIRE_FALSE(error.problem().empty());
            REQUIRE(std::string_view(error.what()).size() < 8000);
        }
    }
    CHECK(good > 20);
    CHECK(refused > 100);
}
