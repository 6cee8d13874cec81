#pragma once
/// Memory that a thread keeps from call to call.

#include <cstddef>
#include <memory>
#include <new>

namespace silica::device::cpu {

/// Room for `count` floats on lines of cache, one for each `Use` and thread; what was there is lost when it grows.
template <int Use>
float* scratch(std::size_t count) {
    struct Free {
        void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
    };
    thread_local std::unique_ptr<float[], Free> room;
    thread_local std::size_t size = 0;
    if (size < count) {
        room.reset();
        size = 0;
        room.reset(static_cast<float*>(::operator new[](count * sizeof(float), std::align_val_t{64})));
        size = count;
        for (std::size_t i = 0; i < count; ++i) room[i] = 0;
    }
    return room.get();
}

}  // namespace silica::device::cpu
