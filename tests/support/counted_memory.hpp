#pragma once
/// How much memory tensors of the host take at their peak, counted where LibTorch asks for it: what the heap keeps for
/// later is not in it.

#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace silica::test {

/// LibTorch's allocator of the host for as long as this lives.
class CountedMemory final : public c10::Allocator {
public:
    CountedMemory() : real_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, most); }
    CountedMemory(const CountedMemory&) = delete;
    CountedMemory& operator=(const CountedMemory&) = delete;
    ~CountedMemory() override { c10::SetCPUAllocator(real_, most); }

    c10::DataPtr allocate(std::size_t bytes) override {
        auto held = std::make_unique<Held>(Held{real_->allocate(bytes), count_, bytes});
        const auto now = count_->now += bytes;
        if (now > count_->peak) count_->peak = now;
        void* const data = held->data.get();
        return {data, held.release(), &forget, c10::Device(c10::DeviceType::CPU)};
    }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { real_->copy_data(to, from, bytes); }

    /// Bytes of the tensors that live now and were made since, and the most there were.
    [[nodiscard]] std::uint64_t now() const { return count_->now; }
    [[nodiscard]] std::uint64_t peak() const { return count_->peak; }

private:
    static constexpr std::uint8_t most = 255;  ///< above every other priority

    struct Count {
        std::atomic<std::uint64_t> now = 0, peak = 0;
    };
    /// Tensors may outlive the counting.
    struct Held {
        c10::DataPtr data;
        std::shared_ptr<Count> count;
        std::size_t bytes;
    };
    static void forget(void* held) {
        const std::unique_ptr<Held> done(static_cast<Held*>(held));
        done->count->now -= done->bytes;
    }

    c10::Allocator* real_;
    std::shared_ptr<Count> count_ = std::make_shared<Count>();
};

}  // namespace silica::test
