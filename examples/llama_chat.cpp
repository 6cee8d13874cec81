/// A chat with a LLaMA checkpoint: messages in, an answer token by token, the speed of both phases.
///
///     llama_chat DIRECTORY_OR_REPO "a question" ["an answer" "the next question" ...]

#include <cstdio>
#include <iostream>
#include <string>

#include "silica/arch/llama.hpp"
#include "silica/device/cpu.hpp"
#include "silica/precision/bf16.hpp"
#include "silica/task/generate.hpp"

using namespace silica;

int main(int argc, char** argv) try {
    if (argc < 3 || argc % 2 == 0) {
        std::fprintf(stderr, "usage: llama_chat DIRECTORY_OR_REPO QUESTION [ANSWER QUESTION]...\n");
        return 2;
    }
    // Where it runs and in what numbers are types: device::Cuda or device::Mps go here where there is a GPU.
    using Llama = Model<arch::LlamaForCausalLM, device::Cpu, precision::Bf16>;
    const auto write = task::TextGenerator<Llama>::open(argv[1]);  // with its tokenizer and chat template

    Json::Array messages;
    for (int i = 2; i < argc; ++i) {
        const std::string role = i % 2 == 0 ? "user" : "assistant";
        messages.push_back(Json(Json::Object{{"role", Json(role)}, {"content", Json(std::string(argv[i]))}}));
    }
    // What is not said here is as generation_config.json says. The callback may end the answer by returning false.
    const generate::GenerationConfig config{
        .max_new_tokens = 200, .do_sample = true, .temperature = 0.7, .top_p = 0.9, .seed = 1};
    generate::ModelDecoder decoder(write.model());
    const auto out = write.writer().chat(decoder, Json(messages), config, [](const generate::Token& token) {
        std::cout << token.text << std::flush;
        return true;
    });
    std::cout << "\n\n";
    const double after_first = static_cast<double>(out.new_tokens - 1);
    std::printf("%lld tokens read in %.2f s, %lld written at %.1f tokens/s\n",
                static_cast<long long>(out.prompt_tokens), out.prefill_seconds, static_cast<long long>(out.new_tokens),
                after_first / out.decode_seconds);
} catch (const Error& e) {
    std::fprintf(stderr, "llama_chat: %s\n", e.what());
    return 2;
}
