// Resizing: what can be said without Pillow. Its numbers are in tests/golden/images, by way of the processors.
#include "silica/input/image/resize.hpp"

#include "silica/input/image/passes.hpp"

#include <algorithm>
#include <random>

#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;
using image::Filter;
using image::Image;

namespace {

Image random_picture(std::int64_t height, std::int64_t width, std::mt19937& random) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height * width * 3));
    for (auto& level : pixels) level = static_cast<std::uint8_t>(random());
    return {height, width, std::move(pixels)};
}

bool same(const Image& a, const Image& b) {
    return a.height() == b.height() && a.width() == b.width() && std::ranges::equal(a.pixels(), b.pixels());
}

}  // namespace

TEST_CASE("Every set of instructions gives the same bytes, and a part those of the whole") {
    std::mt19937 random(5);
    const auto side = [&](int most) { return static_cast<std::int64_t>(random() % static_cast<unsigned>(most) + 1); };
    for (int i = 0; i < 400; ++i) {
        const auto picture = random_picture(side(60), side(60), random);
        const std::int64_t height = side(70), width = side(70);
        const auto filter = static_cast<Filter>(random() % 6);
        CAPTURE(picture.height(), picture.width(), height, width, static_cast<int>(filter));
        const auto whole = image::resize(picture, height, width, filter);
        const image::Region all{.height = height, .width = width};
        const auto passes = image::baseline_passes();
        CHECK(same(whole, image::resize(picture, height, width, filter, all, passes)));

        image::Region part;
        part.top = side(static_cast<int>(height)) - 1, part.left = side(static_cast<int>(width)) - 1;
        part.height = side(static_cast<int>(height - part.top)), part.width = side(static_cast<int>(width - part.left));
        const auto cut = image::resize(picture, height, width, filter, part);
        REQUIRE(cut.height() == part.height);
        REQUIRE(cut.width() == part.width);
        for (std::int64_t y = 0; y < part.height; ++y) {
            const auto from =
                whole.row(part.top + y).subspan(static_cast<std::size_t>(3 * part.left), cut.row(y).size());
            CHECK(std::ranges::equal(cut.row(y), from));
        }
    }
}

TEST_CASE("A picture of one level keeps it, and one of the same size its pixels") {
    std::mt19937 random(6);
    const Image grey(7, 40, std::vector<std::uint8_t>(7 * 40 * 3, 200));
    for (int filter = 0; filter < 6; ++filter) {
        const auto out = image::resize(grey, 13, 3, static_cast<Filter>(filter));
        CHECK(std::ranges::all_of(out.pixels(), [](std::uint8_t level) { return level == 200; }));
    }
    const auto picture = random_picture(5, 9, random);
    CHECK(image::resize(picture, 5, 9, Filter::lanczos).pixels().data() == picture.pixels().data());
}

TEST_CASE("Sizes that cannot be are refused") {
    std::mt19937 random(7);
    const auto picture = random_picture(5, 9, random);
    test::refuses<InputError>([&] { (void)image::resize(picture, 0, 9, Filter::box); }, {"0 rows and 9 columns"});
    test::refuses<InputError>([&] { (void)image::resize(picture, 5, -1, Filter::box); }, {"-1 columns"});
    test::refuses<InputError>([&] { (void)image::resize(picture, 100'000, 100'000, Filter::box); }, {"178956970"});
    for (const int filter : {-1, 6})
        test::refuses<InputError>([&] { (void)image::resize(picture, 5, 8, static_cast<Filter>(filter)); }, {"filter"});
    for (const image::Region part : {image::Region{0, 0, 6, 9}, image::Region{-1, 0, 2, 2}, image::Region{0, 8, 1, 2},
                                     image::Region{0, 0, 0, 1}}) {
        test::refuses<InputError>([&] { (void)image::resize(picture, 5, 9, Filter::box, part); }, {"outside"});
    }
}
