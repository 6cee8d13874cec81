/// `silica detect`: pictures to objects: labels, scores, boxes; drawn, and as masks.

#include <algorithm>
#include <iostream>
#include <memory>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "image_model.hpp"
#include "models.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/core/real.hpp"
#include "silica/input/image/draw.hpp"
#include "silica/input/image/write_png.hpp"
#include "silica/task/detect.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

struct Options {
    PlaceFlags place;
    FileFlags files;
    Flag threshold, draw, masks;
    std::string directory, segments = "panoptic";
};

/// An opened model as task::Detector wants one; what it gives lies on the host.
class DetectorModel {
public:
    struct Inputs {
        Tensor pixel_values;
        std::optional<Tensor> pixel_mask = {};
    };
    struct Outputs {
        Tensor logits, pred_boxes, pred_masks;
    };

    explicit DetectorModel(std::shared_ptr<Opened> model) : model_(std::move(model)) {}

    Outputs operator()(const Inputs& in) const {
        Named named = {{"pixel_values", in.pixel_values}};
        if (in.pixel_mask) named.emplace_back("pixel_mask", *in.pixel_mask);
        model_->feed(named);
        model_->call();
        Outputs out;
        for (const auto& [name, tensor] : model_->outputs()) {
            if (name == "logits") out.logits = tensor;
            if (name == "pred_boxes") out.pred_boxes = tensor;
            if (name == "pred_masks") out.pred_masks = tensor;
        }
        return out;
    }

    /// The model is behind its own door.
    template <class F>
    auto on_device(F&& f) const {
        return f();
    }

private:
    std::shared_ptr<Opened> model_;
};
using Detector = task::Detector<DetectorModel>;

/// Whether a head gives boxes, and masks.
bool detects(const Head& head) {
    return head.architecture.ends_with("ForObjectDetection") || head.architecture.ends_with("ForSegmentation");
}
bool has_masks(const Head& head) { return head.architecture.ends_with("ForSegmentation"); }

const Head& detector_of(const Subject& subject) {
    const Head& head = head_for_checkpoint(subject);
    if (detects(head)) return head;
    throw ConfigError((subject.origin.directory / "config.json").string() + " names " + std::string(head.architecture) +
                          ", which finds no objects.",
                      "use a checkpoint such as facebook/detr-resnet-50.");
}

/// A number from 0 to 1, written with digits and a point.
double score_named(const std::string& text) {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos &&
                        std::ranges::count(text, '.') <= 1 && text != ".";
    const double value = digits ? read_real(text) : -1;
    if (value >= 0 && value <= 1) return value;
    throw InputError("--threshold is '" + text + "', a number from 0 to 1 is wanted.", "the usual value is 0.5.");
}

task::Segments segments_named(const std::string& name) {
    if (name == "panoptic") return task::Segments::panoptic;
    if (name == "instance") return task::Segments::instance;
    if (name == "semantic") return task::Segments::semantic;
    throw InputError("--segments is '" + name + "'.", "use panoptic, instance or semantic.");
}

std::vector<Finding> findings(const std::vector<task::Detection>& objects) {
    std::vector<Finding> list;
    for (const auto& [label, id, score, box] : objects)
        list.push_back({.label = label, .score = score, .box = {{box.xmin, box.ymin, box.xmax, box.ymax}}});
    return list;
}

image::Image drawn(const image::Image& picture, const std::vector<task::Detection>& objects) {
    std::vector<image::DrawnBox> boxes;
    for (const auto& [label, id, score, box] : objects) {
        boxes.push_back(
            {.corners = {box.xmin, box.ymin, box.xmax, box.ymax}, .text = label + " " + fixed(score, 2), .number = id});
    }
    return image::draw_boxes(picture, boxes);
}

/// One picture, drawn and as masks. Both files are written before anything is printed.
int with_pictures(const Options& o, const Detector& detector, double threshold, FileReport& report) {
    const auto& file = report.files().front();
    try {
        const auto picture = image::read(file);
        const auto pixels = detector.pixels_of(picture);
        const auto out = detector.outputs_of(std::span(&pixels, 1));
        const auto objects = task::detections(out.logits[0], out.boxes[0], pixels.size, detector.classes(), threshold);
        std::optional<image::Image> masks;
        if (o.masks) {
            task::SegmentOptions options{.kind = segments_named(o.segments)};
            if (o.threshold) options.threshold = threshold;
            const auto found =
                task::segmentation(out.logits[0], out.masks[0], pixels.size, detector.classes(), options);
            const std::int32_t none = options.kind == task::Segments::semantic ? -1 : 0;
            masks = image::segment_colours(picture.height(), picture.width(), found.map, none);
        }
        if (o.draw) image::write_png(*o.draw, drawn(picture, objects));
        if (masks) image::write_png(*o.masks, *masks);
        report.give(std::span(&file, 1), findings(objects));
    } catch (const InputError& e) {
        report.refuse(file, e);
    }
    return report.finish();
}

int detect(const Options& o) {
    const double threshold = o.threshold ? score_named(*o.threshold) : 0.5;
    static_cast<void>(segments_named(o.segments));
    FileReport report(o.files, std::cout);
    if ((o.draw || o.masks) && report.files().size() != 1)
        throw InputError("--draw and --masks make one picture, of one.", "name one file.");
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    const auto directory = checkpoint::resolve(o.directory, checkpoint::Need::directory);
    const Subject subject = subject_in(directory);
    const Head& head = detector_of(subject);
    if (o.masks && !has_masks(head)) {
        throw InputError(std::string(head.architecture) + " gives no masks.",
                         "use a checkpoint of DetrForSegmentation, such as facebook/detr-resnet-50-panoptic.");
    }
    auto processor = image::Processor::open(directory);
    auto classes = task::ClassLabels::read(directory);
    const Detector detector(std::move(processor), std::move(classes),
                            DetectorModel(o.place.open(subject, head, *device)));
    if (o.draw || o.masks) return with_pictures(o, detector, threshold, report);
    return report.each<task::SizedPixels>(
        [&](const std::filesystem::path& file) { return detector.pixels_of(image::read(file)); }, task::alike_in_size,
        [&](std::span<const task::SizedPixels> batch) {
            std::vector<std::vector<Finding>> found;
            for (const auto& objects : detector.of_pixels(batch, threshold)) found.push_back(findings(objects));
            return found;
        });
}

}  // namespace

Action add_detect(CLI::App& app) {
    auto o = std::make_shared<Options>();
    o->files.batch_size = "1";  // sizes differ, and each picture is computed alone
    Command c(app, "detect", "Objects in pictures: labels, scores, boxes");
    c.argument("directory", o->directory, true, "checkpoint directory, or org/name in the hub cache");
    o->files.add_to(c);
    c.option("--threshold", o->threshold, "the score that an object is above. Default: 0.5; for --masks 0.9");
    c.option("--draw", o->draw, "a PNG file: the picture with boxes and labels; one FILE");
    c.option("--masks", o->masks, "a PNG file: a colour for each segment, black for none; one FILE");
    c.option("--segments", o->segments, "panoptic, instance, semantic: what --masks shows. Default: panoptic");
    o->place.add_to(c);
    c.footer(
        "Boxes are in pixels of the upright picture, neither rounded nor cut to it, in the order of the model's "
        "queries. A picture is never padded to the size of another.");
    return [o] { return detect(*o); };
}

}  // namespace silica::bench
