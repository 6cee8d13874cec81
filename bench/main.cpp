/// The `silica` program: measures, checks and uses models from the command line.

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <c10/util/Logging.h>

#include "commands.hpp"
#include "errors.hpp"
#include "every_command.hpp"
#include "every_family.hpp"
#include "job.hpp"
#include "registry.hpp"
#include "silica/checkpoint/nearest.hpp"
#include "silica/core/error.hpp"
#include "silica/core/keep_memory.hpp"
#include "silica/core/quote.hpp"
#include "silica/fallback.hpp"
#include "whole_arguments.hpp"

namespace silica::bench {
namespace {

std::string one_line(std::string text) {
    std::erase(text, '\0');  // of whole_arguments
    for (char& c : text) {
        if (c == '\n') c = ' ';
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
    return text;
}

/// A command line that CLI11 refuses, as a sentence and a remedy.
InputError refusal(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App* command = &app;
    for (const auto* sub : app.get_subcommands()) command = sub;
    const std::string name = command == &app ? "silica" : "silica " + command->get_name();
    const std::string help = "see `" + name + " --help`.";
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
        std::vector<std::string> known;
        for (const auto* option : command->get_options()) known.push_back(option->get_name());
        for (const auto& extra : app.remaining(true)) {
            if (!extra.starts_with('-')) continue;
            const auto near = checkpoint::nearest(extra.substr(0, extra.find('=')), known);
            return {name + " has no option " + quote(extra) + ".",
                    (near.empty() ? "" : "did you mean " + near + "? Or ") + help};
        }
    }
    return {one_line(error.what()) + ".", help};
}

/// The first argument is a command or one of the options that stand alone; anything else is answered with the nearest.
void check_first(const std::string& first) {
    const bool option = first.starts_with('-');
    std::vector<std::string> known;
    if (option) known = {"--help", "-h", "--version"};
    for (const auto& command : every_command()) {
        if (!option) known.emplace_back(command.name);
        if (first != command.name || command.add != nullptr) continue;
        build_every_command_and_run_again();
        throw InputError(
            "The command " + first + " is not compiled into this program.",
            "start it by ./run, which adds it; or configure with -DSILICA_EVERY_COMMAND=ON and build again.");
    }
    if (std::ranges::find(known, first) != known.end()) return;
    std::string list;
    for (const auto& name : known) list += (list.empty() ? "" : ", ") + name;
    const auto near = checkpoint::nearest(first, known);
    throw InputError("There is no " + std::string(option ? "option " : "command ") + quote(first) +
                         (option ? " before a command." : "."),
                     (near.empty() ? "" : "did you mean " + near + "? ") + "Known are " + list + ".");
}

/// Opens what is closed of the standard streams, so that no file of a user takes its place. It stays of no use: what is
/// written to it fails, as before.
void keep_standard_streams() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(stream, F_GETFD) != -1) continue;
        if (::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) != stream) return;
    }
}

int parse_and_run(int argc, char** argv) {
    CLI::App app("silica: Hugging Face checkpoints on CPUs, Apple GPUs and NVIDIA GPUs", "silica");
    app.set_version_flag("--version", "silica " + std::string(build_facts().version));
    app.require_subcommand(1);
    std::string footer =
        "Exit codes: 0 done, 1 a comparison failed, 2 bad input, 3 none of the named hardware is available.";
    std::vector<Action> actions;
    std::string left_out;
    for (const auto& command : every_command()) {
        if (command.add != nullptr)
            actions.push_back(command.add(app));
        else
            left_out += (left_out.empty() ? "" : ", ") + std::string(command.name);
    }
    if (!left_out.empty())
        footer = "Not compiled into this program, added by ./run when first used: " + left_out + ".\n\n" + footer;
    app.footer(footer);
    const CLI::App& all = app;
    const auto commands = all.get_subcommands([](const CLI::App*) { return true; });
    if (argc < 2) {
        std::cerr << app.help();
        return Exit::bad_input;
    }
    check_first(argv[1]);
    try {
        app.parse(whole_arguments(argc, argv));
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
        throw refusal(app, e);
    }
    for (std::size_t i = 0; i < commands.size(); ++i) {
        if (commands[i]->parsed()) return actions[i]();
    }
    return Exit::bad_input;
}

}  // namespace
}  // namespace silica::bench

int main(int argc, char** argv) {
    namespace bench = silica::bench;
    bench::keep_standard_streams();
    silica::keep_memory();
    std::signal(SIGPIPE, SIG_IGN);                                  // `silica devices | head -1` ends well
    c10::SetStackTraceFetcher([]() -> std::string { return {}; });  // errors are sentences, and quick
    silica::announce_fallbacks = false;                             // reports name them
    std::ios::sync_with_stdio(false);
    std::cout.exceptions(std::ios::badbit);  // a full disk ends the work
    bench::called_with(argv);
    if (argc == 2 && std::string_view(argv[1]) == bench::row_process_argument) return bench::row_process();
    int code = bench::Exit::bad_input;
    const std::string problem = bench::sentence_of([&] {
        try {
            code = bench::parse_and_run(argc, argv);
            std::cout.flush();
        } catch (const std::ios_base::failure&) {
            if (errno != EPIPE)
                throw silica::InputError("The output could not be written.", "check that the disk has room.");
            code = bench::Exit::done;  // nobody reads on
        }
    });
    if (!problem.empty()) {
        bench::complain(problem);
        return bench::Exit::bad_input;
    }
    return code;
}
