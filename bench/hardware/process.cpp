#include "hardware/process.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>

#include "hardware/text.hpp"

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

extern char** environ;  // NOLINT: POSIX

namespace silica::bench::hardware {

std::vector<std::string> libraries_in_maps(std::string_view maps) {
    std::vector<std::string> files;
    for (const auto line : lines_of(maps)) {  // "7f2a...-7f2a... r-xp 00000000 fe:00 1234    /usr/lib/libgomp.so.1.0.0"
        const auto words = words_of(line);
        if (words.size() < 6 || words[1].size() < 3 || words[1][2] != 'x' || !words[5].starts_with('/')) continue;
        std::string file(trimmed(line.substr(static_cast<std::size_t>(words[5].data() - line.data()))));
        if (std::ranges::find(files, file) == files.end()) files.push_back(std::move(file));
    }
    return files;
}

std::vector<std::string> loaded_libraries() {
#if defined(__APPLE__)
    std::vector<std::string> files;
    for (std::uint32_t i = 0, n = _dyld_image_count(); i < n; ++i) {
        if (const char* name = _dyld_get_image_name(i)) files.emplace_back(name);
    }
    return files;
#else
    std::ifstream maps("/proc/self/maps");  // may be longer than what read_text takes
    std::ostringstream text;
    text << maps.rdbuf();
    return libraries_in_maps(text.str());
#endif
}

std::map<std::string, std::string> environment() {
    std::map<std::string, std::string> variables;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto equals = text.find('=');
        if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
}

}  // namespace silica::bench::hardware
