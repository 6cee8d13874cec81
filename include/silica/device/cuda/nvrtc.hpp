#pragma once
/// Own CUDA kernels: source text that NVRTC compiles for the GPU at hand at its first use, once for the process.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/recording.hpp"
#include "silica/core/tensor.hpp"
#include "silica/device/cuda/driver.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::device::cuda {

/// Whether Silica's own kernels may serve; set to false to have LibTorch's alone, for comparison. Becomes false where
/// one cannot be made on this machine.
SILICA_API inline std::atomic<bool> own_kernels{true};

/// Whether own kernels can run here; where not, ATen's serve.
inline bool has_nvrtc() { return own_kernels.load(std::memory_order_relaxed) && Driver::get().usable; }

/// A kernel's text and what it is compiled with: the text may use `T` and the constants `values`.
struct KernelSource {
    std::string_view name;  ///< of the `extern "C"` function
    std::string_view text;
    std::vector<std::pair<std::string_view, std::int64_t>> values = {};
    at::ScalarType type = at::kFloat;  ///< T
};

/// A compiled kernel on one GPU.
struct Function {
    void* handle = nullptr;
    void* context = nullptr;
    bool overlaps = false;  ///< may be launched before the kernel ahead of it has ended (it waits for it itself)
};

/// Blocks and threads of a launch.
struct Shape {
    std::array<unsigned, 3> grid{1, 1, 1};
    unsigned threads = 32;
};

namespace detail {

inline void check(Driver::Status status, std::string_view what) {
    if (status == 0) return;
    const char* text = nullptr;
    Driver::get().error_text(status, &text);
    throw DeviceError("CUDA: " + std::string(what) + " failed: " + (text != nullptr ? text : "unknown error") + " (" +
                          std::to_string(status) + ").",
                      "look at the GPU with nvidia-smi; run with CUDA_LAUNCH_BLOCKING=1 to find the kernel.");
}

/// The whole text: types and constants first.
inline std::string text_of(const KernelSource& source) {
    std::string text =
        "typedef long long i64;\nstruct bf16 { unsigned short bits; };\nstruct f16 { unsigned short bits; };\ntypedef ";
    text += source.type == at::kHalf ? "f16" : source.type == at::kBFloat16 ? "bf16" : "float";
    text += " T;\n";
    for (const auto& [name, value] : source.values)
        text += "constexpr int " + std::string(name) + " = " + std::to_string(value) + ";\n";
    return text.append(source.text);
}

/// The machine code of `source` for compute capability `capability` (90 for 9.0), or PTX where NVRTC is older than the
/// GPU.
inline std::string compile(const KernelSource& source, int capability) {
    const auto& d = Driver::get();
    int count = 0;
    d.architecture_count(&count);
    std::vector<int> known(static_cast<std::size_t>(count));
    if (count > 0) d.architectures(known.data());
    int best = 0;
    for (const int a : known)
        if (a <= capability && a > best) best = a;
    const bool exact = best == capability || best == 0;
    std::vector<std::string> options{
        "--gpu-architecture=" + std::string(exact ? "sm_" : "compute_") + std::to_string(exact ? capability : best),
        "--std=c++17"};
    std::vector<const char*> words;
    for (const auto& o : options) words.push_back(o.c_str());
    const std::string text = text_of(source), name(source.name);
    void* program = nullptr;
    auto status = d.create_program(&program, text.c_str(), (name + ".cu").c_str(), 0, nullptr, nullptr);
    if (status == 0) status = d.compile_program(program, static_cast<int>(words.size()), words.data());
    std::string code;
    std::size_t size = 0;
    const auto fetch = [&](auto get_size, auto get) {
        get_size(program, &size);
        code.resize(size);
        if (size > 0) get(program, code.data());
    };
    if (status == 0)
        exact ? fetch(d.cubin_size, d.cubin) : fetch(d.ptx_size, d.ptx);
    else if (program != nullptr)
        fetch(d.log_size, d.log);
    if (program != nullptr) d.destroy_program(&program);
    if (status != 0) {
        throw KernelUnavailable("NVRTC cannot compile kernel '" + name + "' for compute capability " +
                                    std::to_string(capability) + ": " + code,
                                "please report this; LibTorch's kernels serve until then.");
    }
    return code;
}

inline Function build(const KernelSource& source, c10::DeviceIndex device) {
    const auto& d = Driver::get();
    int major = 0, minor = 0;
    check(d.device_attribute(&major, 75, device), "reading the compute capability");
    check(d.device_attribute(&minor, 76, device), "reading the compute capability");
    const std::string code = compile(source, 10 * major + minor);
    Function f;
    f.overlaps = major >= 9;
    check(d.retain_primary_context(&f.context, device), "opening the GPU");
    void *previous = nullptr, *module = nullptr;
    check(d.push_context(f.context), "choosing the GPU");
    auto status = d.load_module(&module, code.data());
    if (status == 0) status = d.function_of(&f.handle, module, std::string(source.name).c_str());
    d.pop_context(&previous);
    if (status != 0) {  // PTX that is newer than the driver, ...
        throw KernelUnavailable("Kernel '" + std::string(source.name) + "' cannot be loaded on this GPU (CUDA error " +
                                    std::to_string(status) + ").",
                                "install a newer NVIDIA driver; LibTorch's kernels serve until then.");
    }
    return f;
}

}  // namespace detail

/// The kernel that `make()` describes, compiled at the first call with this `key` on this GPU. `key` tells apart all
/// variants of the kernels of one `Family`. KernelUnavailable where it cannot be made: then no own kernel is used any
/// more, so that a second try of the op finds LibTorch's.
template <class Family, class Make>
const Function& function(c10::DeviceIndex device, std::uint64_t key, Make make) {
    static std::mutex mutex;
    static std::map<std::pair<c10::DeviceIndex, std::uint64_t>, Function> known;
    const std::lock_guard guard(mutex);
    const auto at = std::pair{device, key};
    if (const auto found = known.find(at); found != known.end()) return found->second;
    try {
        return known.emplace(at, detail::build(make(), device)).first->second;
    } catch (const KernelUnavailable&) {
        own_kernels = false;
        throw;
    }
}

/// How many multiprocessors a GPU has.
inline int multiprocessors(c10::DeviceIndex device) {
    int count = 0;
    detail::check(Driver::get().device_attribute(&count, 16, device), "counting the multiprocessors");
    return count;
}

/// The address of a tensor's values, null for an absent one, as kernels take it.
inline void* address(const Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; }

/// Whether kernels can load 16 bytes at once from the start of `t`.
inline bool aligned(const Tensor& t) { return reinterpret_cast<std::uintptr_t>(t.data_ptr()) % 16 == 0; }

/// The types that own kernels are compiled for.
inline bool takes_type(at::ScalarType type) { return type == at::kFloat || type == at::kHalf || type == at::kBFloat16; }

/// Launches a kernel on the current stream of `device`. The types of `args` are exactly those of its parameters.
template <class... Args>
void launch(const Function& f, const Shape& shape, c10::Device device, Args... args) {
    const auto& d = Driver::get();
    const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    LaunchAttribute overlap;
    overlap.id = 6;  // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
    overlap.value[0] = 1;
    LaunchConfig config;
    config.grid = shape.grid;
    config.block = {shape.threads, 1, 1};
    config.stream = guard.getStreamNativeHandle(guard.getStream(device));
    config.attributes = &overlap;
    config.count = f.overlaps ? 1 : 0;
    std::array<void*, sizeof...(Args)> parameters{static_cast<void*>(&args)...};
    void* context = nullptr;
    detail::check(d.current_context(&context), "asking for the current GPU");
    const bool other = context != f.context;
    if (other) detail::check(d.push_context(f.context), "choosing the GPU");
    const auto status = d.launch(&config, f.handle, parameters.data(), nullptr);
    if (other) d.pop_context(&context);
    detail::check(status, "launching a kernel");
}

}  // namespace silica::device::cuda
