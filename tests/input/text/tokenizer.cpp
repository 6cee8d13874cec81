/// The tokenizers against what Python `tokenizers` and transformers make of the same files (golden/, make_golden.py).

#include <silica/core/error.hpp>
#include <silica/input/text/tokenizer.hpp>

#include "support/catch.hpp"
#include "support/refuses.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace {

using nlohmann::json;
using silica::text::Encoding;
using silica::text::Tokenizer;
using Ids = std::vector<std::int64_t>;

json golden(const std::string& name) {
    std::ifstream in(std::string(SILICA_TESTS_DIR) + "/input/text/golden/" + name + ".json");
    REQUIRE(in);
    return json::parse(in);
}

std::string from_base64(const std::string& text) {
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0, held = 0;
    for (char c : text) {
        const auto value = alphabet.find(c);
        if (value == std::string::npos) break;
        bits = bits << 6 | static_cast<unsigned>(value);
        held += 6;
        if (held >= 8) out.push_back(static_cast<char>(bits >> (held -= 8) & 0xFF));
    }
    return out;
}

/// A directory that is removed again.
struct Directory {
    std::filesystem::path path;
    explicit Directory(const std::string& name)
        : path(std::filesystem::temp_directory_path() /
               ("silica-tokenizer-" + name + "-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)))) {
        std::filesystem::create_directories(path);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    void write(const std::string& name, const std::string& bytes) const {
        std::ofstream(path / name, std::ios::binary) << bytes;
    }
};

Tokenizer make(const json& file, const json& entry) {
    if (!entry.contains("files")) {
        json whole = entry.at("tokenizer");
        whole["model"] = file.at("models").at(entry.at("model").get<std::size_t>());
        return Tokenizer::parse(whole.dump());
    }
    const Directory directory("golden");
    for (const auto& [name, content] : entry.at("files").items()) directory.write(name, from_base64(content));
    return Tokenizer::open(directory.path);
}

Encoding encode(const Tokenizer& tokenizer, const json& request) {
    const bool special = request.value("add_special_tokens", true);
    const auto text = request.at("text").get<std::string>();
    return request.contains("pair") ? tokenizer.encode_pair(text, request.at("pair").get<std::string>(), special)
                                    : tokenizer.encode(text, special);
}

void check(const std::string& kind) {
    const json file = golden(kind);
    for (const json& entry : file.at("entries")) {
        INFO(kind << ": " << entry.at("name").get<std::string>());
        const Tokenizer tokenizer = make(file, entry);
        for (const json& want : entry.at("cases")) {
            INFO(want.dump());
            const Encoding got = encode(tokenizer, want);
            CHECK(got.ids == want.at("ids").get<Ids>());
            // What is not in the file has its usual value.
            const std::size_t n = got.ids.size();
            CHECK(got.type_ids == want.value("type_ids", Ids(n, 0)));
            CHECK(got.attention_mask == want.value("attention_mask", Ids(n, 1)));
            CHECK(got.special_tokens_mask == want.value("special_tokens_mask", Ids(n, 0)));
            CHECK(got.tokens == want.at("tokens").get<std::vector<std::string>>());
            const auto decoded = want.at("decoded").get<std::string>();
            CHECK(tokenizer.decode(got.ids, false) == decoded);
            CHECK(tokenizer.decode(got.ids, true) == want.value("decoded_skip_special", decoded));
            std::vector<Ids> overflowing;
            for (const auto& part : got.overflowing) overflowing.push_back(part.ids);
            CHECK(overflowing == want.value("overflowing", std::vector<Ids>{}));
        }
        if (!entry.contains("batch")) continue;
        const json& batch = entry.at("batch");
        const auto texts = batch.at("texts").get<std::vector<std::string>>();
        const auto got = tokenizer.encode_batch(texts);
        REQUIRE(got.size() == texts.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
            CHECK(got[i].ids == batch.at("ids")[i].get<Ids>());
            CHECK(got[i].attention_mask == batch.at("attention_mask")[i].get<Ids>());
        }
    }
}

}  // namespace

TEST_CASE("WordPiece tokenizers give what Python tokenizers gives") { check("wordpiece"); }

TEST_CASE("BPE tokenizers give what Python tokenizers and transformers give") { check("bpe"); }

TEST_CASE("Unigram and SentencePiece tokenizers give what Python tokenizers and transformers give") {
    check("unigram");
}

TEST_CASE("Each normalizer, pre-tokenizer and decoder gives what Python tokenizers gives") { check("components"); }

TEST_CASE("Parts without a type, and scores that are equal, are read as Python tokenizers reads them") {
    check("old_files");
}

TEST_CASE("A directory gives what transformers makes of all its files") { check("directories"); }

TEST_CASE("A tokenizer may be used by several threads at once") {
    const json file = golden("wordpiece");
    const Tokenizer tokenizer = make(file, file.at("entries").at(0));
    const std::string text = "the unaffable cat sat, naïve Café 你好 12345";
    const auto want = tokenizer.encode(text).ids;
    std::vector<int> equal(4, 0);
    std::vector<std::thread> threads;
    for (int& each : equal) {
        threads.emplace_back([&] {
            for (int i = 0; i < 200; ++i) each += tokenizer.encode(text).ids == want;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(equal == std::vector<int>(4, 200));
}

TEST_CASE("Text that is not UTF-8 is refused with the byte") {
    const json file = golden("wordpiece");
    const Tokenizer tokenizer = make(file, file.at("entries").at(0));
    for (const char* bad : {"ok \xff", "ok \xc0\xaf", "ok \xed\xa0\x80", "ok \xf4\x90\x80\x80", "ok \xe2\x82"}) {
        REQUIRE_THROWS_AS(tokenizer.encode(bad), silica::InputError);
        REQUIRE_THROWS_WITH(tokenizer.encode(bad), silica::test::ContainsSubstring("byte 3"));
    }
}

TEST_CASE("Padding to a length that no model takes is refused before memory is taken") {
    const json file = golden("wordpiece");
    Tokenizer tokenizer = make(file, file.at("entries").at(0));
    for (const std::size_t wrong : {(std::size_t{1} << 20) + 1, std::numeric_limits<std::size_t>::max()}) {
        for (const silica::text::Padding& padding :
             {silica::text::Padding{.fixed = wrong}, silica::text::Padding{.multiple = wrong}}) {
            tokenizer.set_padding(padding);
            const std::vector<std::string> texts = {"the", "the the"};
            silica::test::refuses<silica::InputError>([&] { (void)tokenizer.encode("the"); },
                                                      {"1048576 tokens at most"});
            silica::test::refuses<silica::InputError>([&] { (void)tokenizer.encode_batch(texts); },
                                                      {std::to_string(wrong)});
        }
    }
}

TEST_CASE("Tokens and ids are found both ways") {
    const json file = golden("wordpiece");
    const Tokenizer tokenizer = make(file, file.at("entries").at(0));
    CHECK(tokenizer.token_to_id("[CLS]") == 2);
    CHECK(tokenizer.id_to_token(2) == "[CLS]");
    CHECK(!tokenizer.token_to_id("no such token"));
    CHECK(!tokenizer.id_to_token(-1));
    CHECK(!tokenizer.id_to_token(std::int64_t{1} << 40));
    CHECK(tokenizer.is_special(2));
    CHECK(!tokenizer.is_special(5));
    CHECK(tokenizer.decode(Ids{-1, 1 << 30, 5}) == "the");
}
