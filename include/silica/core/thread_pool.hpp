#pragma once
/// Threads that wait for work, and what fork() does to them.

#include "silica/core/compiled.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace silica::detail {

// Shared by all objects of a process, whichever version of Silica each was built with: another layout, another name.
inline namespace abi_1 {

/// Threads that wait for work. One caller at a time has them; another one meanwhile works alone.
class SILICA_API ThreadPool {
public:
    ThreadPool() = default;
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;
    ~ThreadPool() {
        stop_.store(true, std::memory_order_relaxed);
        for (const auto& w : workers_) wake(*w);
        for (const auto& w : workers_) w->thread.join();
    }

    /// The pool of this process. It is never destroyed: its threads may be in use when the process exits.
    static ThreadPool& instance() {
        static std::atomic<ThreadPool*> pool{nullptr};
        // Its threads are not there in a child of fork(), which gets a pool of its own.
        [[maybe_unused]] static const bool watched = [] {
            in_children([] { pool.store(nullptr, std::memory_order_relaxed); });
            return true;
        }();
        ThreadPool* found = pool.load(std::memory_order_acquire);
        if (found == nullptr) {
            auto made = std::make_unique<ThreadPool>();
            if (pool.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel)) found = made.release();
        }
        return *found;
    }

    /// True inside a task.
    static bool& inside() {
        thread_local bool flag = false;
        return flag;
    }

    /// Has f called in every child of fork() from now on. What f is in is never unloaded.
    static void in_children(void (*f)()) {
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork(nullptr, nullptr, f);
        Dl_info here{};
        if (dladdr(reinterpret_cast<const void*>(f), &here) != 0 && here.dli_fname != nullptr)
            dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
#else
        static_cast<void>(f);
#endif
    }

    /// task(i) for i in [0, count), on up to `threads` threads. The first exception of a task is thrown here.
    template <class Task>
    void run(std::int64_t count, int threads, const Task& task) {
        const std::unique_lock busy(mutex_, std::try_to_lock);
        if (!busy) {
            for (std::int64_t i = 0; i < count; ++i) task(i);
            return;
        }
        const std::size_t helpers = hire(std::min<std::int64_t>(threads, count) - 1);
        call_ = [](const void* self, std::int64_t i) { (*static_cast<const Task*>(self))(i); };
        task_ = &task;
        count_ = count;
        failure_ = nullptr;
        failed_.clear();
        next_.store(0, std::memory_order_relaxed);
        pending_.store(helpers, std::memory_order_relaxed);
        for (std::size_t i = 0; i < helpers; ++i) wake(*workers_[i]);
        work();
        for (std::size_t left = pending_.load(std::memory_order_acquire); left != 0;
             left = pending_.load(std::memory_order_acquire)) {
            pending_.wait(left, std::memory_order_acquire);
        }
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    struct Worker {
        std::atomic<std::uint32_t> calls{0};
        std::thread thread;
    };

    static void wake(Worker& w) {
        w.calls.fetch_add(1, std::memory_order_release);
        w.calls.notify_one();
    }

    /// How many of `wanted` helpers there are, once those that lack are started. They stay for later calls.
    std::size_t hire(std::int64_t wanted) {
        const auto all = static_cast<std::size_t>(std::max<std::int64_t>(wanted, 0));
        while (workers_.size() < all) {
            auto worker = std::make_unique<Worker>();
            try {
                worker->thread = std::thread([this, w = worker.get()] { serve(*w); });
            } catch (const std::system_error&) {  // no more threads are to be had
                break;
            }
            workers_.push_back(std::move(worker));
        }
        return std::min(all, workers_.size());
    }

    void serve(Worker& w) {
        for (std::uint32_t seen = 0;;) {
            w.calls.wait(seen, std::memory_order_acquire);
            seen = w.calls.load(std::memory_order_acquire);
            if (stop_.load(std::memory_order_relaxed)) return;
            work();
            if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
        }
    }

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

    std::mutex mutex_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::atomic<std::size_t> pending_{0};
    std::atomic<std::int64_t> next_{0};
    std::int64_t count_ = 0;
    void (*call_)(const void*, std::int64_t) = nullptr;
    const void* task_ = nullptr;
    std::atomic_flag failed_ = ATOMIC_FLAG_INIT;
    std::exception_ptr failure_;
    std::atomic<bool> stop_{false};
};

}  // namespace abi_1
}  // namespace silica::detail
