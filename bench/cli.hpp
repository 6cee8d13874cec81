#pragma once
/// The command line as the subcommands see it. CLI11 is slow to compile, so only cli.cpp and main.cpp include it.

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace silica::bench {

/// A flag that may be absent.
using Flag = std::optional<std::string>;

/// One subcommand; what it is told to fill lives until the program has run.
class Command {
public:
    Command(CLI::App& app, const char* name, const char* description);

    /// "--name value". A default stands in `value` already, and in `help`.
    void option(const char* name, std::string& value, const char* help);
    void option(const char* name, Flag& value, const char* help);
    /// "--name" or "--name value"; of the first an empty text.
    void optional(const char* name, Flag& value, const char* help);
    /// "--name value", once for each value.
    void option(const char* name, std::vector<std::string>& values, const char* help);
    /// "--name".
    void flag(const char* name, bool& value, const char* help);
    /// An argument by place; `required` or not.
    void argument(const char* name, std::string& value, bool required, const char* help);
    /// All arguments that follow.
    void arguments(const char* name, std::vector<std::string>& values, const char* help);
    /// What stands below the help.
    void footer(const char* text);

private:
    CLI::App* app_;
};

}  // namespace silica::bench
