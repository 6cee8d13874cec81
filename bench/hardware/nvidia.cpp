#include "hardware/nvidia.hpp"

#include <cstddef>

#include <dlfcn.h>

namespace silica::bench::hardware {
namespace {

template <class F>
F* function(void* library, const char* name) {
    return reinterpret_cast<F*>(dlsym(library, name));
}

CudaDriver asked() {
    CudaDriver facts;
    void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);  // part of the driver; stays open
    if (driver == nullptr) return facts;
    const auto version = function<int(int*)>(driver, "cuDriverGetVersion");
    const auto init = function<int(unsigned)>(driver, "cuInit");
    const auto count = function<int(int*)>(driver, "cuDeviceGetCount");
    const auto get = function<int(int*, int)>(driver, "cuDeviceGet");
    const auto name = function<int(char*, int, int)>(driver, "cuDeviceGetName");
    const auto memory = function<int(std::size_t*, int)>(driver, "cuDeviceTotalMem_v2");
    const auto attribute = function<int(int*, int, int)>(driver, "cuDeviceGetAttribute");
    int number = 0, devices = 0;
    if (version != nullptr && version(&number) == 0)
        facts.version = std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
    if (init == nullptr || count == nullptr || get == nullptr || name == nullptr || init(0) != 0 ||
        count(&devices) != 0)
        return facts;
    for (int i = 0; i < devices; ++i) {
        int device = 0;
        char text[256] = {};
        if (get(&device, i) != 0 || name(text, sizeof text - 1, device) != 0) continue;
        CudaDevice one{text, 0, 0, 0};
        std::size_t bytes = 0;
        if (memory != nullptr && memory(&bytes, device) == 0) one.memory = bytes;
        constexpr int capability_major = 75, capability_minor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
        if (attribute != nullptr) {
            attribute(&one.major, capability_major, device);
            attribute(&one.minor, capability_minor, device);
        }
        facts.devices.push_back(std::move(one));
    }
    return facts;
}

}  // namespace

const CudaDriver& cuda_driver() {
    static const CudaDriver facts = asked();
    return facts;
}

}  // namespace silica::bench::hardware
