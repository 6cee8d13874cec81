#pragma once
/// The rooms of all threads.

#include "silica/device/cpu/scratch.hpp"

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

namespace silica::device::cpu {
namespace detail {

struct Rooms {
    std::mutex mutex;
    std::vector<Room*> all;
};

/// Never destroyed: threads may end after it would have been.
SILICA_INLINE Rooms& rooms() {
    static auto* const all = new Rooms;
    return *all;
}

SILICA_INLINE Room::Room() {
    const std::lock_guard guard(rooms().mutex);
    rooms().all.push_back(this);
}

SILICA_INLINE Room::~Room() {
    const std::lock_guard guard(rooms().mutex);
    std::erase(rooms().all, this);
}

SILICA_INLINE void take(Room& room, std::size_t count) {
    while (room.taken.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    room.lent = true;
    if (room.size >= count) return;
    room.floats.reset();
    room.size = 0;
    try {
        room.floats.reset(static_cast<float*>(::operator new[](count * sizeof(float), std::align_val_t{64})));
    } catch (...) {
        room.lent = false;
        room.taken.store(false, std::memory_order_release);
        throw;
    }
    room.size = count;
    std::fill_n(room.floats.get(), count, 0.0F);
}

}  // namespace detail

SILICA_INLINE void release_scratch() {
    const std::lock_guard guard(detail::rooms().mutex);
    for (detail::Room* room : detail::rooms().all) {
        if (room->taken.exchange(true, std::memory_order_acquire)) continue;
        room->floats.reset();
        room->size = 0;
        room->taken.store(false, std::memory_order_release);
    }
}

}  // namespace silica::device::cpu
