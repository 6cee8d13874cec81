#pragma once
/// A range cut into pieces, by OpenMP or by the pool.

#include "silica/core/parallel.hpp"
#include "silica/core/thread_pool.hpp"

#include <ATen/Parallel.h>

#include <atomic>

namespace silica {
namespace detail {

/// Whether this process is a child of fork() whose parent had called `in_pieces`. OpenMP's threads are not there then:
/// g++'s would be waited for for ever, by LibTorch too unless it is told to use one thread.
SILICA_INLINE bool forked() {
    static std::atomic<bool> flag{false};
    [[maybe_unused]] static const bool watched = [] {
        ThreadPool::in_children([] {
            flag.store(true, std::memory_order_relaxed);
            at::set_num_threads(1);
        });
        return true;
    }();
    return flag.load(std::memory_order_relaxed);
}

}  // namespace detail

SILICA_INLINE void detail::in_pieces(std::int64_t begin, std::int64_t end, std::int64_t grain,
                                     void (*piece)(const void*, std::int64_t, std::int64_t), const void* f) {
    [[maybe_unused]] const bool child = detail::forked();
#ifdef _OPENMP
    if (!child) {
        at::parallel_for(begin, end, grain, [&](std::int64_t first, std::int64_t last) { piece(f, first, last); });
        return;
    }
#endif
    const int threads = at::get_num_threads();
    if (threads == 1 || ThreadPool::inside() || at::in_parallel_region()) return piece(f, begin, end);
    const std::int64_t count = end - begin, pieces = std::min<std::int64_t>(threads, (count + grain - 1) / grain);
    const std::int64_t length = (count + pieces - 1) / pieces;
    ThreadPool::instance().run(pieces, threads, [&](std::int64_t i) {
        if (begin + i * length < end) piece(f, begin + i * length, std::min(end, begin + (i + 1) * length));
    });
}

}  // namespace silica
