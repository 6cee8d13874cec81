/// The pictures of a folder that are nearest to a sentence, with a CLIP checkpoint: text and pictures become vectors of
/// one space, and a dot product compares them.
///
///     clip_search DIRECTORY_OR_REPO FOLDER "a dog in the snow"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "silica/arch/clip.hpp"
#include "silica/device/cpu.hpp"
#include "silica/task/embed_images.hpp"
#include "silica/task/match_texts.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc != 4) {
        std::fprintf(stderr, "usage: clip_search DIRECTORY_OR_REPO FOLDER SENTENCE\n");
        return 2;
    }
    using Texts = Model<arch::ClipTextModelWithProjection, device::Cpu, precision::Fp32>;
    using Images = Model<arch::ClipVisionModelWithProjection, device::Cpu, precision::Fp32>;

    const auto text_model = Texts::open(argv[1]);
    const auto tokens = task::match_texts(text::Tokenizer::open(checkpoint::resolve(argv[1])),
                                          std::vector<std::string>{argv[3]}, "{}", 77);
    const Tensor wanted = text_model({.input_ids = tokens.input_ids}).text_embeds[0];

    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(argv[2]))
        if (entry.is_regular_file()) files.push_back(entry.path());

    const auto embed = task::ImageEmbedder<Images>::open(argv[1]);  // vectors of length 1
    std::vector<std::pair<float, std::string>> found;
    for (const auto& file : embed(files)) {
        if (file.error)
            std::fprintf(stderr, "%s\n", file.error->what());
        else
            found.emplace_back((file.get() * wanted).sum().item<float>(), file.path.string());
    }
    std::sort(found.rbegin(), found.rend());
    for (const auto& [nearness, path] : found) std::printf("%8.3f  %s\n", static_cast<double>(nearness), path.c_str());
} catch (const Error& e) {
    std::fprintf(stderr, "clip_search: %s\n", e.what());
    return 2;
}
