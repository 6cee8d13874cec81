// Text token by token: what is held back, and what a stop string does.
#include "silica/generate/text_stream.hpp"

#include <array>
#include <utility>

#include "silica/core/error.hpp"
#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;
using generate::StoppedText, generate::TextOf, generate::TextStream;

namespace {

/// Tokens are bytes; bytes that are no characters read U+FFFD, as ByteLevel decodes them.
std::string lossy(std::span<const std::int64_t> ids) {
    std::string out;
    for (std::size_t i = 0; i < ids.size();) {
        const auto lead = static_cast<unsigned>(ids[i]);
        const std::size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        std::string bytes;
        while (bytes.size() < n && i < ids.size() && (bytes.empty() || (ids[i] & 0xC0) == 0x80))
            bytes += static_cast<char>(ids[i++]);
        out += bytes.size() == n ? bytes : "\xEF\xBF\xBD";
    }
    return out;
}

std::vector<std::int64_t> bytes_of(std::string_view text) {
    std::vector<std::int64_t> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
}

}  // namespace

TEST_CASE("a character comes with its last byte", "[generate]") {
    TextStream stream(TextOf{lossy});
    std::vector<std::string> pieces;
    for (const auto id : bytes_of("aé你😀!")) pieces.push_back(stream.push(id));
    CHECK(pieces == std::vector<std::string>{"a", "", "é", "", "", "你", "", "", "", "😀", "!"});
    // The half of a character at the end is U+FFFD, where the text ends with it.
    CHECK(stream.push(0xF0).empty());
    CHECK(stream.pending() == "\xEF\xBF\xBD");
    CHECK(stream.push('b') ==
          "\xEF\xBF\xBD"
          "b");
}

TEST_CASE("long texts are not decoded again and again", "[generate]") {
    std::size_t decoded = 0;
    TextStream stream(TextOf{[&](std::span<const std::int64_t> ids) {
        decoded += ids.size();
        return lossy(ids);
    }});
    std::string text, all;
    for (int i = 0; i < 500; ++i) text += "word é你😀 ";
    for (const auto id : bytes_of(text)) all += stream.push(id);
    CHECK(all == text);
    CHECK(decoded < 30 * text.size());
}

TEST_CASE("a stop string is cut off, and what may become one waits", "[generate]") {
    StoppedText stream(TextOf{lossy}, {"</s>", "ENDE"});
    std::string all;
    for (const auto id : bytes_of("a < b </ c </")) {
        const auto piece = stream.push(id, false);
        CHECK_FALSE(piece.stopped);
        all += piece.text;
    }
    CHECK(all == "a < b </ c ");
    CHECK(stream.rest() == "</");
    CHECK(stream.push('s', false).text.empty());
    const auto last = stream.push('>', false);
    CHECK(last.stopped);
    CHECK(last.text.empty());
}

TEST_CASE("what waited comes when the text ends", "[generate]") {
    StoppedText stream(TextOf{lossy}, {"stop"});
    CHECK(stream.push('s', false).text.empty());
    CHECK(stream.push('t', true).text == "st");
}

TEST_CASE("a stop string may begin and end inside tokens", "[generate]") {
    const std::vector<std::string> words = {"las", "topper", " is", "st", "op"};
    const TextOf text{[&](std::span<const std::int64_t> ids) {
        std::string out;
        for (const auto id : ids) out += words[static_cast<std::size_t>(id)];
        return out;
    }};
    StoppedText stream(text, {"stop"});
    CHECK(stream.push(0, false).text == "la");
    const auto piece = stream.push(1, false);
    CHECK(piece.stopped);
    CHECK(piece.text.empty());
    // For whole texts: only what the last token completes.
    using Ids = std::vector<std::int64_t>;
    CHECK(generate::completes(text, {"stop"}, Ids{0, 1}));
    CHECK(generate::completes(text, {"never", "stop"}, Ids{2, 2, 3, 4}));
    CHECK_FALSE(generate::completes(text, {"stop"}, Ids{0, 1, 2}));
    CHECK_FALSE(generate::completes(text, {"stop"}, Ids{0, 2}));
    CHECK_FALSE(generate::completes(text, {}, Ids{0, 1}));
    CHECK_FALSE(generate::completes(text, {"stop"}, Ids{}));
    CHECK(generate::completes(text, {"stop"}, Ids{0, 1, 2, 0, 1}));
}

TEST_CASE("no way to decode, and stop strings that no text can hold, are refused", "[generate]") {
    const std::vector<std::int64_t> ids{97, 98};
    const TextOf bytes{lossy};
    test::refuses<InputError>([&] { static_cast<void>(TextOf()(ids)); }, {"decode"});
    test::refuses<InputError>([] { static_cast<void>(TextStream(TextOf()).push(97)); }, {"decode"});
    test::refuses<InputError>([] { static_cast<void>(StoppedText(TextOf(), {}).push(97, true)); }, {"decode"});
    test::refuses<InputError>([&] { static_cast<void>(generate::completes({}, {"b"}, ids)); }, {"decode"});
    for (const auto& [stop, word] : {std::pair<std::string, std::string>{"", "empty"}, {"\xc3", "UTF-8"}}) {
        test::refuses<InputError>([&, s = stop] { StoppedText(bytes, {s}); }, {"stop_strings", word});
        test::refuses<InputError>([&, s = stop] { static_cast<void>(generate::completes(bytes, {s}, ids)); }, {word});
        test::refuses<InputError>([&, s = stop] { generate::require_stop_strings({"a", s}); }, {word});
    }
    CHECK(generate::completes(bytes, {"b"}, ids));
}
