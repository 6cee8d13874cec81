#include "embed_images.hpp"

#include <iostream>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "errors.hpp"
#include "files.hpp"
#include "lines.hpp"
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

std::string line_of(const std::string& file, const char* key, const std::string& value) {
    using nlohmann::json;
    const auto text = [](const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); };
    return "{\"files\":" + text(json::array({file})) + ",\"" + key + "\":" + value + "}\n";
}

}  // namespace

const Head* image_embedder_of(const Subject& subject) {
    const auto family = subject.family->name;
    if (family == "vit") return &head_named(subject, "ViTModel");  // opens checkpoints of any head, as DeiT's
    if (family == "deit") return &head_named(subject, "DeiTModel");
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
    if (files.empty()) throw InputError("There is no file.", "name pictures after the directory.");
    auto processor = image::Processor::open(subject.origin.directory);
    const task::ImageEmbedder<ImageEncoder> embedder(std::move(processor),
                                                     ImageEncoder(place.open(subject, head, device)));
    std::size_t refused = 0;
    std::string first;
    task::Reader<image::Pixels> reader({files.begin(), files.end()}, [&](const auto& path) {
        return task::processed(embedder.processor(), image::read(path));
    });
    task::in_batches(
        reader, static_cast<std::size_t>(batch_size), task::alike,
        [&](std::span<const image::Pixels> batch) { return embedder.of_pixels(batch); },
        [&](const task::FileResult<Tensor>& result) {
            const auto& file = files[result.index];
            if (result.error) {
                const auto why = about_file(file, *result.error);
                if (refused++ == 0) first = why.what();
                std::cout << line_of(file, "error", nlohmann::json(why.what()).dump()) << std::flush;
                return;
            }
            const Tensor vector = result.value->contiguous();
            const std::span numbers(vector.const_data_ptr<float>(), static_cast<std::size_t>(vector.numel()));
            std::cout << line_of(file, "embedding", json_numbers(numbers)) << std::flush;
        });
    if (refused == 0) return Exit::done;
    complain((refused > 1 ? std::to_string(refused) + " files were refused, first: " : std::string()) + first);
    return Exit::bad_input;
}

}  // namespace silica::bench
