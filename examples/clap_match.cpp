/// The sounds of a folder and what they are of, with a CLAP checkpoint: each sound to the likeliest of some labels, or
/// the sounds that are nearest to one sentence.
///
///     clap_match DIRECTORY_OR_REPO FOLDER "a dog" "rain" "a train"
///     clap_match DIRECTORY_OR_REPO FOLDER "a dog barks in the distance"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "silica/arch/clap.hpp"
#include "silica/device/cpu.hpp"
#include "silica/task/embed_sounds.hpp"
#include "silica/task/match_sounds.hpp"

using namespace silica;
using Clap = Model<arch::Clap, device::Cpu, precision::Fp32>;

int main(int argc, char** argv) try {
    if (argc < 4) {
        std::fprintf(stderr, "usage: clap_match DIRECTORY_OR_REPO FOLDER SENTENCE | LABEL LABEL...\n");
        return 2;
    }
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(argv[2]))
        if (entry.is_regular_file()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());

    const std::vector<std::string> labels(argv + 3, argv + argc);
    const auto match = task::SoundMatcher<Clap>::open(argv[1]);
    const auto texts = match.texts(labels, labels.size() > 1 ? task::sound_template : "{}");

    const task::AudioEmbedder<Clap> embed(match.extractor(), match.model().model());
    std::vector<std::pair<float, std::string>> found;
    for (const auto& file : embed(files)) {
        if (file.error) {
            std::fprintf(stderr, "%s\n", file.error->what());
            continue;
        }
        const Tensor nearness = texts.embeds.mv(file.get());  // of this sound to each text: both have length 1
        const auto best = nearness.argmax().item<std::int64_t>();
        found.emplace_back(nearness[best].item<float>(),
                           file.path.string() + "  " + labels[static_cast<std::size_t>(best)]);
    }
    if (labels.size() == 1) std::sort(found.rbegin(), found.rend());
    for (const auto& [nearness, line] : found) std::printf("%8.3f  %s\n", static_cast<double>(nearness), line.c_str());
} catch (const Error& e) {
    std::fprintf(stderr, "clap_match: %s\n", e.what());
    return 2;
}
