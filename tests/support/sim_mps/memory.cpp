#include "support/sim_mps/memory.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include <c10/core/Allocator.h>
#include <c10/util/Exception.h>

#include "support/sim_mps/state.hpp"
#include "support/sim_mps/version.hpp"

namespace silica::test::sim_mps::detail {
namespace {

struct Pages {
    void* device;  // no access
    void* host;    // the same memory, readable and writable
    std::size_t size;
};

struct Buffer {
    Pages pages;
    std::size_t bytes;
};

// Both maps are guarded by the state's mutex, and never destroyed.
struct Heap {
    std::unordered_map<const void*, Buffer> live;
    std::multimap<std::size_t, Pages> cached;
};

Heap& heap() {
    static auto& instance = *new Heap;
    return instance;
}

std::size_t whole_pages(std::size_t bytes) {
    static const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}

Pages map_pages(std::size_t size) {
    const int file = memfd_create("simulated-mps", MFD_CLOEXEC);
    TORCH_CHECK(file >= 0 && ftruncate(file, static_cast<off_t>(size)) == 0, description, ": no memory file of ", size,
                " bytes");
    Pages pages{mmap(nullptr, size, PROT_NONE, MAP_SHARED, file, 0),
                mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), size};
    close(file);
    TORCH_CHECK(pages.device != MAP_FAILED && pages.host != MAP_FAILED, description, ": cannot map ", size, " bytes");
    return pages;
}

void unmap_pages(const Pages& pages) noexcept {
    munmap(pages.device, pages.size);
    munmap(pages.host, pages.size);
}

void release_cached_locked() {
    for (const auto& [size, pages] : heap().cached) {
        unmap_pages(pages);
        state().counters.driver_bytes -= size;
    }
    heap().cached.clear();
}

bool failure_is_due(Settings::Saved& settings) {
    if (settings.fail_times == 0) return false;
    if (settings.fail_after > 0) {
        --settings.fail_after;
        return false;
    }
    --settings.fail_times;
    return true;
}

void check_limits(std::size_t bytes) {
    auto& counters = state().counters;
    auto& settings = state().settings;
    TORCH_CHECK(settings.macos >= std::pair(14U, 0U),
                SIM_MPS_TORCH_AT_LEAST(12) ? "The MPS backend is supported on macOS 14.0+. "
                                           : "The MPS backend is supported on MacOS 14.0+. ",
                "Current OS version can be queried using `sw_vers`");
    TORCH_CHECK(settings.max_buffer_length == 0 || bytes < settings.max_buffer_length,
                "Invalid buffer size: ", static_cast<double>(bytes) / (1 << 30), " GiB");
    const bool full = settings.memory_limit != 0 && counters.bytes + bytes > settings.memory_limit;
    if (failure_is_due(settings) || full) {
        release_cached_locked();
        ++counters.out_of_memory;
        throw_out_of_memory(counters.bytes, settings.memory_limit, bytes);
    }
}

}  // namespace

void* allocate_buffer(std::size_t bytes) {
    const std::lock_guard lock(state().mutex);
    check_limits(bytes);
    const std::size_t size = whole_pages(bytes);
    auto& counters = state().counters;
    Pages pages{};
    if (const auto reuse = heap().cached.find(size); reuse != heap().cached.end()) {
        pages = reuse->second;
        heap().cached.erase(reuse);
    } else {
        pages = map_pages(size);
        counters.driver_bytes += size;
    }
    heap().live.emplace(pages.device, Buffer{pages, bytes});
    ++counters.allocations;
    counters.bytes += bytes;
    counters.peak_bytes = std::max(counters.peak_bytes, counters.bytes);
    return pages.device;
}

void free_buffer(void* buffer) noexcept {
    const std::lock_guard lock(state().mutex);
    const auto found = heap().live.find(buffer);
    if (found == heap().live.end()) return;
    const Pages pages = found->second.pages;
    state().counters.bytes -= found->second.bytes;
    heap().live.erase(found);
    heap().cached.emplace(pages.size, pages);
}

void* host_address(const void* buffer) {
    if (buffer == nullptr) return nullptr;
    const std::lock_guard lock(state().mutex);
    const auto found = heap().live.find(buffer);
    TORCH_CHECK(found != heap().live.end(), description, ": the storage of an mps tensor is no buffer of this device");
    return found->second.pages.host;
}

std::optional<std::size_t> buffer_size(const void* buffer) {
    const std::lock_guard lock(state().mutex);
    const auto found = heap().live.find(buffer);
    return found == heap().live.end() ? std::nullopt : std::optional(found->second.bytes);
}

void release_cached() {
    const std::lock_guard lock(state().mutex);
    release_cached_locked();
}

}  // namespace silica::test::sim_mps::detail
#endif
