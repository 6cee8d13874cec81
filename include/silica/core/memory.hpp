#pragma once
/// Memory of this process and of the machine, from the operating system.

#include <cstdint>
#include <cstdio>

#if defined(__APPLE__)
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace silica {

/// Bytes; 0 where the system does not tell.
struct ProcessMemory {
    std::uint64_t resident = 0;  ///< physical memory of the process now
    std::uint64_t peak = 0;      ///< the most it ever had
    std::uint64_t machine = 0;   ///< physical memory of the machine
};

/// Reads /proc on Linux, Mach on macOS. Mapped pages of files count as resident while they are.
inline ProcessMemory process_memory() {
    ProcessMemory m;
#if defined(__unix__) || defined(__APPLE__)
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
#if defined(__APPLE__)
        m.peak = static_cast<std::uint64_t>(usage.ru_maxrss);  // bytes there, KiB elsewhere
#else
        m.peak = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
    }
#endif
#if defined(__APPLE__)
    mach_task_basic_info info{};
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info), &count) ==
        KERN_SUCCESS) {
        m.resident = info.resident_size;
    }
    std::uint64_t bytes = 0;
    std::size_t size = sizeof bytes;
    if (sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0) m.machine = bytes;
#elif defined(__unix__)
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
        unsigned long long total = 0, resident = 0;
        if (std::fscanf(f, "%llu %llu", &total, &resident) == 2) m.resident = resident * page;
        std::fclose(f);
    }
    m.machine = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * page;
#endif
    return m;
}

}  // namespace silica
