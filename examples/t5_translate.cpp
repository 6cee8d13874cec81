/// Translation with a T5 checkpoint: sentences in, the best of several beams out, all sentences at once.
///
///     t5_translate DIRECTORY_OR_REPO "translate English to German: " "The house is small." "Good morning." ...

#include <cstdio>
#include <string>
#include <vector>

#include "silica/arch/t5.hpp"
#include "silica/device/cpu.hpp"
#include "silica/task/generate.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc < 4) {
        std::fprintf(stderr, "usage: t5_translate DIRECTORY_OR_REPO TASK SENTENCE...\n");
        return 2;
    }
    using T5 = Model<arch::T5ForConditionalGeneration, device::Cpu, precision::Fp32>;
    const auto translate = task::TextGenerator<T5>::open(argv[1]);

    std::vector<std::string> prompts;  // T5 was taught to read its task before the text
    for (int i = 3; i < argc; ++i) prompts.push_back(argv[2] + std::string(argv[i]));
    const auto texts =
        translate(prompts, {.max_new_tokens = 100, .num_beams = 4, .early_stopping = generate::EarlyStopping::yes});
    for (const auto& text : texts) std::printf("%s\n", text.c_str());
} catch (const Error& e) {
    std::fprintf(stderr, "t5_translate: %s\n", e.what());
    return 2;
}
