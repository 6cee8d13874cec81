// The code of docs/images.md.
#include "silica/input/image/processor.hpp"
#include "silica/input/image/read.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

TEST_CASE("A file becomes a tensor") {
    const silica::test::Directory place;
    const auto& directory = place.path();
    silica::test::write_file(place / "preprocessor_config.json", R"({"image_processor_type": "ViTImageProcessor"})");
    const auto file = std::filesystem::path(SILICA_TESTS_DIR) / "golden/images/pictures/baseline.jpg";

    const auto processor = silica::image::Processor::open(directory);  // preprocessor_config.json beside the weights
    const auto picture = silica::image::read(file);                    // upright, red, green and blue
    const auto pixels = processor({&picture, 1});                      // pixels.shape is (1, 3, height, width)

    CHECK(pixels.shape == std::vector<std::int64_t>{1, 3, 224, 224});
}
