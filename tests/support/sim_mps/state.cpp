#include "support/sim_mps/state.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

#include <c10/util/Exception.h>
#include <caffe2/core/common.h>

namespace silica::test::sim_mps {
namespace detail {

State& state() {
    static auto& instance = *new State;
    return instance;
}

namespace {

thread_local int depth = 0;  // ops of this thread that are inside each other

bool names(const std::string& planned, const std::string& op) {
    return op == planned || (op.size() > planned.size() && op.starts_with(planned) && op[planned.size()] == '.');
}

std::string format_size(std::size_t bytes) {
    char text[64];
    const auto size = static_cast<double>(bytes);
    if (bytes <= 1024) {
        std::snprintf(text, sizeof text, "%zu bytes", bytes);
    } else if (bytes <= 1024 * 1024) {
        std::snprintf(text, sizeof text, "%.2f KiB", size / 1024);
    } else if (bytes <= 1024ULL * 1024 * 1024) {
        std::snprintf(text, sizeof text, "%.2f MiB", size / (1024 * 1024));
    } else {
        std::snprintf(text, sizeof text, "%.2f GiB", size / (1024.0 * 1024 * 1024));
    }
    return text;
}

}  // namespace

bool macos_at_least(unsigned major, unsigned minor) { return macos() >= std::pair{major, minor}; }

void throw_out_of_memory(std::size_t allocated, std::size_t limit, std::size_t wanted) {
    TORCH_CHECK(false, "MPS backend out of memory (MPS allocated: ", format_size(allocated),
                ", other allocations: 0 bytes, max allowed: ", limit ? format_size(limit) : "unlimited",
                "). Tried to allocate ", format_size(wanted),
                " on shared pool. Use PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 to disable upper limit for memory "
                "allocations (may cause system failure).");
}

void throw_not_implemented(const std::string& op) {
    {
        const std::lock_guard lock(state().mutex);
        ++state().counters.not_implemented;
    }
    const auto& options = caffe2::GetBuildOptions();
    const auto hash = options.find("COMMIT_SHA");
    TORCH_CHECK_NOT_IMPLEMENTED(
        false, "The operator '", op,
        "' is not currently implemented for the MPS device. If you want this op to be considered for addition please "
        "comment on https://github.com/pytorch/pytorch/issues/141287 and mention use-case, that resulted in missing "
        "op as well as commit hash ",
        hash == options.end() ? "unknown" : hash->second,
        ". As a temporary fix, you can set the environment variable `PYTORCH_ENABLE_MPS_FALLBACK=1` to use the CPU as "
        "a fallback for this op. WARNING: this "
        "will be slower than running natively on MPS.");
}

void check_fault(const std::string& op) {
    std::unique_lock lock(state().mutex);
    auto& faults = state().settings.faults;
    const auto due = std::find_if(faults.begin(), faults.end(), [&](const auto& f) { return names(f.op, op); });
    if (due == faults.end() || (due->after > 0 && due->after-- > 0)) return;
    const Fault fault = due->fault;
    const std::size_t bytes = state().counters.bytes, limit = state().settings.memory_limit;
    if (!due->endless && --due->times == 0) faults.erase(due);
    lock.unlock();
    switch (fault) {
        case Fault::NotImplemented:
            throw_not_implemented(op);
        case Fault::OutOfMemory:
            throw_out_of_memory(bytes, limit, std::size_t{1} << 20);
        case Fault::Other:
            TORCH_CHECK(false, "simulated failure of ", op);
    }
}

OnDevice::OnDevice(const std::string& op) {
    check_fault(op);
    enter(op.c_str());
    const std::lock_guard lock(state().mutex);
    auto& counters = state().counters;
    ++counters.ops[op];
    ++counters.unsynced_ops;
    for (auto* recorder : state().recorders) recorder->push_back(op);
}

OnDevice::OnDevice() { enter("a wait or commit"); }

OnDevice::~OnDevice() {
    if (--depth > 0) return;
    const std::lock_guard lock(state().mutex);
    --state().threads_inside;
}

void OnDevice::enter(const char* what) {
    if (depth == 0) {
        std::unique_lock lock(state().mutex);
        if (state().threads_inside > 0) {
            ++state().counters.concurrent_uses;
            TORCH_CHECK(!state().settings.throw_on_concurrent_use, description, ": ", what,
                        " began while another thread was inside an op. On a Mac this ends the process: \"commit an "
                        "already committed command buffer\".");
        }
        ++state().threads_inside;
        const auto time = state().settings.kernel_time;
        lock.unlock();
        if (time.count() > 0) std::this_thread::sleep_for(time);
    }
    ++depth;
}

void synchronize() {
    const OnDevice device;
    const std::lock_guard lock(state().mutex);
    ++state().counters.syncs;
    state().counters.unsynced_ops = 0;
}

void count_implicit_sync() {
    const std::lock_guard lock(state().mutex);
    ++state().counters.implicit_syncs;
    state().counters.unsynced_ops = 0;
}

void count_h2d(std::size_t bytes) {
    const std::lock_guard lock(state().mutex);
    ++state().counters.h2d_copies;
    state().counters.h2d_bytes += bytes;
}

void count_d2h(std::size_t bytes) {
    const std::lock_guard lock(state().mutex);
    ++state().counters.d2h_copies;
    state().counters.d2h_bytes += bytes;
}

}  // namespace detail
}  // namespace silica::test::sim_mps
