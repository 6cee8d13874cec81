/// A chat with a LLaMA checkpoint: a line is a question, the answer comes token by token, and what was said is kept.
///
///     llama_chat DIRECTORY_OR_REPO

#include <cstdio>
#include <iostream>
#include <string>

#include "silica/arch/llama.hpp"
#include "silica/device/cpu.hpp"
#include "silica/precision/bf16.hpp"
#include "silica/task/chat.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: llama_chat DIRECTORY_OR_REPO\n");
        return 2;
    }
    // Where it runs and in what numbers are types: device::Cuda or device::Mps go here where there is a GPU.
    using Llama = Model<arch::LlamaForCausalLM, device::Cpu, precision::Bf16>;
    const auto write = task::TextGenerator<Llama>::open(argv[1]);  // with its tokenizer and chat template

    // What is not said here is as generation_config.json says.
    const generate::GenerationConfig config{
        .max_new_tokens = 200, .do_sample = true, .temperature = 0.7, .top_p = 0.9, .seed = 1};
    task::Chat chat(write);  // keeps the caches: each turn reads only what is new
    for (std::string line; std::cout << "> " << std::flush && std::getline(std::cin, line);) {
        if (line.empty()) continue;
        const auto out = chat.ask(line, config, [](const generate::Token& token) {
            std::cout << token.text << std::flush;
            return true;  // false would end the answer
        });
        std::printf("\n(%lld tokens read in %.2f s, %lld written in %.2f s)\n",
                    static_cast<long long>(out.prompt_tokens - out.held_tokens), out.prefill_seconds,
                    static_cast<long long>(out.new_tokens), out.decode_seconds);
    }
} catch (const Error& e) {
    std::fprintf(stderr, "llama_chat: %s\n", e.what());
    return 2;
}
