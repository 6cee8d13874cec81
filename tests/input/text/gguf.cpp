// The tokenizers of GGUF files: those of golden/formats/ as transformers has them, and files that are refused.

#include <silica/input/text/chat_template.hpp>
#include <silica/input/text/file.hpp>
#include <silica/input/text/tokenizer.hpp>

#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/gguf_writer.hpp"

#include <filesystem>
#include <fstream>

using namespace silica;
using namespace silica::test;
namespace fs = std::filesystem;

namespace {

/// Five tokens, "ab" of two.
GgufWriter tiny(const char* model = "gpt2", const char* pre = "gpt-2") {
    GgufWriter w;
    w.add("general.architecture", "llama").add("tokenizer.ggml.model", model).add("tokenizer.ggml.pre", pre);
    w.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<|end|>", "<x>"});
    w.list("tokenizer.ggml.token_type", 5,
           {GgufWriter::number(1, 4), GgufWriter::number(1, 4), GgufWriter::number(1, 4), GgufWriter::number(3, 4),
            GgufWriter::number(4, 4)});
    return w;
}

fs::path write(const Directory& directory, const GgufWriter& w) {
    const auto path = directory.path() / "model.gguf";
    const auto bytes = w.file();
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
}

std::string refusal(const GgufWriter& w) {
    const Directory directory;
    try {
        static_cast<void>(text::Tokenizer::open(write(directory, w)));
    } catch (const Error& error) {
        return error.remedy().empty() ? "(no remedy)" : error.what();
    }
    return "(accepted)";
}

}  // namespace

TEST_CASE("tokenizers of GGUF files cut texts as transformers does") {
    int files = 0;
    for (const auto& each : fs::directory_iterator(fs::path(SILICA_TESTS_DIR) / "golden" / "formats")) {
        if (!fs::exists(each.path() / "texts.json")) continue;
        ++files;
        const auto cases = Json::parse(text::read_file(each.path() / "texts.json"), "texts.json");
        for (const auto& place : {each.path(), each.path() / "model.gguf"}) {
            const auto tokenizer = text::Tokenizer::open(place);
            for (const auto& item : cases.array()) {
                const auto& text = item.find("text")->string();
                INFO(place << ": " << text);
                std::vector<std::int64_t> want;
                for (const auto& id : item.find("ids")->array()) want.push_back(id.integer());
                const auto got = tokenizer.encode(text).ids;
                CHECK(std::vector<std::int64_t>(got.begin(), got.end()) == want);
                CHECK(tokenizer.decode(want) == item.find("decoded")->string());
                CHECK(tokenizer.decode(want, true) == item.find("skipped")->string());
            }
        }
    }
    CHECK(files >= 3);
    const auto chat = text::ChatTemplate::open(fs::path(SILICA_TESTS_DIR) / "golden" / "formats" / "gguf_q8_0");
    CHECK(chat.render({{"user", "Hi"}}) == "<s>user: Hi</s>");
}

TEST_CASE("tokens, merges and what is added come out of the metadata") {
    const Directory directory;
    auto w = tiny().texts("tokenizer.ggml.merges", {"a b"}).add("tokenizer.ggml.eos_token_id", 3);
    w.add("tokenizer.ggml.add_eos_token", true);
    const auto tokenizer = text::Tokenizer::open(write(directory, w));
    CHECK(tokenizer.vocab_size() == 5);
    CHECK(tokenizer.encode("abb<x>a").ids == decltype(text::Encoding::ids){2, 1, 4, 0, 3});
    CHECK(tokenizer.is_special(3));
    CHECK_FALSE(tokenizer.is_special(4));
    CHECK(tokenizer.special_token("eos_token") == "<|end|>");
    CHECK_FALSE(tokenizer.special_token("bos_token"));
    std::ofstream(directory.path() / "tokenizer.json") << R"({"model": {"type": "WordLevel", "vocab": {"x": 0},
        "unk_token": "x"}})";  // goes before the metadata
    CHECK(text::Tokenizer::open(directory.path()).vocab_size() == 1);
}

TEST_CASE("tokenizers of GGUF files that are not known or damaged are refused") {
    const auto said = [](const GgufWriter& w, const std::string& words) {
        const auto text = refusal(w);
        INFO(text << "\n  wanted: " << words);
        CHECK(text.find(words) != std::string::npos);
    };
    const std::vector<std::string> merges{"a b"};
    said(tiny().texts("tokenizer.ggml.merges", merges), "(accepted)");
    said(tiny("bert").texts("tokenizer.ggml.merges", merges), "tokenizer.ggml.model = 'bert' is not supported");
    said(tiny("gpt2", "deepseek-coder").texts("tokenizer.ggml.merges", merges),
         "tokenizer.ggml.pre = 'deepseek-coder' is not supported");
    said(tiny(), "neither merges nor scores");
    said(tiny().texts("tokenizer.ggml.merges", {"a c"}), "the merge 'a c', for which the tokens lack 'c'");
    said(tiny().texts("tokenizer.ggml.merges", {"ab"}), "the merge 'ab'");
    said(tiny().texts("tokenizer.ggml.merges", merges).add("tokenizer.ggml.eos_token_id", 5), "but 5 tokens");
    said(tiny("llama").list("tokenizer.ggml.scores", 6, {GgufWriter::number(0, 4)}), "has 1 values of");
    said(tiny().list("tokenizer.ggml.merges", 4, {GgufWriter::number(1, 4)}), "where strings are wanted");
    GgufWriter bare;
    bare.add("tokenizer.ggml.model", "gpt2");
    said(bare, "has no 'tokenizer.ggml.tokens'");
    said(bare.add("general.name", "x").texts("tokenizer.ggml.tokens", {std::string("\xff")}), "which is no token");
    said(GgufWriter().add("tokenizer.ggml.model", 7), "where a string is wanted");
}
