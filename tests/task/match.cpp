// Texts and pictures in one space: Matcher against transformers' zero-shot pipeline, and vectors of pictures.
#include "silica/task/match.hpp"

#include "silica/arch/clip.hpp"
#include "silica/arch/vit.hpp"
#include "silica/arch/xclip.hpp"
#include "silica/task/embed_images.hpp"
#include "silica/task/match_video.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/pictures.hpp"
#include "support/refuses.hpp"

using namespace silica;
using test::refuses;

namespace {

template <class Device>
using Clip = Model<arch::Clip, Device, precision::Fp32>;

template <class M>
void check_vectors(const std::string& name) {
    const auto embed = task::ImageEmbedder<M>::open(test::chain(name).string());
    const auto expected = test::expected(name);
    const auto files = test::pictures();
    for (const std::int64_t batch : {1, 4}) {
        const auto results = embed(files, {.batch_size = batch});
        for (std::size_t i = 0; i < files.size(); ++i) {
            CAPTURE(name, files[i]);
            const Tensor vector = results.at(i).get();
            CHECK(vector.device().is_cpu());
            CHECK(std::abs(vector.norm().item<double>() - 1) < 1e-5);
            const auto& wanted = expected.find("embed")->find(files[i].filename().string())->array();
            REQUIRE(vector.numel() == static_cast<std::int64_t>(wanted.size()));
            for (std::size_t d = 0; d < wanted.size(); ++d)
                CHECK(std::abs(vector[static_cast<std::int64_t>(d)].item<double>() - wanted[d].number()) < 1e-3);
        }
    }
    const auto picture = image::read(files[0]);
    const Tensor plain = embed(picture, {.normalize = false}), unit = embed(picture);
    CHECK(test::differs(plain / plain.norm(), unit, 1e-5) == "");
    CHECK(std::abs(plain.norm().item<double>() - 1) > 1e-2);
    const auto missing = embed(std::vector<std::filesystem::path>{"none.png"});
    CHECK(test::contains(missing.at(0).error.value().what(), "none.png"));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("A picture's labels are scored as transformers' zero-shot pipeline scores them", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto match = task::Matcher<Clip<TestType>>::open(test::chain("clip").string());
    const auto files = test::pictures();
    const auto expected = test::expected("clip");
    for (const auto& wanted : expected.find("match")->array()) {
        std::vector<std::string> labels;
        for (const auto& label : wanted.find("labels")->array()) labels.push_back(label.string());
        const auto texts = match.texts(labels, wanted.find("template")->string());
        CHECK(texts.embeds.sizes() == c10::IntArrayRef({static_cast<std::int64_t>(labels.size()), 8}));
        const auto results = match(files, texts, {.batch_size = 3});
        for (std::size_t i = 0; i < files.size(); ++i) {
            CAPTURE(files[i]);
            test::check_labels(results.at(i).get(), *wanted.find("pictures")->find(files[i].filename().string()));
            test::check_labels(match(image::read(files[i]), texts),
                               *wanted.find("pictures")->find(files[i].filename().string()));
        }
    }
}

TEST_CASE("Texts beyond one batch have the vectors they have alone") {
    const auto match = task::Matcher<Clip<device::Cpu>>::open(test::chain("clip").string());
    std::vector<std::string> labels;
    for (int i = 0; i < 130; ++i) labels.push_back("label " + std::to_string(i * i));
    const auto all = match.texts(labels);
    for (const std::int64_t i : {0, 63, 64, 129}) {
        const auto one = match.texts({labels[static_cast<std::size_t>(i)]});
        CHECK(test::differs(all.embeds[i], one.embeds[0], 1e-5) == "");
    }
}

TEST_CASE("What no text can be matched by is refused") {
    const auto match = task::Matcher<Clip<device::Cpu>>::open(test::chain("clip").string());
    refuses<InputError>([&] { static_cast<void>(match.texts({})); }, {"no labels"});
    refuses<InputError>([&] { static_cast<void>(match.texts({"cat"}, "a photo")); }, {"a photo", "{}"});
    refuses<InputError>([&] { static_cast<void>(match.texts({std::string(39, 'x')}, "{}")); },
                        {"41 tokens", "positions for 40", "no text is cut"});
    CHECK(match.texts({std::string(38, 'x')}, "{}").input_ids.size(1) == 40);
    refuses<InputError>([&] { static_cast<void>(match.texts({"\xff"})); }, {"UTF-8"});
    const auto texts = match.texts({"cat", "dog"});
    const auto results = match(std::vector<std::filesystem::path>{"none.png", test::pictures()[0]}, texts);
    CHECK(test::contains(results.at(0).error.value().what(), "none.png"));
    CHECK(results.at(1).get().size() == 2);
    const auto picture = image::read(test::pictures()[0]);
    const auto changed = [&](const auto& change, std::string_view word) {
        auto wrong = texts;
        change(wrong);
        refuses<InputError>([&] { static_cast<void>(match(picture, wrong)); }, {word});
    };
    changed([](auto& t) { t.embeds = Tensor(); }, "no vectors");
    changed([](auto& t) { t.embeds = t.embeds[0]; }, "(8)");
    changed([](auto& t) { t.embeds = t.embeds.narrow(1, 0, 7); }, "(2, 7)");
    changed([](auto& t) { t.embeds = t.embeds.narrow(0, 0, 0); }, "(0, 8)");
    changed([](auto& t) { t.embeds = t.embeds.to(at::kLong); }, "(2, 8)");
    changed([](auto& t) { t.labels.pop_back(); }, "1 labels and 2 scores");
    changed([](auto& t) { t.labels.emplace_back("bird"); }, "3 labels and 2 scores");
    changed([](auto& t) { t.embeds = t.embeds.to(at::Device("meta")); }, "meta");
    changed([](auto& t) { t.embeds = t.embeds.to_sparse(); }, "sparse");
    const auto no_vectors = [&](const auto& change, std::string_view word) {
        auto wrong = texts;
        change(wrong);
        refuses<InputError>([&] { static_cast<void>(task::embedded(wrong, match.model())); }, {word});
    };
    no_vectors([](auto& t) { t = {}; }, "input_ids");
    no_vectors([](auto& t) { t.attention_mask = Tensor(); }, "attention_mask");
    no_vectors([](auto& t) { t.attention_mask = t.attention_mask.narrow(0, 0, 1); }, "attention_mask");
    no_vectors([](auto& t) { t.input_ids = t.input_ids.narrow(0, 0, 0); }, "empty");
    no_vectors([](auto& t) { t.labels.pop_back(); }, "1 labels");
    const std::vector<std::string> labels{"a"};
    refuses<InputError>([&] { static_cast<void>(task::match_texts(match.tokenizer(), labels, "{}", 0)); }, {"0"});
    refuses<InputError>([&] { static_cast<void>(task::ranked(labels, std::vector<float>(2))); }, {"1 labels"});
    refuses<InputError>([&] { task::require_embeds(Tensor(), 8); }, {"no vectors"});
    refuses<InputError>([&] { task::require_texts({}); }, {"input_ids"});
    const std::vector<std::filesystem::path> none{"none.mp4"};
    refuses<InputError>([&] { static_cast<void>(task::read_frames(none, 4)); }, {"none.mp4"});
    refuses<InputError>([] { static_cast<void>(task::read_frames({}, 4)); }, {"no frames"});
    using M = task::Matcher<Clip<device::Cpu>>;
    refuses<ConfigError>([] { static_cast<void>(M::open(test::chain("vit").string())); }, {"vit"});
}

TEST_CASE("Vectors of pictures are those of transformers, of length 1") {
    check_vectors<Model<arch::ClipVisionModelWithProjection, device::Cpu>>("clip");
    check_vectors<Model<arch::ViT, device::Cpu>>("vit");
}

TEMPLATE_LIST_TEST_CASE("The pictures of a video, in memory or as files, are matched as transformers matches them", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto match =
        task::VideoMatcher<Model<arch::XClip, TestType, precision::Fp32>>::open(test::chain("xclip").string());
    const auto files = test::pictures();
    std::vector<image::Image> frames;
    for (const auto& file : files) frames.push_back(image::read(file));
    const auto expected = test::expected("xclip");
    for (const auto& wanted : expected.find("video")->array()) {
        std::vector<std::string> labels;
        for (const auto& label : wanted.find("labels")->array()) labels.push_back(label.string());
        const auto texts = match.texts(labels);
        test::check_labels(match(files, texts), *wanted.find("results"));
        test::check_labels(match(frames, texts), *wanted.find("results"));
    }
    auto texts = match.texts({"cat", "dog"});
    refuses<InputError>([&] { static_cast<void>(match(std::span(frames).first(3), texts)); }, {"3 frames", "4"});
    refuses<InputError>([&] { static_cast<void>(match(std::filesystem::path("none.mp4"), texts)); }, {"none.mp4"});
    refuses<InputError>([&] { static_cast<void>(match.texts({std::string(39, 'x')})); }, {"41 tokens", "40"});
    texts.embeds = Tensor();
    refuses<InputError>([&] { static_cast<void>(match(frames, texts)); }, {"no vectors"});
}

TEST_CASE("What is moved from stays as it was") {
    auto match = task::Matcher<Clip<device::Cpu>>::open(test::chain("clip").string());
    auto embed = task::ImageEmbedder<Model<arch::ViT, device::Cpu>>::open(test::chain("vit").string());
    auto picture = image::read(test::pictures()[0]);
    const auto texts = match.texts({"cat", "dog"});
    const auto before = match(picture, texts);
    const Tensor vector = embed(picture);
    {
        const auto other = std::move(match);
        const auto elsewhere = std::move(embed);
        const auto pixels = std::move(picture);
        CHECK(other(pixels, texts)[0].label == before[0].label);
    }
    CHECK(match(picture, match.texts({"cat", "dog"}))[0].score == before[0].score);  // NOLINT(bugprone-use-after-move)
    CHECK(embed(picture).equal(vector));
}
