#include "hardware/machine.hpp"

#include <algorithm>
#include <cmath>

#include "hardware/text.hpp"

#if defined(__APPLE__)
#include <cstdio>
#endif

namespace silica::bench::hardware {
namespace {

#if defined(__APPLE__)
/// What a command of the system prints; empty when it cannot be run.
std::string printed_by(const char* command) {
    std::string text;
    if (std::FILE* out = popen(command, "r")) {
        char piece[4096];
        for (std::size_t n; (n = std::fread(piece, 1, sizeof piece, out)) > 0 && text.size() < (1u << 20);)
            text.append(piece, n);
        pclose(out);
    }
    return text;
}
#endif

double mebibytes(std::uint64_t bytes) { return std::round(static_cast<double>(bytes) / (1 << 20) * 10) / 10; }

}  // namespace

bool Processor::has(std::string_view name) const { return std::ranges::find(instructions, name) != instructions.end(); }

std::uint64_t Machine::usable_memory() const {
    if (!limits.memory) return memory.total;
    return memory.total == 0 ? *limits.memory : std::min(memory.total, *limits.memory);
}

int Machine::usable_threads() const {
    int n = cpu.allowed > 0 ? cpu.allowed : cpu.threads;
    if (limits.cpus) n = std::min(n, static_cast<int>(std::ceil(*limits.cpus)));
    return std::max(n, 1);
}

const Machine& this_machine() {
    static const Machine machine = [] {
#if defined(__APPLE__)
        return apple_machine(
            printed_by("/usr/sbin/sysctl -i hw machdep.cpu kern.osproductversion kern.hv_vmm_present "
                       "kern.memorystatus_level vm.swapusage iogpu sysctl.proc_translated 2>/dev/null"),
            printed_by("/usr/sbin/ioreg -rc AGXAccelerator -d1 -w0 2>/dev/null"));
#else
        return linux_machine();
#endif
    }();
    return machine;
}

GpuMemory gpu_memory(const Machine& machine, std::uint64_t recommended) {
    if (!machine.apple) return {};
    if (machine.apple->wired_limit > 0) return {machine.apple->wired_limit, "iogpu.wired_limit_mb"};
    if (recommended > 0) return {recommended, "recommendedMaxWorkingSetSize"};
    // What macOS is seen to allow: two thirds of up to 36 GiB, three quarters of more.
    const auto total = machine.memory.total;
    return {total <= (std::uint64_t{36} << 30) ? total / 3 * 2 : total / 4 * 3, "estimate"};
}

std::vector<Line> machine_lines(const Machine& m) {
    std::vector<Line> lines;
    std::string text;
    for (const auto& level : m.cpu.levels)
        text += (text.empty() ? "" : " and ") + std::to_string(level.cores) + " " + level.name;
    if (m.cpu.cores > 0) {
        text = std::to_string(m.cpu.cores) + " physical" + (text.empty() ? "" : " (" + text + ")");
        text += ", " + std::to_string(m.cpu.threads) + " logical";
        if (m.cpu.packages > 1) text += ", " + std::to_string(m.cpu.packages) + " sockets";
        if (m.cpu.allowed < m.cpu.threads) text += ", " + std::to_string(m.cpu.allowed) + " for this process";
        if (m.cpu.virtual_machine) text += ", virtual machine";
        lines.push_back({"cores", text});
    }
    text.clear();
    for (const auto& name : m.cpu.instructions) text += (text.empty() ? "" : " ") + name;
    if (!text.empty()) lines.push_back({"has", text});
    if (m.apple && (m.apple->gpu_cores > 0 || !m.apple->metal_family.empty())) {
        text = m.apple->gpu_cores > 0 ? std::to_string(m.apple->gpu_cores) + " cores" : "cores unknown";
        if (!m.apple->metal_family.empty()) text += ", family " + m.apple->metal_family;
        if (!m.apple->metal.empty()) text += ", " + m.apple->metal;
        lines.push_back({"Apple GPU", text});
    }
    if (m.limits.cpus || m.limits.memory) {
        text.clear();
        if (m.limits.cpus) {
            text = nlohmann::json(*m.limits.cpus).dump() + " processors";
        }
        if (m.limits.memory) text += (text.empty() ? "" : ", ") + size_text(*m.limits.memory);
        lines.push_back({"limit", text + " (" + m.limits.from + ")"});
    }
    if (!m.numa.empty()) lines.push_back({"NUMA", std::to_string(m.numa.size()) + " nodes"});
    return lines;
}

nlohmann::ordered_json machine_json(const Machine& m) {
    auto out = nlohmann::ordered_json::object();
    if (m.cpu.cores > 0) out["cores_physical"] = m.cpu.cores;
    if (m.cpu.packages > 1) out["sockets"] = m.cpu.packages;
    if (m.cpu.allowed > 0 && m.cpu.allowed < m.cpu.threads) out["cores_allowed"] = m.cpu.allowed;
    for (const auto& level : m.cpu.levels) out["core_levels"].push_back({{"name", level.name}, {"cores", level.cores}});
    if (!m.cpu.instructions.empty()) out["instructions"] = m.cpu.instructions;
    if (!m.cpu.governor.empty()) out["governor"] = m.cpu.governor;
    if (m.cpu.virtual_machine) out["virtual_machine"] = true;
    for (const auto& node : m.numa)
        out["numa_nodes"].push_back({{"node", node.node}, {"cpus", node.cpus}, {"memory_mb", mebibytes(node.memory)}});
    if (m.limits.cpus) out["cpu_limit"] = *m.limits.cpus;
    if (m.limits.memory) out["memory_limit_mb"] = mebibytes(*m.limits.memory);
    if (m.limits.cpus || m.limits.memory) out["limits_from"] = m.limits.from;
    if (m.apple) {
        if (m.apple->generation > 0) {
            out["chip_generation"] = m.apple->generation;
            out["chip_tier"] = m.apple->tier;
        }
        if (m.apple->gpu_cores > 0) out["gpu_cores"] = m.apple->gpu_cores;
        if (!m.apple->metal.empty()) out["metal"] = m.apple->metal;
        if (!m.apple->metal_family.empty()) out["metal_family"] = m.apple->metal_family;
        if (m.apple->translated) out["rosetta"] = true;
    }
    if (!m.nvidia.driver.empty()) out["nvidia_driver"] = m.nvidia.driver;
    if (!m.nvidia.models.empty()) out["nvidia_gpus"] = m.nvidia.models;
    return out;
}

}  // namespace silica::bench::hardware
