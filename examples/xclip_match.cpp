/// What happens in a video, with an X-CLIP checkpoint: which of some sentences says it best.
///
///     xclip_match DIRECTORY_OR_REPO clip.mp4 "playing the guitar" "washing a car" ...

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "silica/arch/xclip.hpp"
#include "silica/device/cpu.hpp"
#include "silica/task/match_video.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc < 4) {
        std::fprintf(stderr, "usage: xclip_match DIRECTORY_OR_REPO VIDEO SENTENCE...\n");
        return 2;
    }
    using XClip = Model<arch::XClip, device::Cpu, precision::Fp32>;
    const auto match = task::VideoMatcher<XClip>::open(argv[1]);

    const std::vector<std::string> sentences(argv + 3, argv + argc);
    const auto texts = match.texts(sentences);  // once, for any number of videos
    for (const auto& [sentence, score] : match(std::filesystem::path(argv[2]), texts))
        std::printf("%.3f  %s\n", score, sentence.c_str());
} catch (const Error& e) {
    std::fprintf(stderr, "xclip_match: %s\n", e.what());
    return 2;
}
