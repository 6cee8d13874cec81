#pragma once
/// How much memory of the host something takes at its peak, as Linux counts it.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace silica::test {

inline bool linux_proc() { return std::filesystem::exists("/proc/self/smaps"); }

/// One field of /proc/self/status, in bytes.
inline std::uint64_t status(const std::string& field) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(field + ":")) return std::stoull(line.substr(field.size() + 1)) * 1024;
    }
    return 0;
}

/// How much resident memory grew at the most while `f` ran; nothing where the system does not say.
template <class F>
std::optional<std::uint64_t> peak_growth(F f) {
    if (!linux_proc()) return std::nullopt;
    {
        std::ofstream reset("/proc/self/clear_refs");
        reset << "5" << std::flush;
        if (!reset) return std::nullopt;
    }
    const auto before = status("VmRSS");
    const auto kept = f();
    const auto peak = status("VmHWM");
    return peak > before ? peak - before : 0;
}

}  // namespace silica::test
