// Pictures to labels: the rules by which logits become scores, and whole chains against transformers' pipeline.
#include "silica/task/classify.hpp"

#include <cmath>
#include <limits>

#include "silica/arch/clip.hpp"
#include "silica/arch/deit.hpp"
#include "silica/arch/vit.hpp"
#include "silica/task/scores.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/directory.hpp"
#include "support/pictures.hpp"
#include "support/refuses.hpp"

using namespace silica;
using task::ClassLabels, task::Classifier, task::ScoredLabel, task::Scoring;
using test::refuses;

namespace {

ClassLabels labels_of(const std::string& config) { return ClassLabels::of(Json::parse(config, "test"), "config.json"); }

std::string text(const std::vector<ScoredLabel>& list) {
    std::string all;
    for (const auto& [label, score] : list) all += label + " ";
    return all;
}

template <class Arch, class Device = device::Cpu>
void check_case(const std::string& name) {
    if (!test::present<Device>()) return;
    const auto directory = test::chain(name);
    const auto expected = test::expected(name);
    const Json& wanted = *expected.find("classify")->find("");
    const auto classify = Classifier<Model<Arch, Device, precision::Fp32>>::open(directory.string());
    const auto files = test::pictures();
    const auto check = [&](const std::vector<ScoredLabel>& got, const std::filesystem::path& file) {
        CAPTURE(name, file);
        test::check_labels(got, *wanted.find(file.filename().string()));
    };
    std::vector<image::Image> images;
    for (const auto& file : files) images.push_back(image::read(file));
    for (const std::int64_t batch : {1, 3, 8}) {
        std::vector<std::pair<std::size_t, std::size_t>> told;
        const auto results = classify(files, {.batch_size = batch, .progress = [&](std::size_t done, std::size_t of) {
                                                  told.emplace_back(done, of);
                                              }});
        REQUIRE(results.size() == files.size());
        for (std::size_t i = 0; i < files.size(); ++i) {
            CHECK(results[i].index == i);
            CHECK(told.at(i) == std::pair(i + 1, files.size()));
            check(results[i].get(), files[i]);
        }
        const auto of_images = classify(images, {.batch_size = batch});
        REQUIRE(of_images.size() == files.size());
        for (std::size_t i = 0; i < files.size(); ++i) check(of_images[i], files[i]);
    }
    check(classify(images[0]), files[0]);
    CHECK(classify(images[0], {.top_k = 1}).size() == 1);
}

}  // namespace

TEST_CASE("Classes have the names of id2label by number, or LABEL_i") {
    CHECK(labels_of("{}").names == std::vector<std::string>{"LABEL_0", "LABEL_1"});
    CHECK(labels_of(R"({"num_labels": 3})").names.size() == 3);
    CHECK(labels_of(R"({"id2label": {"1": "b", "0": "a"}, "num_labels": 7})").names ==
          std::vector<std::string>{"a", "b"});
    CHECK(labels_of(R"({"id2label": {"10": "k", "2": "c", "0": "a", "1": "b", "3": "d", "4": "e", "5": "f", "6": "g",
                        "7": "h", "8": "i", "9": "j"}})")
              .names.back() == "k");
    refuses<ConfigError>([] { static_cast<void>(labels_of(R"({"id2label": {"0": "a", "2": "c"}})")); },
                         {"config.json", "id2label", "'1'"});
    refuses<ConfigError>([] { static_cast<void>(labels_of(R"({"id2label": {}})")); }, {"no classes"});
    refuses<ConfigError>([] { static_cast<void>(labels_of(R"({"num_labels": 0})")); }, {"0", "no classes"});
    refuses<ConfigError>([] { static_cast<void>(labels_of(R"({"num_labels": 2000000000})")); }, {"2000000000"});
    refuses<ConfigError>([] { static_cast<void>(labels_of(R"({"id2label": ["a"]})")); }, {"id2label", "object"});
    for (const char* other : {"3", "[]", "null", "\"a\""})
        refuses<ConfigError>([&] { static_cast<void>(labels_of(other)); }, {"config.json", "an object is wanted"});
}

TEST_CASE("Scores are a softmax, a sigmoid each, or the numbers themselves, as problem_type and the count say") {
    CHECK(labels_of("{}").scoring == Scoring::softmax);
    CHECK(labels_of(R"({"problem_type": "single_label_classification"})").scoring == Scoring::softmax);
    CHECK(labels_of(R"({"problem_type": null})").scoring == Scoring::softmax);
    CHECK(labels_of(R"({"num_labels": 1})").scoring == Scoring::sigmoid);
    CHECK(labels_of(R"({"problem_type": "multi_label_classification"})").scoring == Scoring::sigmoid);
    CHECK(labels_of(R"({"problem_type": "regression"})").scoring == Scoring::raw);
    CHECK(labels_of(R"({"problem_type": "regression", "num_labels": 1})").scoring == Scoring::raw);

    ClassLabels classes = labels_of(R"({"id2label": {"0": "a", "1": "b", "2": "c"}})");
    const std::vector<float> logits = {1.0F, 3.0F, -2.0F};
    const double sum = std::exp(1.0) + std::exp(3.0) + std::exp(-2.0);
    auto best = classes.best(logits, 5);
    CHECK(text(best) == "b a c ");
    CHECK(std::abs(best[0].score - std::exp(3.0) / sum) < 1e-6);
    classes.scoring = Scoring::sigmoid;
    CHECK(std::abs(classes.best(logits, 2)[1].score - 1 / (1 + std::exp(-1.0))) < 1e-6);
    CHECK(classes.best(logits, 2).size() == 2);
    classes.scoring = Scoring::raw;
    CHECK(classes.best(logits, 3)[2].score == -2);
}

TEST_CASE("Classes of equal score stay in order; infinities and NaN do no harm") {
    const ClassLabels classes = labels_of(R"({"id2label": {"0": "a", "1": "b", "2": "c", "3": "d"}})");
    CHECK(text(classes.best(std::vector<float>{1, 2, 1, 2}, 4)) == "b d a c ");
    CHECK(text(classes.best(std::vector<float>{0, 0, 0, 0}, 2)) == "a b ");
    CHECK(text(classes.best(std::vector<float>{-1000, 1000, -1000, 999}, 4)) == "b d a c ");
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(classes.best(std::vector<float>{nan, 1, 2, 3}, 4).size() == 4);
    const std::vector<float> scores = {nan, 1, nan, 3};
    CHECK(task::by_falling_score(scores, 3) == std::vector<std::size_t>{3, 1, 0});
    refuses<InputError>([&] { static_cast<void>(classes.best(std::vector<float>{1, 2}, 1)); },
                        {"2 logits", "4 classes"});
    refuses<InputError>([&] { static_cast<void>(classes.best(scores, 0)); }, {"top_k is 0"});
}

TEST_CASE("From a file to labels and scores as transformers' pipeline has them") {
    check_case<arch::ViTForImageClassification>("vit");
    check_case<arch::ViTForImageClassification, device::Mps>("vit");
    check_case<arch::DeiTForImageClassificationWithTeacher>("teacher");
    check_case<arch::ClipForImageClassification>("clip_classes");
}

TEST_CASE("Pictures that cannot be classified say why, each for itself") {
    using ViT = Classifier<Model<arch::ViTForImageClassification, device::Cpu>>;
    const auto classify = ViT::open(test::chain("vit").string());
    const test::Directory directory;
    test::write_file(directory / "broken.png", test::read_file(test::pictures()[0]).substr(0, 50));
    const auto results = classify({test::pictures()[1], directory / "broken.png", directory / "none.png"});
    CHECK(results[0].get().size() == 5);
    REQUIRE(results[1].error);
    CHECK(test::contains(results[1].error->what(), "broken.png"));
    refuses<Error>([&] { static_cast<void>(results[2].get()); }, {"none.png"});
    refuses<InputError>([&] { static_cast<void>(classify(test::pictures(), {.batch_size = 0})); }, {"batch_size is 0"});
    refuses<InputError>([&] { static_cast<void>(classify(test::pictures(), {.top_k = 0})); }, {"top_k is 0"});
    refuses<InputError>([&] { static_cast<void>(classify(image::read(test::pictures()[0]), {.top_k = -1})); },
                        {"top_k is -1"});
    refuses<InputError>([&] { static_cast<void>(classify.of_pixels({}, 1)); }, {"no pixels"});
    refuses<InputError>([] { task::require_top_k(0); }, {"top_k is 0"});
    const auto run = [](std::span<const image::Pixels> batch) { return std::vector<std::size_t>(batch.size()); };
    const auto pixels = task::pixels_by(classify.processor());
    refuses<InputError>(
        [&] { static_cast<void>(task::over_images(pixels, task::alike, std::span<const image::Image>(), 0, run)); },
        {"batch_size is 0"});
    refuses<InputError>([&] { static_cast<void>(task::over_files(pixels, task::alike, test::pictures(), -1, run)); },
                        {"batch_size is -1"});
    refuses<InputError>([] { static_cast<void>(task::FileResult<int>().get()); }, {"neither"});
    for (const Tensor& t : {Tensor(), at::zeros({3}), at::zeros({2, 3}, at::kDouble), at::zeros({2, 3}).t(),
                            at::zeros({2, 3}).to(at::Device("meta"))})
        refuses<InputError>([&] { static_cast<void>(task::rows_of(t)); }, {"rows"});
    refuses<InputError>([&] { static_cast<void>(classify(image::read(test::pictures()[0]), {.top_k = 0})); },
                        {"top_k is 0"});
    CHECK(classify(std::span<const image::Image>()).empty());

    std::filesystem::copy(test::chain("vit"), directory / "bare");
    std::filesystem::remove(directory / "bare" / "preprocessor_config.json");
    refuses<ConfigError>([&] { static_cast<void>(ViT::open((directory / "bare").string())); },
                         {"preprocessor_config.json"});
}
