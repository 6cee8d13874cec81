// Pictures of every kind against Pillow's pixels, and files that must be refused.
#include "silica/input/image/read.hpp"

#include "silica/input/image/orientation.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "support/catch.hpp"
#include "support/refuses.hpp"

#include "input/image/golden.hpp"

using namespace silica;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// The largest difference of two pictures' levels.
int difference(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
    int most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
    return most;
}

}  // namespace

TEST_CASE("Pictures have the pixels that Pillow gives them, upright") {
    const test::ImagesGolden golden;
    std::size_t exact = 0;
    for (const auto& entry : golden.entries("pictures")) {
        CAPTURE(entry.find("file")->string());
        const auto picture = test::ImagesGolden::picture(*entry.find("file"));
        REQUIRE(picture.height() == entry.find("height")->integer());
        REQUIRE(picture.width() == entry.find("width")->integer());
        const auto want = golden.numbers<std::uint8_t>(entry.find("at")->integer(), picture.pixels().size());
        const int most = difference(picture.pixels(), want);
        // Where the decoder rounds, another version of it may do so otherwise.
        const bool is_exact = entry.find("exact")->boolean();
        CHECK(most <= (is_exact ? 0 : 1));
        exact += is_exact ? 1 : 0;
    }
    CHECK(golden.entries("pictures").size() > 50);
    CHECK(exact > 25);
}

TEST_CASE("A file in memory is the same picture") {
    const auto path = test::ImagesGolden::directory() / "pictures" / "exif_6.jpg";
    const auto file = test::read_file(path);
    const auto in_memory = image::decode(bytes_of(file), "six");
    const auto from_file = image::read(path);
    CHECK(in_memory.height() == from_file.height());
    CHECK(std::equal(in_memory.pixels().begin(), in_memory.pixels().end(), from_file.pixels().begin(),
                     from_file.pixels().end()));
}

TEST_CASE("What is no picture, damaged or too large is refused by name") {
    const test::ImagesGolden golden;
    for (const auto& entry : golden.entries("refused")) {
        const auto path = test::ImagesGolden::directory() / "refused" / entry.find("file")->string();
        CAPTURE(path.string());
        std::string text;
        try {
            (void)image::read(path);
        } catch (const InputError& error) {
            text = error.what();
            CHECK_FALSE(error.remedy().empty());
        }
        CAPTURE(text);
        for (const auto& word : entry.find("words")->array()) {
            CAPTURE(word.string());
            CHECK(test::contains(text, word.string()));
        }
        CHECK(text.find('\n') == std::string::npos);
        // In memory it is refused in the same words, but for the name.
        test::refuses<InputError>([&] { (void)image::decode(bytes_of(test::read_file(path)), "it"); },
                                  {"it ", "Remedy: "});
    }
    CHECK(golden.entries("refused").size() > 35);
}

TEST_CASE("Paths that are no files are refused") {
    const test::Directory directory;
    test::refuses<InputError>([&] { (void)image::read(directory / "none.jpg"); }, {"none.jpg", "no such file"});
    test::refuses<InputError>([&] { (void)image::read(directory.path()); },
                              {directory.path().string(), "it is no file"});
    test::refuses<InputError>([&] { (void)image::decode({}, "nothing"); }, {"nothing is empty"});
}

TEST_CASE("Every beginning of a file is refused or read, and no more") {
    for (const char* name :
         {"progressive.jpg", "cmyk.jpg", "interlaced.png", "palette_4.png", "exif_7.webp", "lossy.webp"}) {
        CAPTURE(name);
        const auto file = test::read_file(test::ImagesGolden::directory() / "pictures" / name);
        const auto whole = image::decode(bytes_of(file), name);
        std::size_t read = 0;
        for (std::size_t size = 0; size < file.size(); ++size) {
            try {
                const auto part = image::decode(bytes_of(file).first(size), name);
                CHECK(difference(part.pixels(), whole.pixels()) == 0);
                ++read;
            } catch (const InputError&) {
            }
        }
        // What is behind the pixels may be missing: the end of a PNG.
        CHECK(read <= 13);
    }
}

TEST_CASE("An orientation turns a picture as its eight values say") {
    // 1 2 3
    // 4 5 6
    std::vector<std::uint8_t> pixels;
    for (std::uint8_t i = 1; i <= 6; ++i) pixels.insert(pixels.end(), {i, 0, 9});
    const image::Image picture(2, 3, pixels);
    const auto turned = [&](int orientation) {
        const auto out = image::upright(picture, orientation, "it");
        std::string text = std::to_string(out.height()) + ":";
        for (std::size_t i = 0; i < out.pixels().size(); i += 3) text += std::to_string(out.pixels()[i]);
        return text;
    };
    CHECK(turned(1) == "2:123456");
    CHECK(turned(2) == "2:321654");
    CHECK(turned(3) == "2:654321");
    CHECK(turned(4) == "2:456123");
    CHECK(turned(5) == "3:142536");
    CHECK(turned(6) == "3:415263");
    CHECK(turned(7) == "3:635241");
    CHECK(turned(8) == "3:362514");
    CHECK(turned(0) == "2:123456");
    CHECK(turned(9) == "2:123456");
}

TEST_CASE("Blocks of EXIF that are damaged have no orientation") {
    using namespace std::string_literals;
    const auto orientation = [](const std::string& block) { return image::exif_orientation(bytes_of(block)); };
    const auto block = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"s;
    CHECK(orientation(block) == 6);
    CHECK(orientation("Exif\0\0"s + block) == 6);
    for (std::size_t size = 0; size < 22; ++size) CHECK_FALSE(orientation(block.substr(0, size)));
    CHECK_FALSE(orientation("II*\0\xff\xff\xff\xff"s));                                    // a directory far away
    CHECK_FALSE(orientation("II*\0\x08\0\0\0\xff\xff"s));                                  // of many entries
    CHECK_FALSE(orientation("II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x01\0\0\0\x06\0\0\0"s));  // text
    CHECK_FALSE(orientation("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x02\0\0\0\x06\0\0\0"s));  // two numbers
    CHECK_FALSE(orientation("IM*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"s));
    CHECK(image::xmp_orientation("tiff:Orientation tiff:Orientation=\"3\"") == 3);
    CHECK_FALSE(image::xmp_orientation("tiff:Orientation=\""));
}
