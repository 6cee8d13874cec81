#include "machine.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/utsname.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "hardware/machine.hpp"
#include "hardware/nvidia.hpp"
#include "hardware/text.hpp"
#include "registry.hpp"
#include "silica/core/free_memory.hpp"
#include "silica/core/memory.hpp"
#include "silica/device/mps/version.hpp"
#include "silica/device/simulated.hpp"

namespace silica::bench {
namespace {

/// "cpu", "cuda 13.0", "metal": what this LibTorch was built for.
std::string libtorch_build() {
    std::string build;
    if (c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA)) {
        const std::string config = at::show_config();
        constexpr std::string_view key = "CUDA_VERSION=";
        const auto at = config.find(key);
        build = at == std::string::npos
                    ? "cuda"
                    : "cuda " + config.substr(at + key.size(), config.find(',', at) - at - key.size());
    }
    if (c10::impl::hasDeviceGuardImpl(c10::DeviceType::MPS) && !device::is_simulated(c10::DeviceType::MPS))
        build = "metal";
    return build.empty() ? "cpu" : build;
}

}  // namespace

std::string cpu_name() {
    const auto& chip = hardware::this_machine().cpu.chip;
    return chip.empty() ? "unknown" : chip;
}

nlohmann::ordered_json machine_facts() {
    utsname system{};
    uname(&system);
    const std::string macos = device::mps::macos_version();
    nlohmann::ordered_json facts;
    facts["os"] = macos.empty() ? std::string(system.sysname) : "macOS";
    facts["os_version"] = macos.empty() ? std::string(system.release) : macos;
    facts["arch"] = std::string(system.machine);
    facts["chip"] = cpu_name();
    facts["cores"] = std::thread::hardware_concurrency();
    facts["memory_mb"] = mebibytes(process_memory().machine);
    facts["cpu_capability"] = at::get_cpu_capability();
    const auto& here = hardware::this_machine();
    facts.update(hardware::machine_json(here));
    if (here.apple && here.apple->arm) {
        const auto& hooks = at::detail::getMPSHooks();
        const bool metal = hooks.hasMPS() && !device::is_simulated(c10::DeviceType::MPS);
        const auto gpu = hardware::gpu_memory(here, metal ? hooks.getRecommendedMaxMemory() : 0);
        facts["gpu_memory_mb"] = mebibytes(gpu.bytes);
        facts["gpu_memory_from"] = gpu.from;
    }
    return facts;
}

nlohmann::ordered_json version_facts() {
    const auto build = build_facts();
    return {{"silica", build.version},
            {"libtorch", TORCH_VERSION},
            {"libtorch_build", libtorch_build()},
            {"compiler", build.compiler},
            {"build_type", build.build_type}};
}

CudaFacts cuda_facts() {
    const auto& driver = hardware::cuda_driver();
    return {driver.devices.empty() ? "" : driver.devices.front().name, driver.version};
}

double rounded(double value, int digits) {
    const double scale = std::pow(10.0, digits);
    return std::round(value * scale) / scale;
}

double mebibytes(std::uint64_t bytes) { return rounded(static_cast<double>(bytes) / (1024.0 * 1024.0), 1); }

bool reset_host_peak() {
    bool done = false;
#if defined(__linux__)
    if (std::FILE* f = std::fopen("/proc/self/clear_refs", "w")) {
        done = std::fputs("5", f) >= 0;
        done = std::fclose(f) == 0 && done;
    }
#endif
    return done;
}

std::uint64_t host_peak() {
#if defined(__linux__)
    const std::string status = hardware::read_text("/proc/self/status").value_or("");
    if (const auto kib = hardware::number(hardware::value_of(status, "VmHWM")))
        return static_cast<std::uint64_t>(*kib) * 1024;
#endif
    return process_memory().peak;
}

void trim_heap() {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

namespace {

/// The sum of some words. Four chains, so that the memory is waited for and not the additions.
std::uint64_t sum(const std::uint64_t* words, std::size_t n) {
    std::uint64_t a = 0, b = 0, c = 0, d = 0;
    for (std::size_t i = 0; i + 32 <= n; i += 32) {
        for (std::size_t j = 0; j < 8; ++j) {
            a += words[i + j], b += words[i + 8 + j], c += words[i + 16 + j], d += words[i + 24 + j];
        }
    }
    return a + b + c + d;
}

/// Every thread of LibTorch reads its part of the tensor once.
void read_on_host(const at::Tensor& t) {
    const auto threads = static_cast<std::size_t>(at::get_num_threads());
    const auto* words = static_cast<const std::uint64_t*>(t.const_data_ptr());
    const std::size_t each = t.nbytes() / 8 / threads;
    std::vector<std::uint64_t> sums(threads);
    std::vector<std::thread> readers;
    for (std::size_t i = 0; i < threads; ++i)
        readers.emplace_back([&sums, words, each, i] { sums[i] = sum(words + i * each, each); });
    for (auto& reader : readers) reader.join();
    static volatile std::uint64_t kept = 0;  // the sums are used, so the reads are not left out
    for (const auto s : sums) kept = kept + s;
}

}  // namespace

double memory_bandwidth(c10::DeviceType device) {
    static std::map<c10::DeviceType, double> known;
    if (const auto found = known.find(device); found != known.end()) return found->second;
    double best = 0;
    try {
        const bool host = device == c10::DeviceType::CPU;
        if (const auto memory = free_memory(); host && memory.total > 0 && memory.free < (std::uint64_t{5} << 28U))
            return known[device] = 0;  // the system gives more than there is, and ends a process for it
        const at::Tensor t = at::ones({std::int64_t{1} << 28}, at::TensorOptions().dtype(at::kFloat).device(device));
        const at::Tensor to = host ? at::Tensor() : at::empty_like(t);
        // The best of a second: a machine that others use too is slow for a while now and then.
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
        for (int pass = 0; pass < 6 || std::chrono::steady_clock::now() < end; ++pass) {
            const auto start = std::chrono::steady_clock::now();
            if (host) {
                read_on_host(t);
            } else {  // a copy reads and writes
                to.copy_(t);
                c10::impl::VirtualGuardImpl(device).synchronizeDevice(t.device().index());
            }
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
            best = std::max(best, static_cast<double>(t.nbytes()) * (host ? 1 : 2) / took.count());
        }
    } catch (const c10::Error&) {  // no memory for it
        best = 0;
    }
    return known[device] = best;
}

void reset_device_peak(std::string_view device) {
    constexpr auto cuda = c10::DeviceType::CUDA;
    if (device != "cuda" || !c10::impl::hasDeviceGuardImpl(cuda)) return;
    auto* allocator = at::getDeviceAllocator(cuda);
    if (allocator != nullptr && allocator->initialized()) allocator->resetPeakStats(0);
}

}  // namespace silica::bench
