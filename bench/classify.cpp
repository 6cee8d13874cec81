/// `silica classify`: pictures to labels and scores.

#include <iostream>
#include <memory>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "host_model.hpp"
#include "models.hpp"
#include "silica/task/classify.hpp"

namespace silica::bench {
namespace {

struct ClassifyOptions {
    PlaceFlags place;
    FileFlags files;
    std::string top_k = "5";
};

/// A model that scores classes, as a classifier wants it.
class ImageModel : public HostModel {
public:
    struct Inputs {
        Tensor pixel_values;
    };
    struct Outputs {
        Tensor logits;
    };
    using HostModel::HostModel;

    Outputs operator()(const Inputs& in) const { return {output({{"pixel_values", in.pixel_values}}, "logits")}; }
};

/// The head that config.json names, if it scores classes of pictures.
const Head& classifier_of(const Subject& subject) {
    const Head& head = head_for_checkpoint(subject);
    if (head.architecture.find("ForImageClassification") != std::string_view::npos) return head;
    std::string known;
    for (const auto& other : subject.family->heads) {
        if (other.architecture.find("ForImageClassification") != std::string_view::npos)
            known += (known.empty() ? "" : ", ") + std::string(other.architecture);
    }
    refuse_head(
        subject, head, "has no classes of pictures",
        known.empty() ? "use a checkpoint such as google/vit-base-patch16-224." : "use a checkpoint of " + known + ".");
}

int classify(const ClassifyOptions& o) {
    const auto top_k = whole_number("--top-k", o.top_k, 1, 1 << 24);
    FileReport report(o.files, std::cout);
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    const Subject subject = o.place.subject();
    const Head& head = classifier_of(subject);
    const auto& directory = subject.origin.directory;
    const task::Classifier<ImageModel> classifier{image::Processor::open(directory), task::ClassLabels::read(directory),
                                                  ImageModel(o.place.open(subject, head, *device))};
    return report.each<image::Pixels>(
        [&](const std::filesystem::path& file) { return task::processed(classifier.processor(), image::read(file)); },
        task::alike,
        [&](std::span<const image::Pixels> batch) {
            std::vector<std::vector<Finding>> found;
            for (const auto& labels : classifier.of_pixels(batch, top_k)) {
                auto& one = found.emplace_back();
                for (const auto& [label, score] : labels) one.push_back({.label = label, .score = score});
            }
            return found;
        });
}

}  // namespace

Action add_classify(CLI::App& app) {
    auto o = std::make_shared<ClassifyOptions>();
    Command c(app, "classify", "What pictures show: labels and scores");
    o->place.add_directory_to(c);
    o->files.add_to(c);
    c.option("--top-k", o->top_k, "labels for each picture, the best first. Default: 5");
    o->place.add_to(c);
    c.footer(
        "The head is the one that config.json names. Scores are probabilities (softmax); each for itself (sigmoid) "
        "where problem_type is multi_label_classification or there is one label; numbers where it is regression.");
    return [o] { return classify(*o); };
}

}  // namespace silica::bench
