#pragma once
/// Arguments as they are.

#include <string>
#include <vector>

namespace silica::bench {

/// The arguments of the program for CLI::App::parse, the last one first. CLI11 takes "[a, b]" among several values for
/// a list; these stay whole.
[[nodiscard]] std::vector<std::string> whole_arguments(int argc, char** argv);

}  // namespace silica::bench
