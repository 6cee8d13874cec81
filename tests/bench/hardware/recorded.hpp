#pragma once
/// Recorded machines: tests/data/machines.

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "hardware/machine.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

namespace silica::bench::hardware {

inline std::string recorded(const std::string& name) {
    std::ifstream in(std::filesystem::path(SILICA_TESTS_DIR) / "data" / "machines" / (name + ".txt"));
    REQUIRE(in.is_open());
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

inline Machine recorded_apple(const std::string& name) {
    const std::string text = recorded(name), line = "== graphics\n";
    const auto at = text.find(line);
    REQUIRE(at != std::string::npos);
    return apple_machine(text.substr(0, at), text.substr(at + line.size()));
}

/// The files of a text, written below a directory: each after a line "== path".
inline Machine recorded_linux(const std::string& name) {
    const test::Directory root;
    std::istringstream text(recorded(name));
    std::ofstream file;
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with("== ")) {
            const auto path = root.path() / line.substr(3);
            std::filesystem::create_directories(path.parent_path());
            file = std::ofstream(path);
        } else if (file.is_open()) {
            file << line << '\n';
        }
    }
    file.close();
    return linux_machine(root.path());
}

}  // namespace silica::bench::hardware
