#include "talk.hpp"

#include <csignal>
#include <cstdio>
#include <iostream>

#include "commands.hpp"
#include "errors.hpp"

namespace silica::bench {
namespace {

volatile std::sig_atomic_t interrupted = 0;

}  // namespace

bool print_piece(const generate::Token& token) {
    std::cout << token.text << std::flush;
    return interrupted == 0;
}

void print_speed(const generate::Generated& out) {
    const auto rate = [](std::int64_t n, double seconds) {
        return seconds > 0 ? static_cast<double>(n) / seconds : 0.0;
    };
    const auto later = out.new_tokens - static_cast<std::int64_t>(out.tokens.size());  // the first come with the prompt
    const auto read = out.prompt_tokens - out.held_tokens;
    std::fprintf(stderr, "prompt: %lld tokens, %.1f tokens/s; text: %lld tokens, %.1f tokens/s\n",
                 static_cast<long long>(read), rate(read, out.prefill_seconds), static_cast<long long>(out.new_tokens),
                 rate(later, out.decode_seconds));
}

int talk(const std::string& greeting, const std::function<bool(const std::string&)>& command,
         const std::function<void(const std::string&)>& answer) {
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, nullptr);  // without SA_RESTART: waiting for a line ends, too
    std::fprintf(stderr, "%s\n", greeting.c_str());
    std::string line;
    while (true) {
        std::fputs("> ", stderr);
        if (!std::getline(std::cin, line) || line == "/exit") break;
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        interrupted = 0;
        const std::string problem = sentence_of([&] {
            if (!line.starts_with('/') || !command(line)) answer(line);
        });
        if (!problem.empty()) complain(problem);
    }
    std::fputc('\n', stderr);
    return Exit::done;
}

}  // namespace silica::bench
