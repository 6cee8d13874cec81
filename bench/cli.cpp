#include "cli.hpp"

#include <CLI/CLI.hpp>

namespace silica::bench {

Command::Command(CLI::App& app, const char* name, const char* description)
    : app_(app.add_subcommand(name, description)) {}

void Command::option(const char* name, std::string& value, const char* help) { app_->add_option(name, value, help); }
void Command::option(const char* name, Flag& value, const char* help) { app_->add_option(name, value, help); }
void Command::optional(const char* name, Flag& value, const char* help) {
    app_->add_option_function<std::vector<std::string>>(
            name, [&value](const std::vector<std::string>& words) { value = words.empty() ? "" : words.back(); }, help)
        ->expected(0, 1)
        ->type_name("[TEXT]");
}
void Command::option(const char* name, std::vector<std::string>& values, const char* help) {
    app_->add_option(name, values, help)->allow_extra_args(false);
}
void Command::flag(const char* name, bool& value, const char* help) { app_->add_flag(name, value, help); }
void Command::argument(const char* name, std::string& value, bool required, const char* help) {
    app_->add_option(name, value, help)->required(required);
}
void Command::arguments(const char* name, std::vector<std::string>& values, const char* help) {
    app_->add_option(name, values, help);
}
void Command::footer(const char* text) { app_->footer(text); }

}  // namespace silica::bench
