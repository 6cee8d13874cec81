#include "embed_images.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "embed_files.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/task/embed_images.hpp"

namespace silica::bench {
namespace {

/// A vision model as task::ImageEmbedder wants one: whichever vector it gives of a picture.
class ImageEncoder : public HostModel {
public:
    struct Inputs {
        Tensor pixel_values;
    };
    struct Outputs {
        Tensor last_hidden_state;
        std::optional<Tensor> pooler_output = {};
    };

    using HostModel::HostModel;

    Outputs operator()(const Inputs& in) const {
        const auto out =
            outputs({{"pixel_values", in.pixel_values}}, {"last_hidden_state", "image_embeds", "pooler_output"});
        const Tensor& whole = out[1].defined() ? out[1] : out[2];
        return {out[0], whole.defined() ? std::optional(whole) : std::nullopt};
    }
};

/// SigLIP's vision model, whose pooler gives the vector that its texts are compared with.
const Head& siglip_embedder_of(const Subject& subject) {
    const Head& head = head_named(subject, "SiglipVisionModel");
    const Json config = checkpoint::read_json_file(subject.origin.directory, "config.json");
    const Json* part = config.find("vision_config");
    const Json* pools = (part != nullptr && part->is_object() ? *part : config).find("vision_use_head");
    if (pools != nullptr && pools->is_bool() && !pools->boolean()) {
        refuse_head(subject, head, "has no pooler here (vision_use_head is false), and so no vector of a whole picture",
                    "use a checkpoint with its pooler.");
    }
    return head;
}

}  // namespace

const Head* image_embedder_of(const Subject& subject) {
    const auto family = subject.family->name;
    if (family == "vit") return &head_named(subject, "ViTModel");  // opens checkpoints of any head, as DeiT's
    if (family == "deit") return &head_named(subject, "DeiTModel");
    if (family == "siglip") return &siglip_embedder_of(subject);
    if (family != "clip") return nullptr;
    const auto architecture = head_for_checkpoint(subject).architecture;
    if (architecture == "CLIPModel" || architecture == "CLIPVisionModelWithProjection")
        return &head_named(subject, "CLIPVisionModelWithProjection");
    if (architecture == "CLIPVisionModel" || architecture == "CLIPForImageClassification")
        return &head_named(subject, "CLIPVisionModel");
    return nullptr;
}

int embed_images(const Subject& subject, const Head& head, const PlaceFlags& place, const Device& device,
                 const std::vector<std::string>& files, std::int64_t batch_size) {
    VectorReport report(files, "pictures");
    auto processor = image::Processor::open(subject.origin.directory);
    const task::ImageEmbedder<ImageEncoder> embedder(std::move(processor),
                                                     ImageEncoder(place.open(subject, head, device)));
    task::Reader<image::Pixels> reader({files.begin(), files.end()}, [&](const auto& path) {
        return task::processed(embedder.processor(), image::read(path));
    });
    task::in_batches(
        reader, static_cast<std::size_t>(batch_size), task::alike,
        [&](std::span<const image::Pixels> batch) { return embedder.of_pixels(batch); },
        [&](const task::FileResult<Tensor>& result) { report.give(result); });
    return report.finish();
}

}  // namespace silica::bench
