#pragma once
/// What hinders a machine: findings, each with its remedy, out of facts that are passed in. Needs no LibTorch.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "hardware/hub.hpp"
#include "hardware/machine.hpp"
#include "hardware/nvidia.hpp"

namespace silica::bench::hardware {

enum class Severity {
    stops,  ///< something does not run, or its results are wrong
    slows,  ///< it runs, slower or nearer to its limits than it need be
    note,   ///< good to know; hinders nothing
};

/// "stops", "slows", "note".
[[nodiscard]] std::string_view name_of(Severity severity);

/// One thing that was found, and what to do about it: whole sentences.
struct Finding {
    Severity severity;
    std::string_view check;  ///< the group: "machine", "gpu", "threads", ...
    std::string what, remedy;
};
using Findings = std::vector<Finding>;

/// A device that the program was compiled for.
struct DeviceFact {
    std::string name;  ///< "cuda"
    bool usable = false;
    std::string reason;  ///< why not
    bool simulated = false;
};

/// What the program and its LibTorch say of themselves.
struct ProgramFacts {
    std::string build_type;                ///< "Release", "Debug"; empty: none was given
    std::string libtorch, libtorch_build;  ///< "2.13.0"; "cpu", "cuda 13.0", "metal"
    std::string cpu_capability;            ///< LibTorch's kernels: "AVX512", "DEFAULT"
    int threads = 0;                       ///< that LibTorch and Silica's kernels use
    std::vector<DeviceFact> devices;
    std::vector<std::string> libraries;  ///< files of the shared libraries in this process
};

/// Room where files will be written.
struct DiskFact {
    std::string use, path;  ///< "the hub cache"
    std::uint64_t free = 0;
};

struct Facts {
    Machine machine;
    ProgramFacts program;
    CudaDriver cuda;
    HubFacts hub;
    std::vector<DiskFact> disks;
    std::map<std::string, std::string> environment;
};

/// A group of checks. A new one is a function of this kind, listed in doctor.cpp's `groups`.
using Check = Findings (*)(const Facts&);

[[nodiscard]] Findings check_machine(const Facts& facts);
[[nodiscard]] Findings check_gpu(const Facts& facts);
[[nodiscard]] Findings check_threads(const Facts& facts);
[[nodiscard]] Findings check_memory(const Facts& facts);
[[nodiscard]] Findings check_hub(const Facts& facts);
[[nodiscard]] Findings check_environment(const Facts& facts);
[[nodiscard]] Findings check_program(const Facts& facts);
[[nodiscard]] Findings check_disk(const Facts& facts);

/// All groups, the gravest findings first.
[[nodiscard]] Findings examine(const Facts& facts);

/// Whether one of them is more than a note.
[[nodiscard]] bool hinders(const Findings& findings);

/// [{severity, check, what, remedy}]
[[nodiscard]] nlohmann::ordered_json findings_json(const Findings& findings);

}  // namespace silica::bench::hardware
