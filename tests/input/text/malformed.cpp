/// Tokenizer files are untrusted: whatever is in them, opening them gives a tokenizer or a ConfigError with one
/// sentence.

#include <silica/core/error.hpp>
#include <silica/input/text/sentencepiece_model.hpp>
#include <silica/input/text/tokenizer.hpp>
#include <silica/input/text/utf8.hpp>

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace {

using nlohmann::json;
using silica::ConfigError;
using silica::test::ContainsSubstring;
using silica::text::Tokenizer;

json golden(const std::string& name) {
    std::ifstream in(std::string(SILICA_TESTS_DIR) + "/input/text/golden/" + name + ".json");
    REQUIRE(in);
    return json::parse(in);
}

/// A tokenizer.json with one of every kind of part.
json whole() {
    return json::parse(R"({"version": "1.0",
      "truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0},
      "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": 4, "pad_id": 0, "pad_type_id": 0, "pad_token": "a"},
      "added_tokens": [{"id": 1, "content": "b", "single_word": false, "lstrip": true, "rstrip": true, "normalized": true, "special": true},
                       {"id": 9, "content": "new", "single_word": true, "lstrip": false, "rstrip": false, "normalized": false, "special": false}],
      "normalizer": {"type": "Sequence", "normalizers": [
        {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        {"type": "NFC"}, {"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "Prepend", "prepend": "x"},
        {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Replace", "pattern": {"String": "y"}, "content": "z"}]},
      "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "\\p{N}"}, "behavior": "Isolated", "invert": false},
        {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Digits", "individual_digits": true}, {"type": "FixedLength", "length": 5},
        {"type": "CharDelimiterSplit", "delimiter": "q"}, {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": true},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
      "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
         "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
         "special_tokens": {"s": {"id": "s", "ids": [1, 2], "tokens": ["b", "c"]}}}]},
      "decoder": {"type": "Sequence", "decoders": [{"type": "ByteLevel"}, {"type": "WordPiece", "prefix": "##", "cleanup": true},
        {"type": "Strip", "content": " ", "start": 1, "stop": 1}, {"type": "CTC", "pad_token": "p", "word_delimiter_token": "|", "cleanup": true},
        {"type": "Replace", "pattern": {"String": "u"}, "content": "v"}, {"type": "BPEDecoder", "suffix": "w"}, {"type": "Fuse"}]},
      "model": {"type": "BPE", "dropout": null, "unk_token": "a", "continuing_subword_prefix": null, "end_of_word_suffix": null,
                "fuse_unk": false, "byte_fallback": true, "ignore_merges": false,
                "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4}, "merges": ["a b", ["ab", "c"]]}})");
}

/// True when the text opens (and then tokenizes without harm) or is refused as it should be.
bool well_behaved(const std::string& text) {
    try {
        const auto tokenizer = Tokenizer::parse(text);
        for (const std::string sample : {"", "abc new b\tcab 12 \xC3\xA9\xF0\x9F\x98\x81,", "\xCC\x81"}) {
            try {
                const auto encoding = tokenizer.encode_pair(sample, "ab c");
                (void)tokenizer.decode(encoding.ids, true);
                (void)tokenizer.decode(tokenizer.encode(sample).ids);
            } catch (const silica::Error&) {
                // Some mistakes only show when a text meets them (an unknown token that is not there).
            }
        }
        return true;
    } catch (const ConfigError& error) {
        const std::string problem = error.problem();
        const bool sentence = problem.size() < 1000 && problem.find('\n') == std::string::npos && problem.back() == '.';
        if (!sentence) UNSCOPED_INFO(problem);
        return sentence && !error.remedy().empty() && silica::text::utf8::first_invalid(problem) == std::string::npos;
    }
}

/// Calls `visit` for every value inside, the outermost last.
void each_place(json& value, const std::function<void(json&)>& visit) {
    for (auto& inner : value) {
        if (inner.is_structured()) each_place(inner, visit);
        visit(inner);
    }
}

/// Replaces every value by others, and removes every member and element, one at a time.
std::size_t mutate(json file) {
    const std::vector<json> others = {nullptr,
                                      true,
                                      -1,
                                      0,
                                      3,
                                      1e300,
                                      2147483648LL,
                                      9223372036854775807LL,
                                      18446744073709551615ULL,
                                      1000000000,
                                      "",
                                      "x",
                                      "Sequence",
                                      "\xED\x9F\xBF",
                                      json::array(),
                                      json::array({1}),
                                      json::object(),
                                      {{"type", "Nonsense"}},
                                      {{"Regex", "(("}},
                                      {{"String", 1}}};
    std::size_t tried = 0;
    each_place(file, [&](json& place) {
        const json kept = place;
        for (const json& other : others) {
            place = other;
            ++tried;
            if (!well_behaved(file.dump())) FAIL_CHECK("with " << other << " for " << kept.dump().substr(0, 200));
        }
        place = kept;
    });
    const json flat = file.flatten();
    for (const auto& [pointer, ignored] : flat.items()) {
        for (json::json_pointer at(pointer); !at.empty(); at.pop_back()) {
            json less = file;
            json& parent = less.at(at.parent_pointer());
            if (parent.is_object()) {
                parent.erase(at.back());
            } else {
                parent.erase(static_cast<std::size_t>(std::stoul(at.back())));
            }
            ++tried;
            if (!well_behaved(less.dump())) FAIL_CHECK("without " << at.to_string());
        }
    }
    return tried;
}

std::string problem_of(const json& file) {
    try {
        (void)Tokenizer::parse(file.dump());
    } catch (const ConfigError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("Every wrong or missing value of a tokenizer.json is refused in one sentence or does no harm") {
    CHECK(mutate(whole()) > 2000);
    json unigram = whole();
    unigram["model"] = {{"type", "Unigram"},
                        {"unk_id", 0},
                        {"byte_fallback", true},
                        {"vocab", {{"<unk>", 0.0}, {"a", -1.5}, {"b", -2}}}};
    unigram["post_processor"] = {{"type", "RobertaProcessing"},
                                 {"sep", {"b", 2}},
                                 {"cls", {"a", 1}},
                                 {"trim_offsets", true},
                                 {"add_prefix_space", true}};
    CHECK(mutate(unigram) > 1000);
    json wordpiece = whole();
    wordpiece["model"] = {{"type", "WordPiece"},
                          {"unk_token", "a"},
                          {"continuing_subword_prefix", "##"},
                          {"max_input_chars_per_word", 100},
                          {"vocab", {{"a", 0}, {"b", 1}, {"##c", 2}}}};
    CHECK(mutate(wordpiece) > 1000);
    json level = whole();
    level["model"] = {{"type", "WordLevel"}, {"unk_token", "a"}, {"vocab", {{"a", 0}, {"b", 1}}}};
    CHECK(mutate(level) > 1000);
}

TEST_CASE("Damaged bytes of a tokenizer.json are refused in one sentence or do no harm") {
    const std::string text = whole().dump();
    std::uint64_t state = 88172645463325252ULL;
    const auto random = [&](std::size_t below) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        return static_cast<std::size_t>(state % below);
    };
    for (std::size_t cut = 0; cut < text.size(); cut += 7) CHECK(well_behaved(text.substr(0, cut)));
    for (int i = 0; i < 2000; ++i) {
        std::string damaged = text;
        for (std::size_t n = random(4) + 1; n-- > 0;) damaged[random(damaged.size())] = static_cast<char>(random(256));
        if (!well_behaved(damaged)) FAIL_CHECK("damage " << i);
    }
}

TEST_CASE("A problem names the file, the component and the key") {
    const json good = whole();
    REQUIRE(problem_of(good) == "no error");
    const auto with = [&](const char* pointer, const json& value) {
        json file = good;
        file[json::json_pointer(pointer)] = value;
        return problem_of(file);
    };
    CHECK_THAT(with("/model/type", "Huh"), ContainsSubstring("tokenizer.json: model has the model type \"Huh\""));
    CHECK_THAT(with("/normalizer/normalizers/1/type", "Huh"),
               ContainsSubstring("normalizer.normalizers[1] has the normalizer type \"Huh\""));
    CHECK_THAT(with("/pre_tokenizer/pretokenizers/1/type", "Huh"), ContainsSubstring("pre-tokenizer type \"Huh\""));
    CHECK_THAT(with("/post_processor/type", "Huh"), ContainsSubstring("post-processor type \"Huh\""));
    CHECK_THAT(with("/decoder/decoders/0/type", "Huh"), ContainsSubstring("decoder type \"Huh\""));
    CHECK_THAT(with("/model/vocab/a", -5),
               ContainsSubstring("tokenizer.json: model.vocab gives the token 'a' the id -5"));
    CHECK_THAT(with("/model/vocab/a", 1), ContainsSubstring("gives the id 1 to two tokens"));
    CHECK_THAT(with("/model/vocab/a", 4000000000U), ContainsSubstring("4000000000"));
    CHECK_THAT(with("/model/merges/0", "a zz"),
               ContainsSubstring("model.merges[0] needs the token 'zz', which is not in the vocabulary"));
    CHECK_THAT(with("/model/merges/0", "b c"), ContainsSubstring("needs the token 'bc'"));
    CHECK_THAT(with("/model/merges/0", "abc"), ContainsSubstring("is not two tokens"));
    CHECK_THAT(with("/padding/strategy/Fixed", 1000000000),
               ContainsSubstring("padding.strategy.Fixed is 1000000000, no integer from 0 to"));
    CHECK_THAT(with("/truncation/strategy", "Huh"), ContainsSubstring("truncation.strategy is none of"));
    CHECK_THAT(with("/pre_tokenizer/pretokenizers/0/pattern/Regex", "(a"), ContainsSubstring("pattern"));
    CHECK_THAT(with("/version", "2.0"), ContainsSubstring("version is '2.0'"));
    CHECK_THAT(with("/post_processor/processors/1/single/0/SpecialToken/id", "no"),
               ContainsSubstring("lacks the key \"no\""));
    json without = good;
    without["model"].erase("merges");
    CHECK_THAT(problem_of(without), ContainsSubstring("tokenizer.json: model lacks the key \"merges\""));
    CHECK_THROWS_WITH(Tokenizer::parse("{\"model\": \"\xff\"}"), ContainsSubstring("is not UTF-8"));
    CHECK_THROWS_WITH(Tokenizer::parse(""), ContainsSubstring("Remedy:"));
}

TEST_CASE("Components that nest without end are refused") {
    for (const int depth : {10, 40, 100000}) {
        std::string text = R"({"model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0}}, "normalizer": )";
        for (int i = 0; i < depth; ++i) text += R"({"type": "Sequence", "normalizers": [)";
        text += R"({"type": "NFC"})";
        for (int i = 0; i < depth; ++i) text += "]}";
        REQUIRE_THROWS_WITH(Tokenizer::parse(text + "}"),
                            ContainsSubstring(depth < 20 ? "nests too deep" : "is nested more than"));
    }
    REQUIRE_THROWS_AS(Tokenizer::parse(std::string(1000000, '[')), ConfigError);
}

TEST_CASE("A cut or damaged normalization table is refused or does no harm") {
    const json file = golden("components");
    json entry;
    for (const json& each : file.at("entries")) {
        if (each.at("name") == "normalizer Precompiled") entry = each;
    }
    json tokenizer = entry.at("tokenizer");
    tokenizer["model"] = file.at("models").at(entry.at("model").get<std::size_t>());
    const auto map = tokenizer["normalizer"]["precompiled_charsmap"].get<std::string>();
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{4}, std::size_t{5}, std::size_t{8},
                                     std::size_t{100}, map.size() / 2, map.size() - 8}) {
        tokenizer["normalizer"]["precompiled_charsmap"] = map.substr(0, length);
        CHECK(well_behaved(tokenizer.dump()));
    }
    tokenizer["normalizer"]["precompiled_charsmap"] = map.substr(0, 100);
    CHECK_THAT(problem_of(tokenizer), ContainsSubstring("cut off or damaged"));
    tokenizer["normalizer"]["precompiled_charsmap"] = "?!";
    CHECK_THAT(problem_of(tokenizer), ContainsSubstring("is not base64"));
    std::uint32_t state = 1;
    for (int i = 0; i < 500; ++i) {
        std::string damaged = map;
        for (int k = 0; k < 20; ++k) {
            state = state * 1664525U + 1013904223U;
            damaged[(state >> 8) % damaged.size()] = "Az09"[state >> 6 & 3];
        }
        tokenizer["normalizer"]["precompiled_charsmap"] = damaged;
        if (!well_behaved(tokenizer.dump())) FAIL_CHECK("damage " << i);
    }
}

TEST_CASE("Damaged SentencePiece models are refused or do no harm") {
    using silica::text::SentencePieceModel;
    const std::string good = std::string("\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02", 16) +
                             std::string(
                                 "\x0a\x08\x0a\x01"
                                 "a\x15\x00\x00\x80\xbf",
                                 10) +
                             std::string("\x12\x04\x18\x02\x28\x01", 6);
    CHECK(SentencePieceModel::read(good, "tokenizer.model").pieces.size() == 2);
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
        try {
            (void)SentencePieceModel::read(good.substr(0, cut), "tokenizer.model");
        } catch (const ConfigError& error) {
            CHECK_THAT(error.what(), ContainsSubstring("tokenizer.model is no SentencePiece model"));
        }
        for (int byte = 0; byte < 256; ++byte) {
            std::string damaged = good;
            damaged[cut] = static_cast<char>(byte);
            try {
                (void)SentencePieceModel::read(damaged, "tokenizer.model");
            } catch (const ConfigError&) {
            }
        }
    }
}

TEST_CASE("A directory without a usable tokenizer says which files are looked for") {
    const auto path = std::filesystem::temp_directory_path() / "silica-no-tokenizer";
    std::filesystem::create_directories(path);
    CHECK_THROWS_WITH(Tokenizer::open(path), ContainsSubstring("tokenizer.json"));
    CHECK_THROWS_WITH(Tokenizer::open(path / "nowhere"), ContainsSubstring("is no directory"));
    std::ofstream(path / "vocab.txt") << "only\nwords\n";
    CHECK_NOTHROW(Tokenizer::open(path));
    std::ofstream(path / "vocab.txt") << "\xff\n";
    CHECK_THROWS_WITH(Tokenizer::open(path), ContainsSubstring("vocab.txt is not UTF-8"));
    std::ofstream(path / "tokenizer_config.json") << "{\"do_lower_case\": 7}";
    std::ofstream(path / "vocab.txt") << "only\n";
    CHECK_THROWS_WITH(Tokenizer::open(path), ContainsSubstring("do_lower_case"));
    std::filesystem::remove_all(path);
}

TEST_CASE("A pattern that would take for ever gives up") {
    json file = whole();
    file["normalizer"] = nullptr;
    file["truncation"] = file["padding"] = nullptr;
    file["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"Regex", "(a+)+$|(a|aa)+b"}}}, {"behavior", "Isolated"}, {"invert", false}};
    const auto tokenizer = Tokenizer::parse(file.dump());
    try {
        (void)tokenizer.encode(std::string(5000, 'a') + "c");
    } catch (const silica::InputError& error) {
        CHECK_THAT(error.what(), ContainsSubstring("gave up"));
    }
}

namespace {

/// A tokenizer.json of a model and some more parts.
json small(const json& model, const json& more = json::object()) {
    json file = {{"version", "1.0"}, {"model", model}};
    file.update(more);
    return file;
}
json word_level() { return {{"type", "WordLevel"}, {"unk_token", "a"}, {"vocab", {{"a", 0}}}}; }

double seconds(const std::function<void()>& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("What no real tokenizer has is refused with the key and the number") {
    const std::string longer(513, 'b'), longest(512, 'b');
    json level = word_level();
    level["vocab"][longest] = 1;
    CHECK(problem_of(small(level)) == "no error");
    level["vocab"][longer] = 2;
    CHECK_THAT(problem_of(small(level)), ContainsSubstring("model.vocab has a token of 513 bytes"));
    const json unigram = {{"type", "Unigram"},
                          {"unk_id", 0},
                          {"vocab", json::array({json::array({"a", 0.0}), json::array({longer, -1.0})})}};
    CHECK_THAT(problem_of(small(unigram)), ContainsSubstring("513 bytes"));
    const json added = {{"id", 1},         {"content", longer},   {"single_word", false}, {"lstrip", false},
                        {"rstrip", false}, {"normalized", false}, {"special", true}};
    CHECK_THAT(problem_of(small(word_level(), {{"added_tokens", {added}}})), ContainsSubstring("513 bytes"));
    const json steps(65, json{{"type", "NFC"}});
    CHECK_THAT(problem_of(small(word_level(), {{"normalizer", {{"type", "Sequence"}, {"normalizers", steps}}}})),
               ContainsSubstring("normalizer.normalizers has 65 steps"));
    const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    const json templates = {{"type", "TemplateProcessing"},
                            {"single", json(9, text)},
                            {"pair", json(1, text)},
                            {"special_tokens", json::object()}};
    CHECK_THAT(problem_of(small(word_level(), {{"post_processor", templates}})),
               ContainsSubstring("post_processor.single has more than 8 texts"));
    json fixed = whole();
    fixed["padding"]["strategy"]["Fixed"] = (1 << 20) + 1;
    CHECK_THAT(problem_of(fixed), ContainsSubstring("padding.strategy.Fixed is 1048577"));
}

TEST_CASE("A tokenizer that makes ever more of a text gives up") {
    json twice = json::array();
    for (int i = 0; i < 60; ++i) {
        twice.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}});
    }
    const auto grows =
        Tokenizer::parse(small(word_level(), {{"normalizer", {{"type", "Sequence"}, {"normalizers", twice}}}}).dump());
    CHECK_THROWS_WITH(grows.encode("aaa"), ContainsSubstring("bytes of the text"));
    const auto decodes =
        Tokenizer::parse(small(word_level(), {{"decoder", {{"type", "Sequence"}, {"decoders", twice}}}}).dump());
    CHECK_THROWS_AS(decodes.decode(std::vector<std::int64_t>{0}), silica::InputError);
    const json one = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(1 << 20, 'b')}};
    const auto at_once = Tokenizer::parse(small(word_level(), {{"normalizer", one}}).dump());
    CHECK_THROWS_AS(at_once.encode(std::string(1000, 'a')), silica::InputError);
    json cut = small(word_level(), {{"pre_tokenizer", {{"type", "FixedLength"}, {"length", 1}}}});
    cut["truncation"] = {
        {"max_length", 100000}, {"stride", 99999}, {"strategy", "LongestFirst"}, {"direction", "Right"}};
    CHECK_THROWS_WITH(Tokenizer::parse(cut.dump()).encode(std::string(300000, 'a')), ContainsSubstring("stride"));
}

TEST_CASE("A long text takes seconds with the most hostile vocabulary") {
    const std::string text(1 << 17, 'a');
    json pairs = json::array({json::array({"<unk>", 0.0})});
    json words = {{"[UNK]", 0}};
    for (int n = 1; n <= 512; ++n) {
        const std::string letters(static_cast<std::size_t>(n), 'a');
        pairs.push_back(json::array({letters, -1.0 * n}));
        if (n <= 510) words["##" + letters] = n;
    }
    const auto unigram = Tokenizer::parse(small({{"type", "Unigram"}, {"unk_id", 0}, {"vocab", pairs}}).dump());
    CHECK(seconds([&] { (void)unigram.encode(text); }) < 60);
    words["a"] = 2000;
    const json wordpiece = {{"type", "WordPiece"},
                            {"unk_token", "[UNK]"},
                            {"continuing_subword_prefix", "##"},
                            {"max_input_chars_per_word", 100000000},
                            {"vocab", words}};
    CHECK(seconds([&] { (void)Tokenizer::parse(small(wordpiece).dump()).encode(text); }) < 60);
    const json merges = {{"type", "BPE"}, {"vocab", {{"a", 0}, {"aa", 1}, {"aaaa", 2}}}, {"merges", {"a a", "aa aa"}}};
    CHECK(seconds([&] { (void)Tokenizer::parse(small(merges).dump()).encode(text); }) < 60);
    const json added = {{"id", 1},
                        {"content", std::string(511, 'a') + "b"},
                        {"single_word", false},
                        {"lstrip", false},
                        {"rstrip", false},
                        {"normalized", false},
                        {"special", true}};
    const auto looks = Tokenizer::parse(small(word_level(), {{"added_tokens", {added}}}).dump());
    CHECK(seconds([&] { (void)looks.encode(text); }) < 60);
}
