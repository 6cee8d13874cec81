// Pixels, whoever owns them.
#include "silica/input/image/image.hpp"

#include <array>
#include <limits>
#include <type_traits>

#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;
using image::Image;

namespace {

std::vector<std::uint8_t> counted(std::size_t n) {
    std::vector<std::uint8_t> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::uint8_t>(i);
    return values;
}

}  // namespace

TEST_CASE("An image takes pixels over, and copies of it share them") {
    auto pixels = counted(2 * 5 * 3);
    const auto* where = pixels.data();
    const Image image(2, 5, std::move(pixels));
    CHECK(image.height() == 2);
    CHECK(image.width() == 5);
    CHECK(image.pixels().data() == where);
    CHECK(image.pixels().size() == 30);
    CHECK(image.row(0).data() == where);
    CHECK(image.row(1).size() == 15);
    CHECK(image.row(1)[0] == 15);
    const Image copy = image;
    CHECK(copy.pixels().data() == where);
    std::vector<Image> many(3, image);
    many.resize(1, image);
    CHECK(many[0].row(1)[14] == 29);
}

TEST_CASE("An image wraps pixels of others without a copy, and keeps their owner alive") {
    auto owner = std::make_shared<std::vector<std::uint8_t>>(counted(12));
    const std::weak_ptr<void> alive = owner;
    {
        const Image image(2, 2, *owner, owner);
        const auto* where = owner->data();
        owner.reset();
        CHECK_FALSE(alive.expired());
        CHECK(image.pixels().data() == where);
        CHECK(image.pixels()[11] == 11);
    }
    CHECK(alive.expired());

    const std::array<std::uint8_t, 3> pixel{1, 2, 3};  // the caller keeps these
    const Image one(1, 1, pixel, nullptr);
    CHECK(one.pixels().data() == pixel.data());
}

TEST_CASE("An image refuses sizes that cannot be and pixels of another number") {
    const auto refuses = [](std::int64_t height, std::int64_t width, std::size_t values, std::string_view word) {
        test::refuses<InputError>([&] { Image(height, width, counted(values)); }, {"An image of", word});
        const auto pixels = counted(values);
        test::refuses<InputError>([&] { Image(height, width, pixels, nullptr); }, {"An image of", word});
    };
    refuses(0, 5, 0, "cannot be");
    refuses(5, 0, 0, "cannot be");
    refuses(-1, -3, 9, "cannot be");
    refuses(2, 5, 29, "has 30 values, and was given 29");
    refuses(2, 5, 31, "given 31");
    refuses(2, 5, 10, "given 10");
    refuses(1, 1, 0, "given 0");
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    refuses(most, most, 3, "cannot be");
    refuses(most / 2, 3, 3, "cannot be");
    refuses(std::int64_t{1} << 32, std::int64_t{1} << 32, 0, "cannot be");  // the product is 0 modulo 2^64
}
