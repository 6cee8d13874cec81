// Sums by parallel_for, compiled once with OpenMP and once without: both are in one program.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <set>
#include <thread>

#include "silica/core/parallel.hpp"

// WORK(sum) is sum_with_openmp where WAY is with_openmp.
#define JOIN(name, way) name##_##way
#define NAMED(name, way) JOIN(name, way)
#define WORK(name) NAMED(name, WAY)

/// The number of threads that took a piece of `threads` pieces which wait for each other, for up to two seconds.
int WORK(threads_at_work)(int threads) {
    std::mutex mutex;
    std::set<std::thread::id> ids;
    std::atomic<int> there{0};
    silica::parallel_for(0, threads, 1, [&](std::int64_t first, std::int64_t last) {
        {
            const std::lock_guard guard(mutex);
            ids.insert(std::this_thread::get_id());
        }
        there += static_cast<int>(last - first);
        for (int i = 0; i < 2000 && there < threads; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    return static_cast<int>(ids.size());
}

/// 0 + 1 + ... + (n - 1).
std::int64_t WORK(sum)(std::int64_t n) {
    std::atomic<std::int64_t> sum{0};
    silica::parallel_for(0, n, 1, [&](std::int64_t first, std::int64_t last) {
        std::int64_t part = 0;
        for (std::int64_t i = first; i < last; ++i) part += i;
        sum += part;
    });
    return sum;
}

/// Ends the process inside a piece.
void WORK(exit_inside)() {
    silica::parallel_for(0, 2, 1, [](std::int64_t first, std::int64_t) {
        if (first == 1) std::exit(0);
        std::this_thread::sleep_for(std::chrono::seconds(5));
        std::_Exit(1);  // not ended by then
    });
}
