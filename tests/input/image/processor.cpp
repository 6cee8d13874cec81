// Processors against transformers' PIL processors, bit for bit.
#include "silica/input/image/processor.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "support/catch.hpp"
#include "support/refuses.hpp"

#include "input/image/golden.hpp"

using namespace silica;
using test::ImagesGolden;

namespace {

/// A value of the index as JSON again.
std::string json_of(const Json& value) {
    if (value.is_array() || value.is_object()) {
        std::string text;
        if (value.is_array()) {
            for (const auto& each : value.array()) text += (text.empty() ? "" : ", ") + json_of(each);
            return "[" + text + "]";
        }
        for (const auto& [key, each] : value.object())
            text += (text.empty() ? "\"" : ", \"") + key + "\": " + json_of(each);
        return "{" + text + "}";
    }
    if (value.is_string()) return '"' + value.string() + '"';
    if (value.is_bool()) return value.boolean() ? "true" : "false";
    if (value.is_null()) return "null";
    if (value.is_integer()) return std::to_string(value.integer());
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", value.number());
    return text;
}

std::vector<image::Image> pictures_of(const Json& entry) {
    std::vector<image::Image> made;
    for (const auto& file : entry.find("files")->array()) made.push_back(ImagesGolden::picture(file));
    return made;
}

void write_config(const test::Directory& directory, const Json& entry) {
    test::write_file(directory / "preprocessor_config.json", json_of(*entry.find("config")));
    if (const auto* type = entry.find("model_type"); type && type->is_string())
        test::write_file(directory / "config.json", R"({"model_type": ")" + type->string() + "\"}");
}

image::Processor open_with(const std::string& config) {
    const test::Directory directory;
    test::write_file(directory / "preprocessor_config.json", config);
    return image::Processor::open(directory.path());
}

void refuses_config(const std::string& config, std::initializer_list<std::string_view> words) {
    CAPTURE(config);
    test::refuses<ConfigError>([&] { (void)open_with(config); }, words);
}

}  // namespace

TEST_CASE("Processors make the tensors of transformers, to the bit") {
    const ImagesGolden golden;
    for (const auto& entry : golden.entries("processors")) {
        const test::Directory directory;
        write_config(directory, entry);
        CAPTURE(json_of(entry));
        const auto processor = image::Processor::open(directory.path());
        const auto pixels = processor(pictures_of(entry));

        std::vector<std::int64_t> shape;
        for (const auto& side : entry.find("shape")->array()) shape.push_back(side.integer());
        REQUIRE(pixels.shape == shape);
        const bool tiles = processor.config().family == image::ProcessorConfig::Family::llava_next;
        CHECK(processor.frames_of_video() == (shape.size() == 5 && !tiles));
        std::size_t count = 1;
        for (const auto side : shape) count *= static_cast<std::size_t>(side);
        const auto at = entry.find("at")->integer();
        const auto equal = [&](const auto& values) {
            using T = typename std::remove_cvref_t<decltype(values)>::value_type;
            CHECK(entry.find("dtype")->string() == (std::is_same_v<T, float> ? "float32" : "uint8"));
            CHECK(values == golden.numbers<T>(at, count));
        };
        std::visit(equal, pixels.values);

        const auto* mask = entry.find("mask_at");
        REQUIRE(pixels.mask.has_value() == !mask->is_null());
        if (pixels.mask) CHECK(*pixels.mask == golden.numbers<std::int64_t>(mask->integer(), count / 3));
    }
    CHECK(golden.entries("processors").size() > 30);
}

TEST_CASE("What transformers refuses is refused, by file and key") {
    const ImagesGolden golden;
    for (const auto& entry : golden.entries("failures")) {
        const test::Directory directory;
        write_config(directory, entry);
        CAPTURE(json_of(entry));
        std::string text;
        try {
            (void)image::Processor::open(directory.path())(pictures_of(entry));
        } catch (const Error& error) {
            text = error.what();
            CHECK_FALSE(error.remedy().empty());
        }
        CAPTURE(text);
        for (const auto& word : entry.find("words")->array()) {
            CAPTURE(word.string());
            CHECK(test::contains(text, word.string()));
        }
    }
}

TEST_CASE("Values that no step can work with are refused") {
    const std::string vit = R"({"image_processor_type": "ViTImageProcessor", )";
    refuses_config(vit + R"("resample": "bicubic"})", {"resample is 'bicubic'"});
    refuses_config(vit + R"("resample": 6})", {"resample is 6", "from 0 to 5"});
    refuses_config(vit + R"("do_resize": "false"})", {"do_resize", "true or false"});
    refuses_config(vit + R"("do_resize": 2})", {"do_resize"});
    refuses_config(vit + R"("size": 100000000})", {"size"});
    refuses_config(vit + R"("size": [1, 2, 3]})", {"size", "two numbers"});
    refuses_config(vit + R"("image_std": 0})", {"image_std of 0"});
    refuses_config(vit + R"("image_std": 1e-60})", {"image_std of 0"});
    refuses_config(vit + R"("image_mean": "0.5"})", {"image_mean"});
    refuses_config(vit + R"("rescale_factor": NaN})", {"rescale_factor", "finite"});
    refuses_config(R"({"image_processor_type": 3})", {"image_processor_type"});
    refuses_config("[1]", {"no JSON object"});
    refuses_config("{", {"preprocessor_config.json"});
    CHECK(open_with(vit + R"("do_resize": 0, "resample": "bicubic", "image_mean": [1]  , "do_normalize": false})")
              .config()
              .do_normalize == false);
}

TEST_CASE("Steps that a program gives are checked as those of a file") {
    using image::ProcessorConfig;
    using Family = ProcessorConfig::Family;
    const auto refuses = [](Family family, std::string_view word, const auto& change) {
        auto config = ProcessorConfig::of(family);
        image::Processor{config};
        change(config);
        test::refuses<ConfigError>([&] { image::Processor{config}; }, {word});
    };
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<image::SizeRule> none = {
        {},
        {.height = 3},
        {.height = -1, .width = 2},
        {.shortest_edge = -2},
        {.longest_edge = 9},
        {.max_height = 4},
        {.height = std::int64_t{1} << 40, .width = 1},
    };
    for (const auto& rule : none) refuses(Family::vit, "a size that is none", [&](auto& c) { c.size = rule; });
    refuses(Family::clip, "crop_size", [](auto& c) { c.crop_size = std::nullopt; });
    refuses(Family::clip, "crop_size", [](auto& c) { c.crop_size = image::SizeRule{.shortest_edge = 3}; });
    refuses(Family::detr, "pad_size", [](auto& c) { c.pad_size = image::SizeRule{.height = 3}; });
    refuses(Family::vit, "a family", [](auto& c) { c.family = static_cast<Family>(99); });
    refuses(Family::vit, "resample", [](auto& c) { c.resample = static_cast<image::Filter>(6); });
    refuses(Family::vit, "rescale_factor", [&](auto& c) { c.rescale_factor = nan; });
    refuses(Family::vit, "image_mean", [&](auto& c) { c.image_mean[1] = nan; });
    refuses(Family::vit, "image_std", [](auto& c) { c.image_std[2] = 0; });
    refuses(Family::llava, "no colour", [](auto& c) {
        c.pad_to_square = true;
        c.image_mean[0] = -4;
    });
    refuses(Family::llava_next, "no tiles", [](auto& c) { c.image_grid_pinpoints.clear(); });
    refuses(Family::llava_next, "no sizes", [](auto& c) { c.image_grid_pinpoints.assign(1, {336, 0}); });
    refuses(Family::llava_next, "4096 tiles", [](auto& c) { c.image_grid_pinpoints.assign(1, {1 << 20, 336}); });
    auto unused = ProcessorConfig::of(Family::vit);  // what no step uses may be anything
    unused.do_resize = unused.do_normalize = false;
    unused.size = {};
    unused.image_std = {0, 0, 0};
    image::Processor{unused};
}

TEST_CASE("The file is processor_config.json where that has an image_processor, else preprocessor_config.json") {
    const auto side_of = [](const test::Directory& directory) {
        return image::Processor::open(directory.path()).config().size.height;
    };
    const test::Directory directory;
    test::refuses<ConfigError>([&] { (void)side_of(directory); }, {"no image processor", "preprocessor_config.json"});
    test::write_file(directory / "processor_config.json", R"({"processor_class": "CLIPProcessor"})");
    test::refuses<ConfigError>([&] { (void)side_of(directory); }, {"no image processor"});
    test::write_file(directory / "preprocessor_config.json",
                     R"({"image_processor_type": "ViTImageProcessor", "size": 3})");
    CHECK(side_of(directory) == 3);
    test::write_file(directory / "processor_config.json",
                     R"({"image_processor": {"image_processor_type": "ViTImageProcessorFast", "size": 5}})");
    CHECK(side_of(directory) == 5);
    test::write_file(directory / "processor_config.json", R"({"image_processor": {"size": true}})");
    test::write_file(directory / "config.json", R"({"model_type": "deit"})");
    test::refuses<ConfigError>([&] { (void)side_of(directory); }, {"processor_config.json: image_processor.size"});
}

TEST_CASE("A batch of nothing, and one that no memory holds, is refused") {
    const auto none = open_with(R"({"image_processor_type": "ViTImageProcessor"})");
    test::refuses<InputError>([&] { (void)none(std::span<const image::Image>()); }, {"no picture"});
    const auto large = open_with(R"({"image_processor_type": "ViTImageProcessor", "size": [20000, 20000]})");
    const image::Image pixel(1, 1, std::vector<std::uint8_t>(3));
    test::refuses<InputError>([&] { (void)large({&pixel, 1}); }, {"20000 rows and 20000 columns"});
    const auto wide = open_with(R"({"image_processor_type": "CLIPImageProcessor", "do_center_crop": false})");
    const image::Image line(1, 9'000, std::vector<std::uint8_t>(27'000));
    test::refuses<InputError>([&] { (void)wide({&line, 1}); }, {"1 x 9000", "2016000"});
    constexpr auto most = std::numeric_limits<std::int64_t>::max(), least = std::numeric_limits<std::int64_t>::min();
    for (const image::Extent size : {image::Extent{0, 3}, {3, -1}, {least, 3}, {3, most}, {most, most}}) {
        for (const auto* processor : {&none, &wide})
            test::refuses<InputError>([&] { (void)processor->size_of(size); }, {"no picture"});
    }
}
