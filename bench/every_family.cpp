#include "every_family.hpp"

#include <cstdlib>
#include <iostream>
#include <string>

#include <unistd.h>

namespace silica::bench {
namespace {

char** arguments_of_main = nullptr;

/// Leaves the program for `./run` with these options and the same command. Returns where it was not started by it.
void run_again(std::vector<std::string> options) {
    const char* run = std::getenv("SILICA_RUN");  // set by ./run: its own path
    if (run == nullptr || arguments_of_main == nullptr) return;
    std::string program = run;
    std::vector<char*> call = {program.data()};
    for (auto& option : options) call.push_back(option.data());
    for (char** argument = arguments_of_main + 1; *argument != nullptr; ++argument) call.push_back(*argument);
    call.push_back(nullptr);
    execv(run, call.data());  // comes back only where it failed
}

}  // namespace

void called_with(char** arguments) { arguments_of_main = arguments; }

std::string command_typed() {
    std::string text = "silica";
    if (arguments_of_main == nullptr || *arguments_of_main == nullptr) return text;
    for (char** argument = arguments_of_main + 1; *argument != nullptr; ++argument) {
        const std::string_view word(*argument);
        const bool plain = !word.empty() && word.find_first_not_of(
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                                "0123456789-_=,./:@%+~") == std::string_view::npos;
        text += ' ';
        if (plain) {
            text += word;
            continue;
        }
        text += '\'';
        for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
        text += '\'';
    }
    return text;
}

void build_and_run_again(const std::vector<std::string_view>& families) {
    if (families.empty()) return;
    std::string list;
    for (const auto& name : families) list += (list.empty() ? "" : ",") + std::string(name);
    run_again({"--families", list});
}

void build_every_command_and_run_again() { run_again({"--every-command"}); }

const std::vector<Family>& every_family() {
    std::vector<std::string_view> missing;
    for (const auto name : families_written()) {
        if (find_family(name) == nullptr) missing.push_back(name);
    }
    build_and_run_again(missing);
    return families();
}

}  // namespace silica::bench
