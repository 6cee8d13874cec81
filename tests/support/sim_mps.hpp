#pragma once
/// A simulated MPS device, for tests only: link `sim_mps/*.cpp` (an object library, so that no file is dropped) and
/// `c10::DeviceType::MPS` works on Linux, with the op coverage, the limits and the error texts of a Mac.
///
/// It proves routing, fallback, copies, synchronisation, dtype and rank limits, mistakes with mixed devices and with
/// host pointers (device memory cannot be read from the host: a stray `data_ptr<float>()[i]` is a SIGSEGV, on a Mac a
/// crash). Every op runs on the CPU, at once and with the CPU's arithmetic: it proves nothing about speed, about
/// Apple's numerics, about asynchrony or about MPSGraph's aborts, and no output may claim so.
///
/// What is where: `state` counters, settings, faults; `memory` and `allocator` device memory; `hooks` and `guard` what
/// LibTorch asks of a device; `host_view` the same memory as CPU tensors; `boxed` and the others the kernels;
/// `op_list` which ops LibTorch's MPS backend has (`ops-<version>.inc`, written by `make_op_list.py`); `install` the
/// rest. All of this may be called from any thread.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::test::sim_mps {

/// To be printed wherever the device is named.
inline constexpr const char* description = "simulated MPS (tests only)";

/// False where the simulation does not exist (not Linux) or stood back because LibTorch has a real MPS backend.
[[nodiscard]] bool installed() noexcept;

/// The LibTorch version whose op list is in use, "2.13" for example.
[[nodiscard]] std::string op_list_version();

/// Names (`gelu`, `add.Tensor`) of the ops that have an MPS kernel and that the linked LibTorch knows, sorted.
[[nodiscard]] const std::vector<std::string>& op_list();

/// What has happened since the start of the program or the last `reset()`.
struct Counters {
    std::size_t allocations = 0;          ///< buffers handed out (an empty tensor has none)
    std::size_t bytes = 0;                ///< in buffers that are alive now; `reset()` leaves it
    std::size_t peak_bytes = 0;           ///< the most that were alive at once; `reset()` sets it to `bytes`
    std::size_t driver_bytes = 0;         ///< alive and cached, in whole pages; `reset()` leaves it
    std::size_t out_of_memory = 0;        ///< allocations refused
    std::size_t empty_cache = 0;          ///< calls of emptyCache
    std::size_t syncs = 0;                ///< waits that somebody asked for: synchronize of device, stream, event
    std::size_t implicit_syncs = 0;       ///< waits inside blocking copies, item(), nonzero() and the like
    std::size_t commits = 0;              ///< calls of commit
    std::size_t unsynced_ops = 0;         ///< ops issued since the last wait of either kind
    std::size_t h2d_copies = 0;           ///< copies from the host to the device
    std::size_t h2d_bytes = 0;            ///< bytes of those
    std::size_t d2h_copies = 0;           ///< copies from the device to the host, item() included
    std::size_t d2h_bytes = 0;            ///< bytes of those
    std::size_t host_aliases = 0;         ///< calls of IMPSAllocator::getHostAliasStorage
    std::size_t early_host_aliases = 0;   ///< of those, made while ops had not been waited for: on a Mac a race
    std::size_t non_blocking_copies = 0;  ///< copies that were asked not to wait: on a Mac the source may go too early
    std::size_t not_implemented = 0;      ///< calls of ops without an MPS kernel
    std::size_t concurrent_uses = 0;      ///< ops that began while another thread was inside one: a Mac would crash
    std::map<std::string, std::size_t> ops;  ///< ops run on the device, "aten::gelu"; no views, no allocations
    /// What would have computed attention on a Mac, by head size (silica/device/mps/bundled.hpp): "few 64", a Metal
    /// kernel for a few queries; "many 64", one for many; "graph 48", MPSGraph with the whole score matrix.
    std::map<std::string, std::size_t> attention;

    /// How often `op` ("aten::gelu") ran.
    [[nodiscard]] std::size_t count(const std::string& op) const;
};

/// A snapshot of the counters.
[[nodiscard]] Counters counters();

/// Sets the counters to zero, except what is alive. Settings stay.
void reset();

/// Puts back at the end of a scope every setting made below (and only those; counters run on).
class Settings {
public:
    Settings();
    ~Settings();
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;
    struct Saved;

private:
    Saved* saved_;
};

/// The macOS version that the hooks and the kernels see. 15.2 unless set. Before 14.0 there is no device, and an
/// allocation says so, as LibTorch's builds from 2.9 on do.
void set_macos(unsigned major, unsigned minor = 0);
[[nodiscard]] std::pair<unsigned, unsigned> macos();

/// The n-th allocation from now (1 is the next) throws out of memory, and the `times - 1` after it too; then none.
void fail_allocation(std::size_t n, std::size_t times = 1);

/// Allocations that would bring the bytes alive above this throw out of memory. 0: no limit.
void set_memory_limit(std::size_t bytes);

/// Single allocations of this size and above throw "Invalid buffer size". 0: no limit.
void set_max_buffer_length(std::size_t bytes);

enum class Fault {
    NotImplemented,  ///< c10::NotImplementedError in the words of a missing op
    OutOfMemory,     ///< a plain c10::Error in the words of the MPS allocator
    Other,           ///< a plain c10::Error that nothing should recover from
};

/// Calls of `op` ("aten::gelu"; all overloads, or one when it is named as in "aten::add.Tensor") throw: `after` of them
/// pass first, then `times` throw (0: all that follow).
void throw_in(std::string_view op, Fault fault, std::size_t after = 0, std::size_t times = 0);

/// getHostAliasStorage refuses every buffer, as it does one that the host does not share.
void refuse_host_aliases(bool refuses);

/// Every op stays on the device for this long, so that threads which are not kept apart do meet.
void set_kernel_time(std::chrono::microseconds time);

/// Whether an op that begins while another thread is inside one throws (the default), or is only counted.
void throw_on_concurrent_use(bool throws);

/// Collects, in order and from all threads, the names of the ops that run on the device while it is alive.
class Recorder {
public:
    Recorder();
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    /// "aten::linear", "aten::add.Tensor", ...: one entry for each time an op ran; no views, no allocations.
    [[nodiscard]] std::vector<std::string> ops() const;
    [[nodiscard]] bool saw(std::string_view op) const;

private:
    std::vector<std::string> ops_;
};

}  // namespace silica::test::sim_mps
