// The rules of Whisper one by one: which token may follow, how a window is cut into segments, what it begins with, when
// a token was said, what a word is, how repetitive a text is.
#include <cmath>
#include <limits>
#include <map>

#include "silica/core/json.hpp"
#include "silica/generate/speech/alignment.hpp"
#include "silica/generate/speech/compression.hpp"
#include "silica/generate/speech/pieces.hpp"
#include "silica/generate/speech/segments.hpp"
#include "silica/generate/speech/start_tokens.hpp"
#include "silica/generate/speech/timestamp_rules.hpp"
#include "silica/generate/speech/words.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/refuses.hpp"

namespace whisper_rules_tests {

using namespace silica;
using generate::SpeechConfig, generate::SpeechOptions, generate::TimestampRules;
using Ids = std::vector<std::int64_t>;

namespace {

/// Ten tokens of text (0 to 5), the end (6), <|notimestamps|> (9), times from 10 to 19; `written` after a prompt of
/// two.
std::string allowed(const Ids& written, std::vector<float> scores = {}, std::optional<std::int64_t> most = {}) {
    if (scores.empty()) {
        scores.assign(20, 0);
        scores[0] = scores[6] = 9;  // text and the end are likelier than all times together
    }
    Ids ids{7, 8};
    ids.insert(ids.end(), written.begin(), written.end());
    TimestampRules{.no_timestamps = 9, .eos = 6, .max_initial_index = most}(scores, {ids, 2, 0, {}});
    std::string made;
    for (const float s : scores) made += s == generate::forbidden ? '.' : 'x';
    return made;
}

}  // namespace

TEST_CASE("Pieces of a sound that overlap become the text that transformers' pipeline makes of them", "[generate]") {
    const auto file = std::filesystem::path(SILICA_TESTS_DIR) / "golden" / "transcribe" / "pieces.json";
    const auto ids = [](const Json& list) {
        Ids made;
        for (const auto& id : list.array()) made.push_back(id.integer());
        return made;
    };
    const Json all = Json::parse(test::read_file(file), "pieces.json");
    for (const auto& golden : all.array()) {
        std::vector<generate::HeardPiece> pieces;
        for (const auto& piece : golden.find("pieces")->array()) {
            const auto& p = piece.array();
            pieces.push_back({ids(p[0]), p[1].number(), p[2].number(), p[3].number()});
        }
        const auto got = generate::joined_pieces(
            pieces, {.first_time = 110, .is_special = [](std::int64_t id) { return id >= 100 && id < 110; }});
        const auto& want = golden.find("text")->array();
        REQUIRE(got.size() == want.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
            const auto& part = want[i].array();
            const auto same = [](const std::optional<double>& time, const Json& wanted) {
                return time ? !wanted.is_null() && std::abs(*time - wanted.number()) < 1e-9 : wanted.is_null();
            };
            CHECK(same(got[i].start, part[0]));
            CHECK(same(got[i].end, part[1]));
            CHECK(got[i].tokens == ids(part[2]));
        }
    }
    const std::vector<Ids> shifted{{1, 2, 3, 4, 5}, {3, 4, 5, 6}, {9}};
    CHECK(generate::overlapped(shifted) == Ids{1, 2, 3, 4, 5, 6, 9});
    CHECK(generate::overlapped({}).empty());
}

TEST_CASE("What may follow a time, and what a text", "[generate]") {
    //              text  end    times
    CHECK(allowed({}) == "..........xxxxxxxxxx");         // a time comes first
    CHECK(allowed({}, {}, 3) == "..........xxxx......");  // no later than that
    CHECK(allowed({}, {}, 0) == "..........x.........");
    CHECK(allowed({}, {}, 99) == "..........xxxxxxxxxx");
    CHECK(allowed({12}) == "xxxxxxxxx...........");     // after the first, text
    CHECK(allowed({12, 1}) == "xxxxxxxxx....xxxxxxx");  // after text anything, times not back and not again
    CHECK(allowed({12, 1, 2}) == "xxxxxxxxx....xxxxxxx");
    CHECK(allowed({12, 1, 15}) == "......xxx......xxxxx");      // after text and a time its repetition, or the end
    CHECK(allowed({12, 1, 15, 15}) == "xxxxxxxxx...........");  // after a pair, text
    CHECK(allowed({12, 1, 15, 17, 3}) == "xxxxxxxxx.........xx");
    CHECK(allowed({1}) == "xxxxxxxxx.xxxxxxxxxx");  // no time so far
    CHECK(allowed({1, 19}) == "......xxx..........x");
    CHECK(allowed({12, 1, 19, 19, 2}) == "xxxxxxxxx...........");
    CHECK(allowed({10, 1}) == "xxxxxxxxx..xxxxxxxxx");  // nor 0.00 again
}

TEST_CASE("A prompt without times has none", "[generate]") {
    std::vector<float> scores(20, 0);
    const Ids ids{8, 9, 1};
    TimestampRules{.no_timestamps = 9, .eos = 6}(scores, {ids, 2, 0, {}});
    CHECK(scores == std::vector<float>(20, 0));
}

TEST_CASE("Where all times together are likelier than any text, it is a time", "[generate]") {
    std::vector<float> scores(20, -5);
    scores[1] = 1;
    for (std::size_t i = 13; i < 20; ++i) scores[i] = -0.5F;  // seven times exp(-0.5) is more than exp(1)
    CHECK(allowed({12, 1}, scores) == ".............xxxxxxx");
    scores[1] = 1.5F;
    CHECK(allowed({12, 1}, scores) == "xxxxxxxxx....xxxxxxx");
    // Those that are forbidden do not count.
    scores[12] = 20;
    CHECK(allowed({12, 1}, scores) == "xxxxxxxxx....xxxxxxx");
    // Nor does text.
    scores.assign(20, generate::forbidden);
    scores[14] = -3;
    CHECK(allowed({12, 1}, scores) == "..............x.....");
}

TEST_CASE("A window is cut where two times stand together", "[generate]") {
    const auto check = [](const Ids& tokens, const std::string& want, std::int64_t frames = 3000) {
        const auto made = generate::cut_into_segments(tokens, 100, frames);
        std::string got;
        for (const auto& s : made.segments)
            got += "[" + std::to_string(s.from) + "-" + std::to_string(s.to) + ": " +
                   std::to_string(std::lround(s.start)) + "-" + std::to_string(std::lround(s.end)) + "]";
        CHECK(got + " " + std::to_string(made.frames) == want);
    };
    check({100, 1, 2, 150}, "[0-4: 0-50] 3000");   // one time at the end
    check({100, 1, 150, 150}, "[0-4: 0-50] 100");  // a pair: the next begins there
    check({100, 1, 150, 150, 2, 170, 170}, "[0-3: 0-50][3-7: 50-70] 140");
    check({100, 1, 150, 160, 2, 170}, "[0-3: 0-50][3-6: 60-70] 3000");  // text and one time
    check({100, 1, 150, 160, 2, 3}, "[0-4: 0-50] 100");                 // what follows is left out
    check({100, 1, 150, 160}, "[0-4: 0-50] 100");
    check({120, 1, 2}, "[0-3: 0-20] 3000");    // the last time there is
    check({100, 1, 2}, "[0-3: 0-1500] 3000");  // 0.00 is none
    check({1, 2}, "[0-2: 0-1500] 3000");
    check({1, 2}, "[0-2: 0-500] 1001", 1001);
    check({}, "[0-0: 0-1500] 3000");
    check({100, 1, 150, 150}, "[0-4: 0-50] 100", 90);  // beyond the window, too
    check({100, 100}, "[0-2: 0-0] 3000");              // a window is always done
}

TEST_CASE("A window begins with language, task and times", "[generate]") {
    SpeechConfig c;
    c.vocab_size = 100;
    c.decoder_start_token_id = 50;
    c.no_timestamps_token_id = 60;
    c.lang_to_id = {{"<|en|>", 51}, {"<|fr|>", 52}};
    c.task_to_id = {{"transcribe", 58}, {"translate", 57}};
    const auto start = [&](const SpeechOptions& o, bool times = false, std::optional<std::int64_t> heard = {}) {
        return generate::start_tokens(c, o, times, heard);
    };
    CHECK(generate::detects_language(c, {}));
    CHECK(start({}, false, 52) == Ids{50, 52, 60});
    CHECK(start({.language = "FR"}) == Ids{50, 52, 58, 60});
    CHECK(start({.language = "<|en|>", .task = "translate"}) == Ids{50, 51, 57, 60});
    CHECK(start({.language = "fr"}, true) == Ids{50, 52, 58});
    CHECK(start({.task = "translate"}, true, 51) == Ids{50, 51, 57});
    CHECK_FALSE(generate::detects_language(c, {.language = "fr"}));
    CHECK(generate::language_of(c, 52) == "fr");
    CHECK(generate::language_of(c, 58).empty());
    test::refuses<InputError>([&] { start({.language = "xx"}); }, {"'xx'", "en, fr"});
    test::refuses<InputError>([&] { static_cast<void>(generate::detects_language(c, {.task = "sing"})); }, {"sing"});

    c.forced_decoder_ids = {{1, {}}, {2, 58}};
    CHECK(generate::detects_language(c, {}));
    CHECK(start({}, false, 51) == Ids{50, 51, 58, 60});
    CHECK(start({.language = "fr", .task = "translate"}) == Ids{50, 52, 57, 60});  // the old ones do not count
    c.forced_decoder_ids = {{1, 52}, {2, 57}, {3, 60}};
    CHECK_FALSE(generate::detects_language(c, {}));
    CHECK(start({}) == Ids{50, 52, 57, 60});
    CHECK(start({}, true) == Ids{50, 52, 57});
    CHECK(generate::detects_language(c, {.task = "transcribe"}));
    c.forced_decoder_ids = {{2, 57}};
    CHECK(start({}, true, 51) == Ids{50, 51});
    c.forced_decoder_ids = {{1, 52}, {3, 57}};
    test::refuses<ConfigError>([&] { start({}); }, {"forced_decoder_ids", "place 3"});

    // A generation_config.json may name no start token: then there is none.
    c.decoder_start_token_id.reset();
    c.forced_decoder_ids.reset();
    CHECK(start({.language = "fr"}) == Ids{52, 58, 60});
    test::refuses<ConfigError>([&] { static_cast<void>(generate::detects_language(c, {})); },
                               {"start token", "name the language"});
    SpeechConfig bare;
    bare.decoder_start_token_id.reset();
    test::refuses<ConfigError>([&] { static_cast<void>(generate::start_tokens(bare, {}, true, {})); }, {"no token"});

    SpeechConfig english;
    english.decoder_start_token_id = 50;
    english.no_timestamps_token_id = 60;
    english.is_multilingual = false;
    CHECK(generate::start_tokens(english, {}, false, {}) == Ids{50, 60});
    CHECK(generate::start_tokens(english, {}, true, {}) == Ids{50});
    test::refuses<InputError>([&] { static_cast<void>(generate::detects_language(english, {.language = "en"})); },
                              {"English only"});
    english.is_multilingual.reset();
    test::refuses<InputError>([&] { static_cast<void>(generate::detects_language(english, {.task = "translate"})); },
                              {"no tokens for tasks"});
}

TEST_CASE("A window sees the end of the text before it", "[generate]") {
    SpeechConfig c;
    c.max_target_positions = 12;  // five tokens are seen
    c.no_timestamps_token_id = 99;
    const Ids first{90};
    const auto seen = [&](const std::vector<Ids>& texts) { return generate::previous_tokens(c, first, texts); };
    CHECK(seen({{100, 1, 110}}) == Ids{90, 100, 1, 110});
    CHECK(seen({{100, 1, 110, 110}}) == Ids{90, 100, 1, 110});  // one of two times at the end
    CHECK(seen({{100, 1, 110, 110}, {110, 2, 3, 120}}) == Ids{90, 110, 110, 2, 3, 120});
    CHECK(seen({{1, 2, 3, 4, 5, 6, 7}}) == Ids{90, 3, 4, 5, 6, 7});
    CHECK(seen({{110, 110}}) == Ids{90, 110, 110});
    CHECK(generate::previous_start(c, Ids{4, 5, 6}) == 5);
    CHECK_FALSE(generate::previous_start(c, {}));
    c.prev_sot_token_id = 90;
    CHECK(generate::previous_start(c, Ids{4, 5, 6}) == 90);
}

TEST_CASE("The way of least cost through a matrix, as transformers goes it", "[generate]") {
    const auto way = [](std::vector<double> m, std::size_t rows) {
        return generate::time_warping(m, rows, m.size() / rows);
    };
    CHECK(way({0, 9, 9, 9, 0, 9, 9, 9, 0}, 3) == Ids{0, 1, 2});
    CHECK(way({0, 0, 0, 9, 9, 9, 9, 0}, 2) == Ids{0, 3});
    CHECK(way({1, 1, 1, 1}, 2) == Ids{0, 1});  // the diagonal, which costs less
    CHECK(way({0, 0, 0, 0}, 2) == Ids{0, 0});  // of equal ones, along the row
    CHECK(way({0, 0, 0, 0, 0, 0}, 2) == Ids{0, 0});
    CHECK(way({5}, 1) == Ids{0});
    CHECK(way({1, 2, 3}, 3) == Ids{0, 0, 0});
    CHECK(way({1, 2, 3}, 1) == Ids{0});
}

TEST_CASE("A median is taken along time, reflected at the ends", "[generate]") {
    const auto filtered = [](std::vector<float> rows, std::size_t n, std::size_t width) {
        generate::median_filter(rows, n, width);
        return rows;
    };
    CHECK(filtered({5, 1, 4, 2, 3}, 5, 3) == std::vector<float>{1, 4, 2, 3, 2});
    CHECK(filtered({5, 1, 4, 2, 3}, 5, 1) == std::vector<float>{5, 1, 4, 2, 3});
    CHECK(filtered({5, 1, 4}, 3, 7) == std::vector<float>{5, 1, 4});  // shorter than half the width
    CHECK(filtered({9, 0, 0, 1, 9, 1}, 3, 3) == std::vector<float>{0, 0, 0, 9, 1, 9});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(filtered({nan, 1, 2}, 3, 3)[0] == 1);  // behind all numbers
}

TEST_CASE("A token was said where its heads look", "[generate]") {
    // Two heads, three tokens, eight positions, of which seven count: token t looks at 2 t and 2 t + 1.
    std::vector<float> weights;
    for (int head = 0; head < 2; ++head) {
        for (std::size_t t = 0; t < 3; ++t) {
            for (std::size_t p = 0; p < 8; ++p) weights.push_back(p / 2 == t ? 0.4F : 0.025F);
        }
    }
    CHECK(generate::token_positions({weights, 2, 3, 8}, 7, 1) == Ids{0, 2, 4});
    CHECK(generate::token_positions({weights, 2, 3, 8}, 100, 3) == Ids{0, 2, 4});
    CHECK(generate::token_positions({weights, 2, 3, 8}, 0, 7) == Ids{-1, -1, -1});  // as transformers has it
}

TEST_CASE("Tokens are words", "[generate]") {
    const std::map<std::int64_t, std::string> vocabulary{{0, " he"},  {1, "llo"},
                                                         {2, ","},    {3, " ("},
                                                         {4, "wor"},  {5, "ld"},
                                                         {6, ")."},   {7, "\xe6\x97"},
                                                         {8, "\xa5"}, {9, "\xe6\x9c\xac"},
                                                         {10, " "},   {11, "."},
                                                         {12, " -"},  {13, "\xe3\x80\x82"},
                                                         {14, ")"},   {15, "-"}};
    const generate::TextOf text{.decode = [&](std::span<const std::int64_t> ids) {
        std::string bytes, made;
        for (const auto id : ids) bytes += vocabulary.at(id);
        for (std::size_t i = 0; i < bytes.size();) {  // what is no whole character is U+FFFD
            const auto lead = static_cast<unsigned char>(bytes[i]);
            const std::size_t n = lead >= 0xe0 ? 3 : 1;
            const bool whole = lead < 0x80 || (lead >= 0xe0 && i + n <= bytes.size());
            std::size_t k = 1;
            while (k < n && i + k < bytes.size() && (static_cast<unsigned char>(bytes[i + k]) & 0xc0U) == 0x80U) ++k;
            made += whole && k == n ? bytes.substr(i, n) : "\xef\xbf\xbd";
            i += k;
        }
        return made;
    }};
    const auto words = [&](const Ids& ids, bool spaces = true) {
        std::string made;
        for (const auto& w : generate::words_of(text, ids, spaces))
            made += "[" + w.text + "|" + std::to_string(w.from) + "-" + std::to_string(w.to) + "]";
        return made;
    };
    CHECK(words({0, 1, 2, 0}) == "[ hello,|0-3][ he|3-4]");
    CHECK(words({0, 3, 4, 5, 14, 11}) == "[ he|0-1][ (world).|1-6]");
    CHECK(words({0, 12, 0}) == "[ he|0-1][ - he|1-3]");
    CHECK(words({0, 15, 4}) == "[ he|0-1][-wor|1-3]");  // punctuation begins a word
    CHECK(words({7, 8, 9}, false) == "[\xe6\x97\xa5|0-2][\xe6\x9c\xac|2-3]");
    CHECK(words({7, 8, 9, 13}, false) == "[\xe6\x97\xa5|0-2][\xe6\x9c\xac\xe3\x80\x82|2-4]");
    CHECK(words({7, 8, 9}) == "[\xe6\x97\xa5\xe6\x9c\xac|0-3]");
    CHECK(words({7, 0}) == "[\xef\xbf\xbd|0-1][ he|1-2]");  // the text really has none
    CHECK(words({10, 0}) == "[  he|0-2]");
    CHECK(words({}).empty());
    CHECK(generate::has_no_spaces("ja"));
    CHECK(generate::has_no_spaces("yue"));
    CHECK_FALSE(generate::has_no_spaces("ko"));
}

TEST_CASE("Repetition is what zlib makes of the tokens' bytes", "[generate]") {
    // Python: len(b) / len(zlib.compress(b)), b = b"".join(t.to_bytes(2, "little") for t in ...)
    const auto none = generate::compression_ratio({}, 51865);
    CHECK_FALSE(none);
    const Ids once{50364, 440, 220, 50257};
    const auto short_one = generate::compression_ratio(once, 51865);
#ifdef SILICA_ZLIB
    REQUIRE(short_one);
    CHECK(std::abs(*short_one - 8.0 / 16) < 1e-9);
    Ids many;
    for (int i = 0; i < 100; ++i) many.insert(many.end(), {440, 220});
    CHECK(std::abs(*generate::compression_ratio(many, 51865) - 400.0 / 17) < 1e-9);
    Ids bytes;
    for (int i = 0; i < 100; ++i) bytes.insert(bytes.end(), {184, 220});
    CHECK(std::abs(*generate::compression_ratio(bytes, 200) - 200.0 / 13) < 1e-9);
#else
    CHECK_FALSE(short_one);
#endif
}

TEST_CASE("A checkpoint's keys of speech are read, and wrong ones refused", "[generate]") {
    const test::Directory directory;
    const auto write = [&](const std::string& name, const std::string& json) {
        std::ofstream(directory / name) << json;
    };
    write("config.json", R"({"vocab_size": 60, "max_target_positions": 40, "median_filter_width": 5,
        "decoder_start_token_id": 50, "forced_decoder_ids": [[1, 51]], "suppress_tokens": [1]})");
    const auto old = generate::read_speech_config(directory.path());
    CHECK(old.max_target_positions == 40);
    CHECK(old.forced_decoder_ids->front().id == 51);
    const auto read = [&](const std::string& json) {
        write("generation_config.json", json);
        return generate::read_speech_config(directory.path());
    };
    const auto c = read(R"({"lang_to_id": {"<|en|>": 51}, "alignment_heads": [[0, 1], [1, 0]], "is_multilingual": true,
        "no_timestamps_token_id": 55, "language": null, "max_initial_timestamp_index": 50, "decoder_start_token_id": 52})");
    CHECK(c.lang_to_id->at("<|en|>") == 51);
    CHECK(c.alignment_heads->size() == 2);
    CHECK(c.no_timestamps_token_id == 55);
    CHECK(c.max_initial_timestamp_index == 50);
    CHECK(c.decoder_start_token_id == 52);
    CHECK(c.median_filter_width == 5);
    CHECK_FALSE(c.language);
    CHECK(c.forced_decoder_ids->front().id == 51);  // config.json's, where the other has none
    CHECK(old.decoder_start_token_id == 50);
    CHECK_FALSE(read(R"({"bos_token_id": 1})").decoder_start_token_id);
    CHECK_FALSE(read(R"({"decoder_start_token_id": null})").decoder_start_token_id);
    const auto wrong = [&](const std::string& json, std::initializer_list<std::string_view> words) {
        test::refuses<ConfigError>([&] { static_cast<void>(read(json)); }, words);
    };
    wrong(R"({"no_timestamps_token_id": 60})", {"no_timestamps_token_id is 60", "vocab_size"});
    wrong(R"({"lang_to_id": {"<|en|>": -1}})", {"lang_to_id.<|en|>"});
    wrong(R"({"alignment_heads": [[1]]})", {"alignment_heads"});
    wrong(R"({"forced_decoder_ids": [[1]]})", {"forced_decoder_ids", "[place, token id]"});
    wrong(R"({"forced_decoder_ids": [[1, 99]]})", {"forced_decoder_ids is 99"});
    wrong(R"({"task_to_id": 3})", {"task_to_id"});
    wrong(R"({"max_initial_timestamp_index": -3})", {"max_initial_timestamp_index"});
    write("config.json", R"({"median_filter_width": 4})");
    wrong("{}", {"median_filter_width", "odd"});
}

TEST_CASE("Parts of hearing refuse sizes that do not fit", "[generate]") {
    using test::refuses;
    constexpr auto many = std::numeric_limits<std::size_t>::max();
    std::vector<float> rows(20, 1);
    for (const std::size_t width : {std::size_t{0}, std::size_t{4}, many - 1})
        refuses<InputError>([&] { generate::median_filter(rows, 10, width); }, {"median", "odd"});
    for (const std::size_t n : {std::size_t{0}, std::size_t{7}, many})
        refuses<InputError>([&] { generate::median_filter(rows, n, 3); }, {"20 numbers"});
    const std::vector<double> matrix(12, 1);
    for (const auto& size : {std::pair{std::size_t{4}, std::size_t{4}}, {many / 2 + 1, std::size_t{2}}, {0, 3}})
        refuses<InputError>([&] { static_cast<void>(generate::time_warping(matrix, size.first, size.second)); },
                            {"12 numbers"});
    refuses<InputError>([&] { static_cast<void>(generate::token_positions({rows, 2, 5, 10}, 10, 3)); }, {"20 numbers"});
    refuses<InputError>([&] { static_cast<void>(generate::token_positions({rows, 1, 2, 10}, 10, 2)); }, {"odd"});
    refuses<InputError>([&] { static_cast<void>(generate::token_positions({{}, 0, 2, 10}, 10, 3)); }, {"no head"});
    refuses<InputError>([] { static_cast<void>(generate::cut_into_segments(Ids{1}, -1, 100)); }, {"token -1"});
    refuses<InputError>([] { static_cast<void>(generate::cut_into_segments(Ids{1}, 80, -1)); }, {"-1 frames"});
    const auto joined = [](const generate::HeardPiece& piece, const generate::PieceTokens& kinds,
                           std::initializer_list<std::string_view> words) {
        refuses<InputError>([&] { static_cast<void>(generate::joined_pieces({&piece, 1}, kinds)); }, words);
    };
    const double nan = std::nan("");
    joined({{1}, 3, 0, 0}, {.first_time = -1}, {"token -1"});
    joined({{1}, 3, 0, 0}, {.first_time = 80, .seconds = 0}, {"0.000000 seconds apart"});
    joined({{1}, 3, 0, 0}, {.first_time = 80, .seconds = nan}, {"seconds apart"});
    joined({{1}, 3, 0, 0}, {.first_time = 80, .most = 0}, {"0 from token 80"});
    for (const double x : {nan, -1.0, std::numeric_limits<double>::infinity()}) {
        joined({{1}, x, 0, 0}, {.first_time = 80}, {"A piece"});
        joined({{1}, 3, x, 0}, {.first_time = 80}, {"A piece"});
        joined({{1}, 3, 0, x}, {.first_time = 80}, {"A piece"});
    }
    std::vector<float> scores(20, 0);
    const Ids ids{7, 8};
    refuses<InputError>([&] { TimestampRules{.no_timestamps = 9, .eos = 6}(scores, {ids, 3, 0, {}}); }, {"2 tokens"});
    refuses<InputError>([&] { static_cast<void>(generate::words_of({}, ids, true)); }, {"decode"});
    SpeechConfig config;
    config.decoder_start_token_id.reset();
    for (const char* language : {"", "xx", "\xff"})
        refuses<InputError>([&] { static_cast<void>(generate::language_token(config, language)); }, {"language"});
    refuses<ConfigError>([&] { generate::require_start(config, {}); }, {"starts with"});
    const test::Directory empty;
    refuses<Error>([&] { static_cast<void>(generate::read_speech_config(empty.path())); }, {"config.json"});
}

}  // namespace whisper_rules_tests
