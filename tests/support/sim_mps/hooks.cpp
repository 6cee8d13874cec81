#include "support/sim_mps/hooks.hpp"

#if defined(__linux__)
#include <chrono>
#include <map>

#include <ATen/core/Generator.h>
#include <ATen/detail/MPSHooksInterface.h>
#include <c10/core/CPUAllocator.h>

#include "support/sim_mps/allocator.hpp"
#include "support/sim_mps/generator.hpp"
#include "support/sim_mps/memory.hpp"
#include "support/sim_mps/state.hpp"
#include "support/sim_mps/version.hpp"

namespace silica::test::sim_mps::detail {
namespace {

using Clock = std::chrono::steady_clock;

struct Events {
    std::mutex mutex;
    std::map<std::uint32_t, Clock::time_point> recorded;
    std::uint32_t next = 1;
};

Events& events() {
    static auto& instance = *new Events;
    return instance;
}

struct Hooks final : at::MPSHooksInterface {
    void init() const override {}
    bool hasMPS() const override { return macos_at_least(14, 0); }
    bool isBuilt() const override { return true; }
    bool isAvailable() const override { return hasMPS(); }
    bool isOnMacOSorNewer(unsigned major, unsigned minor) const override { return macos_at_least(major, minor); }

    c10::DeviceIndex deviceCount() const override { return 1; }
    bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
    void setCurrentDevice(c10::DeviceIndex) const override {}
    c10::DeviceIndex getCurrentDevice() const override { return 0; }
    c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
    c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
    c10::Device getDeviceFromPtr(void*) const override { return {c10::DeviceType::MPS, 0}; }

    const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override { return default_generator(); }
    at::Generator getNewGenerator(c10::DeviceIndex) const override { return new_generator(); }

    c10::Allocator* getMPSDeviceAllocator() const override { return &allocator(); }
    c10::Allocator* getPinnedMemoryAllocator() const override {
        TORCH_CHECK(SIM_MPS_TORCH_AT_LEAST(14), description,
                    ": there is no pinned memory for MPS before LibTorch 2.14");
        return c10::GetCPUAllocator();
    }
    void emptyCache() const override { empty_cache(); }
    std::size_t getCurrentAllocatedMemory() const override { return counters().bytes; }
    std::size_t getDriverAllocatedMemory() const override { return counters().driver_bytes; }
    std::size_t getRecommendedMaxMemory() const override { return recommended_max_memory; }
#if SIM_MPS_TORCH_AT_LEAST(13)
    std::size_t getMaxBufferLength() const override {
        const std::lock_guard lock(state().mutex);
        const auto limit = state().settings.max_buffer_length;
        return limit != 0 ? limit : recommended_max_memory / 2;
    }
#endif
    void setMemoryFraction(double ratio) const override {
        set_memory_limit(static_cast<std::size_t>(ratio * static_cast<double>(recommended_max_memory)));
    }

    void deviceSynchronize() const override { synchronize(); }
    void commitStream() const override {
        const OnDevice device;
        const std::lock_guard lock(state().mutex);
        ++state().counters.commits;
    }
    void* getCommandBuffer() const override { return nullptr; }
    void* getDispatchQueue() const override { return nullptr; }
    void profilerStartTrace(const std::string&, bool) const override {}
    void profilerStopTrace() const override {}

    std::uint32_t acquireEvent(bool) const override {
        const std::lock_guard lock(events().mutex);
        events().recorded[events().next] = {};
        return events().next++;
    }
    void releaseEvent(std::uint32_t id) const override {
        const std::lock_guard lock(events().mutex);
        events().recorded.erase(id);
    }
    void recordEvent(std::uint32_t id) const override {
        const std::lock_guard lock(events().mutex);
        events().recorded.at(id) = Clock::now();
    }
    void waitForEvent(std::uint32_t) const override {}
    void synchronizeEvent(std::uint32_t) const override { synchronize(); }
    bool queryEvent(std::uint32_t) const override { return true; }
    double elapsedTimeOfEvents(std::uint32_t from, std::uint32_t to) const override {
        const std::lock_guard lock(events().mutex);
        const auto time = events().recorded.at(to) - events().recorded.at(from);
        return std::chrono::duration<double, std::milli>(time).count();
    }
};

}  // namespace

bool install_hooks() {
    if (at::MPSHooksRegistry()->Has("MPSHooks")) return false;
    at::MPSHooksRegistry()->Register("MPSHooks", [](auto&&...) { return std::make_unique<Hooks>(); });
    return true;
}

}  // namespace silica::test::sim_mps::detail
#endif
