#include "support/sim_mps/allocator.hpp"

#if defined(__linux__)
#include <cstring>

#include <ATen/core/TensorBase.h>
#include <ATen/mps/MPSAllocatorInterface.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/Storage.h>

#include "support/sim_mps/memory.hpp"
#include "support/sim_mps/state.hpp"
#include "support/sim_mps/version.hpp"

namespace silica::test::sim_mps::detail {
namespace {

const c10::Device here{c10::DeviceType::MPS, 0};

class Allocator final : public at::mps::IMPSAllocator {
public:
    c10::DataPtr allocate(std::size_t bytes) override {
        void* buffer = bytes == 0 ? nullptr : allocate_buffer(bytes);
        return {buffer, buffer, &free_buffer_function, here};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &free_buffer_function; }
    void copy_data(void* to, const void* from, std::size_t bytes) const override {
        if (bytes > 0) std::memcpy(host_address(to), host_address(from), bytes);
    }

    ssize_t getUnalignedBufferSize(const void* buffer) const override {
        const auto size = buffer_size(buffer);
        return size ? static_cast<ssize_t>(*size) : -1;
    }
    at::IntArrayRef getBufferShape(const void*) const override { return {}; }
    id_t getBufferId(const void*) const override { return 0; }
    void setBufferShape(const void*, const at::IntArrayRef&) const override {}
    bool isSharedBuffer(const void* buffer) const override { return buffer_size(buffer).has_value(); }
    std::pair<const void*, uint32_t> getSharedBufferPtr(const void* buffer) const override {
        return isSharedBuffer(buffer) ? std::pair<const void*, uint32_t>{host_address(buffer), 1U}
                                      : std::pair<const void*, uint32_t>{nullptr, 0U};
    }
    c10::DataPtr allocScalarBufferWithValue(void* value, std::size_t size) const override {
        void* buffer = allocate_buffer(size);
        std::memcpy(host_address(buffer), value, size);
        return {buffer, buffer, &free_buffer_function, here};
    }
    void freeInactiveBuffers() const override {}
    std::string formatSize(std::size_t size) const override { return std::to_string(size) + " bytes"; }

    void setLowWatermarkRatio(double) const override {}
    void setHighWatermarkRatio(double) const override {}
    ssize_t getLowWatermarkValue() const override { return static_cast<ssize_t>(recommended_max_memory); }
    std::size_t getLowWatermarkLimit() const override { return recommended_max_memory; }
    std::size_t getHighWatermarkLimit() const override { return recommended_max_memory; }
    std::size_t getTotalAllocatedMemory() const override { return counters().driver_bytes; }
    std::size_t getCurrentAllocatedMemory() const override { return counters().bytes; }
    std::size_t getDriverAllocatedMemory() const override { return counters().driver_bytes; }
    std::size_t getRecommendedMaxMemory() const override { return recommended_max_memory; }
    bool recordEvents(c10::ArrayRef<const void*>) const override { return false; }
    bool waitForEvents(c10::ArrayRef<const void*>) const override { return false; }

#if SIM_MPS_TORCH_AT_LEAST(13)  // IMPSAllocator is a c10::DeviceAllocator, and gives host aliases
    c10::Storage getHostAliasStorage(const c10::Storage& storage) const override {
        TORCH_CHECK_VALUE(storage.device().is_mps(),
                          "getHostAliasStorage: expected an MPS storage, got device=", storage.device());
        TORCH_CHECK(buffer_size(storage.data()), "getHostAliasStorage: storage was not allocated by the MPSAllocator");
        {
            const std::lock_guard lock(state().mutex);
            ++state().counters.host_aliases;
            if (state().counters.unsynced_ops > 0) ++state().counters.early_host_aliases;
            TORCH_CHECK(!state().settings.refuse_host_aliases,
                        "getHostAliasStorage: storage is not backed by a shared (unified) MTLBuffer");
        }
        c10::DataPtr alias(
            host_address(storage.data()), new c10::Storage(storage),
            [](void* context) { delete static_cast<c10::Storage*>(context); }, c10::DeviceType::CPU);
        return {c10::Storage::use_byte_size_t(), storage.nbytes(), std::move(alias), nullptr, false};
    }

    bool initialized() override { return true; }
    void emptyCache(c10::MempoolId_t = {0, 0}) override { empty_cache(); }
    void recordStream(const c10::DataPtr&, c10::Stream) override {}
    c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
        const Counters now = counters();
        const auto all = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
        c10::CachingDeviceAllocator::DeviceStats stats;
        stats.allocated_bytes[all].current = static_cast<int64_t>(now.bytes);
        stats.allocated_bytes[all].peak = static_cast<int64_t>(now.peak_bytes);
        stats.reserved_bytes[all].current = static_cast<int64_t>(now.driver_bytes);
        stats.allocation[all].allocated = static_cast<int64_t>(now.allocations);
        stats.num_ooms = static_cast<int64_t>(now.out_of_memory);
        return stats;
    }
    void resetAccumulatedStats(c10::DeviceIndex) override {}
    void resetPeakStats(c10::DeviceIndex) override {
        const std::lock_guard lock(state().mutex);
        state().counters.peak_bytes = state().counters.bytes;
    }
    std::pair<std::size_t, std::size_t> getMemoryInfo(c10::DeviceIndex) override {
        const std::size_t used = counters().driver_bytes;
        return {recommended_max_memory > used ? recommended_max_memory - used : 0, recommended_max_memory};
    }
#else
    void emptyCache() const override { empty_cache(); }
    // No override: not every LibTorch has it in the interface.
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winconsistent-missing-override"
#endif
    virtual bool isSharedStorageSupported() const { return true; }
#ifdef __clang__
#pragma clang diagnostic pop
#endif
#endif

private:
    static void free_buffer_function(void* buffer) {
        if (buffer != nullptr) free_buffer(buffer);
    }
};

Allocator& instance() {
    static auto& allocator = *new Allocator;
    return allocator;
}

}  // namespace

c10::Allocator& allocator() { return instance(); }

void empty_cache() {
    release_cached();
    const std::lock_guard lock(state().mutex);
    ++state().counters.empty_cache;
}

}  // namespace silica::test::sim_mps::detail

// LibTorch declares these everywhere and defines them on Apple machines only.
namespace at::mps {
#if SIM_MPS_TORCH_AT_LEAST(12)
IMPSAllocator* getIMPSAllocator() { return &silica::test::sim_mps::detail::instance(); }
#else
IMPSAllocator* getIMPSAllocator(bool) { return &silica::test::sim_mps::detail::instance(); }
#endif
bool isMPSPinnedPtr(const void*) { return false; }
#if SIM_MPS_TORCH_AT_LEAST(14)
c10::Allocator* getMPSPinnedAllocator() { return c10::GetCPUAllocator(); }
void* getMPSPinnedMTLBuffer(const void*) { return nullptr; }
#endif
}  // namespace at::mps
#endif
