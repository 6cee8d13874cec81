#pragma once
/// Definitions of free_memory.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/free_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#if defined(__APPLE__)
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif

namespace silica {
namespace free_memory_detail {

namespace fs = std::filesystem;

/// The number after `key` in a file of lines "key 123" or "key: 123 kB"; nothing where there is none.
inline std::optional<std::uint64_t> value_of(const fs::path& path, std::string_view key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key) || line.size() <= key.size()) continue;
        const char next = line[key.size()];
        if (next != ' ' && next != ':' && next != '\t') continue;
        const std::uint64_t n = std::strtoull(line.c_str() + key.size() + 1, nullptr, 10);
        return line.ends_with("kB") ? n * 1024 : n;
    }
    return std::nullopt;
}

/// The one number of a file; nothing for "max", and where there is no file.
inline std::optional<std::uint64_t> number_in(const fs::path& path) {
    std::ifstream file(path);
    std::string word;
    if (!(file >> word) || word.empty() || word[0] < '0' || word[0] > '9') return std::nullopt;
    return std::strtoull(word.c_str(), nullptr, 10);
}

/// What one group leaves, with names as its version has them.
inline void limit_by(const fs::path& group, const char* most, const char* used, const char* inactive, FreeMemory& m) {
    const auto limit = number_in(group / most);
    if (!limit || *limit >= m.total) return;  // version 1 says no limit by a huge number
    const std::uint64_t now = number_in(group / used).value_or(0);
    const std::uint64_t pages = value_of(group / "memory.stat", inactive).value_or(0);
    const std::uint64_t taken = now - std::min(now, pages);
    m.free = std::min(m.free, *limit - std::min(*limit, taken));
    m.total = *limit;
    m.limited = true;
}

/// The groups of this process, and those above them.
inline void limit_by_groups(const fs::path& root, FreeMemory& m) {
    const fs::path mounted = root / "sys/fs/cgroup";
    std::ifstream file(root / "proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {  // "0::/a/b", "5:memory:/a/b"
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const bool two = controllers == ",,";
        if (!two && controllers.find(",memory,") == std::string::npos) continue;
        const fs::path top = two ? mounted : mounted / "memory";
        fs::path group = fs::path(line.substr(second + 1)).relative_path();
        while (true) {  // inside a container the path may be the host's: what is not there limits nothing
            if (two)
                limit_by(top / group, "memory.max", "memory.current", "inactive_file", m);
            else
                limit_by(top / group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", m);
            if (group.empty()) break;
            group = group.parent_path();
        }
    }
}

}  // namespace free_memory_detail

SILICA_INLINE FreeMemory free_memory(const std::filesystem::path& root) {
    FreeMemory m;
#if defined(__APPLE__)
    static_cast<void>(root);
    std::uint64_t bytes = 0;
    std::size_t size = sizeof bytes;
    if (sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0) m.total = bytes;
    const mach_port_t host = mach_host_self();
    vm_statistics64_data_t pages{};
    mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
    vm_size_t page = 0;
    if (host_page_size(host, &page) == KERN_SUCCESS &&
        host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count) == KERN_SUCCESS) {
        // free_count holds the speculative ones already.
        const std::uint64_t n = std::uint64_t{pages.free_count} + pages.inactive_count + pages.purgeable_count;
        m.free = n * page;
    }
    mach_port_deallocate(mach_task_self(), host);
#else
    using namespace free_memory_detail;
    m.total = value_of(root / "proc/meminfo", "MemTotal").value_or(0);
    m.free = value_of(root / "proc/meminfo", "MemAvailable").value_or(0);
    if (m.total > 0) limit_by_groups(root, m);
#endif
    if (const char* most = std::getenv("SILICA_FREE_MB"); most != nullptr && *most >= '0' && *most <= '9') {
        m.free = std::min<std::uint64_t>(m.free, std::strtoull(most, nullptr, 10) << 20U);
        m.limited = true;
    }
    return m;
}

}  // namespace silica
