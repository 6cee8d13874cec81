#pragma once
/// parallel_for: a range of work over the threads of this process.
///
/// LibTorch's own at::parallel_for is serial in a file that is compiled without OpenMP. There a pool of our own serves,
/// with as many threads.

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace silica {
namespace detail {

/// Threads that wait for work. One caller at a time has them; another one meanwhile works alone.
class ThreadPool {
public:
    ThreadPool() = default;
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;
    ~ThreadPool() { resize(0); }

    /// The pool of this process.
    static ThreadPool& instance() {
        static ThreadPool pool;
        return pool;
    }

    /// True inside a task.
    static bool& inside() {
        thread_local bool flag = false;
        return flag;
    }

    /// task(i) for i in [0, count), on up to `threads` threads. The first exception of a task is thrown here.
    template <class Task>
    void run(std::int64_t count, int threads, const Task& task) {
        const std::unique_lock busy(mutex_, std::try_to_lock);
        if (!busy) {
            for (std::int64_t i = 0; i < count; ++i) task(i);
            return;
        }
        resize(static_cast<std::size_t>(threads - 1));
        call_ = [](const void* self, std::int64_t i) { (*static_cast<const Task*>(self))(i); };
        task_ = &task;
        count_ = count;
        failure_ = nullptr;
        failed_.clear();
        next_.store(0, std::memory_order_relaxed);
        pending_.store(workers_.size(), std::memory_order_relaxed);
        epoch_.fetch_add(1, std::memory_order_release);
        epoch_.notify_all();
        work();
        for (std::size_t left = pending_.load(std::memory_order_acquire); left != 0;
             left = pending_.load(std::memory_order_acquire)) {
            pending_.wait(left, std::memory_order_acquire);
        }
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    void work() {
        inside() = true;
        for (std::int64_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) {
            try {
                call_(task_, i);
            } catch (...) {
                if (!failed_.test_and_set()) failure_ = std::current_exception();
            }
        }
        inside() = false;
    }

    void resize(std::size_t workers) {
        if (workers == workers_.size()) return;
        stop_ = true;
        epoch_.fetch_add(1, std::memory_order_release);
        epoch_.notify_all();
        for (std::thread& t : workers_) t.join();
        workers_.clear();
        stop_ = false;
        for (std::size_t i = 0; i < workers; ++i) {
            workers_.emplace_back([this, seen = epoch_.load()]() mutable {
                for (;;) {
                    epoch_.wait(seen, std::memory_order_acquire);
                    seen = epoch_.load(std::memory_order_acquire);
                    if (stop_) return;
                    work();
                    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
                }
            });
        }
    }

    std::mutex mutex_;
    std::vector<std::thread> workers_;
    std::atomic<std::uint32_t> epoch_{0};
    std::atomic<std::size_t> pending_{0};
    std::atomic<std::int64_t> next_{0};
    std::int64_t count_ = 0;
    void (*call_)(const void*, std::int64_t) = nullptr;
    const void* task_ = nullptr;
    std::atomic_flag failed_ = ATOMIC_FLAG_INIT;
    std::exception_ptr failure_;
    bool stop_ = false;
};

}  // namespace detail

/// Calls f(first, last) on disjoint pieces that make up [begin, end), at most one for each of at::get_num_threads()
/// threads and for each `grain` of the range. A range no longer than `grain`, and a call from inside a parallel region
/// (this one's or OpenMP's), is one call on this thread. The first exception of `f` is thrown here.
template <class F>
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain, const F& f) {
    if (begin >= end) return;
    const std::int64_t count = end - begin, least = std::max<std::int64_t>(1, grain);
    if (count <= least) return f(begin, end);
#ifdef _OPENMP
    at::parallel_for(begin, end, least, f);
#else
    const int threads = at::get_num_threads();
    if (threads == 1 || detail::ThreadPool::inside() || at::in_parallel_region()) return f(begin, end);
    const std::int64_t pieces = std::min<std::int64_t>(threads, (count + least - 1) / least);
    const std::int64_t piece = (count + pieces - 1) / pieces;
    detail::ThreadPool::instance().run(pieces, threads, [&](std::int64_t i) {
        if (begin + i * piece < end) f(begin + i * piece, std::min(end, begin + (i + 1) * piece));
    });
#endif
}

}  // namespace silica
