// The example of docs/image-text.md.
#include "silica/input/image/read.hpp"
#include "silica/input/image/write_png.hpp"

#include "input/image_text/golden.hpp"

using namespace silica;

TEST_CASE("The example of the page on pictures among text") {
    const test::Directory made;
    const auto directory = test::image_text_golden("llava");
    const auto file = made / "cat.png";
    image::write_png(file, test::formula_picture(30, 41, 1));
    // clang-format off
const auto processor = silica::image_text::Processor::open(directory);
const auto picture = silica::image::read(file);
const auto inputs = processor("USER: <image>\nWhat is this? ASSISTANT:", {&picture, 1});
    // clang-format on
    CHECK(inputs.image_tokens == std::vector<std::int64_t>{16});
    CHECK(inputs.ids.size() == inputs.mask.size());
    CHECK(inputs.pictures->pixels.shape == std::vector<std::int64_t>{1, 3, 16, 16});
}
