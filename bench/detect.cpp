/// `silica detect`: pictures to objects: labels, scores, boxes; drawn, and as masks.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "host_model.hpp"
#include "models.hpp"
#include "silica/core/atomic_file.hpp"
#include "silica/core/quote.hpp"
#include "silica/core/real.hpp"
#include "silica/input/image/draw.hpp"
#include "silica/input/image/write_png.hpp"
#include "silica/task/detect.hpp"
#include "table.hpp"

namespace silica::bench {
namespace {

struct DetectOptions {
    PlaceFlags place;
    FileFlags files;
    Flag threshold, draw, masks;
    std::string segments = "panoptic";
};

/// A model that finds objects, as a detector wants it.
class DetectorModel : public HostModel {
public:
    struct Inputs {
        Tensor pixel_values;
        std::optional<Tensor> pixel_mask = {};
    };
    struct Outputs {
        Tensor logits, pred_boxes, pred_masks;
    };

    using HostModel::HostModel;

    Outputs operator()(const Inputs& in) const {
        Named named = {{"pixel_values", in.pixel_values}};
        if (in.pixel_mask) named.emplace_back("pixel_mask", *in.pixel_mask);
        const auto out = outputs(named, {"logits", "pred_boxes", "pred_masks"});
        return {out[0], out[1], out[2]};
    }
};
using Detector = task::Detector<DetectorModel>;

/// Whether a head gives boxes, and masks.
bool detects(const Head& head) {
    return head.architecture.ends_with("ForObjectDetection") || head.architecture.ends_with("ForSegmentation");
}
bool has_masks(const Head& head) { return head.architecture.ends_with("ForSegmentation"); }

const Head& detector_of(const Subject& subject) {
    const Head& head = head_for_checkpoint(subject);
    if (!detects(head))
        refuse_head(subject, head, "finds no objects", "use a checkpoint such as facebook/detr-resnet-50.");
    return head;
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

/// PNG files with their names, all of them or none.
using Drawings = std::vector<std::pair<std::string, image::Image>>;
void write_all(const Drawings& drawings) {
    std::vector<std::unique_ptr<silica::detail::AtomicFile<InputError>>> files;
    for (const auto& [name, picture] : drawings) {
        const auto bytes = image::encode_png(picture);
        files.push_back(std::make_unique<silica::detail::AtomicFile<InputError>>(name));
        files.back()->write(bytes.data(), bytes.size());
    }
    for (const auto& file : files) file->commit();
}

/// The objects of a picture; what --draw and --masks name goes to `drawings`.
std::vector<task::Detection> drawn_and_found(const DetectOptions& o, const Detector& detector, double threshold,
                                             const image::Image& picture, Drawings& drawings) {
    const auto pixels = detector.pixels_of(picture);
    const auto out = detector.outputs_of(std::span(&pixels, 1));
    auto objects = task::detections(out.logits[0], out.boxes[0], pixels.size, detector.classes(), threshold);
    if (o.draw) drawings.emplace_back(*o.draw, drawn(picture, objects));
    if (o.masks) {
        task::SegmentOptions options{.kind = segments_named(o.segments)};
        if (o.threshold) options.threshold = threshold;
        const auto found = task::segmentation(out.logits[0], out.masks[0], pixels.size, detector.classes(), options);
        const std::int32_t none = options.kind == task::Segments::semantic ? -1 : 0;
        drawings.emplace_back(*o.masks, image::segment_colours(picture.height(), picture.width(), found.map, none));
    }
    return objects;
}

/// One picture, drawn and as masks. The files are written before anything is printed.
int with_drawings(const DetectOptions& o, const Detector& detector, double threshold, FileReport& report) {
    const auto& file = report.files().front();
    std::vector<task::Detection> objects;
    Drawings drawings;
    try {
        objects = drawn_and_found(o, detector, threshold, image::read(file), drawings);
    } catch (const InputError& e) {
        report.refuse(file, e);
        return report.finish();
    }
    write_all(drawings);
    report.give(std::span(&file, 1), findings(objects));
    return report.finish();
}

/// InputError where --draw or --masks cannot be written, or would take the place of a file that is read.
void require_outputs(const DetectOptions& o, const std::vector<std::string>& read) {
    if (o.draw) require_output_file("--draw", *o.draw, "OUT.png", read);
    if (o.masks) require_output_file("--masks", *o.masks, "OUT.png", read);
}

/// InputError where --draw and --masks cannot be done.
void check_drawings(const DetectOptions& o, const FileReport& report) {
    if (!o.draw && !o.masks) return;
    if (report.files().size() != 1) throw InputError("--draw and --masks make one picture, of one.", "name one file.");
    require_outputs(o, report.files());
    const auto whole = [](const std::string& path) { return std::filesystem::absolute(path).lexically_normal(); };
    if (o.draw && o.masks && whole(*o.draw) == whole(*o.masks))
        throw InputError("--draw and --masks are both " + quote(*o.draw) + ".", "give two files.");
}

int detect(const DetectOptions& o) {
    const double threshold = o.threshold ? score_named(*o.threshold) : 0.5;
    static_cast<void>(segments_named(o.segments));
    FileReport report(o.files, std::cout);
    check_drawings(o, report);
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    const Subject subject = o.place.subject();
    const Head& head = detector_of(subject);
    if (o.masks && !has_masks(head)) {
        throw InputError(std::string(head.architecture) + " gives no masks.",
                         "use a checkpoint of DetrForSegmentation, such as facebook/detr-resnet-50-panoptic.");
    }
    const auto& directory = subject.origin.directory;
    require_outputs(o, checkpoint_files(directory));
    const Detector detector{image::Processor::open(directory), task::ClassLabels::read(directory),
                            DetectorModel(o.place.open(subject, head, *device))};
    if (o.draw || o.masks) return with_drawings(o, detector, threshold, report);
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
    auto o = std::make_shared<DetectOptions>();
    o->files.batch_size = "1";  // sizes differ, and each picture is computed alone
    Command c(app, "detect", "Objects in pictures: labels, scores, boxes");
    o->place.add_directory_to(c);
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
