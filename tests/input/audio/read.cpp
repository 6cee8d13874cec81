// Files of every kind against what transformers' load_audio makes of them.

#include <limits>
#include <thread>

#include "silica/core/memory.hpp"
#include "silica/input/audio/read.hpp"
#include "silica/input/audio/stream.hpp"
#include "sounds.hpp"
#include "support/refuses.hpp"

namespace silica::test {
namespace {

constexpr std::int64_t rate = 16000;

std::vector<float> expected(const std::string& name) {
    std::vector<float> made;
    for (const auto x : numbers_of<std::int16_t>(sound(name + ".16000"))) made.push_back(static_cast<float>(x) / 32767);
    return made;
}

void check_file(const std::string& name, double bound) {
    CAPTURE(name);
    const auto samples = audio::read(sound(name), rate);
    CHECK(samples.rate() == rate);
    CHECK(largest_difference(samples.mono(), expected(name)) <= bound);

    const auto bytes = read_file(sound(name));
    const auto decoded = audio::decode(bytes_of(bytes), "in memory", rate);
    CHECK(largest_difference(decoded.mono(), samples.mono()) == 0);

    auto stream = audio::Stream::open(sound(name), rate);
    std::vector<float> all;
    for (auto piece = stream.read(61); !piece.empty(); piece = stream.read(61)) {
        REQUIRE(piece.size() <= 61);
        all.insert(all.end(), piece.begin(), piece.end());
    }
    CHECK(largest_difference(all, samples.mono()) == 0);
    CHECK(stream.position() == static_cast<std::int64_t>(all.size()));
    if (stream.length()) CHECK(*stream.length() == stream.position());
    CHECK(stream.read(1).empty());
}

TEST_CASE("files that libsndfile and mpg123 read are as load_audio gives them") {
    // Half a step of 16 bits, in which the expected numbers are, and 1e-4.
    for (const auto* name :
         {"u8.wav",  "s16.wav",  "s24.wav",        "s32.wav",    "float.wav", "double.wav", "ulaw.wav", "alaw.wav",
          "ima.wav", "ms.wav",   "extensible.wav", "native.wav", "rf64.wav",  "s16.w64",    "s16.aiff", "s24.au",
          "s16.caf", "s16.flac", "s24.flac",       "vorbis.ogg", "opus.ogg",  "layer3.mp3"})
        check_file(name, 1.2e-4);
}

TEST_CASE("sound in other containers") {
    for (const auto* name : {"aac.m4a", "opus.webm", "adts.aac", "alac.m4a", "video.mp4", "video.mkv"}) {
#ifdef SILICA_AUDIO_FFMPEG
        // Decoders of AAC and Opus differ a little from version to version.
        const bool lossless = std::string_view(name) == "alac.m4a" || std::string_view(name) == "video.mkv";
        check_file(name, lossless ? 1.2e-4 : 2e-3);
#else
        refuses<InputError>([&] { (void)audio::read(sound(name), rate); }, {name, "without it", "install FFmpeg"});
#endif
    }
#ifdef SILICA_AUDIO_FFMPEG
    check_file("flac.oga", 1.2e-4);
#endif
}

TEST_CASE("the content of a file decides, not its name") {
    const Directory directory;
    write_file(directory / "speech.mp3", read_file(sound("s16.flac")));
    const auto samples = audio::read(directory / "speech.mp3", rate);
    CHECK(largest_difference(samples.mono(), audio::read(sound("s16.flac"), rate).mono()) == 0);
}

TEST_CASE("all channels count alike, and the length is that of the time") {
    const std::vector<float> left = {0.5F, -0.25F, 1.0F};
    std::string file = wav_head(3, 2, 8000, 32, 24);
    for (const float x : left) {
        const float pair[2] = {x, 0};
        file.append(reinterpret_cast<const char*>(pair), sizeof pair);
    }
    const auto mono = audio::decode(bytes_of(file), "pair", 8000);
    CHECK(std::vector(mono.mono().begin(), mono.mono().end()) == std::vector{0.25F, -0.125F, 0.5F});
    const auto made = noise(777, 3);
    for (const std::int64_t to : {8000, 11025, 16000, 44100, 48000}) {
        const auto samples = audio::decode(bytes_of(float_wav(made, 22050)), "noise", to);
        CHECK(static_cast<std::int64_t>(samples.mono().size()) == (777 * to + 22049) / 22050);
    }
    // One sample is a sound, at any rate.
    CHECK(audio::decode(bytes_of(float_wav(std::vector{0.5F}, 8000)), "one", 16000).mono().size() == 2);
    CHECK(audio::decode(bytes_of(float_wav(std::vector{0.5F}, 48000)), "one", 16000).mono().size() == 1);
    // Numbers beyond full scale stay as they are.
    CHECK(audio::decode(bytes_of(float_wav(std::vector{3.5F}, 8000)), "loud", 8000).mono()[0] == 3.5F);
}

TEST_CASE("of a long sound as much is kept as is wanted, and the rest is decoded") {
    const auto whole = audio::read(sound("s16.wav"), rate), part = audio::read(sound("s16.wav"), rate, 100);
    CHECK(largest_difference(part.mono(), whole.mono().first(100)) == 0);
    auto bad = noise(20000, 1);
    bad.back() = std::numeric_limits<float>::quiet_NaN();
    refuses<InputError>([&] { (void)audio::decode(bytes_of(float_wav(bad, 16000)), "bad", 16000, 10); },
                        {"bad", "finite"});
}

TEST_CASE("a WAV file that was written to a pipe has no sizes") {
    auto file = read_file(sound("native.wav"));
    const auto data = file.find("data");
    file.replace(4, 4, little(0xFFFFFFFF, 4));
    file.replace(data + 4, 4, little(0xFFFFFFFF, 4));
    CHECK(largest_difference(audio::decode(bytes_of(file), "pipe", rate).mono(),
                             audio::read(sound("native.wav"), rate).mono()) == 0);
}

TEST_CASE("a stream of a long file stays within a few MB") {
    const Directory directory;
    const auto path = directory / "long.wav";
    constexpr std::uint64_t seconds = 600, data = seconds * 48000 * 2;
    write_file(path, wav_head(1, 1, 48000, 16, data));
    std::filesystem::resize_file(path, 44 + data);  // zeros that take no room
    const auto skim = [&](std::int64_t most) {
        auto stream = audio::Stream::open(path, rate);
        REQUIRE(stream.length() == static_cast<std::int64_t>(seconds) * rate);
        std::vector<float> piece(16000);
        std::int64_t count = 0;
        while (count < most) {
            const auto n = stream.read(piece);
            if (n == 0) break;
            count += static_cast<std::int64_t>(n);
        }
        return count;
    };
    (void)skim(32000);
    const auto before = process_memory().peak;
    CHECK(skim(std::numeric_limits<std::int64_t>::max()) == static_cast<std::int64_t>(seconds) * rate);
#if !defined(__SANITIZE_ADDRESS__)
    CHECK(process_memory().peak - before < (std::uint64_t{4} << 20U));
#endif
}

TEST_CASE("streams on several threads do not meet") {
    std::vector<std::vector<float>> got(4);
    std::vector<std::thread> threads;
    for (auto& each : got) {
        threads.emplace_back([&each] {
            const auto samples = audio::read(sound("layer3.mp3"), rate);
            each.assign(samples.mono().begin(), samples.mono().end());
        });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& each : got) CHECK(largest_difference(each, got[0]) == 0);
}

}  // namespace
}  // namespace silica::test
