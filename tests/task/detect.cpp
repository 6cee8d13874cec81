// Pictures to boxes and masks, beside transformers' pipeline of processor, model and post-processing.
#include "silica/task/detect.hpp"

#include <limits>

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "silica/arch/detr.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"

namespace detect_tests {

using namespace silica;
using device::Cpu;
using task::Segments;
using test::refuses;
using DetectorOfBoxes = task::Detector<Model<arch::DetrForObjectDetection, Cpu>>;
using DetectorOfMasks = task::Detector<Model<arch::DetrForSegmentation, Cpu>>;

namespace {

const auto chain = test::golden("detr", "chain");

const std::map<std::string, Tensor>& expected() {
    static const auto tensors = test::tensors_of(chain / "expected.safetensors");
    return tensors;
}

void check_boxes(const std::vector<task::Detection>& got, const std::string& place, const task::ClassLabels& classes) {
    CAPTURE(place);
    const Tensor scores = expected().at(place + ".scores"), labels = expected().at(place + ".labels"),
                 boxes = expected().at(place + ".boxes");
    REQUIRE(static_cast<std::int64_t>(got.size()) == scores.size(0));
    for (std::size_t i = 0; i < got.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i);
        CAPTURE(i);
        CHECK(got[i].label_id == labels[row].item<std::int64_t>());
        CHECK(got[i].label == classes.names.at(static_cast<std::size_t>(got[i].label_id)));
        CHECK(std::abs(got[i].score - scores[row].item<double>()) <= 1e-4);
        const std::array<double, 4> corners = {got[i].box.xmin, got[i].box.ymin, got[i].box.xmax, got[i].box.ymax};
        for (std::size_t c = 0; c < 4; ++c)
            CHECK(std::abs(corners[c] - boxes[row][static_cast<std::int64_t>(c)].item<double>()) <= 1e-2);
    }
}

/// `most`: the part of the pixels that may differ, those where two masks are as large as each other.
void check_segments(const task::Segmentation& got, const std::string& place, double most) {
    CAPTURE(place);
    const Tensor want = expected().at(place + ".map");
    REQUIRE(got.size.height == want.size(0));
    REQUIRE(got.size.width == want.size(1));
    REQUIRE(static_cast<std::int64_t>(got.map.size()) == want.numel());
    std::int64_t others = 0;
    for (std::size_t i = 0; i < got.map.size(); ++i)
        others += got.map[i] != want.const_data_ptr<std::int8_t>()[i] ? 1 : 0;
    CHECK(static_cast<double>(others) <= most * static_cast<double>(want.numel()));
    if (!expected().contains(place + ".ids")) return;
    const Tensor ids = expected().at(place + ".ids"), scores = expected().at(place + ".scores");
    REQUIRE(static_cast<std::int64_t>(got.segments.size()) == ids.size(0));
    for (std::size_t i = 0; i < got.segments.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i);
        CHECK(got.segments[i].id == ids[row][0].item<std::int64_t>());
        CHECK(got.segments[i].label_id == ids[row][1].item<std::int64_t>());
        CHECK(got.segments[i].was_fused == (ids[row][2].item<std::int64_t>() == 1));
        CHECK(std::abs(got.segments[i].score - scores[row].item<double>()) <= 1e-4);
    }
}

const std::map<std::string, task::SegmentOptions> kinds = {
    {"pipeline", {}},
    {"method", {.threshold = 0.5, .mask_threshold = 0.5, .overlap = 0.8}},
    {"fused", {.threshold = 0.3, .mask_threshold = 0.2, .overlap = 0.1, .fused = {0, 2}}},
    {"none", {.threshold = 1, .overlap = 0.8}},
    {"semantic", {.kind = Segments::semantic}},
};

}  // namespace

TEST_CASE("A picture gives the boxes that transformers finds in it, upright, with each head") {
    const auto boxes = DetectorOfBoxes::open(chain.string());
    const auto masks = DetectorOfMasks::open(chain.string());
    for (const std::string name : {"wide.png", "turned.jpg"}) {
        const auto picture = image::read(chain / name);
        const auto stem = name.substr(0, name.find('.'));
        for (const auto& [text, threshold] : {std::pair{"0.1", 0.1}, std::pair{"0.5", 0.5}}) {
            check_boxes(boxes(picture, {.threshold = threshold}), stem + ".boxes-" + text, boxes.classes());
            check_boxes(masks(picture, {.threshold = threshold}), stem + ".boxes-" + text, masks.classes());
        }
    }
}

TEST_CASE("A picture gives the segments that transformers makes of its masks") {
    const auto detect = DetectorOfMasks::open(chain.string());
    for (const std::string name : {"wide.png", "turned.jpg"}) {
        for (const auto& [kind, options] : kinds)
            check_segments(detect.segment(image::read(chain / name), options),
                           name.substr(0, name.find('.')) + "." + kind, 2e-3);
    }
}

TEST_CASE("Post-processing decides as transformers' does: order, ties, areas, classes that are fused") {
    const auto classes = task::ClassLabels::read(chain);
    const Tensor logits = expected().at("blobs.logits"), masks = expected().at("blobs.pred_masks");
    for (const auto& [kind, options] : kinds)
        check_segments(task::segmentation(logits, masks, {33, 25}, classes, options), "blobs." + kind, 0);
    auto instance = kinds.at("fused");
    instance.kind = Segments::instance;
    for (const auto& s : task::segmentation(logits, masks, {33, 25}, classes, instance).segments)
        CHECK_FALSE(s.was_fused);
    for (const auto& [text, threshold] : {std::pair{"0.1", 0.1}, std::pair{"0.5", 0.5}}) {
        check_boxes(task::detections(logits, expected().at("blobs.pred_boxes"), {33, 25}, classes, threshold),
                    std::string("blobs.boxes-") + text, classes);
    }
    // A score that is the threshold is not above it.
    const Tensor even = at::tensor({0.0F, 0.0F, -100.0F, -100.0F, -100.0F, -100.0F}).unsqueeze(0),
                 box = at::zeros({1, 4});
    CHECK(task::detections(even, box, {2, 2}, classes, 0.5).empty());
    CHECK(task::detections(even, box, {2, 2}, classes, 0.49).at(0).label_id == 0);
    refuses<InputError>([&] { static_cast<void>(task::detections(even.slice(1, 1), box, {2, 2}, classes, 0.5)); },
                        {"5 logits", "5 classes", "id2label"});
}

TEST_CASE("Post-processing takes nothing but outputs of a detector, of a picture that can be") {
    const task::ClassLabels classes{.names = {"cat", "dog"}};
    const Tensor logits = at::zeros({3, 3}), boxes = at::zeros({3, 4}), masks = at::zeros({3, 5, 7});
    CHECK(task::detections(logits, boxes, {6, 8}, classes, 0.1).size() == 3);
    CHECK(task::segmentation(logits, masks, {6, 8}, classes).map.size() == 48);

    const auto boxes_refuse = [&](const Tensor& l, const Tensor& b, task::PictureSize size, double threshold,
                                  std::string_view word) {
        refuses<InputError>([&] { static_cast<void>(task::detections(l, b, size, classes, threshold)); }, {word});
    };
    boxes_refuse(Tensor(), boxes, {6, 8}, 0.1, "logits");
    boxes_refuse(logits[0], boxes, {6, 8}, 0.1, "logits");
    boxes_refuse(logits.to(at::kHalf), boxes, {6, 8}, 0.1, "logits");
    boxes_refuse(logits, Tensor(), {6, 8}, 0.1, "boxes");
    boxes_refuse(logits, at::zeros({2, 4}), {6, 8}, 0.1, "2 queries");
    boxes_refuse(logits, at::zeros({3, 3}), {6, 8}, 0.1, "(3, 3)");
    boxes_refuse(logits, at::zeros({3, 4}, at::kDouble), {6, 8}, 0.1, "boxes");
    boxes_refuse(logits, boxes, {0, 8}, 0.1, "0 rows");
    boxes_refuse(logits, boxes, {6, 8}, std::numeric_limits<double>::quiet_NaN(), "threshold");
    refuses<InputError>([&] { static_cast<void>(task::detections(at::zeros({3, 1}), boxes, {6, 8}, {}, 0.1)); },
                        {"names 0 classes"});

    const auto masks_refuse = [&](const Tensor& m, task::PictureSize size, task::SegmentOptions options,
                                  std::string_view word) {
        for (const auto kind : {Segments::panoptic, Segments::instance, Segments::semantic}) {
            options.kind = kind;
            refuses<InputError>([&] { static_cast<void>(task::segmentation(logits, m, size, classes, options)); },
                                {word});
        }
    };
    masks_refuse(Tensor(), {6, 8}, {}, "masks");
    masks_refuse(at::zeros({2, 5, 7}), {6, 8}, {}, "2 queries");
    masks_refuse(at::zeros({3, 35}), {6, 8}, {}, "masks");
    masks_refuse(at::zeros({3, 0, 7}), {6, 8}, {}, "masks");
    masks_refuse(masks, {-1, 8}, {}, "-1 rows");
    masks_refuse(masks, {std::int64_t{1} << 40, std::int64_t{1} << 40}, {}, "rows");
    const double nan = std::numeric_limits<double>::quiet_NaN();
    masks_refuse(masks, {6, 8}, {.threshold = nan}, "threshold");
    masks_refuse(masks, {6, 8}, {.mask_threshold = nan}, "mask_threshold");
    masks_refuse(masks, {6, 8}, {.overlap = nan}, "overlap");
    const auto detect = DetectorOfBoxes::open(chain.string());
    const std::vector<std::filesystem::path> files{chain / "wide.png"};
    refuses<InputError>([&] { static_cast<void>(detect(files, {.threshold = nan})); }, {"threshold"});
    refuses<InputError>([&] { static_cast<void>(detect(std::span<const image::Image>(), {.threshold = nan})); },
                        {"threshold"});
    refuses<InputError>([&] { static_cast<void>(detect.of_pixels({}, 0.5)); }, {"no pixels"});
    refuses<InputError>([&] { task::require_threshold("overlap", nan); }, {"overlap"});
}

TEST_CASE("Many files are what each is alone; one that cannot be read is an error in its place") {
    const auto detect = DetectorOfBoxes::open(chain.string());
    const test::Directory directory;
    test::write_file(directory / "broken.png", "no picture");
    const std::vector<std::filesystem::path> files = {chain / "wide.png", directory / "broken.png", chain / "wide.png",
                                                      chain / "turned.jpg"};
    std::size_t told = 0;
    for (const std::int64_t batch : {1, 3}) {
        told = 0;
        const auto results =
            detect(files, {.threshold = 0.1, .batch_size = batch, .progress = [&](std::size_t done, std::size_t all) {
                               CHECK(done == ++told);
                               CHECK(all == 4);
                           }});
        REQUIRE(results.size() == 4);
        CHECK(told == 4);
        check_boxes(results[0].get(), "wide.boxes-0.1", detect.classes());
        CHECK(results[1].error);
        check_boxes(results[2].get(), "wide.boxes-0.1", detect.classes());
        check_boxes(results[3].get(), "turned.boxes-0.1", detect.classes());
    }
    const std::vector<image::Image> pictures = {image::read(chain / "wide.png"), image::read(chain / "turned.jpg")};
    const auto both = detect(pictures, {.threshold = 0.1, .batch_size = 2});
    check_boxes(both.at(0), "wide.boxes-0.1", detect.classes());
    check_boxes(both.at(1), "turned.boxes-0.1", detect.classes());
    CHECK(detect(std::span<const image::Image>()).empty());
    refuses<InputError>([&] { static_cast<void>(detect(pictures, {.batch_size = 0})); }, {"batch_size is 0"});
}

}  // namespace detect_tests
