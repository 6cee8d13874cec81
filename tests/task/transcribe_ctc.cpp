// Speech to text with CTC against transformers' pipeline (golden/transcribe, make_transcribe.py): in one piece and in
// pieces, from files, streams and memory, in other languages; how sounds are cut; what is refused.
#include "silica/task/transcribe_ctc.hpp"

#include <numeric>

#include "silica/arch/wav2vec2.hpp"
#include "silica/core/json.hpp"
#include "silica/device/cpu.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"

namespace transcribe_ctc_tests {

using namespace silica;
using silica::task::CtcCutting, silica::task::CtcOptions, silica::task::CtcPieces, silica::task::CtcTranscript;
using silica::task::TimedText;
using silica::test::refuses;
using Transcriber = task::CtcTranscriber<Model<arch::Wav2Vec2ForCTC, device::Cpu, precision::Fp32>>;

namespace {

std::filesystem::path directory(const std::string& name) { return test::golden("transcribe", name); }

void check(const Json& want, const CtcTranscript& got) {
    CHECK(got.text == want.find("text")->string());
    const auto same = [](const std::vector<TimedText>& spans, const Json& list) {
        REQUIRE(spans.size() == list.array().size());
        for (std::size_t i = 0; i < spans.size(); ++i) {
            const auto& item = list.array()[i].array();
            CHECK(spans[i].text == item[0].string());
            CHECK(std::abs(spans[i].begin - item[1].number()) < 1e-9);
            CHECK(std::abs(spans[i].end - item[2].number()) < 1e-9);
        }
    };
    same(got.characters, *want.find("chars"));
    same(got.words, *want.find("words"));
}

Json expected(const std::string& name) {
    return Json::parse(test::read_file(directory(name) / "expected.json"), "expected.json");
}

CtcOptions pieces() { return {.cutting = {.whole_seconds = 0, .chunk_seconds = 0.21, .stride_seconds = 0.03}}; }

/// Pieces of `n` samples at 1000 a second, frames of 10, as (samples, left, right, begin, end of the frames).
std::vector<std::vector<std::int64_t>> cut(std::int64_t n, const CtcCutting& cutting) {
    std::int64_t at = 0;
    CtcPieces made(
        [&](std::int64_t most) {
            const auto some =
                std::min({most, n - at, std::int64_t{37}});  // a source may give less than it is asked for
            std::vector<float> samples(static_cast<std::size_t>(some));
            std::iota(samples.begin(), samples.end(), static_cast<float>(at));
            at += some;
            return samples;
        },
        1000, 10, cutting);
    std::vector<std::vector<std::int64_t>> all;
    while (const auto piece = made.next()) {
        const auto size = static_cast<std::int64_t>(piece->samples.size());
        const auto [begin, end] = piece->counted(size / 10, 10);
        all.push_back({static_cast<std::int64_t>(piece->samples.front()), size, piece->left, piece->right, begin, end});
    }
    return all;
}

}  // namespace

TEST_CASE("A transcription is that of transformers' pipeline, in one piece and in pieces", "[task]") {
    for (const std::string name : {"base", "large", "languages"}) {
        CAPTURE(name);
        const auto transcribe = Transcriber::open(directory(name).string());
        const auto file = directory(name) / "sound.wav";
        const auto want = expected(name);
        const auto whole = transcribe(file);
        check(*want.find("whole"), whole);
        check(*want.find("pieces"), transcribe(file, pieces()));
        const auto sound = audio::read(file, 16000);
        check(*want.find("whole"), transcribe(sound));
        check(*want.find("pieces"), transcribe(sound, pieces()));
        CHECK(std::abs(whole.seconds - sound.seconds()) < 1e-9);
        std::vector<double> told;
        auto options = pieces();
        options.progress = [&](double seconds) { told.push_back(seconds); };
        CHECK(std::abs(transcribe(file, options).seconds - sound.seconds()) < 1e-9);
        REQUIRE(told.size() > 1);
        CHECK(std::ranges::is_sorted(told));
        CHECK(std::abs(told.back() - sound.seconds()) < 1e-9);
    }
}

TEST_CASE("Sounds are cut as transformers cuts them", "[task]") {
    using Rows = std::vector<std::vector<std::int64_t>>;
    const CtcCutting cutting{.whole_seconds = 0.3, .chunk_seconds = 0.2, .stride_seconds = 0.03};
    CHECK(cut(300, cutting) == Rows{{0, 300, 0, 0, 0, 30}});
    CHECK(cut(301, cutting) == Rows{{0, 200, 0, 30, 0, 17}, {140, 161, 30, 0, 3, 16}});
    CHECK(cut(340, cutting) == Rows{{0, 200, 0, 30, 0, 17}, {140, 200, 30, 0, 3, 20}});
    CHECK(cut(341, cutting) == Rows{{0, 200, 0, 30, 0, 17}, {140, 200, 30, 30, 3, 17}, {280, 61, 30, 0, 3, 6}});
    const CtcCutting rounded{.whole_seconds = 0, .chunk_seconds = 0.204, .stride_seconds = 0.025};
    CHECK(cut(201, rounded) == Rows{{0, 200, 0, 20, 0, 18}, {160, 41, 20, 0, 2, 4}});  // 2.5 frames are 2
    CHECK(cut(5, rounded) == Rows{{0, 5, 0, 0, 0, 0}});
    const CtcCutting uneven{
        .whole_seconds = 0, .chunk_seconds = 0.2, .stride_seconds = 0.02, .right_stride_seconds = 0.05};
    CHECK(cut(340, uneven) == Rows{{0, 200, 0, 50, 0, 15}, {130, 200, 20, 50, 2, 15}, {260, 80, 20, 0, 2, 8}});
    refuses<InputError>([] { cut(10, {.chunk_seconds = 10, .stride_seconds = 5}); },
                        {"chunk_seconds", "stride_seconds"});
    refuses<InputError>([] { cut(10, {.chunk_seconds = -1}); }, {"chunk_seconds", "-1"});
    refuses<InputError>([] { cut(10, {.stride_seconds = 1e300}); }, {"stride_seconds"});
    refuses<InputError>([] { cut(10, {.whole_seconds = std::nan("")}); }, {"whole_seconds"});
    const auto silence = [](std::int64_t) { return std::vector<float>(); };
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 62}) {
        refuses<InputError>([&] { CtcPieces(silence, n, 10, {}); }, {"cannot be cut"});
        refuses<InputError>([&] { CtcPieces(silence, 1000, n, {}); }, {"cannot be cut"});
    }
    refuses<InputError>([] { CtcPieces({}, 1000, 10, {}); }, {"nothing to read"});
    const auto counted = [](std::size_t samples, std::int64_t ends, std::int64_t frames, std::int64_t ratio) {
        const task::CtcPiece piece{std::vector<float>(samples), ends, ends};
        refuses<InputError>([&] { static_cast<void>(piece.counted(frames, ratio)); }, {"A piece of"});
    };
    counted(100, 10, 10, 0);
    counted(100, 10, 10, -1);
    counted(100, 10, -1, 10);
    counted(100, -1, 10, 10);
    counted(100, 101, 10, 10);
    counted(0, 3, 0, 10);
}

TEST_CASE("What cannot be transcribed is refused", "[task]") {
    const auto transcribe = Transcriber::open(directory("base").string());
    refuses<InputError>([&] { static_cast<void>(transcribe(audio::Samples(std::vector<float>{0, 1, 0}, 8000))); },
                        {"8000", "16000"});
    refuses<InputError>([&] { static_cast<void>(transcribe(audio::Samples(std::vector<float>{0, 1, 0}, 16000))); },
                        {"3 samples", "23"});
    refuses<InputError>([&] { static_cast<void>(transcribe(directory("base") / "config.json")); }, {"config.json"});
    refuses<InputError>(
        [] { static_cast<void>(Transcriber::open(directory("languages").string(), {.target_lang = "deu"})); },
        {"'deu'"});
    refuses<InputError>(
        [] { static_cast<void>(Transcriber::open(directory("languages").string(), {.target_lang = "xyz"})); },
        {"adapter.xyz.safetensors"});
    const test::Directory empty;
    refuses<Error>([&] { static_cast<void>(Transcriber::open(empty.path().string())); }, {empty.path().string()});
}

}  // namespace transcribe_ctc_tests
