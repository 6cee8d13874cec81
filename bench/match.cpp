/// `silica match`: which text says what pictures or a video show, or what sounds are of.

#include <cmath>
#include <iostream>
#include <memory>

#include <ATen/ops/matmul.h>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "host_model.hpp"
#include "models.hpp"
#include "silica/arch/clap/config.hpp"
#include "silica/arch/clip/config.hpp"
#include "silica/arch/xclip/config.hpp"
#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/read.hpp"
#include "silica/task/match.hpp"
#include "silica/task/match_sounds.hpp"
#include "silica/task/read_frames.hpp"
#include "silica/task/sentence_module.hpp"

namespace silica::bench {
namespace {

struct MatchOptions {
    PlaceFlags place;
    FileFlags files;
    Flag sentence, seed;
    std::string labels;
};

/// "a, b" as {"a", "b"}, as often as each stands there.
std::vector<std::string> labels_in(const std::string& text) {
    constexpr std::string_view blanks = " \t\r\n";
    std::vector<std::string> labels;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        const auto first = text.find_first_not_of(blanks, begin), last = text.find_last_not_of(blanks, end - 1);
        if (end == begin || first >= end) {
            throw InputError("--labels has an empty label.", "write --labels cat,dog,car.");
        }
        labels.push_back(text.substr(first, last - first + 1));
        begin = end + 1;
    }
    return labels;
}

/// The two halves of a checkpoint of CLIP or CLAP as a matcher wants them: heads of their own, whose vectors are
/// compared on the host.
class Towers {
public:
    /// Heads, the vectors of the second, and the parameter by which cosines become logits.
    struct Names {
        const char *texts, *others, *vectors, *scale;
    };

    Towers(const PlaceFlags& place, const Subject& subject, const Device& device, const Names& names,
           std::int64_t most_tokens)
        : texts_(place.open(subject, head_named(subject, names.texts), device)),
          others_(place.open(subject, head_named(subject, names.others), device)),
          vectors_(names.vectors),
          scale_(exp_of(subject.origin.directory, names.scale)),
          most_tokens_(most_tokens) {}

    [[nodiscard]] Tensor text_embeds(const Tensor& ids, const Tensor& mask) const {
        return task::normalized(texts_.output({{"input_ids", ids}, {"attention_mask", mask}}, "text_embeds"));
    }
    [[nodiscard]] Tensor logits(const Tensor& pixels, const Tensor& texts) const {
        return logits_of({{"pixel_values", pixels}}, texts);
    }
    [[nodiscard]] Tensor logits(const Tensor& features, const std::optional<Tensor>& is_longer,
                                const Tensor& texts) const {
        Named inputs = {{"input_features", features}};
        if (is_longer) inputs.emplace_back("is_longer", *is_longer);
        return logits_of(inputs, texts);
    }
    [[nodiscard]] std::int64_t most_tokens() const { return most_tokens_; }

private:
    [[nodiscard]] Tensor logits_of(const Named& inputs, const Tensor& texts) const {
        return at::matmul(task::normalized(others_.output(inputs, vectors_)), texts.t()) * scale_;
    }

    /// exp of a parameter, a single number.
    static double exp_of(const std::filesystem::path& directory, const char* name) {
        const auto file = checkpoint::Checkpoint::open(directory);
        const auto* entry = file.find(name);
        if (entry == nullptr || entry->shape != std::vector<std::int64_t>{}) {
            throw CheckpointError(directory.string() + " has no " + name + ", a single number.",
                                  "use a checkpoint of CLIPModel or ClapModel.");
        }
        return std::exp(checkpoint::read_tensor(file.file_of(*entry), *entry).to(at::kDouble).item<double>());
    }

    HostModel texts_, others_;
    std::string vectors_;
    double scale_;
    std::int64_t most_tokens_;
};

std::vector<Finding> findings(const std::vector<task::ScoredLabel>& labels) {
    std::vector<Finding> found;
    for (const auto& [label, score] : labels) found.push_back({.label = label, .score = score});
    return found;
}

/// What --seed says.
std::int64_t seed_in(const MatchOptions& o) { return o.seed ? whole_number("--seed", *o.seed, 0, 0xFFFFFFFF) : 0; }

template <class Config>
Config config_in(const std::filesystem::path& directory) {
    Config config;
    read_json(config, checkpoint::read_json_file(directory, "config.json"), (directory / "config.json").string() + ":");
    return config;
}

/// CLIP: each picture for itself.
int match_pictures(const MatchOptions& o, FileReport& report, const Subject& subject, const Device& device) {
    const auto& directory = subject.origin.directory;
    const auto text = config_in<arch::ClipConfig>(directory).text_config;
    const task::Matcher<Towers> matcher{
        image::Processor::open(directory), text::Tokenizer::open(directory),
        Towers(o.place, subject, device,
               {"CLIPTextModelWithProjection", "CLIPVisionModelWithProjection", "image_embeds", "logit_scale"},
               text.max_position_embeddings)};
    const auto texts = matcher.texts(labels_in(o.labels), o.sentence.value_or(std::string(task::photo_template)));
    return report.each<image::Pixels>(
        [&](const std::filesystem::path& file) { return task::processed(matcher.processor(), image::read(file)); },
        task::alike,
        [&](std::span<const image::Pixels> batch) {
            std::vector<std::vector<Finding>> all;
            for (const auto& labels : matcher.of_pixels(batch, texts)) all.push_back(findings(labels));
            return all;
        });
}

/// CLAP: each sound for itself, what is drawn being drawn in the order of the files.
int match_sounds(const MatchOptions& o, FileReport& report, const Subject& subject, const Device& device) {
    const auto& directory = subject.origin.directory;
    const auto text = config_in<arch::ClapConfig>(directory).text_config;
    audio::NumpyRandom random(static_cast<std::uint32_t>(seed_in(o)));
    const task::SoundMatcher<Towers> matcher{
        audio::Extractor::open(directory), text::Tokenizer::open(directory),
        Towers(o.place, subject, device,
               {"ClapTextModelWithProjection", "ClapAudioModelWithProjection", "audio_embeds", "logit_scale_a"},
               text.max_position_embeddings - text.pad_token_id - 1)};
    const auto texts = matcher.texts(labels_in(o.labels), o.sentence.value_or(std::string(task::sound_template)));
    return report.each<audio::Samples>([&](const std::filesystem::path& file) { return matcher.read(file); },
                                       [](const auto&, const auto&) { return false; },
                                       [&](std::span<const audio::Samples> sounds) {
                                           std::vector<std::vector<Finding>> all;
                                           for (const auto& sound : sounds)
                                               all.push_back(findings(matcher(sound, texts, random)));
                                           return all;
                                       });
}

/// X-CLIP: all files are one video.
int match_video(const MatchOptions& o, FileReport& report, const Subject& subject, const Head& head,
                const Device& device) {
    const auto& directory = subject.origin.directory;
    const auto config = config_in<arch::XClipConfig>(directory);
    const auto processor = image::Processor::open(directory);
    const auto texts = task::match_texts(text::Tokenizer::open(directory), labels_in(o.labels),
                                         o.sentence.value_or("{}"), config.text_config.max_position_embeddings);
    const HostModel model(o.place.open(subject, head, device));
    const std::vector<std::filesystem::path> paths(report.files().begin(), report.files().end());
    auto pixels = processor(task::read_frames(paths, config.vision_config.num_frames));
    if (!processor.frames_of_video()) pixels.shape.insert(pixels.shape.begin(), 1);
    const Tensor logits = model
                              .output({{"input_ids", texts.input_ids},
                                       {"attention_mask", texts.attention_mask},
                                       {"pixel_values", task::tensors_of(std::move(pixels)).pixel_values}},
                                      "logits_per_video")
                              .contiguous();
    report.give(report.files(),
                findings(task::ranked(texts.labels, std::span(logits.const_data_ptr<float>(), texts.labels.size()))));
    return report.finish();
}

int match(const MatchOptions& o) {
    static_cast<void>(labels_in(o.labels));
    static_cast<void>(seed_in(o));
    FileReport report(o.files, std::cout);
    const auto* device = o.place.device();
    if (device == nullptr) return Exit::no_hardware;
    const Subject subject = o.place.subject();
    const Head& head = head_for_checkpoint(subject);
    if (o.seed && head.architecture != "ClapModel")
        throw InputError("--seed is given, and " + std::string(head.architecture) + " draws no random numbers.",
                         "leave it out.");
    if (head.architecture == "ClapModel") return match_sounds(o, report, subject, *device);
    if (head.architecture == "CLIPModel") return match_pictures(o, report, subject, *device);
    if (head.architecture == "XCLIPModel") return match_video(o, report, subject, head, *device);
    refuse_head(subject, head, "does not compare texts with pictures or sounds",
                "use a checkpoint of CLIPModel, XCLIPModel or ClapModel.");
}

}  // namespace

Action add_match(CLI::App& app) {
    auto o = std::make_shared<MatchOptions>();
    Command c(app, "match", "Which of some texts says what pictures or a video show");
    o->place.add_directory_to(c);
    o->files.add_to(c,
                    "pictures: JPEG, PNG or WebP; for X-CLIP a video, or the pictures that are its frames; for "
                    "CLAP sounds");
    c.option("--labels", o->labels, "labels with commas");
    c.option("--template", o->sentence,
             "what is said of a label, which stands for {}, or for each {0}; {{ and }} are braces. Default: 'This is a "
             "photo of {}.', of a video '{}', of "
             "a sound 'This is a sound of {}.'");
    c.option("--seed", o->seed, "of what CLAP's extractor draws, in the order of the files. Default: 0");
    o->place.add_to(c);
    c.footer("Scores of the labels sum to 1. A text of more tokens than the model takes is refused: none is cut.");
    return [o] { return match(*o); };
}

}  // namespace silica::bench
