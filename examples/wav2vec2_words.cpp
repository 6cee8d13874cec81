/// What is said in a file and when, with a Wav2Vec2 checkpoint; in one of the languages of MMS, where it is one.
///
///     wav2vec2_words DIRECTORY_OR_REPO speech.flac [LANGUAGE]

#include <cstdio>
#include <filesystem>

#include "silica/arch/wav2vec2.hpp"
#include "silica/device/cpu.hpp"
#include "silica/task/transcribe_ctc.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc < 3) {
        std::fprintf(stderr, "usage: wav2vec2_words DIRECTORY_OR_REPO SOUND [LANGUAGE]\n");
        return 2;
    }
    using Ctc = Model<arch::Wav2Vec2ForCTC, device::Cpu, precision::Fp32>;
    const auto transcribe = task::CtcTranscriber<Ctc>::open(argv[1], {.target_lang = argc > 3 ? argv[3] : ""});

    const auto heard = transcribe(std::filesystem::path(argv[2]));
    for (const auto& word : heard.words) std::printf("%8.2f %8.2f  %s\n", word.begin, word.end, word.text.c_str());
    std::printf("%s\n", heard.text.c_str());
    return 0;
} catch (const Error& e) {
    std::fprintf(stderr, "wav2vec2_words: %s\n", e.what());
    return 2;
}
