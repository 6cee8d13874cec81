#include "hardware/doctor.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "hardware/text.hpp"
#include "silica/core/quote.hpp"

namespace silica::bench::hardware {
namespace {

constexpr Check all_checks[] = {check_machine, check_gpu,         check_threads, check_memory,
                                check_hub,     check_environment, check_program, check_disk};

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

/// What is found in one group.
class Group {
public:
    explicit Group(std::string_view name) : name_(name) {}
    void stops(std::string what, std::string remedy) { add(Severity::stops, std::move(what), std::move(remedy)); }
    void slows(std::string what, std::string remedy) { add(Severity::slows, std::move(what), std::move(remedy)); }
    void note(std::string what, std::string remedy) { add(Severity::note, std::move(what), std::move(remedy)); }
    [[nodiscard]] Findings take() { return std::move(findings_); }

private:
    void add(Severity severity, std::string what, std::string remedy) {
        findings_.push_back({severity, name_, std::move(what), std::move(remedy)});
    }
    std::string_view name_;
    Findings findings_;
};

/// A variable of the environment; null when it is not set, or empty.
const std::string* variable(const Facts& facts, const std::string& name) {
    const auto found = facts.environment.find(name);
    return found == facts.environment.end() || found->second.empty() ? nullptr : &found->second;
}

/// Whether a variable is set to what LibTorch and huggingface_hub take for yes.
bool is_on(const Facts& facts, const std::string& name) {
    const auto* value = variable(facts, name);
    if (value == nullptr) return false;
    std::string lower = *value;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    return lower == "1" || lower == "true" || lower == "yes" || lower == "on";
}

std::string set_to(const std::string& name, const std::string& value) { return name + " is " + quote(value); }

std::string joined(const std::vector<std::string>& names, std::size_t most = 4) {
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
    return text;
}

std::string plural(int n, const std::string& one) { return std::to_string(n) + " " + one + (n == 1 ? "" : "s"); }

const DeviceFact* device(const Facts& facts, std::string_view name) {
    const auto found = std::ranges::find(facts.program.devices, name, &DeviceFact::name);
    return found == facts.program.devices.end() ? nullptr : &*found;
}

bool is_x86(const Machine& m) { return m.cpu.has("avx") || m.cpu.has("avx2") || m.cpu.has("fma"); }

}  // namespace

std::string_view name_of(Severity severity) {
    constexpr std::string_view names[] = {"stops", "slows", "note"};
    return names[static_cast<int>(severity)];
}

Findings check_machine(const Facts& facts) {
    Group g("machine");
    const Machine& m = facts.machine;
    if (m.apple) {
        const auto macos = version(m.apple->macos);
        if (m.apple->translated) {
            g.stops("This program is built for Intel and runs under Rosetta, where LibTorch has no GPU and no build.",
                    "Build it in a terminal that `arch` calls arm64: remove build/ and .venv, then ./run again.");
        } else if (!m.apple->arm) {
            g.stops(
                "This is a Mac with an Intel processor: LibTorch has no builds for it since 2.3, and Silica no GPU.",
                "Use a Mac with Apple silicon (M1 or later), or Linux.");
        }
        if (!macos.empty() && macos[0] < 14) {
            g.stops("macOS " + m.apple->macos + " is older than 14.0, which LibTorch's Metal backend needs.",
                    "Update macOS to 14 or later.");
        }
    }
    if (is_x86(m) && !m.cpu.has("avx2")) {
        g.slows("The processor (" + m.cpu.chip + ") has no AVX2: products and attention run in plain vectors.",
                "Use a processor with AVX2 (Intel since 2013, AMD since 2015); in a virtual machine, pass the host's "
                "processor on (-cpu host).");
    }
    const bool firmware = m.cpu.governor_driver == "intel_pstate" || m.cpu.governor_driver == "amd-pstate-epp";
    if (m.cpu.governor == "powersave" &&
        (!firmware || m.cpu.energy_preference == "power" || m.cpu.energy_preference == "balance_power")) {
        g.slows("The frequency governor is powersave" +
                    (firmware ? ", with the preference " + m.cpu.energy_preference : std::string()) +
                    ": the processor stays below its clock.",
                "sudo cpupower frequency-set -g performance (or powerprofilesctl set performance).");
    }
    if (m.numa.size() > 1) {
        g.note("The memory is in " + plural(static_cast<int>(m.numa.size()), "NUMA node") +
                   ": threads of one read that of another at less than full speed.",
               "For one small model: numactl --cpunodebind=0 --membind=0 silica ...; "
               "for measurements say in the command which nodes it ran on.");
    }
    return g.take();
}

Findings check_gpu(const Facts& facts) {
    Group g("gpu");
    const Machine& m = facts.machine;
    const auto& torch = facts.program.libtorch_build;
    const bool cuda_build = torch.starts_with("cuda"), metal_build = torch == "metal";
    const auto* cuda = device(facts, "cuda");
    const auto* mps = device(facts, "mps");

    if (m.nvidia.on_bus || !facts.cuda.devices.empty() || !facts.cuda.version.empty()) {
        std::string gpu = "An NVIDIA GPU";
        if (!facts.cuda.devices.empty())
            gpu += " (" + facts.cuda.devices.front().name + ")";
        else if (!m.nvidia.models.empty())
            gpu += " (" + m.nvidia.models.front() + ")";
        const auto build = version(cuda_build && torch.size() > 5 ? std::string_view(torch).substr(5) : "");
        const auto driver = version(facts.cuda.version);
        const auto* visible = facts.environment.contains("CUDA_VISIBLE_DEVICES")
                                  ? &facts.environment.at("CUDA_VISIBLE_DEVICES")
                                  : nullptr;
        if (facts.cuda.version.empty() && m.nvidia.driver.empty()) {
            g.stops(gpu + " is there, and no driver for it.", "Install NVIDIA's driver, then look with nvidia-smi.");
        } else if (!cuda_build) {
            g.stops(gpu + " is there, and this LibTorch (" + facts.program.libtorch + ") is built for the CPU alone.",
                    "Remove .venv and build/ and call ./run again: it takes the build with CUDA where there is an "
                    "NVIDIA GPU; or name such a LibTorch in CMAKE_PREFIX_PATH.");
        } else if (facts.cuda.version.empty()) {
            g.stops(gpu + " has the driver " + m.nvidia.driver + ", but libcuda.so.1 cannot be loaded.",
                    "In a container, start it with --gpus all (NVIDIA Container Toolkit); else install the driver's "
                    "libraries.");
        } else if (!build.empty() && !driver.empty() && driver[0] < build[0]) {
            g.stops("The driver runs CUDA " + facts.cuda.version + " at most, and this LibTorch is built for " + torch +
                        ".",
                    "Install a newer driver (nvidia-smi shows the CUDA that one runs), or a LibTorch for CUDA " +
                        std::to_string(driver[0]) + ".");
        } else if (visible != nullptr && (visible->empty() || visible->starts_with("-"))) {
            g.stops("CUDA_VISIBLE_DEVICES is " + quote(*visible) + ", which hides every GPU.",
                    "unset CUDA_VISIBLE_DEVICES.");
        } else if (cuda == nullptr) {
            g.stops(gpu + " is there, and this program is compiled without the device cuda.",
                    "Configure with -DSILICA_DEVICES= (empty for all) and build again.");
        } else if (!cuda->usable) {
            g.stops(gpu + " is there and cannot be used: " + cuda->reason + ".",
                    "Look with nvidia-smi; after an update of the driver the machine must be started again.");
        }
        const bool tensor_cores =
            std::ranges::any_of(facts.cuda.devices, [](const CudaDevice& d) { return d.major >= 8; });
        if (cuda != nullptr && cuda->usable && !facts.cuda.devices.empty() && !tensor_cores) {
            g.slows(gpu + " is older than Ampere (compute capability " +
                        std::to_string(facts.cuda.devices.front().major) + "." +
                        std::to_string(facts.cuda.devices.front().minor) +
                        ") and has no bfloat16, which is cuda's default precision.",
                    "Use --precision float16.");
        }
    } else if (m.amd_gpu) {
        g.note("An AMD GPU is there; Silica has no device for it.", "Use --hardware cpu.");
    }

    if (m.apple && m.apple->arm && !m.apple->translated) {
        if (!metal_build && (mps == nullptr || !mps->simulated)) {
            g.stops("This is Apple silicon, and this LibTorch (" + facts.program.libtorch + ") is built without Metal.",
                    "Use the macOS arm64 build of torch: remove .venv and build/ and call ./run again.");
        } else if (mps == nullptr) {
            g.stops("This is Apple silicon, and this program is compiled without the device mps.",
                    "Configure with -DSILICA_DEVICES= (empty for all) and build again.");
        } else if (!mps->usable) {
            g.stops("The Apple GPU cannot be used: " + mps->reason + ".",
                    m.cpu.virtual_machine ? "Run it on the machine itself: this is a virtual one."
                                          : "Start it outside of a sandbox; macOS 14.0 or later is needed.");
        }
        const auto limit = m.apple->wired_limit, total = m.memory.total;
        if (limit > 0 && total > 0 && limit > total / 10 * 9) {
            g.slows("iogpu.wired_limit_mb gives the GPU " + size_text(limit) + " of " + size_text(total) +
                        ": too little is left for the system, which then stalls.",
                    "sudo sysctl iogpu.wired_limit_mb=0 (the system's default).");
        } else if (limit > 0 && total > 0 && limit < total / 2) {
            g.slows("iogpu.wired_limit_mb gives the GPU " + size_text(limit) + " of " + size_text(total) +
                        ", less than the system's default.",
                    "sudo sysctl iogpu.wired_limit_mb=0 (the system's default).");
        }
    }
    for (const auto& d : facts.program.devices) {
        if (d.simulated) {
            g.note("The device " + d.name + " of this program is simulated: it shows where ops run, not how fast.",
                   "Use the program silica, not silica-sim-mps, for anything but tests.");
        }
    }
    return g.take();
}

Findings check_threads(const Facts& facts) {
    Group g("threads");
    const Machine& m = facts.machine;
    const int threads = facts.program.threads, usable = m.usable_threads();
    const int allowed = m.cpu.allowed > 0 ? m.cpu.allowed : m.cpu.threads;
    const int cores = m.cpu.cores > 0 ? std::min(m.cpu.cores, usable) : usable;

    bool variable_at_fault = false;
    for (const char* name : {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}) {
        const auto* value = variable(facts, name);
        if (value == nullptr) continue;
        const auto wanted = number(*value);
        if (!wanted || *wanted < 1) {
            g.slows(set_to(name, *value) + ", which is no number of threads.", std::string("unset ") + name + ".");
            variable_at_fault = true;
        } else if (*wanted > usable) {
            g.slows(set_to(name, *value) + ", more than the " + plural(usable, "processor") +
                        " that this process may use: threads wait for one another.",
                    std::string("export ") + name + "=" + std::to_string(cores) + ", or unset it.");
            variable_at_fault = true;
        } else if (*wanted == 1 && cores > 1) {
            g.slows(set_to(name, *value) + ": one thread of " + plural(cores, "core") + ".",
                    std::string("unset ") + name + ", or give silica bench --threads " + std::to_string(cores) + ".");
            variable_at_fault = true;
        }
    }
    if (!variable_at_fault && threads > usable) {
        const std::string why = m.limits.cpus && *m.limits.cpus < allowed
                                    ? "the control group (" + m.limits.from + ") gives this process the time of " +
                                          plural(usable, "processor")
                                    : "this process may use " + plural(usable, "processor");
        g.slows("LibTorch uses " + plural(threads, "thread") + ", and " + why + ": threads wait for one another.",
                "export OMP_NUM_THREADS=" + std::to_string(cores) + ", or give the container more processors.");
    } else if (!variable_at_fault && m.cpu.cores > 0 && threads > m.cpu.cores && m.cpu.levels.empty()) {
        g.slows("LibTorch uses " + plural(threads, "thread") + " on " + plural(m.cpu.cores, "core") +
                    " (hyper-threads): products are no faster, and waits are longer.",
                "export OMP_NUM_THREADS=" + std::to_string(cores) + ".");
    }
    if (m.cpu.allowed > 0 && m.cpu.allowed < m.cpu.threads) {
        g.note("This process may use " + std::to_string(m.cpu.allowed) + " of " + plural(m.cpu.threads, "processor") +
                   " (taskset, cpuset, or a batch system).",
               "If that was not meant, start it without taskset, or ask the batch system for more processors.");
    }

    std::set<std::string> runtimes;
    for (const auto& library : facts.program.libraries) {
        const auto file = library.substr(library.rfind('/') + 1);
        if (file.starts_with("libgomp") || file.starts_with("libiomp5") || file.starts_with("libomp.") ||
            file.starts_with("libomp-"))
            runtimes.insert(library);
    }
    if (runtimes.size() > 1) {
        std::vector<std::string> names(runtimes.begin(), runtimes.end());
        g.slows("Several OpenMP runtimes are in this process (" + joined(names) +
                    "): each has threads of its own, and some stop the program (OMP: Error #15).",
                "Link the one that LibTorch brings: configure anew with CMAKE_PREFIX_PATH at that LibTorch, and take "
                "the other out of LD_PRELOAD and LD_LIBRARY_PATH.");
    }
    if (is_on(facts, "KMP_DUPLICATE_LIB_OK")) {
        g.slows(
            "KMP_DUPLICATE_LIB_OK lets several OpenMP runtimes live beside one another, which may give wrong "
            "results.",
            "unset KMP_DUPLICATE_LIB_OK, and link one of them.");
    }
    return g.take();
}

Findings check_memory(const Facts& facts) {
    Group g("memory");
    const Machine& m = facts.machine;
    const auto& memory = m.memory;
    const auto usable = m.usable_memory();
    if (m.limits.memory && memory.total > 0 && *m.limits.memory < memory.total) {
        const std::string what = "The control group (" + m.limits.from + ") gives this process " +
                                 size_text(*m.limits.memory) + " of the machine's " + size_text(memory.total) + ".";
        const std::string remedy = "Give the container or job more memory; a process beyond its limit is killed.";
        if (*m.limits.memory < 4 * gib)
            g.slows(what, remedy);
        else
            g.note(what, remedy);
    } else if (usable > 0 && usable < 4 * gib) {
        g.slows("The machine has " + size_text(usable) + " of memory, which holds small models only.",
                "Use --small-model, a half precision or --precision int4, and --loader streamed.");
    }
    if (memory.available > 0 && memory.total > 0 && memory.available < std::min(2 * gib, memory.total / 10)) {
        g.slows("Of " + size_text(memory.total) + " of memory " + size_text(memory.available) + " are free.",
                "End other programs; models that do not fit are read from disk again and again.");
    }
    // Some of what nobody uses is always swapped out, and macOS does so early.
    if (memory.swap_used > std::max(gib, memory.total / (m.apple ? 4 : 20))) {
        g.slows(size_text(memory.swap_used) +
                    " of memory are swapped out: the machine has run out of it, and what is "
                    "measured now is the disk.",
                "End other programs, then wait until swap is empty, or restart.");
    }
    return g.take();
}

Findings check_hub(const Facts& facts) {
    Group g("hub");
    const auto& hub = facts.hub;
    const auto download = [](const std::vector<std::string>& names) {
        return "hf download " + names.front() + (names.size() > 1 ? ", and so for the others." : ".");
    };
    if (!hub.exists) {
        g.note("There is no hub cache at " + hub.directory + ": silica bench measures with random weights.",
               "hf download org/name (pip install huggingface_hub), or give directories; HF_HUB_CACHE names another "
               "place.");
    } else if (!hub.readable) {
        g.stops("The hub cache " + hub.directory + " cannot be listed.",
                "Make it a directory that you may read, or name another in HF_HUB_CACHE.");
    } else if (hub.models == 0) {
        g.note("The hub cache " + hub.directory + " holds no model: silica bench measures with random weights.",
               "hf download org/name, for example google-bert/bert-base-uncased.");
    }
    if (!hub.no_snapshot.empty()) {
        g.stops("A ref of " + joined(hub.no_snapshot) + " names a snapshot that is not there.",
                download(hub.no_snapshot));
    }
    if (!hub.broken_links.empty()) {
        g.stops("Files of " + joined(hub.broken_links) + " are links to blobs that are not there.",
                download(hub.broken_links));
    }
    if (!hub.incomplete.empty()) {
        g.note("A download of " + joined(hub.incomplete) + " was cut short.", download(hub.incomplete));
    }
    if (is_on(facts, "HF_HUB_OFFLINE") || is_on(facts, "TRANSFORMERS_OFFLINE")) {
        g.note("HF_HUB_OFFLINE is on: hf download refuses. Silica itself never downloads.",
               "unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE before hf download.");
    }
    for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
        const auto* token = variable(facts, name);
        if (token == nullptr || (token->starts_with("hf_") && token->find_first_of(" \t\r\n'\"") == std::string::npos))
            continue;
        g.note(std::string(name) + " does not look like a token of the hub (hf_...): downloads of gated models fail.",
               std::string("Set it to the token alone, without quotes and blanks, or unset it and use hf auth login."));
    }
    return g.take();
}

Findings check_environment(const Facts& facts) {
    Group g("environment");
    const auto decimal = [](const std::string* text) {
        return text == nullptr ? 0.0 : std::strtod(text->c_str(), nullptr);
    };

    if (is_on(facts, "PYTORCH_ENABLE_MPS_FALLBACK")) {
        g.slows(
            "PYTORCH_ENABLE_MPS_FALLBACK is on: LibTorch moves ops to the CPU unseen, and no fallback report names "
            "them.",
            "unset PYTORCH_ENABLE_MPS_FALLBACK: Silica's own chain falls back, and says so.");
    }
    const auto* high = variable(facts, "PYTORCH_MPS_HIGH_WATERMARK_RATIO");
    const auto* low = variable(facts, "PYTORCH_MPS_LOW_WATERMARK_RATIO");
    const double low_ratio = low == nullptr ? 1.4 : decimal(low);
    if (high != nullptr && decimal(high) == 0.0) {
        g.slows(
            "PYTORCH_MPS_HIGH_WATERMARK_RATIO is 0: nothing keeps the GPU from taking all memory, and the machine "
            "may stop.",
            "unset PYTORCH_MPS_HIGH_WATERMARK_RATIO (1.7), and take a smaller precision or --loader streamed.");
    } else if (high != nullptr && (decimal(high) < 0.0 || decimal(high) > 2.0 || decimal(high) < low_ratio)) {
        g.stops(set_to("PYTORCH_MPS_HIGH_WATERMARK_RATIO", *high) +
                    ": LibTorch takes 0, or from PYTORCH_MPS_LOW_WATERMARK_RATIO (1.4 where it is not set) to 2.",
                "unset both, or set the low one too.");
    }
    if (variable(facts, "PYTORCH_MPS_FAST_MATH") != nullptr && *variable(facts, "PYTORCH_MPS_FAST_MATH") != "0") {
        g.stops("PYTORCH_MPS_FAST_MATH is on: kernels then need not keep infinities, which masks are made of.",
                "unset PYTORCH_MPS_FAST_MATH.");
    }
    for (const char* name :
         {"PYTORCH_DEBUG_MPS_ALLOCATOR", "PYTORCH_MPS_LOG_PROFILE_INFO", "PYTORCH_MPS_TRACE_SIGNPOSTS"}) {
        if (const auto* value = variable(facts, name); value != nullptr && *value != "0")
            g.slows(std::string(name) + " is on: every allocation or op is logged.",
                    std::string("unset ") + name + ".");
    }
    for (const char* name : {"PYTORCH_NO_CUDA_MEMORY_CACHING", "CUDA_LAUNCH_BLOCKING"}) {
        if (const auto* value = variable(facts, name); value != nullptr && *value != "0")
            g.slows(std::string(name) + " is on: every allocation or kernel waits for the GPU.",
                    std::string("unset ") + name + ".");
    }
    for (const char* name : {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"}) {
        if (const auto* value = variable(facts, name))
            g.note(set_to(name, *value) + ": LibTorch's allocator is not as it comes.",
                   std::string("unset ") + name + " for measurements that others are to repeat.");
    }
    for (const char* name : {"NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"}) {
        if (is_on(facts, name))
            g.note(
                std::string(name) + " is on: products in float32 are rounded to 10 bits, and silica verify may fail.",
                std::string("unset ") + name + ".");
    }
    for (const char* name : {"SILICA_CPU_ISA", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA",
                             "MKL_ENABLE_INSTRUCTIONS"}) {
        if (const auto* value = variable(facts, name))
            g.slows(set_to(name, *value) + ", which keeps kernels from better instructions.",
                    std::string("unset ") + name + ".");
    }
    if (const auto* value = variable(facts, "LD_PRELOAD")) {
        g.note(set_to("LD_PRELOAD", *value) + ": what it loads runs inside every measurement.",
               "unset LD_PRELOAD unless it is meant.");
    }
    for (const auto& [name, value] : facts.environment) {
        static const std::set<std::string> known = {
            "PYTORCH_ENABLE_MPS_FALLBACK", "PYTORCH_MPS_HIGH_WATERMARK_RATIO", "PYTORCH_MPS_LOW_WATERMARK_RATIO",
            "PYTORCH_MPS_FAST_MATH",       "PYTORCH_DEBUG_MPS_ALLOCATOR",      "PYTORCH_MPS_LOG_PROFILE_INFO",
            "PYTORCH_MPS_TRACE_SIGNPOSTS", "PYTORCH_NO_CUDA_MEMORY_CACHING",   "PYTORCH_CUDA_ALLOC_CONF",
            "PYTORCH_ALLOC_CONF"};
        if (name.starts_with("PYTORCH_") && !known.contains(name) && !value.empty())
            g.note(set_to(name, value) + ".", "unset " + name + " for measurements that others are to repeat.");
    }
    return g.take();
}

Findings check_program(const Facts& facts) {
    Group g("program");
    const auto& p = facts.program;
    if (p.build_type == "Debug" || p.build_type.empty()) {
        g.slows(p.build_type.empty() ? "This program was built without a CMAKE_BUILD_TYPE: nothing in it is optimised."
                                     : "This is a debug build.",
                "./run devices builds the optimised one, build/release/silica.");
    }
    const bool plain = p.cpu_capability == "DEFAULT" || p.cpu_capability == "NO AVX";
    if (plain && facts.machine.cpu.has("avx2") && variable(facts, "ATEN_CPU_CAPABILITY") == nullptr) {
        g.slows("LibTorch uses its " + p.cpu_capability + " kernels, though the processor has AVX2.",
                "Take LibTorch's own builds (pip install torch), not one that was compiled without AVX2.");
    }
    return g.take();
}

Findings check_disk(const Facts& facts) {
    Group g("disk");
    for (const auto& disk : facts.disks) {
        if (disk.free >= 5 * gib) continue;
        g.slows("Of the disk that holds " + disk.use + " (" + disk.path + ") " + size_text(disk.free) + " are free.",
                "Make room: a model of 7 billion parameters is a file of 15 GB; hf cache delete removes models.");
    }
    return g.take();
}

Findings examine(const Facts& facts) {
    Findings all;
    for (const auto check : all_checks) {
        for (auto& finding : check(facts)) all.push_back(std::move(finding));
    }
    std::ranges::stable_sort(all, {}, &Finding::severity);
    return all;
}

bool hinders(const Findings& findings) {
    return std::ranges::any_of(findings, [](const Finding& f) { return f.severity != Severity::note; });
}

nlohmann::ordered_json findings_json(const Findings& findings) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& f : findings)
        list.push_back({{"severity", name_of(f.severity)}, {"check", f.check}, {"what", f.what}, {"remedy", f.remedy}});
    return list;
}

}  // namespace silica::bench::hardware
