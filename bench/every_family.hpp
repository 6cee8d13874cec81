#pragma once
/// `./run` compiles the program for the families that it sees named, and at first without the commands that do not
/// measure. Where more is needed, the program calls it back.

#include <string>
#include <string_view>
#include <vector>

#include "registry.hpp"

namespace silica::bench {

/// The arguments of main, for the call back.
void called_with(char** arguments);

/// Those arguments as they would be typed: "silica bench --model bert".
[[nodiscard]] std::string command_typed();

/// Leaves the program for `./run`, which compiles these families in and runs the same command. Returns where the
/// program was not started by it.
void build_and_run_again(const std::vector<std::string_view>& families);

/// The same with every command compiled in.
void build_every_command_and_run_again();

/// The families, for what no name decides: of those that the source tree has, none may be left out.
[[nodiscard]] const std::vector<Family>& every_family();

}  // namespace silica::bench
