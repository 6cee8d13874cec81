#pragma once
/// Counters, settings, faults and the detector of concurrent use: one state, one mutex.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "support/sim_mps.hpp"

namespace silica::test::sim_mps {

/// What `Settings` saves and puts back.
struct Settings::Saved {
    struct Planned {
        std::string op;
        Fault fault;
        std::size_t after, times;
        bool endless;
    };
    std::pair<unsigned, unsigned> macos{15, 2};
    std::size_t fail_after = 0, fail_times = 0;  // counted down; no failure is due while fail_times is 0
    std::size_t memory_limit = 0, max_buffer_length = 0;
    std::chrono::microseconds kernel_time{0};
    bool throw_on_concurrent_use = true, refuse_host_aliases = false;
    std::list<Planned> faults;
};

namespace detail {

struct State {
    std::mutex mutex;  // guards everything here
    Counters counters;
    Settings::Saved settings;
    std::vector<std::vector<std::string>*> recorders;
    int threads_inside = 0;
    bool installed = false;
};

/// Never destroyed: tensors may outlive every static object.
State& state();

/// Whether the simulated system is macOS `major.minor` or newer.
bool macos_at_least(unsigned major, unsigned minor);

/// LibTorch's words for a lack of memory on MPS. `limit` 0 stands for "unlimited".
[[noreturn]] void throw_out_of_memory(std::size_t allocated, std::size_t limit, std::size_t wanted);

/// LibTorch's words for an op without an MPS kernel.
[[noreturn]] void throw_not_implemented(const std::string& op);

/// Throws when `throw_in` planned it for this call of `op`.
void check_fault(const std::string& op);

/// An op on the device, from its first command to its last. Counts and records it, throws what was planned, holds
/// the kernel time, and notices another thread inside. Nested ops of the same thread are counted only.
class OnDevice {
public:
    explicit OnDevice(const std::string& op);
    /// Commands that are not ops: waiting, committing. Neither counted nor recorded as ops.
    OnDevice();
    ~OnDevice();
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

private:
    void enter(const char* what);
};

/// A wait for the device that somebody asked for.
void synchronize();
/// A wait inside a copy or a read.
void count_implicit_sync();
void count_h2d(std::size_t bytes);
void count_d2h(std::size_t bytes);

}  // namespace detail
}  // namespace silica::test::sim_mps
