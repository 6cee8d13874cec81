/// What pictures show, in words, with a LLaVA checkpoint: the text comes token by token; then lines from standard input
/// ask further, and nothing that was said or seen is read again.
///
///     llava_describe DIRECTORY_OR_REPO PICTURE...

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "silica/arch/llava.hpp"
#include "silica/device/cpu.hpp"
#include "silica/input/image/read.hpp"
#include "silica/precision/bf16.hpp"
#include "silica/task/describe.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc < 3) {
        std::fprintf(stderr, "usage: llava_describe DIRECTORY_OR_REPO PICTURE...\n");
        return 2;
    }
    // arch::LlavaNextForConditionalGeneration for LLaVA-NeXT; device::Cuda or device::Mps where there is a GPU.
    using Llava = Model<arch::LlavaForConditionalGeneration, device::Cpu, precision::Bf16>;
    const auto describe = task::Describer<Llava>::open(argv[1]);  // with its processor, tokenizer and chat template

    std::vector<image::Image> pictures;
    for (int i = 2; i < argc; ++i) pictures.push_back(image::read(argv[i]));
    task::ImageChat chat(describe);  // keeps the caches: each turn reads only what is new
    const auto ask = [&](const std::string& question) {
        const auto out = chat.ask(pictures, question, {.max_new_tokens = 200}, [](const generate::Token& token) {
            std::cout << token.text << std::flush;
            return true;  // false would end the answer
        });
        pictures.clear();  // they are part of the chat now
        std::printf("\n(%lld tokens read in %.2f s, %lld written in %.2f s)\n",
                    static_cast<long long>(out.written.prompt_tokens - out.written.held_tokens),
                    out.written.prefill_seconds, static_cast<long long>(out.written.new_tokens),
                    out.written.decode_seconds);
    };
    ask("Describe this in detail.");
    for (std::string line; std::cout << "> " << std::flush && std::getline(std::cin, line);) {
        if (!line.empty()) ask(line);
    }
} catch (const Error& e) {
    std::fprintf(stderr, "llava_describe: %s\n", e.what());
    return 2;
}
