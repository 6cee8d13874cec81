#include "embed_sounds.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "embed_files.hpp"
#include "silica/task/embed_sounds.hpp"

namespace silica::bench {
namespace {

/// An audio model as task::AudioEmbedder wants one: whichever vector it gives of a sound.
class SoundEncoder : public HostModel {
public:
    struct Inputs {
        Tensor input_features;
        std::optional<Tensor> is_longer = {};
    };
    struct Outputs {
        Tensor audio_embeds;
    };

    using HostModel::HostModel;

    Outputs operator()(const Inputs& in) const {
        Named named = {{"input_features", in.input_features}};
        if (in.is_longer) named.emplace_back("is_longer", *in.is_longer);
        const auto out = outputs(named, {"audio_embeds", "pooler_output"});
        return {out[0].defined() ? out[0] : out[1]};
    }
};

}  // namespace

const Head* sound_embedder_of(const Subject& subject) {
    if (subject.family->name != "clap") return nullptr;
    const auto architecture = head_for_checkpoint(subject).architecture;
    if (architecture == "ClapModel" || architecture == "ClapAudioModelWithProjection")
        return &head_named(subject, "ClapAudioModelWithProjection");
    return architecture == "ClapAudioModel" ? &head_named(subject, architecture) : nullptr;
}

int embed_sounds(const Subject& subject, const Head& head, const PlaceFlags& place, const Device& device,
                 const std::vector<std::string>& files, std::int64_t batch_size, std::uint32_t seed) {
    VectorReport report(files, "sounds");
    auto extractor = audio::Extractor::open(subject.origin.directory);
    const task::AudioEmbedder<SoundEncoder> embedder(std::move(extractor),
                                                     SoundEncoder(place.open(subject, head, device)));
    audio::NumpyRandom random(seed);
    task::Reader<audio::Samples> reader({files.begin(), files.end()},
                                        [&](const auto& path) { return embedder.read(path); });
    task::in_batches(
        reader, static_cast<std::size_t>(batch_size), [](const auto&, const auto&) { return true; },
        [&](std::span<const audio::Samples> batch) { return embedder.of_sounds(batch, random); },
        [&](const task::FileResult<Tensor>& result) { report.give(result); });
    return report.finish();
}

}  // namespace silica::bench
