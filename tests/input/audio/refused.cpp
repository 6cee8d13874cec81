// Files that are refused: each with one sentence that names it, and a remedy.

#include <limits>
#include <random>

#include "silica/input/audio/read.hpp"
#include "silica/input/audio/stream.hpp"
#include "sounds.hpp"
#include "support/refuses.hpp"

namespace silica::test {
namespace {

void refused(const std::string& file, std::initializer_list<std::string_view> words) {
    refuses<InputError>([&] { (void)audio::decode(bytes_of(file), "F.sound", 16000); }, words);
    refuses<InputError>([&] { (void)audio::decode(bytes_of(file), "F.sound", 16000); }, {"F.sound"});
}

TEST_CASE("what is no file") {
    const Directory directory;
    const auto read = [](const std::filesystem::path& path) { (void)audio::read(path, 16000); };
    refuses<InputError>([&] { read(directory / "none.wav"); }, {"none.wav", "no such file"});
    refuses<InputError>([&] { read(directory.path()); }, {"is a directory"});
    write_file(directory / "empty.wav", "");
    refuses<InputError>([&] { read(directory / "empty.wav"); }, {"empty.wav", "is empty"});
    refuses<InputError>([&] { (void)audio::Stream::open(directory / "none.wav", 16000); }, {"no such file"});
}

TEST_CASE("numbers of samples that cannot be, and a stream that is gone") {
    const auto file = sound("s16.wav");
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    for (const std::int64_t rate : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40, least}) {
        refuses<InputError>([&] { (void)audio::read(file, rate); }, {"samples in a second", std::to_string(rate)});
        refuses<InputError>([&] { (void)audio::Stream::open(file, rate); }, {std::to_string(rate)});
    }
    for (const std::int64_t most : {std::int64_t{0}, std::int64_t{-1}, least})
        refuses<InputError>([&] { (void)audio::read(file, 16000, most); }, {"s16.wav", std::to_string(most)});
    auto stream = audio::Stream::open(file, 16000);
    refuses<InputError>([&] { (void)stream.read(-1); }, {"-1 samples", "s16.wav"});
    CHECK(stream.read(0).empty());
    auto other = std::move(stream);
    CHECK(other.read(5).size() == 5);
    std::vector<float> to(5);
    refuses<InputError>([&] { (void)stream.read(5); }, {"moved"});  // NOLINT: what is left of it
    refuses<InputError>([&] { (void)stream.read(to); }, {"moved"});
}

TEST_CASE("what is no sound") {
    refused("\xff\xd8\xff\xe0 JFIF and more", {"a JPEG picture", "WAV"});
    refused("\x89PNG\r\n\x1a\n and more", {"a PNG picture"});
    refused(std::string("RIFF\x10\0\0\0WEBPVP8 ", 16), {"a WebP picture"});
    refused("GIF89a", {"a GIF picture"});
    refused(std::string("\0\0\0\x1c"
                        "ftypavif",
                        12),
            {"an AVIF picture"});
    refused("MThd and notes", {"MIDI"});
    refused("PK\x03\x04 archive", {"ZIP"});
    refused("hello, this is text", {"is no sound"});
    refused(std::string(5000, '\0'), {"is no sound"});
    refused("x", {"is no sound"});
    refused("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", {"Git LFS pointer"});
    refused("RIFF", {"is no sound"});
#ifdef SILICA_AUDIO_FFMPEG
    refused(read_file(sound("silent.mp4")), {"has no sound in it"});
#endif
}

TEST_CASE("heads that cannot be") {
    const std::string data(64, '\x01');
    refused(wav_head(1, 1, 0, 16, data.size()) + data, {"Remedy"});
    refused(wav_head(1, 1, 1, 16, data.size()) + data, {"1 samples in a second"});
    refused(wav_head(1, 1, 4000000000U, 16, data.size()) + data, {"Remedy"});
    refused(wav_head(1, 0, 16000, 16, data.size()) + data, {"Remedy"});
    refused(wav_head(1, 1024, 16000, 8, 1024) + std::string(1024, '\x01'), {"1024 channels"});
    refused(wav_head(1, 65535, 16000, 8, 65535) + std::string(65535, '\x01'), {"Remedy"});
    refused(wav_head(1, 1, 16000, 16, 0xFFFFFFF0U) + data, {"cut short", "4294967280 bytes"});
    refused(wav_head(1, 1, 16000, 16, 0x7FFFFFF0U) + data, {"cut short"});
    refused(wav_head(1, 1, 16000, 16, 0), {"no samples"});
    refused(wav_head(0x1234, 1, 16000, 16, data.size()) + data, {"libsndfile"});
    refused("RIFF" + little(4, 4) + "WAVE", {"libsndfile"});
    // FLAC that announces 2^36 - 1 samples.
    auto flac = read_file(sound("s16.flac"));
    flac[21] = static_cast<char>(flac[21] | 0x0F);
    flac.replace(22, 4, "\xff\xff\xff\xff");
    refused(flac, {"cut short", "68719476735"});
}

TEST_CASE("numbers that are not finite") {
    auto samples = noise(3000, 9);
    for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        samples[2000] = bad;
        refused(float_wav(samples, 16000), {"not finite"});
        refused(float_wav(samples, 44100), {"not finite"});
    }
}

TEST_CASE("a rate that is asked for") {
    const auto file = read_file(sound("s16.wav"));
    for (const std::int64_t rate : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()})
        refuses<InputError>([&] { (void)audio::decode(bytes_of(file), "F", rate); }, {std::to_string(rate)});
}

TEST_CASE("files cut short, at every place") {
    for (const auto* name : {"s16.wav", "float.wav", "rf64.wav", "s16.w64", "s16.aiff", "s24.au", "s16.caf", "s16.flac",
                             "vorbis.ogg", "opus.ogg", "layer3.mp3", "aac.m4a", "opus.webm", "video.mp4"}) {
        CAPTURE(name);
        const auto file = read_file(sound(name));
        const auto step = file.size() / 40 + 1;
        for (std::size_t size = 1; size < file.size(); size += step) {
            CAPTURE(size);
            refused(file.substr(0, size), {"F.sound"});
        }
        refused(file.substr(0, file.size() - 1), {"F.sound"});
    }
}

TEST_CASE("damaged files are refused or decoded, and nothing else") {
    std::mt19937 random(1);
    std::size_t refusals = 0;
    for (const auto* name :
         {"s16.wav", "ima.wav", "ms.wav", "extensible.wav", "rf64.wav", "s16.w64", "s16.aiff", "s24.au", "s16.caf",
          "s16.flac", "vorbis.ogg", "opus.ogg", "layer3.mp3", "aac.m4a", "opus.webm"}) {
        CAPTURE(name);
        const auto file = read_file(sound(name));
        for (int turn = 0; turn < 40; ++turn) {
            auto copy = file;
            for (int k = 0; k < 4; ++k) {
                const auto at = turn % 2 == 0 ? random() % copy.size() : random() % 80;
                copy[at] = static_cast<char>(random());
            }
            try {
                const auto sound = audio::decode(bytes_of(copy), "F", 16000);
                CHECK(!sound.mono().empty());
            } catch (const Error& e) {
                ++refusals;
                CHECK_FALSE(e.remedy().empty());
            }
        }
    }
    CHECK(refusals > 100);
}

TEST_CASE("pages of Ogg have checksums") {
    auto file = read_file(sound("vorbis.ogg"));
    file[file.size() / 2] = static_cast<char>(file[file.size() / 2] ^ 1);
    refused(file, {"checksum"});
}

TEST_CASE("elements of Matroska have checksums") {
    auto file = read_file(sound("video.mkv"));
    file[file.size() / 2] = static_cast<char>(file[file.size() / 2] ^ 1);
    refused(file, {"the checksum of an element"});
}

TEST_CASE("parts of other containers that are not whole") {
    const std::string tag = std::string("\x08\0\0\x10", 4) + std::string(7 + 15, '\0');  // of its 16 bytes 15
    refused(std::string("FLV\x01\x04\0\0\0\x09\0\0\0\0", 13) + tag, {"a tag at byte 24 has 16 bytes"});
    const std::string packet = "G" + std::string(187, '\0');  // of MPEG-TS
    refused(packet + packet + packet + packet.substr(0, 187), {"its last packet is not whole"});
    refused(std::string("\0\0\0\x08wide\0\0\0\x01mdat\0\0\0\0", 20), {"the box 'mdat'"});
}

TEST_CASE("frames of MP3 that the first one announces") {
    // Whole frames are gone: only the count tells.
    auto file = read_file(sound("layer3.mp3"));
    const auto is_head = [&](std::size_t at) { return file[at] == file[0] && file[at + 1] == file[1]; };
    std::size_t last = 0;
    for (std::size_t at = 1; at + 4 < file.size(); ++at) {
        if (is_head(at)) last = at;
    }
    REQUIRE(last > 0);
    refused(file.substr(0, last), {"its first frame says"});
}

}  // namespace
}  // namespace silica::test
