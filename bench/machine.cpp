#include "machine.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <string_view>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <sys/utsname.h>
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "registry.hpp"
#include "silica/core/memory.hpp"
#include "silica/device/mps/version.hpp"
#include "silica/device/simulated.hpp"

namespace silica::bench {
namespace {

#if !defined(__APPLE__)
/// The value after `key` in a file of lines "key : value"; empty when there is none.
std::string line_value(const char* path, std::string_view key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key)) continue;
        const auto colon = line.find(':');
        if (colon == std::string::npos) continue;
        const auto begin = line.find_first_not_of(" \t", colon + 1);
        return begin == std::string::npos ? "" : line.substr(begin);
    }
    return {};
}
#endif

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
#if defined(__APPLE__)
    char text[128] = {};
    std::size_t size = sizeof text - 1;
    if (sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0) == 0) return text;
    return "unknown";
#else
    std::string name = line_value("/proc/cpuinfo", "model name");
    if (name.empty()) name = line_value("/proc/cpuinfo", "Model");
    return name.empty() ? "unknown" : name;
#endif
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
    CudaFacts facts;
    void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);  // part of the driver; stays open
    if (driver == nullptr) return facts;
    using Init = int (*)(unsigned);
    using Get = int (*)(int*, int);
    using Name = int (*)(char*, int, int);
    using Version = int (*)(int*);
    const auto init = reinterpret_cast<Init>(dlsym(driver, "cuInit"));
    const auto get = reinterpret_cast<Get>(dlsym(driver, "cuDeviceGet"));
    const auto name = reinterpret_cast<Name>(dlsym(driver, "cuDeviceGetName"));
    const auto version_of = reinterpret_cast<Version>(dlsym(driver, "cuDriverGetVersion"));
    int device = 0, number = 0;
    char text[256] = {};
    if (version_of != nullptr && version_of(&number) == 0) {
        facts.driver = std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
    }
    if (init != nullptr && get != nullptr && name != nullptr && init(0) == 0 && get(&device, 0) == 0 &&
        name(text, sizeof text - 1, device) == 0) {
        facts.chip = text;
    }
    return facts;
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
    if (const auto text = line_value("/proc/self/status", "VmHWM"); !text.empty()) {
        return std::strtoull(text.c_str(), nullptr, 10) * 1024;
    }
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
        const at::Tensor t = at::ones({std::int64_t{1} << 28}, at::TensorOptions().dtype(at::kFloat).device(device));
        const at::Tensor to = host ? at::Tensor() : at::empty_like(t);
        for (int pass = 0; pass < 6; ++pass) {
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
