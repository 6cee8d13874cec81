#pragma once
/// What is loaded and set in this process.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace silica::bench::hardware {

/// The files of code in a text of /proc/self/maps, each once.
[[nodiscard]] std::vector<std::string> libraries_in_maps(std::string_view maps);

/// The files of the shared libraries of this process.
[[nodiscard]] std::vector<std::string> loaded_libraries();

/// The variables of the environment.
[[nodiscard]] std::map<std::string, std::string> environment();

}  // namespace silica::bench::hardware
