// Boxes, texts and segments in pictures, pixel by pixel; PNG files that are whole or not there.
#include "silica/input/image/draw.hpp"

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "silica/core/error.hpp"
#include "silica/input/image/font.hpp"
#include "silica/input/image/read.hpp"
#include "silica/input/image/write_png.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/refuses.hpp"

using namespace silica;
using image::Colour;
using image::Image;

namespace {

/// A picture of one level.
Image plain(std::int64_t height, std::int64_t width, std::uint8_t level) {
    return {height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * 3), level)};
}

Colour at(const Image& image, std::int64_t y, std::int64_t x) {
    const auto row = image.row(y);
    const auto i = static_cast<std::size_t>(3 * x);
    return {row[i], row[i + 1], row[i + 2]};
}

/// Rows of a picture as text: '.' for what is as before, '#' for `colour`, 'o' for black, 'w' for white, '?' for
/// others.
std::vector<std::string> seen(const Image& image, Colour before, Colour colour) {
    std::vector<std::string> rows;
    for (std::int64_t y = 0; y < image.height(); ++y) {
        auto& row = rows.emplace_back();
        for (std::int64_t x = 0; x < image.width(); ++x) {
            const auto c = at(image, y, x);
            row += c == before                  ? '.'
                   : c == colour                ? '#'
                   : c == Colour{0, 0, 0}       ? 'o'
                   : c == Colour{255, 255, 255} ? 'w'
                                                : '?';
        }
    }
    return rows;
}

using Rows = std::vector<std::string>;
constexpr Colour grey = {100, 100, 100};

}  // namespace

TEST_CASE("a box is a frame, its text stands above it", "[input]") {
    const auto picture = plain(16, 15, 100);
    const std::vector<image::DrawnBox> boxes = {{.corners = {2.4, 10.9, 8.2, 14.0}, .text = "1", .number = 1}};
    const auto drawn = image::draw_boxes(picture, boxes);
    const auto colour = image::colour_of(1);
    // The upper left pixel is (2, 10), the lower right (8, 14).
    CHECK(seen(drawn, grey, colour) == Rows{"...............",  //
                                            "..#######......",  //
                                            "..###w###......",  //
                                            "..##ww###......",  //
                                            "..###w###......",  //
                                            "..###w###......",  //
                                            "..###w###......",  //
                                            "..###w###......",  //
                                            "..##www##......",  //
                                            "..#######......",  //
                                            "..#######......",  //
                                            "..#.....#......",  //
                                            "..#.....#......",  //
                                            "..#.....#......",  //
                                            "..#######......",  //
                                            "..............."});
    CHECK(at(picture, 10, 2) == grey);  // the original stays
}

TEST_CASE("boxes are cut at the edges, and their texts moved inside", "[input]") {
    const auto picture = plain(12, 9, 100);
    const auto rows = [&](std::array<double, 4> corners, const char* text) {
        return seen(image::draw_boxes(picture, std::vector<image::DrawnBox>{{.corners = corners, .text = text}}), grey,
                    image::colour_of(0));
    };
    CHECK(rows({-5, 3, 3, 500}, "") == Rows{".........", ".........", ".........", "####.....", "...#.....",
                                            "...#.....", "...#.....", "...#.....", "...#.....", "...#.....",
                                            "...#.....", "...#....."});
    const auto inside = rows({7, -2, 30, 30}, "-");
    CHECK(inside[0] == "..#######");
    CHECK(inside[4] == "..#wwwww#");
    CHECK(inside[8] == "..#######");
    CHECK(inside[9] == ".......#.");
    for (const auto& row : rows({1e300, 1e300, 1e301, 1e301}, "")) CHECK(row == ".........");
    CHECK(rows({5, 5, 2, 2}, "") == rows({500, 5, 600, 2}, ""));  // turned around: nothing
    CHECK(rows({0, 0, 8, 11}, "long words").size() == 12);
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
        test::refuses<InputError>([&] { static_cast<void>(rows({0, 0, bad, 1}, "")); }, {"corner"});
    }
}

TEST_CASE("lines and letters grow with the picture", "[input]") {
    const auto drawn =
        image::draw_boxes(plain(480, 600, 100), std::vector<image::DrawnBox>{{{50, 50, 99, 99}, "I", 0}});
    const auto rows = seen(drawn, grey, image::colour_of(0));
    CHECK(rows[49].substr(48, 20) == "..##############....");
    CHECK(rows[51].substr(48, 6) == "..####");
    CHECK(rows[52].substr(48, 6) == "..##..");
    CHECK(rows[99].substr(48, 6) == "..####");
    CHECK(rows[100].substr(48, 6) == "......");
    CHECK(rows[34].substr(48, 18) == "..####wwwwww####..");
    CHECK(rows[36].substr(48, 18) == "..######ww######..");
}

TEST_CASE("every printable character has a picture of its own, others are '?'", "[input]") {
    std::set<image::Glyph> glyphs;
    for (char c = ' '; c <= '~'; ++c) glyphs.insert(image::glyph_of(c));
    CHECK(glyphs.size() == 95);
    CHECK(image::glyph_of(' ') == image::Glyph{});
    CHECK(image::glyph_of('\n') == image::glyph_of('?'));
    const auto written = [](const char* text) {
        const auto drawn =
            image::draw_boxes(plain(20, 60, 100), std::vector<image::DrawnBox>{{{1, 12, 50, 18}, text, 3}});
        return std::vector(drawn.pixels().begin(), drawn.pixels().end());
    };
    CHECK(written("na\xc3\xafve") == written("na?ve"));
    CHECK(written("naive") != written("na?ve"));
}

TEST_CASE("colours differ from their neighbours, and nothing is black", "[input]") {
    std::set<Colour> all;
    for (std::int64_t n = 0; n < 200; ++n) {
        const auto c = image::colour_of(n), next = image::colour_of(n + 1);
        all.insert(c);
        CHECK(std::abs(c[0] - next[0]) + std::abs(c[1] - next[1]) + std::abs(c[2] - next[2]) > 150);
    }
    CHECK(all.size() > 180);
    CHECK(image::colour_of(-1) == Colour{0, 0, 0});
}

TEST_CASE("segments are laid over the picture, or shown by their colours alone", "[input]") {
    const std::vector<std::int32_t> numbers = {0, 1, 2, -1, 0, 2};
    const auto over = image::draw_segments(plain(2, 3, 100), numbers);
    const auto half = [](Colour c) {
        Colour made{};
        for (std::size_t i = 0; i < 3; ++i) made[i] = static_cast<std::uint8_t>((100 + c[i] + 1) / 2);
        return made;
    };
    CHECK(at(over, 0, 0) == grey);
    CHECK(at(over, 0, 1) == half(image::colour_of(1)));
    CHECK(at(over, 0, 2) == half(image::colour_of(2)));
    CHECK(at(over, 1, 0) == grey);
    CHECK(at(over, 1, 2) == half(image::colour_of(2)));
    const auto alone = image::segment_colours(2, 3, numbers);
    CHECK(at(alone, 0, 0) == Colour{0, 0, 0});
    CHECK(at(alone, 0, 1) == image::colour_of(1));
    const auto classes = image::segment_colours(3, 2, numbers, -1);
    CHECK(at(classes, 0, 0) == image::colour_of(0));
    CHECK(at(classes, 1, 1) == Colour{0, 0, 0});
    test::refuses<InputError>([&] { static_cast<void>(image::draw_segments(plain(2, 2, 0), numbers)); }, {"6 numbers"});
    test::refuses<InputError>([&] { static_cast<void>(image::segment_colours(0, 6, numbers)); }, {"0 rows"});
}

TEST_CASE("a PNG file that was written reads as the same picture", "[input]") {
    const test::Directory directory;
    std::vector<std::uint8_t> values(7 * 5 * 3);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(37 * i);
    const Image picture(7, 5, values);
    image::write_png(directory / "a.png", picture);
    image::write_png(directory / "a.png", picture);  // in place of itself
    const auto back = image::read(directory / "a.png");
    CHECK(back.height() == 7);
    CHECK(back.width() == 5);
    CHECK(std::vector(back.pixels().begin(), back.pixels().end()) == values);
    const auto encoded = image::encode_png(plain(1, 1, 9));
    CHECK(at(image::decode(encoded, "memory"), 0, 0) == Colour{9, 9, 9});

    const auto files = [&] { return std::distance(std::filesystem::directory_iterator(directory.path()), {}); };
    CHECK(files() == 1);
    std::filesystem::create_directory(directory / "taken");
    test::write_file(directory / "taken/inside", "");
    test::refuses<InputError>([&] { image::write_png(directory / "none/a.png", picture); }, {"none/a.png"});
    test::refuses<InputError>([&] { image::write_png(directory / "taken", picture); }, {"taken"});
    CHECK(files() == 2);

    // A link leads to the file.
    std::filesystem::create_symlink("a.png", directory / "link.png");
    image::write_png(directory / "link.png", plain(1, 1, 9));
    CHECK(std::filesystem::is_symlink(directory / "link.png"));
    CHECK(image::read(directory / "a.png").height() == 1);
    std::filesystem::remove(directory / "a.png");
    image::write_png(directory / "link.png", picture);  // which leads nowhere now: it is replaced
    CHECK(image::read(directory / "link.png").height() == 7);
    CHECK(files() == 2);
}
