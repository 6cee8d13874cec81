#pragma once
/// What a machine is made of: values, from texts that a test may have recorded elsewhere. Needs no LibTorch.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace silica::bench::hardware {

/// Cores of one kind: "Performance", "Efficiency", "Super" of Apple; of Linux where a chip has several.
struct CoreLevel {
    std::string name;
    int cores = 0;
};

struct Processor {
    std::string chip;                       ///< "Apple M2 Pro", "AMD EPYC 9B45"; empty where the system does not tell
    int threads = 0;                        ///< logical processors
    int cores = 0;                          ///< physical ones
    int packages = 0;                       ///< sockets
    int allowed = 0;                        ///< logical processors that this process may use
    std::vector<CoreLevel> levels;          ///< fastest first; empty where all are the same
    std::vector<std::string> instructions;  ///< those that kernels look for: avx2, amx_bf16, neon, dotprod, ...
    std::string governor;                   ///< "powersave"; empty where the system has none
    std::string governor_driver;            ///< "intel_pstate", "acpi-cpufreq"
    std::string energy_preference;          ///< "balance_performance"; empty where the driver has none
    bool virtual_machine = false;

    [[nodiscard]] bool has(std::string_view instructions) const;
};

/// Bytes; 0 where the system does not tell.
struct Memory {
    std::uint64_t total = 0, available = 0, swap_total = 0, swap_used = 0;
};

/// What a control group lets this process use.
struct Limits {
    std::string from;                     ///< "cgroup v1", "cgroup v2"; empty where there is none
    std::optional<std::uint64_t> memory;  ///< bytes
    std::optional<double> cpus;           ///< 1.5: one and a half processors' time
};

struct NumaNode {
    int node = 0;
    int cpus = 0;
    std::uint64_t memory = 0;  ///< bytes
};

/// What only Apple's machines have.
struct Apple {
    std::string macos;              ///< "15.1"
    int generation = 0;             ///< 3 of "Apple M3 Max"; 0 of other chips
    std::string tier;               ///< "base", "Pro", "Max", "Ultra"; empty of other chips
    int gpu_cores = 0;              ///< 0 where the system does not tell, as in a virtual machine
    std::string metal;              ///< what the system says it supports: "Metal 3"
    std::string metal_family;       ///< "Apple8", from the generation; empty where we do not know
    std::uint64_t wired_limit = 0;  ///< bytes that iogpu.wired_limit_mb gives to the GPU; 0: the system's default
    bool translated = false;        ///< Intel code under Rosetta
    bool arm = false;               ///< Apple silicon
};

/// What of an NVIDIA GPU the system's files tell.
struct Nvidia {
    bool on_bus = false;              ///< a GPU of this maker is in the machine, with a driver or without
    std::string driver;               ///< "580.65.06"; empty: no driver is loaded
    std::vector<std::string> models;  ///< "NVIDIA H100 80GB HBM3"
};

struct Machine {
    std::string os;  ///< "Linux", "macOS"
    Processor cpu;
    Memory memory;
    Limits limits;
    std::vector<NumaNode> numa;  ///< empty where there is but one
    std::optional<Apple> apple;
    Nvidia nvidia;
    bool amd_gpu = false;

    /// The smaller of the machine's memory and the group's limit, in bytes.
    [[nodiscard]] std::uint64_t usable_memory() const;
    /// Processors that this process may keep busy: allowed ones, cut by the group's limit; at least 1.
    [[nodiscard]] int usable_threads() const;
};

/// A machine with Linux, from /proc and /sys below `root`.
[[nodiscard]] Machine linux_machine(const std::filesystem::path& root = "/");

/// A machine with macOS: `sysctl` is what `sysctl hw machdep.cpu kern vm iogpu sysctl.proc_translated` prints (any
/// part of it), `graphics` what `ioreg -rc AGXAccelerator -d1` or `system_profiler SPDisplaysDataType` does.
[[nodiscard]] Machine apple_machine(std::string_view sysctl, std::string_view graphics);

/// This machine; read once.
[[nodiscard]] const Machine& this_machine();

/// Bytes that the GPU of an Apple machine may use, and where the number is from: the limit that was set, what LibTorch
/// says is recommended (`recommended`, 0 where it does not), or the share that is usual for such a memory.
struct GpuMemory {
    std::uint64_t bytes = 0;
    std::string_view from;  ///< "iogpu.wired_limit_mb", "recommendedMaxWorkingSetSize", "estimate"
};
[[nodiscard]] GpuMemory gpu_memory(const Machine& machine, std::uint64_t recommended);

/// What is worth a line for people: cores, GPU, instructions, limits, NUMA nodes; {label, text} each.
struct Line {
    std::string label, text;
};
[[nodiscard]] std::vector<Line> machine_lines(const Machine& machine);

/// As the fields of a report: {cores_physical, core_levels, instructions, numa_nodes, ...}; what is not known, and what
/// other systems have, is left out.
[[nodiscard]] nlohmann::ordered_json machine_json(const Machine& machine);

}  // namespace silica::bench::hardware
