#include "suite/conditions.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <sys/resource.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach/mach.h>
#include <notify.h>
#endif

namespace silica::bench::suite {
namespace {

#if defined(__linux__)
namespace fs = std::filesystem;

template <class T>
bool read_one(const fs::path& path, T& value) {
    std::ifstream file(path);
    return static_cast<bool>(file >> value);
}

/// The clock in MHz on average: of cpufreq, or else of /proc/cpuinfo.
void read_clock(Conditions& c) {
    std::error_code error;
    double sum = 0;
    int n = 0;
    for (fs::directory_iterator at("/sys/devices/system/cpu", error), end; !error && at != end; at.increment(error)) {
        const auto name = at->path().filename().string();
        if (name.size() < 4 || !name.starts_with("cpu") || name[3] < '0' || name[3] > '9') continue;
        double khz = 0;
        std::uint64_t count = 0;
        if (read_one(at->path() / "cpufreq" / "scaling_cur_freq", khz)) sum += khz / 1000, ++n;
        if (c.governor.empty()) read_one(at->path() / "cpufreq" / "scaling_governor", c.governor);
        if (read_one(at->path() / "thermal_throttle" / "core_throttle_count", count)) c.throttled += count;
    }
    if (n == 0) {
        std::ifstream file("/proc/cpuinfo");
        for (std::string line; std::getline(file, line);) {
            if (!line.starts_with("cpu MHz")) continue;
            const auto colon = line.find(':');
            if (colon != std::string::npos) sum += std::strtod(line.c_str() + colon + 1, nullptr), ++n;
        }
    }
    if (n > 0) c.mhz = std::round(sum / n);
}

void read_temperature(Conditions& c) {
    std::error_code error;
    for (fs::directory_iterator at("/sys/class/thermal", error), end; !error && at != end; at.increment(error)) {
        double thousandths = 0;
        if (at->path().filename().string().starts_with("thermal_zone") && read_one(at->path() / "temp", thousandths)) {
            c.celsius = std::max(c.celsius, thousandths / 1000);
        }
    }
}
#endif

}  // namespace

Conditions conditions_now() {
    Conditions c;
    double load = 0;
    if (::getloadavg(&load, 1) == 1) c.load = std::round(100 * load) / 100;
#if defined(__linux__)
    read_clock(c);
    read_temperature(c);
#elif defined(__APPLE__)
    int token = 0;
    std::uint64_t state = 0;
    if (notify_register_check("com.apple.system.thermalpressurelevel", &token) == NOTIFY_STATUS_OK) {
        constexpr const char* names[] = {"nominal", "moderate", "heavy", "trapping", "sleeping"};
        if (notify_get_state(token, &state) == NOTIFY_STATUS_OK && state < std::size(names)) c.pressure = names[state];
        notify_cancel(token);
    }
#endif
    return c;
}

nlohmann::ordered_json conditions_json(const Conditions& c) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    if (c.load >= 0) out["load"] = c.load;
    if (c.mhz > 0) out["mhz"] = c.mhz;
    if (!c.governor.empty()) out["governor"] = c.governor;
    if (c.celsius > 0) out["celsius"] = c.celsius;
    if (!c.pressure.empty()) out["pressure"] = c.pressure;
    if (c.throttled > 0) out["throttled"] = c.throttled;
    return out;
}

ProcessorTime processor_time() {
    ProcessorTime t;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0) {
        const auto seconds = [](const timeval& v) {
            return static_cast<double>(v.tv_sec) + static_cast<double>(v.tv_usec) / 1e6;
        };
        t.own = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
#if defined(__linux__)
    // user nice system idle iowait irq softirq steal: all but idle and iowait, in ticks
    std::ifstream file("/proc/stat");
    std::string cpu;
    double ticks[8] = {}, busy = 0;
    file >> cpu;
    for (double& n : ticks) file >> n;
    for (const int i : {0, 1, 2, 5, 6, 7}) busy += ticks[i];
    if (file) t.all = busy / static_cast<double>(::sysconf(_SC_CLK_TCK));
#elif defined(__APPLE__)
    host_cpu_load_info_data_t load{};
    mach_msg_type_number_t count = HOST_CPU_LOAD_INFO_COUNT;
    const mach_port_t host = mach_host_self();
    if (host_statistics(host, HOST_CPU_LOAD_INFO, reinterpret_cast<host_info_t>(&load), &count) == KERN_SUCCESS) {
        const double ticks = static_cast<double>(load.cpu_ticks[CPU_STATE_USER]) + load.cpu_ticks[CPU_STATE_SYSTEM] +
                             load.cpu_ticks[CPU_STATE_NICE];
        t.all = ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
    mach_port_deallocate(mach_task_self(), host);
#endif
    return t;
}

}  // namespace silica::bench::suite
