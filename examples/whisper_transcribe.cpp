/// What is said in a file, as subtitles (SRT), with a Whisper checkpoint. Segments are written as they are heard.
///
///     whisper_transcribe DIRECTORY_OR_REPO speech.flac [LANGUAGE]

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>

#include "silica/arch/whisper.hpp"
#include "silica/device/cpu.hpp"
#include "silica/task/transcribe.hpp"

using namespace silica;

/// "01:02:03,456".
static std::string clock_of(double seconds) {
    const long long ms = std::llround(seconds * 1000);
    char text[48];
    std::snprintf(text, sizeof text, "%02lld:%02lld:%02lld,%03lld", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
                  ms % 1000);
    return text;
}

int main(int argc, char** argv) try {
    if (argc < 3) {
        std::fprintf(stderr, "usage: whisper_transcribe DIRECTORY_OR_REPO SOUND [LANGUAGE]\n");
        return 2;
    }
    using Whisper = Model<arch::WhisperForConditionalGeneration, device::Cpu, precision::Fp32>;
    const auto transcribe = task::Transcriber<Whisper>::open(argv[1]);

    task::SpeechOptions options{.timestamps = true};
    if (argc > 3) options.language = argv[3];
    task::SpeechHooks hooks;
    int cues = 0;
    hooks.on_segment = [&](std::size_t, const generate::Segment& s) {
        std::printf("%d\n%s --> %s\n%s\n\n", ++cues, clock_of(s.start).c_str(), clock_of(s.end).c_str(),
                    s.text.c_str());
        std::fflush(stdout);
        return true;
    };
    const auto heard = transcribe(std::filesystem::path(argv[2]), options, hooks);
    std::fprintf(stderr, "%.1f s in %s\n", heard.seconds, heard.language.c_str());
    return 0;
} catch (const Error& e) {
    std::fprintf(stderr, "whisper_transcribe: %s\n", e.what());
    return 2;
}
