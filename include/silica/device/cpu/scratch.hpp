#pragma once
/// Memory that a thread keeps from call to call, until `release_scratch`.

#include "silica/core/compiled.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>

namespace silica::device::cpu {

/// Frees what no kernel uses now, of all threads.
void release_scratch();

namespace detail {

struct FreeFloats {
    void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};

/// What one thread keeps for one use. `release_scratch` takes it too, for a moment.
struct Room {
    Room();
    ~Room();
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    std::unique_ptr<float[], FreeFloats> floats;
    std::size_t size = 0;
    bool lent = false;  ///< to its own thread, which alone looks at this
    std::atomic<bool> taken{false};
};

/// Takes the room, with `count` floats on lines of cache; what was there is lost when it grows.
void take(Room& room, std::size_t count);

}  // namespace detail

/// Room for `count` floats on lines of cache for the life of this object, one for each `Use` and thread.
template <int Use>
class Scratch {
public:
    explicit Scratch(std::size_t count) : room_(mine().lent ? own_.emplace() : mine()) { detail::take(room_, count); }
    ~Scratch() {
        room_.lent = false;
        room_.taken.store(false, std::memory_order_release);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    [[nodiscard]] float* data() const noexcept { return room_.floats.get(); }

private:
    static detail::Room& mine() {
        thread_local detail::Room room;
        return room;
    }

    std::optional<detail::Room> own_;  // where a kernel runs inside another one of its kind
    detail::Room& room_;
};

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/scratch.ipp"
#endif
