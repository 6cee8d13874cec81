#include "support/sim_mps/guard.hpp"

#if defined(__linux__)
#include <chrono>

#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "support/sim_mps/state.hpp"

namespace silica::test::sim_mps::detail {
namespace {

using Clock = std::chrono::steady_clock;

struct Guard final : c10::impl::DeviceGuardImplInterface {
    static constexpr c10::DeviceType static_type = c10::DeviceType::MPS;

    static c10::Device device() { return {static_type, 0}; }
    static c10::Stream stream() { return c10::Stream(c10::Stream::DEFAULT, device()); }

    c10::DeviceType type() const override { return static_type; }
    c10::Device exchangeDevice(c10::Device) const override { return device(); }
    c10::Device getDevice() const override { return device(); }
    void setDevice(c10::Device d) const override { TORCH_CHECK(d.is_mps(), "Expected a MPS device, but got ", d); }
    void uncheckedSetDevice(c10::Device) const noexcept override {}
    c10::DeviceIndex deviceCount() const noexcept override { return 1; }

    c10::Stream getStream(c10::Device) const override { return stream(); }
    c10::Stream getDefaultStream(c10::Device) const override { return stream(); }
    c10::Stream getNewStream(c10::Device, int) const override { return stream(); }
    c10::Stream exchangeStream(c10::Stream) const override { return stream(); }
    bool queryStream(const c10::Stream&) const override { return true; }
    void synchronizeStream(const c10::Stream&) const override { synchronize(); }
    void synchronizeDevice(c10::DeviceIndex) const override { synchronize(); }

    // An event is the time at which it was recorded: everything before it is done by then.
    void record(void** event, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {
        if (*event == nullptr) *event = new Clock::time_point;
        *static_cast<Clock::time_point*>(*event) = Clock::now();
    }
    void destroyEvent(void* event, c10::DeviceIndex) const noexcept override {
        delete static_cast<Clock::time_point*>(event);
    }
    void block(void*, const c10::Stream&) const override {}
    bool queryEvent(void*) const override { return true; }
    void synchronizeEvent(void*) const override { synchronize(); }
    double elapsedTime(void* from, void* to, c10::DeviceIndex) const override {
        const auto time = *static_cast<Clock::time_point*>(to) - *static_cast<Clock::time_point*>(from);
        return std::chrono::duration<double, std::milli>(time).count();
    }

#if __has_include(<c10/core/DeviceCapability.h>)
    c10::DeviceCapability getDeviceCapability(c10::Device) const override {
        c10::DeviceCapability capability;
        auto& bits = capability.capability_data.capability_bits;
        bits = 0;
        using namespace c10;  // the indices are kIndex_<name of the scalar type>
        for (const auto kind : {kIndex_Byte, kIndex_Char, kIndex_Short, kIndex_Int, kIndex_Long, kIndex_Half,
                                kIndex_Float, kIndex_ComplexHalf, kIndex_ComplexFloat, kIndex_Bool, kIndex_BFloat16,
                                kIndex_UInt16, kIndex_UInt32, kIndex_UInt64}) {
            bits |= std::uint64_t{1} << kind;
        }
        return capability;
    }
#endif
};

}  // namespace

void install_guard() { static const c10::impl::DeviceGuardImplRegistrar registrar(Guard::static_type, new Guard); }

}  // namespace silica::test::sim_mps::detail
#endif
