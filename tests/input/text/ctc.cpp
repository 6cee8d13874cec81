/// Symbols of CTC models against transformers' Wav2Vec2CTCTokenizer (golden/ctc, make_ctc_golden.py), and files that
/// are refused.

#include <silica/core/error.hpp>
#include <silica/input/text/ctc.hpp>
#include <silica/input/text/tokenizer.hpp>

#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/refuses.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace {

using nlohmann::json;
using silica::ConfigError, silica::InputError;
using silica::test::refuses;
using silica::text::CtcDecoder, silica::text::CtcSpan;

const auto golden = std::filesystem::path(SILICA_TESTS_DIR) / "input" / "text" / "golden" / "ctc";

std::vector<CtcSpan> spans(const json& list) {
    std::vector<CtcSpan> made;
    for (const auto& item : list)
        made.push_back({item[0].get<std::string>(), item[1].get<std::int64_t>(), item[2].get<std::int64_t>()});
    return made;
}

void check(const std::string& name, const CtcDecoder& decoder) {
    for (const auto& expected : json::parse(silica::test::read_file(golden / name / "expected.json"))) {
        CAPTURE(name, expected.dump());
        const auto got = decoder(expected.at("ids").get<std::vector<std::int64_t>>());
        CHECK(got.text == expected.at("text").get<std::string>());
        CHECK(got.characters == spans(expected.at("characters")));
        CHECK(got.words == spans(expected.at("words")));
    }
}

}  // namespace

TEST_CASE("Symbols become what transformers makes of them, with their frames") {
    for (const std::string name :
         {"english", "lower", "bare", "letters", "added", "missing", "gaps", "languages", "french"})
        check(name, CtcDecoder::open(golden / name));
}

TEST_CASE("A vocabulary of several languages is read for the one that is asked for") {
    const auto decoder = CtcDecoder::open(golden / "languages", "fra");
    check("french", decoder);
    check("languages", CtcDecoder::open(golden / "french", "eng"));
    CHECK(decoder.languages() == std::vector<std::string>{"eng", "fra"});
    CHECK(CtcDecoder::open(golden / "english").languages().empty());
    refuses<InputError>([] { static_cast<void>(CtcDecoder::open(golden / "languages", "deu")); },
                        {"'deu'", "2", "'eng'"});
    refuses<InputError>([] { static_cast<void>(CtcDecoder::open(golden / "english", "eng")); },
                        {"one language", "'eng'"});
    const silica::test::Directory directory;
    std::filesystem::copy_file(golden / "languages" / "vocab.json", directory / "vocab.json");
    refuses<InputError>([&] { static_cast<void>(CtcDecoder::open(directory.path())); }, {"names none", "target_lang"});
}

TEST_CASE("Files that are no vocabulary of CTC are refused") {
    const silica::test::Directory directory;
    refuses<ConfigError>([&] { static_cast<void>(CtcDecoder::open(directory.path())); }, {"no vocab.json"});
    const auto refused = [&](const std::string& text, std::initializer_list<std::string_view> words) {
        silica::test::write_file(directory / "vocab.json", text);
        refuses<ConfigError>([&] { static_cast<void>(CtcDecoder::open(directory.path())); }, words);
    };
    refused("{", {"vocab.json"});
    refused("{}", {"vocab.json", "symbols"});
    refused("[1]", {"vocab.json", "symbols"});
    refused(R"({"a": -1})", {"'a'", "-1"});
    refused(R"({"a": 1.5})", {"'a'", "1.5"});
    refused(R"({"a": 99999999999999})", {"'a'"});
    refused(R"({"a": "b"})", {"'a'", "'b'"});
    silica::test::write_file(directory / "vocab.json", R"({"a": 0})");
    silica::test::write_file(directory / "tokenizer_config.json", R"({"do_lower_case": 3})");
    refuses<ConfigError>([&] { static_cast<void>(CtcDecoder::open(directory.path())); }, {"do_lower_case", "3"});
}

TEST_CASE("The symbols of CTC are no tokenizer") {
    refuses<ConfigError>([] { static_cast<void>(silica::text::Tokenizer::open(golden / "english")); },
                         {"CTC", "CtcDecoder"});
}
