// Frames of videos: which, in what order, with what pixels; and every file that is refused.
#include "silica/input/video/read.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "silica/core/error.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/refuses.hpp"

using namespace silica;
using image::Image;

namespace {

constexpr std::int64_t width = 20, height = 14, all = 11;

std::filesystem::path golden(const std::string& name) {
    return std::filesystem::path(SILICA_TESTS_DIR) / "input" / "video" / "golden" / name;
}

std::string bytes_of(const std::string& name) { return test::read_file(golden(name)); }

std::vector<Image> decoded(const std::string& file, std::int64_t frames) {
    return video::decode(std::as_bytes(std::span(file.data(), file.size())), "memory", frames);
}

/// The formula of make_videos.py.
std::vector<std::uint8_t> expected(std::int64_t t) {
    std::vector<std::uint8_t> values;
    for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
            for (std::int64_t c = 0; c < 3; ++c)
                values.push_back(static_cast<std::uint8_t>((3 * x + 2 * y + 20 * t + 30 * c) % 256));
        }
    }
    return values;
}

/// The largest difference of two pictures' levels; a thousand where they differ in size.
int difference(std::span<const std::uint8_t> one, std::span<const std::uint8_t> other) {
    if (one.size() != other.size()) return 1000;
    int most = 0;
    for (std::size_t i = 0; i < one.size(); ++i) most = std::max(most, std::abs(int{one[i]} - int{other[i]}));
    return most;
}

/// The frame of the formula that is nearest, by the sum of absolute differences.
std::int64_t nearest_frame(const Image& image) {
    std::int64_t best = -1, least = -1;
    for (std::int64_t t = 0; t < all; ++t) {
        const auto values = expected(t);
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < values.size(); ++i) sum += std::abs(int{values[i]} - int{image.pixels()[i]});
        if (best < 0 || sum < least) {
            best = t;
            least = sum;
        }
    }
    return best;
}

/// `file` with little-endian numbers of 32 bits at an offset behind the first `mark`.
std::string patched(std::string file, const char* mark, std::size_t offset, std::vector<std::uint32_t> numbers) {
    const auto at = file.find(mark);
    REQUIRE(at != std::string::npos);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        for (std::size_t b = 0; b < 4; ++b) file[at + offset + 4 * i + b] = static_cast<char>(numbers[i] >> (8 * b));
    }
    return file;
}

void refuses(const std::string& file, std::int64_t frames, std::initializer_list<std::string_view> words) {
    test::refuses<InputError>([&] { static_cast<void>(decoded(file, frames)); }, words);
}

}  // namespace

TEST_CASE("frames are spread evenly: floor(i * total / n)", "[input]") {
    const char* name = GENERATE("rgb.mkv", "bgr0.avi");
    for (std::int64_t n = 1; n <= all; ++n) {
        const auto frames = video::read(golden(name), n);
        CAPTURE(name, n);
        REQUIRE(frames.size() == static_cast<std::size_t>(n));
        for (std::int64_t i = 0; i < n; ++i) {
            const auto& frame = frames[static_cast<std::size_t>(i)];
            CHECK(frame.height() == height);
            CHECK(frame.width() == width);
            CHECK(difference(frame.pixels(), expected(i * all / n)) == 0);
        }
    }
    refuses(bytes_of(name), all + 1, {"memory has 11 frames, fewer than the 12"});
}

TEST_CASE("frames come in the order in which they are shown, in every container and coding", "[input]") {
    const char* name =
        GENERATE("h264.mp4", "mpeg4.avi", "vp9.webm", "theora.ogv", "yuv420p.mkv", "flv1.flv", "vp9.ivf", "mpeg2.ts");
    CAPTURE(name);
    const auto frames = video::read(golden(name), all);
    for (std::int64_t t = 0; t < all; ++t) CHECK(nearest_frame(frames[static_cast<std::size_t>(t)]) == t);
    const auto some = decoded(bytes_of(name), 3);
    CHECK(nearest_frame(some[1]) == 3);
    CHECK(nearest_frame(some[2]) == 7);
}

TEST_CASE("colours are FFmpeg's", "[input]") {
    const std::string name = GENERATE("yuv420p", "bt709");
    CAPTURE(name);
    const auto frames = video::read(golden(name + ".mkv"), all);
    const auto file = bytes_of(name + ".rgb");
    constexpr std::size_t size = height * width * 3;
    for (std::size_t t = 0; t < 2; ++t) {
        const std::span values(reinterpret_cast<const std::uint8_t*>(file.data()) + t * size, size);
        CHECK(difference(frames[t].pixels(), values) <= 2);  // vectors of other machines round otherwise
    }
}

TEST_CASE("how many frames there are is what decodes, not what a header says", "[input]") {
    const auto file = bytes_of("bgr0.avi");
    for (const std::uint32_t said : {1U, 5U, 12U, 4000U, 0xffffffffU}) {
        const auto lying = patched(patched(file, "avih", 8 + 16, {said}), "strh", 8 + 32, {said});
        CAPTURE(said);
        const auto frames = decoded(lying, 5);
        for (std::int64_t i = 0; i < 5; ++i)
            CHECK(difference(frames[static_cast<std::size_t>(i)].pixels(), expected(i * all / 5)) == 0);
        refuses(lying, 12, {"11 frames"});
    }
}

TEST_CASE("a video that is cut short is refused, wherever it ends", "[input]") {
    const char* name = GENERATE("rgb.mkv", "bgr0.avi", "h264.mp4", "vp9.webm", "theora.ogv", "mpeg4.avi");
    const auto file = bytes_of(name);
    CAPTURE(name);
    for (std::size_t size = 1; size < file.size(); size += size + 100 < file.size() ? 67 : 1) {
        CAPTURE(size);
        refuses(file.substr(0, size), 1, {"memory"});
    }
    refuses({}, 1, {"memory is empty"});
}

TEST_CASE("a video that is cut inside of a packet is refused", "[input]") {
    const char* name = GENERATE("flv1.flv", "vp9.ivf", "mpeg2.ts");
    const auto file = bytes_of(name);
    CAPTURE(name);
    for (std::size_t size = file.size() - 1; size > file.size() - 9; --size) {
        if (std::string(name) == "flv1.flv" && size == file.size() - 4) continue;  // the end of its last tag
        CAPTURE(size);
        refuses(file.substr(0, size), 1, {"memory"});
    }
}

TEST_CASE("damage that a checksum tells is refused", "[input]") {
    const std::string name = GENERATE("rgb.mkv", "theora.ogv");
    const auto file = bytes_of(name);
    const auto whole = decoded(file, 2);
    int refused = 0;
    for (std::size_t at = 3; at < file.size(); at += 41) {
        auto spoilt = file;
        spoilt[at] = static_cast<char>(spoilt[at] ^ 0x10);
        try {
            const auto frames = decoded(spoilt, 2);
            CHECK(difference(frames[1].pixels(), whole[1].pixels()) == 0);
        } catch (const InputError&) {
            ++refused;
        }
    }
    CAPTURE(name, refused, file.size());
    CHECK(refused > static_cast<int>(file.size() / 41) * 8 / 10);
}

TEST_CASE("damage without a checksum gives an error or frames", "[input]") {
    const char* name = GENERATE("h264.mp4", "mpeg4.avi", "vp9.webm");
    const auto file = bytes_of(name);
    std::uint64_t state = 7;
    const auto next = [&] { return state = state * 6364136223846793005U + 1442695040888963407U, state >> 33U; };
    int refused = 0;
    for (int trial = 0; trial < 60; ++trial) {
        auto spoilt = file;
        for (int i = 0; i < 12; ++i) spoilt[next() % spoilt.size()] = static_cast<char>(next());
        try {
            const auto frames = decoded(spoilt, 2);
            CHECK(frames.size() == 2);
        } catch (const InputError&) {
            ++refused;
        }
    }
    CHECK(refused > 0);
}

TEST_CASE("what is no video is refused by what it is", "[input]") {
    refuses(bytes_of("sound.m4a"), 1, {"no video stream"});
    refuses("GIF89a\x14\x00\x0e\x00\x80\x00\x00", 1, {"no video"});
    refuses(std::string("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00", 20), 1, {"no video"});
    refuses(std::string(5000, '\0'), 1, {"no video"});
    refuses("Once upon a time.", 1, {"no video"});
    test::refuses<InputError>([] { static_cast<void>(video::read(golden(""), 1)); }, {"directory"});
    test::refuses<InputError>([] { static_cast<void>(video::read(golden("nothing.mp4"), 1)); }, {"nothing.mp4"});
    test::refuses<InputError>([] { static_cast<void>(video::read("/dev/null", 1)); }, {"/dev/null", "no file"});
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-3}, std::int64_t{1} << 40U})
        refuses(bytes_of("rgb.mkv"), n, {std::to_string(n) + " frames"});
}

TEST_CASE("a file that refers to others opens none of them", "[input]") {
    const test::Directory directory;
    std::filesystem::copy_file(golden("rgb.mkv"), directory / "rgb.mkv");
    std::filesystem::copy_file(golden("h264.mp4"), directory / "h264.mp4");
    const auto refused = [&](const std::string& name, const std::string& text) {
        test::write_file(directory / name, text);
        test::refuses<InputError>([&] { static_cast<void>(video::read(directory / name, 1)); }, {name, "no video"});
    };
    refused("list.txt", "ffconcat version 1.0\nfile rgb.mkv\n");
    refused("list.mp4", "ffconcat version 1.0\nfile rgb.mkv\n");
    refused("list.m3u8", "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nh264.mp4\n#EXT-X-ENDLIST\n");
    refused("list.sdp",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
            "a=rtpmap:96 H264/90000\n");
}

TEST_CASE("frames too large for memory are refused before it is taken", "[input]") {
    const auto file = bytes_of("bgr0.avi");
    const auto sized = [&](std::uint32_t w, std::uint32_t h) { return patched(file, "strf", 8 + 4, {w, h}); };
    refuses(sized(65535, 65535), 1, {"memory", "65535"});
    refuses(sized(8192, 4353), 1, {"more than 35651584 pixels"});
    refuses(sized(0, 14), 1, {"memory"});
}
