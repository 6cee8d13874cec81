/// What pictures show, with a ViT checkpoint: labels and scores of each file, files being decoded while the network
/// runs.
///
///     vit_classify DIRECTORY_OR_REPO cat.jpg dog.png ...

#include <cstdio>
#include <filesystem>
#include <vector>

#include "silica/arch/vit.hpp"
#include "silica/device/cpu.hpp"
#include "silica/task/classify.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc < 3) {
        std::fprintf(stderr, "usage: vit_classify DIRECTORY_OR_REPO PICTURE...\n");
        return 2;
    }
    using ViT = Model<arch::ViTForImageClassification, device::Cpu, precision::Fp32>;
    const auto classify = task::Classifier<ViT>::open(argv[1]);

    const std::vector<std::filesystem::path> files(argv + 2, argv + argc);
    bool all_read = true;
    for (const auto& file : classify(files, {.top_k = 3})) {
        std::printf("%s\n", file.path.string().c_str());
        if (file.error) {
            std::printf("    %s\n", file.error->what());
            all_read = false;
            continue;
        }
        for (const auto& [label, score] : file.get()) std::printf("    %.3f  %s\n", score, label.c_str());
    }
    return all_read ? 0 : 2;
} catch (const Error& e) {
    std::fprintf(stderr, "vit_classify: %s\n", e.what());
    return 2;
}
