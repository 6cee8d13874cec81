#pragma once
/// The commands of the program. `./run` compiles those that measure at once, and the others when one is first named.

#include <string_view>
#include <vector>

#include "commands.hpp"

namespace silica::bench {

struct KnownCommand {
    std::string_view name;
    Action (*add)(CLI::App&);  ///< null where it was not compiled in
};

/// All commands that the source tree has, compiled or not, in the order of `silica --help`.
[[nodiscard]] const std::vector<KnownCommand>& every_command();

}  // namespace silica::bench
