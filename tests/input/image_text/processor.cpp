// Prompts with pictures against transformers' processors, to the bit; and what is refused.
#include "silica/input/image_text/processor.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "input/image_text/golden.hpp"
#include "silica/input/image_text/token_count.hpp"
#include "support/refuses.hpp"

using namespace silica;
using image_text::Processor;

namespace {

/// The tokenizer of the golden checkpoints, and files.
void fill(const test::Directory& directory, const Json& files) {
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
        test::write_file(directory / name, test::read_file(test::image_text_golden("llava") / name));
    for (const auto& [name, text] : files.object()) test::write_file(directory / name, text.string());
}

void check_prompt(const Processor& processor, const Json& entry) {
    const auto& text = entry.find("text")->string();
    const auto pictures = test::pictures_of(entry);
    CAPTURE(text, pictures.size(), pictures.empty() ? 0 : pictures[0].height(),
            pictures.empty() ? 0 : pictures[0].width());
    const auto prompt = processor.prompt_of(text, pictures);
    CHECK(prompt.text == entry.find("prompt")->string());
    const auto inputs = processor(prompt, pictures);
    CHECK(inputs.ids == test::integers_of(*entry.find("ids")));
    CHECK(std::ranges::count(inputs.mask, 1) == static_cast<std::ptrdiff_t>(inputs.ids.size()));
    CHECK(std::accumulate(inputs.image_tokens.begin(), inputs.image_tokens.end(), std::int64_t{0}) ==
          std::ranges::count(inputs.ids, processor.image_token_id().value()));
    REQUIRE(inputs.pictures.has_value() == !pictures.empty());
    if (pictures.empty()) return;
    CHECK(inputs.pictures->pixels.shape == test::integers_of(*entry.find("shape")));
    CHECK(test::fnv(std::span(std::get<std::vector<float>>(inputs.pictures->pixels.values))) ==
          entry.find("pixels")->string());
    const Json* sizes = entry.find("image_sizes");
    REQUIRE(inputs.pictures->image_sizes.size() == (sizes ? pictures.size() : 0));
    for (std::size_t i = 0; sizes && i < pictures.size(); ++i) {
        const auto size = test::integers_of(sizes->array()[i]);
        CHECK(inputs.pictures->image_sizes[i] == image::Extent{size[0], size[1]});
    }
}

/// A directory of a golden case with some files replaced; an empty text removes one.
class Spoilt {
public:
    explicit Spoilt(const std::string& name) {
        std::filesystem::copy(test::image_text_golden(name), directory_.path());
    }
    void write(const std::string& name, const std::string& text) const { test::write_file(directory_ / name, text); }
    void remove(const std::string& name) const { std::filesystem::remove(directory_ / name); }
    /// Replaces a text in a file, which is there.
    void replace(const std::string& name, const std::string& from, const std::string& to) const {
        auto text = test::read_file(directory_ / name);
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        write(name, text.replace(at, from.size(), to));
    }
    [[nodiscard]] Processor open() const { return Processor::open(directory_.path()); }
    void refuses(std::initializer_list<std::string_view> words) const {
        test::refuses<ConfigError>([&] { (void)open(); }, words);
    }

private:
    test::Directory directory_;
};

const std::vector<image::Image> one = {test::formula_picture(30, 41, 1)};

}  // namespace

TEST_CASE("Prompts of the golden checkpoints are those of transformers") {
    for (const std::string name : {"llava", "llava_next"}) {
        const auto processor = Processor::open(test::image_text_golden(name));
        const Json golden = test::image_text_json(name + "/answers.json");
        for (const auto& entry : golden.find("answers")->array()) check_prompt(processor, entry);
    }
}

TEST_CASE("Processors of many kinds make the tensors of transformers, to the bit") {
    const Json golden = test::image_text_json("processors.json");
    for (const auto& entry : golden.array()) {
        const test::Directory directory;
        fill(directory, *entry.find("files"));
        for (const auto& [name, text] : entry.find("files")->object()) UNSCOPED_INFO(name << ": " << text.string());
        const auto processor = Processor::open(directory.path());
        for (const auto& prompt : entry.find("prompts")->array()) check_prompt(processor, prompt);
    }
}

TEST_CASE("Tokens are counted without looking at pixels") {
    const auto processor = Processor::open(test::image_text_golden("llava_next"));
    const auto picture = test::formula_picture(480, 640, 0);
    const auto tokens = processor.tokens({.text = "<image>"}, {&picture, 1});
    CHECK(tokens.image_tokens == std::vector{processor.tokens_of(picture)});
    CHECK(processor.tokens_of(picture) == 16 + 6 * 8 + 6);  // 2 x 2 tiles of 4 x 4 patches, two rows of them padding
}

TEST_CASE("Messages with pictures") {
    const auto processor = Processor::open(test::image_text_golden("llava"));
    const std::vector<image_text::Message> chat = {
        {"user", {std::string("what?"), one[0]}}, {"assistant", {std::string("a cat")}}, {"user", {one[0], "where?"}}};
    const auto prompt = processor.prompt_of(chat);
    CHECK(prompt.text == "USER: <image>\nwhat? ASSISTANT: a cat USER: <image>\nwhere? ASSISTANT:");
    CHECK(prompt.add_special_tokens);
    CHECK(image_text::images_of(chat).size() == 2);
    CHECK(processor(prompt, image_text::images_of(chat)).image_tokens == std::vector<std::int64_t>{16, 16});
}

TEST_CASE("Where a template comes from") {
    const Spoilt files("llava");
    files.write("chat_template.jinja", "jinja");
    CHECK(files.open().prompt_of("hi", one).text.starts_with("USER: <image>"));
    files.write("chat_template.json", R"({"chat_template": "json"})");
    CHECK(files.open().prompt_of("hi", one).text == "json");
    files.replace("processor_config.json", "{", R"({"chat_template": "key",)");
    CHECK(files.open().prompt_of("hi", one).text == "key");
    files.replace("processor_config.json", R"("chat_template": "key",)", "");
    files.remove("chat_template.json");
    CHECK(files.open().prompt_of("hi", one).text == "jinja");
    files.remove("chat_template.jinja");
    const auto bare = files.open();
    CHECK_FALSE(bare.has_template());
    CHECK(bare.prompt_of("hi", one).text == "<image>\nhi");
    CHECK(bare.prompt_of("hi", {}).text == "hi");
    const auto message = image_text::user_message(one, "hi");
    test::refuses<ConfigError>([&] { (void)bare.prompt_of(std::span(&message, 1)); }, {"no chat template"});
    files.write("chat_template.json", R"({"chat_template": "{{ oops"})");
    files.refuses({"chat_template.json"});
}

TEST_CASE("Prompts that do not fit their pictures are refused with both numbers") {
    const auto processor = Processor::open(test::image_text_golden("llava"));
    const std::vector<image::Image> two = {one[0], one[0]};
    test::refuses<InputError>([&] { (void)processor("<image> <image><image>", two); },
                              {"3 image tokens", "2 pictures"});
    test::refuses<InputError>([&] { (void)processor("none", one); }, {"0 image tokens", "1 picture."});
    test::refuses<InputError>([&] { (void)processor("<image>", {}); }, {"1 image tokens", "0 pictures"});
    test::refuses<InputError>([&] { (void)processor.pictures({}); }, {"no picture"});
}

TEST_CASE("Files that cannot be are refused") {
    const auto spoilt = [](const std::string& name, const std::string& file, const std::string& from,
                           const std::string& to, std::initializer_list<std::string_view> words) {
        CAPTURE(name, file, from, to);
        const Spoilt files(name);
        files.replace(file, from, to);
        files.refuses(words);
    };
    const std::string own = "processor_config.json", flat = "preprocessor_config.json";
    spoilt("llava", own, R"("patch_size": 4)", R"("patch_size": 0)", {own, "patch_size", "0"});
    spoilt("llava", own, R"("patch_size": 4)", R"("patch_size": "four")", {own, "patch_size"});
    spoilt("llava", own, R"("default")", R"("some")", {own, "vision_feature_select_strategy", "full"});
    spoilt("llava", own, R"("num_additional_image_tokens": 1)", R"("num_additional_image_tokens": -1)", {own, "-1"});
    spoilt("llava", own, R"("<image>")", R"("")", {own, "image_token"});
    spoilt("llava", own, "LlavaProcessor", "FuyuProcessor", {"FuyuProcessor", "LLaVA"});
    spoilt("llava", own, "LlavaProcessor", "LlavaNextProcessor", {"image processor"});
    spoilt("llava", flat, "CLIPImageProcessor", "LlavaNextImageProcessor", {"image processor", "LLaVA-NeXT"});
    spoilt("llava", flat, "CLIPImageProcessor", "FuyuImageProcessor", {"FuyuImageProcessor"});
    spoilt("llava_next", own, R"("image_grid_pinpoints": [)", R"("image_grid_pinpoints": [[16],)",
           {own, "image_grid_pinpoints[0]", "two numbers"});
    spoilt("llava_next", own, R"("image_grid_pinpoints": [)", R"("image_grid_pinpoints": [[99999, 99999],)",
           {own, "tiles", "4096"});
    spoilt("llava_next", own, R"("image_grid_pinpoints": [)", R"("image_grid_pinpoints": [[0, 16],)", {own, "0"});
    spoilt("llava_next", own, R"("image_grid_pinpoints": [)", R"("image_grid_pinpoints": [], "grids": [)",
           {own, "no image_grid_pinpoints"});
    const Spoilt nothing("llava");
    nothing.write(own, "[]");
    nothing.refuses({own, "no JSON object"});
}

TEST_CASE("Pictures that no token stands for, and tokenizers without the image token, are refused") {
    const Spoilt coarse("llava");
    coarse.replace("processor_config.json", R"("patch_size": 4)", R"("patch_size": 40)");
    test::refuses<ConfigError>([&] { (void)coarse.open()("<image>", one); }, {"16 x 16", "patch_size of 40"});
    const Spoilt other("llava");
    other.replace("processor_config.json", R"("<image>")", R"("<cat>")");
    test::refuses<ConfigError>([&] { (void)other.open()("<cat>", one); }, {"<cat>", "16"});
    CHECK(other.open()("the cat", {}).image_tokens.empty());
}

TEST_CASE("An image token without a character, and patches without pixels, are refused") {
    const auto good = Processor::open(test::image_text_golden("llava"));
    auto config = good.config();
    config.image_token.clear();
    test::refuses<ConfigError>([&] { Processor(config, good.images(), good.tokenizer()); },
                               {"image token has no character", "image_token"});
    const Spoilt files("llava");
    files.replace("tokenizer_config.json", "{", R"({"image_token": "", )");
    files.refuses({"image token has no character", "tokenizer_config.json"});
    for (const std::int64_t patch : {0, -4}) {
        config.patch_size = patch;
        test::refuses<ConfigError>([&] { (void)image_text::llava_tokens(config, {8, 8}); }, {"patch_size"});
        test::refuses<ConfigError>([&] { (void)image_text::llava_next_tokens(config, {8, 8}, {8, 8}, {}); },
                                   {"patch_size"});
    }
    config.patch_size = 4, config.num_additional_image_tokens = 5;
    const std::array<image::Extent, 1> grid = {{{8, 8}}};
    test::refuses<ConfigError>([&] { (void)image_text::llava_next_tokens(config, {8, 8}, {0, 8}, grid); }, {"0 x 8"});
    test::refuses<ConfigError>([&] { (void)image_text::llava_next_tokens(config, {8, 8}, {8, 8}, {}); }, {"0 tokens"});
}

TEST_CASE("LLaVA's squares have a colour") {
    const std::string config = R"({"image_processor_type": "LlavaImageProcessor", "do_pad": true, "do_resize": false,
                                   "do_center_crop": false, "do_rescale": false, "do_normalize": false,
                                   "image_mean": )";
    const test::Directory directory;
    test::write_file(directory / "preprocessor_config.json", config + "[0.5, 0, 1]}");
    const auto picture = test::formula_picture(1, 4, 1);
    const auto pixels = image::Processor::open(directory.path())({&picture, 1});
    CHECK(pixels.shape == std::vector<std::int64_t>{1, 3, 4, 4});
    const auto& level = std::get<std::vector<std::uint8_t>>(pixels.values);
    CHECK(level[0] == 127);  // above the picture, red
    CHECK(level[4] == 20);   // of three further rows two are after it
    CHECK(level[8] == 127);
    CHECK(level[2 * 16 + 0] == 255);  // blue
    CHECK(level[1 * 16 + 15] == 0);   // green
    const auto sliver = test::formula_picture(1, 20'000, 1);
    test::refuses<InputError>([&] { (void)image::Processor::open(directory.path())({&sliver, 1}); },
                              {"padded to a square", "20000 rows"});
    test::write_file(directory / "preprocessor_config.json", config + "[0.5, 0, 1.5]}");
    test::refuses<ConfigError>([&] { (void)image::Processor::open(directory.path()); }, {"image_mean", "colour"});
}
