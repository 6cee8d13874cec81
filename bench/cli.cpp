#include "cli.hpp"

#include <CLI/CLI.hpp>

#include "whole_arguments.hpp"

namespace silica::bench {
namespace {

/// What no argument of a program holds: behind a bracket, it is no bracket at the end.
constexpr char mark = '\0';

std::string without_mark(std::string value) {
    if (value.ends_with(mark)) value.pop_back();
    return value;
}

}  // namespace

std::vector<std::string> whole_arguments(int argc, char** argv) {
    std::vector<std::string> last_first;
    for (int i = argc - 1; i > 0; --i) {
        auto& value = last_first.emplace_back(argv[i]);
        if (value.starts_with('[') && value.ends_with(']')) value += mark;
    }
    return last_first;
}

Command::Command(CLI::App& app, const char* name, const char* description)
    : app_(app.add_subcommand(name, description)) {}

void Command::option(const char* name, std::string& value, const char* help) {
    app_->add_option(name, value, help)->transform(without_mark);
}
void Command::option(const char* name, Flag& value, const char* help) {
    app_->add_option(name, value, help)->transform(without_mark);
}
void Command::optional(const char* name, Flag& value, const char* help) {
    app_->add_option_function<std::vector<std::string>>(
            name,
            [&value](const std::vector<std::string>& words) {
                value = words.empty() ? "" : without_mark(words.back());
            },
            help)
        ->expected(0, 1)
        ->type_name("[TEXT]");
}
void Command::option(const char* name, std::vector<std::string>& values, const char* help) {
    app_->add_option(name, values, help)->allow_extra_args(false)->transform(without_mark);
}
void Command::flag(const char* name, bool& value, const char* help) { app_->add_flag(name, value, help); }
void Command::argument(const char* name, std::string& value, bool required, const char* help) {
    app_->add_option(name, value, help)->required(required)->transform(without_mark);
}
void Command::arguments(const char* name, std::vector<std::string>& values, const char* help) {
    app_->add_option(name, values, help)->transform(without_mark);
}
void Command::footer(const char* text) { app_->footer(text); }

}  // namespace silica::bench
