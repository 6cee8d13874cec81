#include "hardware/machine.hpp"
#include "hardware/text.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace silica::bench::hardware {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) { return read_text(file).value_or(""); }
std::string line_of(const fs::path& file) { return std::string(trimmed(text_of(file))); }

/// Directories and files in `directory` whose names are `prefix` and a number, by that number.
std::map<int, fs::path> numbered(const fs::path& directory, std::string_view prefix) {
    std::map<int, fs::path> found;
    std::error_code error;
    for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
        const auto name = it->path().filename().string();
        if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
        const auto digits = std::string_view(name).substr(prefix.size());
        if (digits.find_first_not_of("0123456789") != std::string_view::npos) continue;
        if (const auto n = number(digits); n && *n < (1 << 20)) found.emplace(static_cast<int>(*n), it->path());
    }
    return found;
}

/// What kernels look for, by the names that /proc/cpuinfo has for it.
constexpr std::pair<std::string_view, std::string_view> known_instructions[] = {
    {"avx", "avx"},
    {"avx2", "avx2"},
    {"fma", "fma"},
    {"f16c", "f16c"},
    {"avx512f", "avx512f"},
    {"avx512bw", "avx512bw"},
    {"avx512vl", "avx512vl"},
    {"avx512_vnni", "avx512_vnni"},
    {"avx_vnni", "avx_vnni"},
    {"avx512_bf16", "avx512_bf16"},
    {"avx512_fp16", "avx512_fp16"},
    {"amx_tile", "amx_tile"},
    {"amx_bf16", "amx_bf16"},
    {"amx_int8", "amx_int8"},
    {"asimd", "neon"},
    {"asimdhp", "fp16"},
    {"asimddp", "dotprod"},
    {"i8mm", "i8mm"},
    {"bf16", "bf16"},
    {"sve", "sve"},
    {"sve2", "sve2"},
    {"sme", "sme"},
};

/// The name of an ARM core by its maker and part, as the kernel's headers (asm/cputype.h) list them.
std::string arm_core(std::string_view implementer, std::string_view part) {
    struct Part {
        std::string_view implementer, part, name;
    };
    constexpr Part parts[] = {
        {"0x41", "0xd03", "Cortex-A53"},  {"0x41", "0xd05", "Cortex-A55"},  {"0x41", "0xd08", "Cortex-A72"},
        {"0x41", "0xd0b", "Cortex-A76"},  {"0x41", "0xd0c", "Neoverse-N1"}, {"0x41", "0xd40", "Neoverse-V1"},
        {"0x41", "0xd41", "Cortex-A78"},  {"0x41", "0xd49", "Neoverse-N2"}, {"0x41", "0xd4f", "Neoverse-V2"},
        {"0x41", "0xd84", "Neoverse-V3"}, {"0xc0", "0xac3", "Ampere-1"},    {"0xc0", "0xac4", "Ampere-1a"}};
    for (const auto& p : parts) {
        if (p.implementer == implementer && p.part == part) return std::string(p.name);
    }
    return {};
}

std::string chip_name(const fs::path& root, std::string_view cpuinfo) {
    for (const std::string_view key : {"model name", "Model", "Hardware"}) {
        if (auto name = value_of(cpuinfo, key); !name.empty()) return name;
    }
    if (auto core = arm_core(value_of(cpuinfo, "CPU implementer"), value_of(cpuinfo, "CPU part")); !core.empty())
        return core;
    return line_of(root / "proc/device-tree/model");
}

/// Cores of several kinds: Intel's hybrids have a list of each, ARM's differ in capacity.
std::vector<CoreLevel> core_levels(const fs::path& root, const std::map<int, fs::path>& cpus,
                                   const std::map<int, std::string>& core_of) {
    const auto cores_in = [&](const std::vector<int>& list) {
        std::set<std::string> cores;
        for (const int cpu : list) {
            if (const auto found = core_of.find(cpu); found != core_of.end()) cores.insert(found->second);
        }
        return static_cast<int>(cores.size());
    };
    const auto fast = cpu_list(line_of(root / "sys/devices/cpu_core/cpus"));
    const auto small = cpu_list(line_of(root / "sys/devices/cpu_atom/cpus"));
    if (!fast.empty() && !small.empty()) return {{"Performance", cores_in(fast)}, {"Efficiency", cores_in(small)}};
    std::map<std::int64_t, std::vector<int>, std::greater<>> by_capacity;
    for (const auto& [cpu, directory] : cpus) {
        if (const auto capacity = number(line_of(directory / "cpu_capacity"))) by_capacity[*capacity].push_back(cpu);
    }
    std::vector<CoreLevel> levels;
    if (by_capacity.size() > 1) {
        for (const auto& [capacity, list] : by_capacity)
            levels.push_back({"capacity " + std::to_string(capacity), cores_in(list)});
    }
    return levels;
}

Processor processor(const fs::path& root) {
    const std::string cpuinfo = text_of(root / "proc/cpuinfo");
    Processor cpu;
    cpu.chip = chip_name(root, cpuinfo);

    std::string flags = value_of(cpuinfo, "flags");
    if (flags.empty()) flags = value_of(cpuinfo, "Features");
    const auto words = words_of(flags);
    for (const auto& [flag, name] : known_instructions) {
        if (std::ranges::find(words, flag) != words.end()) cpu.instructions.emplace_back(name);
    }
    cpu.virtual_machine = std::ranges::find(words, "hypervisor") != words.end();

    const fs::path system = root / "sys/devices/system/cpu";
    const auto online = cpu_list(line_of(system / "online"));
    auto cpus = numbered(system, "cpu");
    if (!online.empty()) {
        std::erase_if(cpus, [&](const auto& c) { return std::ranges::find(online, c.first) == online.end(); });
    }
    std::set<std::string> cores, packages;
    std::map<int, std::string> core_of;
    for (const auto& [n, directory] : cpus) {
        auto siblings = line_of(directory / "topology/core_cpus_list");
        if (siblings.empty()) siblings = line_of(directory / "topology/thread_siblings_list");
        if (siblings.empty()) continue;
        cores.insert(siblings);
        core_of[n] = siblings;
        packages.insert(line_of(directory / "topology/physical_package_id"));
    }
    for (const auto line : lines_of(cpuinfo)) cpu.threads += line.starts_with("processor") ? 1 : 0;
    if (!online.empty()) cpu.threads = static_cast<int>(online.size());
    if (cores.empty()) {  // a container that hides /sys: /proc/cpuinfo of x86 tells too
        std::string package;
        for (const auto line : lines_of(cpuinfo)) {
            if (line.starts_with("physical id")) package = value_of(line, "physical id");
            if (!line.starts_with("core id")) continue;
            cores.insert(package + ":" + value_of(line, "core id"));
            packages.insert(package);
        }
    }
    cpu.cores = static_cast<int>(cores.size());
    cpu.packages = static_cast<int>(packages.size());
    cpu.levels = core_levels(root, cpus, core_of);
    const auto allowed = cpu_list(value_of(text_of(root / "proc/self/status"), "Cpus_allowed_list"));
    cpu.allowed = allowed.empty() ? cpu.threads : std::min(static_cast<int>(allowed.size()), cpu.threads);

    const fs::path frequency = system / "cpu0/cpufreq";
    cpu.governor = line_of(frequency / "scaling_governor");
    cpu.governor_driver = line_of(frequency / "scaling_driver");
    cpu.energy_preference = line_of(frequency / "energy_performance_preference");
    return cpu;
}

Memory memory(std::string_view meminfo) {
    const auto bytes = [&](std::string_view key) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(number(value_of(meminfo, key)).value_or(0), 0)) * 1024;
    };
    Memory m{bytes("MemTotal"), bytes("MemAvailable"), bytes("SwapTotal"), 0};
    const auto free = bytes("SwapFree");
    m.swap_used = m.swap_total > free ? m.swap_total - free : 0;
    return m;
}

/// The path of this process in a hierarchy of groups: of version 2 with an empty controller ("0::/user.slice").
std::optional<std::string> group_path(std::string_view groups, std::string_view controller) {
    for (const auto line : lines_of(groups)) {
        const auto first = line.find(':');
        const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        auto names = line.substr(first + 1, second - first - 1);
        if (controller.empty() && names.empty()) return std::string(trimmed(line.substr(second + 1)));
        for (; !controller.empty() && !names.empty();
             names.remove_prefix(std::min(names.find(','), names.size() - 1) + 1))
            if (names.substr(0, names.find(',')) == controller) return std::string(trimmed(line.substr(second + 1)));
    }
    return std::nullopt;
}

/// Calls `f` with the directory of the group and those above it, up to `mount`. In a container the path that the host
/// has for the group may not exist: then the mount is the group.
template <class F>
void each_group(const fs::path& mount, const std::string& path, F f) {
    fs::path relative = fs::path(path).relative_path().lexically_normal();
    if (!relative.empty() && *relative.begin() == "..") relative.clear();
    std::error_code error;
    for (; !relative.empty() && relative != "."; relative = relative.parent_path()) {
        if (fs::is_directory(mount / relative, error)) f(mount / relative);
    }
    f(mount);
}

template <class T>
void lower(std::optional<T>& limit, T value) {
    if (!limit || value < *limit) limit = value;
}

Limits limits(const fs::path& root) {
    constexpr std::int64_t none = std::int64_t{1} << 60;  // version 1 writes the largest number of pages
    const std::string groups = text_of(root / "proc/self/cgroup");
    const fs::path mount = root / "sys/fs/cgroup";
    Limits out;
    std::error_code error;
    if (fs::exists(mount / "cgroup.controllers", error)) {
        out.from = "cgroup v2";
        each_group(mount, group_path(groups, "").value_or("/"), [&](const fs::path& group) {
            if (const auto most = number(text_of(group / "memory.max")); most && *most >= 0)
                lower(out.memory, static_cast<std::uint64_t>(*most));
            const auto share = text_of(group / "cpu.max");  // "150000 100000", "max 100000"
            const auto words = words_of(share);
            if (words.size() < 2) return;
            const auto quota = number(words[0]), period = number(words[1]);
            if (quota && period && *quota > 0 && *period > 0)
                lower(out.cpus, static_cast<double>(*quota) / static_cast<double>(*period));
        });
        return out;
    }
    if (const auto path = group_path(groups, "memory")) {
        out.from = "cgroup v1";
        each_group(mount / "memory", *path, [&](const fs::path& group) {
            if (const auto most = number(text_of(group / "memory.limit_in_bytes")); most && *most >= 0 && *most < none)
                lower(out.memory, static_cast<std::uint64_t>(*most));
        });
    }
    if (const auto path = group_path(groups, "cpu")) {
        out.from = "cgroup v1";
        const bool together = !fs::is_directory(mount / "cpu", error);
        each_group(mount / (together ? "cpu,cpuacct" : "cpu"), *path, [&](const fs::path& group) {
            const auto quota = number(text_of(group / "cpu.cfs_quota_us"));
            const auto period = number(text_of(group / "cpu.cfs_period_us"));
            if (quota && period && *quota > 0 && *period > 0)
                lower(out.cpus, static_cast<double>(*quota) / static_cast<double>(*period));
        });
    }
    return out;
}

std::vector<NumaNode> numa_nodes(const fs::path& root) {
    std::vector<NumaNode> nodes;
    for (const auto& [n, directory] : numbered(root / "sys/devices/system/node", "node")) {
        NumaNode node{n, static_cast<int>(cpu_list(line_of(directory / "cpulist")).size()), 0};
        const std::string meminfo = text_of(directory / "meminfo");
        for (const auto line : lines_of(meminfo)) {  // "Node 0 MemTotal:  131072 kB"
            const auto at = line.find("MemTotal:");
            if (at == std::string_view::npos) continue;
            const auto kib = number(line.substr(at + 9)).value_or(0);
            node.memory = static_cast<std::uint64_t>(std::max<std::int64_t>(kib, 0)) * 1024;
        }
        nodes.push_back(node);
    }
    if (nodes.size() == 1) nodes.clear();
    return nodes;
}

/// The version in the line of /proc/driver/nvidia/version: its first word of numbers and dots.
std::string driver_version(std::string_view text) {
    const std::string line = value_of(text, "NVRM version");
    for (const auto word : words_of(line)) {
        if (word.find('.') != std::string_view::npos && word.find_first_not_of("0123456789.") == std::string_view::npos)
            return std::string(word);
    }
    return {};
}

void graphics(const fs::path& root, Machine& m) {
    std::error_code error;
    for (fs::directory_iterator it(root / "sys/bus/pci/devices", error), end; !error && it != end;
         it.increment(error)) {
        if (!line_of(it->path() / "class").starts_with("0x03")) continue;  // displays and 3D controllers
        const auto maker = line_of(it->path() / "vendor");
        m.nvidia.on_bus |= maker == "0x10de";
        m.amd_gpu |= maker == "0x1002";
    }
    m.nvidia.driver = driver_version(text_of(root / "proc/driver/nvidia/version"));
    std::set<fs::path> gpus;  // by their place on the bus
    for (fs::directory_iterator it(root / "proc/driver/nvidia/gpus", error), end; !error && it != end;
         it.increment(error))
        gpus.insert(it->path());
    for (const auto& gpu : gpus) {
        if (auto model = value_of(text_of(gpu / "information"), "Model"); !model.empty())
            m.nvidia.models.push_back(std::move(model));
    }
    m.nvidia.on_bus |= !m.nvidia.models.empty();
}

}  // namespace

Machine linux_machine(const fs::path& root) {
    Machine m;
    m.os = "Linux";
    m.cpu = processor(root);
    m.memory = memory(text_of(root / "proc/meminfo"));
    m.limits = limits(root);
    m.numa = numa_nodes(root);
    graphics(root, m);
    return m;
}

}  // namespace silica::bench::hardware
