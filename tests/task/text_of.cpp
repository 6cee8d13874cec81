// Text token by token, with every kind of tokenizer: joined it is the decoded whole, and no piece splits a character.
#include "silica/task/text_of.hpp"

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "silica/input/text/utf8.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

namespace text_of_tests {

using namespace silica;
using nlohmann::json;

namespace {

/// The tokenizers of tests/input/text/golden whose files are JSON.
template <class F>
void each_tokenizer(F&& f) {
    for (const char* kind : {"bpe", "unigram", "wordpiece", "components"}) {
        std::ifstream in(std::string(SILICA_TESTS_DIR) + "/input/text/golden/" + kind + ".json");
        const json file = json::parse(in);
        for (const json& entry : file.at("entries")) {
            if (entry.contains("files")) continue;
            json whole = entry.at("tokenizer");
            whole["model"] = file.at("models").at(entry.at("model").get<std::size_t>());
            f(std::string(kind) + ": " + entry.at("name").get<std::string>(),
              std::make_shared<const text::Tokenizer>(text::Tokenizer::parse(whole.dump())), entry.at("cases"));
        }
    }
}

std::size_t before_last = 0, in_all = 0;  // bytes that were handed out while tokens were still to come

/// The pieces of a text whose tokens come one by one.
std::string streamed(const std::shared_ptr<const text::Tokenizer>& tokenizer, const std::vector<std::int64_t>& ids) {
    generate::StoppedText stream(task::text_of(tokenizer), {});
    std::string all;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto piece = stream.push(ids[i], i + 1 == ids.size());
        CHECK(text::utf8::first_invalid(piece.text) == std::string::npos);
        CHECK_FALSE(piece.stopped);
        all += piece.text;
        if (i + 2 == ids.size()) before_last += all.size();
    }
    in_all += all.size();
    return all;
}

}  // namespace

TEST_CASE("pieces of text are the decoded whole, for every tokenizer and any tokens", "[task]") {
    std::size_t checked = 0;
    each_tokenizer([&](const std::string& name, const auto& tokenizer, const json& cases) {
        CAPTURE(name);
        const auto decoded = [&](const std::vector<std::int64_t>& ids) { return tokenizer->decode(ids, true); };
        for (const json& c : cases) {
            if (!c.contains("ids") || c.at("ids").empty()) continue;
            const auto ids = c.at("ids").get<std::vector<std::int64_t>>();
            CHECK(streamed(tokenizer, ids) == decoded(ids));
            ++checked;
        }
        // Tokens that no text has in this order: bytes of half characters, word pieces without words.
        std::uint64_t x = 17;
        for (int text = 0; text < 20; ++text) {
            std::vector<std::int64_t> ids;
            for (int i = 0; i < 60; ++i) {
                x = x * 6364136223846793005U + 1442695040888963407U;
                ids.push_back(static_cast<std::int64_t>((x >> 33U) % (tokenizer->vocab_size() + 1)));
            }
            CAPTURE(ids);
            CHECK(streamed(tokenizer, ids) == decoded(ids));
            ++checked;
        }
    });
    CHECK(checked > 1000);
    CHECK(before_last > in_all / 10 * 9);
}

}  // namespace text_of_tests
