#pragma once
/// The CUDA driver and NVRTC, found at run time: nothing of the CUDA toolkit is needed to build.
///
/// The CUDA builds of LibTorch carry NVRTC (the compiler for kernels kept as text) and libcaffe2_nvrtc, which is linked
/// to it and to the driver. The declarations here follow cuda.h and nvrtc.h, whose C interfaces are stable.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#endif

namespace silica::device::cuda {

/// cuda.h's CUlaunchAttribute, CUlaunchConfig and handles.
struct LaunchAttribute {
    int id = 0;
    int unused = 0;
    std::array<int, 16> value{};
};
struct LaunchConfig {
    std::array<unsigned, 3> grid{1, 1, 1}, block{1, 1, 1};
    unsigned shared_bytes = 0;
    void* stream = nullptr;
    LaunchAttribute* attributes = nullptr;
    unsigned count = 0;
};

/// The functions that Silica calls; `usable` is false, with a reason, where one of them is missing.
struct Driver {
    using Status = int;  // 0 is success, for CUresult and nvrtcResult alike

    Status (*device_attribute)(int*, int, int) = nullptr;
    Status (*retain_primary_context)(void**, int) = nullptr;
    Status (*current_context)(void**) = nullptr;
    Status (*push_context)(void*) = nullptr;
    Status (*pop_context)(void**) = nullptr;
    Status (*load_module)(void**, const void*) = nullptr;
    Status (*function_of)(void**, void*, const char*) = nullptr;
    Status (*launch)(const LaunchConfig*, void*, void**, void**) = nullptr;
    Status (*error_text)(Status, const char**) = nullptr;

    Status (*create_program)(void**, const char*, const char*, int, const char* const*, const char* const*) = nullptr;
    Status (*destroy_program)(void**) = nullptr;
    Status (*compile_program)(void*, int, const char* const*) = nullptr;
    Status (*log_size)(void*, std::size_t*) = nullptr;
    Status (*log)(void*, char*) = nullptr;
    Status (*cubin_size)(void*, std::size_t*) = nullptr;
    Status (*cubin)(void*, char*) = nullptr;
    Status (*ptx_size)(void*, std::size_t*) = nullptr;
    Status (*ptx)(void*, char*) = nullptr;
    Status (*architecture_count)(int*) = nullptr;
    Status (*architectures)(int*) = nullptr;

    bool usable = false;
    std::string reason = {};  ///< empty when usable

    /// Loaded at the first call, once for the process.
    static const Driver& get() {
        static const Driver driver = load();
        return driver;
    }

private:
#if __has_include(<dlfcn.h>)
    static Driver load() {
        Driver d;
        const Libraries from = open();
        if (from.cuda == nullptr || from.nvrtc == nullptr) {
            d.reason = from.cuda == nullptr ? "the CUDA driver (libcuda.so.1) was not found"
                                            : "NVRTC (libnvrtc.so) was not found beside LibTorch";
            return d;
        }
        bool all = true;
        const auto find = [&](void* library, const char* name, auto& function) {
            void* address = ::dlsym(library, name);
            function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
            if (address != nullptr || !all) return;
            all = false;
            d.reason = std::string(name) + " is missing from the CUDA libraries";
        };
        find(from.cuda, "cuDeviceGetAttribute", d.device_attribute);
        find(from.cuda, "cuDevicePrimaryCtxRetain", d.retain_primary_context);
        find(from.cuda, "cuCtxGetCurrent", d.current_context);
        find(from.cuda, "cuCtxPushCurrent_v2", d.push_context);
        find(from.cuda, "cuCtxPopCurrent_v2", d.pop_context);
        find(from.cuda, "cuModuleLoadData", d.load_module);
        find(from.cuda, "cuModuleGetFunction", d.function_of);
        find(from.cuda, "cuLaunchKernelEx", d.launch);
        find(from.cuda, "cuGetErrorString", d.error_text);
        find(from.nvrtc, "nvrtcCreateProgram", d.create_program);
        find(from.nvrtc, "nvrtcDestroyProgram", d.destroy_program);
        find(from.nvrtc, "nvrtcCompileProgram", d.compile_program);
        find(from.nvrtc, "nvrtcGetProgramLogSize", d.log_size);
        find(from.nvrtc, "nvrtcGetProgramLog", d.log);
        find(from.nvrtc, "nvrtcGetCUBINSize", d.cubin_size);
        find(from.nvrtc, "nvrtcGetCUBIN", d.cubin);
        find(from.nvrtc, "nvrtcGetPTXSize", d.ptx_size);
        find(from.nvrtc, "nvrtcGetPTX", d.ptx);
        find(from.nvrtc, "nvrtcGetNumSupportedArchs", d.architecture_count);
        find(from.nvrtc, "nvrtcGetSupportedArchs", d.architectures);
        d.usable = all;
        return d;
    }

    struct Libraries {
        void *cuda = nullptr, *nvrtc = nullptr;
    };

    /// By name, and beside libtorch_cuda: libcaffe2_nvrtc knows where its NVRTC lies.
    static Libraries open() {
        Libraries found{::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)};
        if (found.cuda == nullptr) return found;
        std::string beside;
        if (void* torch = ::dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD)) {
            Dl_info info{};
            if (void* symbol = ::dlsym(torch, "aoti_torch_get_current_cuda_stream");
                symbol != nullptr && ::dladdr(symbol, &info) != 0 && info.dli_fname != nullptr) {
                beside = info.dli_fname;
                beside = beside.substr(0, beside.rfind('/') + 1) + "libcaffe2_nvrtc.so";
            }
            ::dlclose(torch);
        }
        for (const char* name : {beside.c_str(), "libcaffe2_nvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"}) {
            void* library = *name == '\0' ? nullptr : ::dlopen(name, RTLD_LAZY | RTLD_LOCAL);
            if (library != nullptr && ::dlsym(library, "nvrtcCreateProgram") != nullptr) {
                found.nvrtc = library;
                break;
            }
            if (library != nullptr) ::dlclose(library);
        }
        return found;
    }
#else
    static Driver load() {
        Driver d;
        d.reason = "this system has no dlopen";
        return d;
    }
#endif
};

}  // namespace silica::device::cuda
