/// `silica preprocess`: pictures, a video, sounds or a prompt with pictures to the tensors that a model takes.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <limits>
#include <memory>

#include <ATen/Parallel.h>

#include "arguments.hpp"
#include "cli.hpp"
#include "commands.hpp"
#include "files.hpp"
#include "image_prompt.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/quote.hpp"
#include "silica/input/audio/extractor.hpp"
#include "silica/input/audio/read.hpp"
#include "silica/input/image/processor.hpp"
#include "silica/input/image/read.hpp"
#include "silica/input/image_text/processor.hpp"
#include "silica/task/features.hpp"
#include "silica/task/image_writer.hpp"
#include "silica/task/pixels.hpp"
#include "silica/task/read_frames.hpp"
#include "silica/task/reader.hpp"

namespace silica::bench {
namespace {

using Path = std::filesystem::path;

struct PreprocessOptions {
    std::string directory;
    std::vector<std::string> files;
    Flag to, frames, seed, threads, prompt;
};

/// What config.json says about videos. A directory need not have one.
struct VideoFacts {
    bool xclip = false;
    std::int64_t frames = 8;
};

VideoFacts facts_in(const Path& directory) {
    VideoFacts facts;
    std::error_code ignored;
    if (!std::filesystem::exists(directory / "config.json", ignored)) return facts;
    const Json config = checkpoint::read_json_file(directory, "config.json");
    const Json *type = config.find("model_type"), *vision = config.find("vision_config");
    facts.xclip = type != nullptr && type->is_string() && type->string() == "xclip";
    const Json* frames = vision != nullptr ? vision->find("num_frames") : nullptr;
    if (frames == nullptr) frames = config.find("num_frames");
    if (frames != nullptr && frames->is_integer()) facts.frames = frames->integer();
    return facts;
}

/// All values of `read`, in order; the first refusal ends it, as an InputError that names the file.
template <class T>
std::vector<T> all_of(const std::vector<std::string>& files, typename task::Reader<T>::Process read) {
    const auto threads = static_cast<std::size_t>(std::max(1, at::get_num_threads()));
    task::Reader<T> reader({files.begin(), files.end()}, std::move(read), {.threads = threads});
    std::vector<T> values;
    while (auto file = reader.next()) {
        if (file->error) throw about_file(files[file->index], *file->error);
        values.push_back(std::move(*file->value));
    }
    return values;
}

/// A batch; where it is refused, the error names `file`.
image::Pixels processed(const image::Processor& processor, const std::vector<image::Image>& images,
                        const std::string& file) {
    try {
        return processor(images);
    } catch (const InputError& e) {
        throw about_file(file, e);
    }
}

/// Pictures as one batch. Each is processed as soon as it is read; where their sizes then differ and nothing says where
/// there is padding, all are read again, for the processor to pad them or to say that they do not fit.
image::Pixels pictures(const image::Processor& processor, const std::vector<std::string>& files) {
    auto each = all_of<image::Pixels>(files, [&](const Path& file) {
        const auto picture = image::read(file);
        return processor(std::span(&picture, 1));
    });
    if (each.size() == 1) return std::move(each.front());
    const auto unlike = std::ranges::find_if(
        each, [&](const image::Pixels& pixels) { return !pixels.mask && pixels.shape != each.front().shape; });
    if (unlike == each.end()) return task::joined(each);
    const auto& file = files[static_cast<std::size_t>(unlike - each.begin())];
    each.clear();
    return processed(processor, all_of<image::Image>(files, [](const Path& f) { return image::read(f); }), file);
}

/// The frames of one video, (1, frames, 3, height, width).
image::Pixels video(const image::Processor& processor, const std::vector<std::string>& files, std::int64_t frames) {
    const std::vector<Path> paths(files.begin(), files.end());
    const auto images = task::read_frames(paths, frames);
    std::size_t unlike = 0;  // the frame to name where they do not fit together
    for (std::size_t i = files.size() > 1 ? images.size() : 0; i-- > 1;) {
        if (images[i].height() != images[0].height() || images[i].width() != images[0].width()) unlike = i;
    }
    auto pixels = processed(processor, images, files[unlike]);
    if (!processor.frames_of_video()) pixels.shape.insert(pixels.shape.begin(), 1);
    return pixels;
}

/// Pictures in tiles as one batch, with the sizes that they had.
checkpoint::NamedTensors tiles(const image::Processor& processor, const std::vector<std::string>& files) {
    const auto images = all_of<image::Image>(files, [&](const Path& file) {
        auto image = image::read(file);
        static_cast<void>(processor.size_of({image.height(), image.width()}));
        return image;
    });
    image_text::Pictures made{.pixels = processor(images), .image_sizes = {}};
    for (const auto& image : images) made.image_sizes.push_back({image.height(), image.width()});
    return task::tensors_of(std::move(made));
}

/// A prompt with its pictures.
checkpoint::NamedTensors tensors_of_prompt(const Path& directory, const PreprocessOptions& o) {
    for (const auto& [name, flag] : {std::pair("--frames", &o.frames), std::pair("--seed", &o.seed)}) {
        if (*flag)
            throw InputError(std::string(name) + " is given, and the prompt takes pictures alone.", "leave it out.");
    }
    const auto processor = image_text::Processor::open(directory);
    const auto images = read_all_for(processor, o.files);
    auto inputs = processor(processor.prompt_of(*o.prompt, images), images);
    if (inputs.ids.empty()) throw InputError("The prompt is empty.", "write at least a word.");
    auto tensors = task::tensors_of(static_cast<const image_text::Tokens&>(inputs));
    if (inputs.pictures) {
        for (auto& named : task::tensors_of(*std::move(inputs.pictures))) tensors.push_back(std::move(named));
    }
    return tensors;
}

checkpoint::NamedTensors tensors_of_pictures(const Path& directory, const PreprocessOptions& o) {
    const auto processor = image::Processor::open(directory);
    auto facts = facts_in(directory);
    const bool of_video = processor.frames_of_video() || facts.xclip;
    if (o.frames) facts.frames = whole_number("--frames", *o.frames, 1, 65536);
    if (o.frames && !of_video)
        throw InputError("--frames is given, and the processor takes pictures, not videos.", "leave it out.");
    if (o.seed) throw InputError("--seed is given, and the processor draws no random numbers.", "leave it out.");
    if (processor.config().family == image::ProcessorConfig::Family::llava_next) return tiles(processor, o.files);
    auto made = task::tensors_of(of_video ? video(processor, o.files, facts.frames) : pictures(processor, o.files));
    checkpoint::NamedTensors tensors = {{"pixel_values", made.pixel_values}};
    if (made.pixel_mask) tensors.emplace_back("pixel_mask", *made.pixel_mask);
    return tensors;
}

/// Sounds as one batch. Of each only what the extractor looks at is kept.
checkpoint::NamedTensors tensors_of_sounds(const Path& directory, const PreprocessOptions& o) {
    const auto extractor = audio::Extractor::open(directory);
    if (o.frames) throw InputError("--frames is given, and the processor takes sounds, not videos.", "leave it out.");
    audio::NumpyRandom random(o.seed ? static_cast<std::uint32_t>(whole_number(
                                           "--seed", *o.seed, 0, std::numeric_limits<std::uint32_t>::max()))
                                     : 0);
    const auto sounds = all_of<audio::Samples>(
        o.files, [&](const Path& file) { return audio::read(file, extractor.rate(), extractor.most_samples()); });
    auto made = task::tensors_of(extractor(sounds, random));
    checkpoint::NamedTensors tensors = {{made.name, made.features}};
    if (made.attention_mask) tensors.emplace_back("attention_mask", *made.attention_mask);
    if (made.is_longer) tensors.emplace_back("is_longer", *made.is_longer);
    return tensors;
}

int preprocess(const PreprocessOptions& o) {
    use_threads(o.threads);
    if (o.files.empty() && !o.prompt) throw InputError("There is no file.", "name files after the directory.");
    if (!o.to) throw InputError("There is no place for the tensors.", "give --to OUT.safetensors.");
    require_output_file("--to", *o.to, "OUT.safetensors", o.files);
    const auto directory = checkpoint::resolve(o.directory, checkpoint::Need::directory);
    require_output_file("--to", *o.to, "OUT.safetensors", checkpoint_files(directory));
    const auto tensors = o.prompt                             ? tensors_of_prompt(directory, o)
                         : audio::Extractor::is_in(directory) ? tensors_of_sounds(directory, o)
                                                              : tensors_of_pictures(directory, o);
    checkpoint::write_safetensors(*o.to, tensors, {{"format", "pt"}});
    for (const auto& [name, tensor] : tensors) std::cout << name << " " << shape_text(tensor.sizes()) << '\n';
    return Exit::done;
}

}  // namespace

Action add_preprocess(CLI::App& app) {
    auto o = std::make_shared<PreprocessOptions>();
    Command c(app, "preprocess",
              "Pictures, a video, sounds or a prompt with pictures to the tensors that a model takes");
    c.argument("directory", o->directory, true,
               "directory with preprocessor_config.json or processor_config.json, or org/name in the hub cache");
    c.arguments(
        "file", o->files,
        "pictures (JPEG, PNG, WebP) or sounds (WAV, FLAC, Ogg, MP3), one batch; X-CLIP: the frames of one video, or a "
        "video");
    c.option("--to", o->to, "the safetensors file that is written");
    c.option("--prompt", o->prompt, "LLaVA: a text about the pictures (there may be none), as for `silica describe`");
    c.option("--frames", o->frames, "frames of a video file. Default: num_frames of config.json, else 8");
    c.option("--seed", o->seed, "CLAP: of the random numbers that choose parts of long sounds. Default: 0");
    c.option("--threads", o->threads, "threads of the CPU. Default: LibTorch's choice");
    c.footer(
        "Tensors: pixel_values, and pixel_mask for DETR; for sounds input_features or input_values, attention_mask "
        "where the processor asks for it, and is_longer for CLAP; with --prompt input_ids and attention_mask, "
        "pixel_values and, for LLaVA-NeXT, image_sizes. No weights are needed. A file that is refused ends it: then "
        "nothing is written.");
    return [o] { return preprocess(*o); };
}

}  // namespace silica::bench
