#pragma once
/// Definitions of reader.hpp.

#include "silica/core/compiled.hpp"
#include "silica/task/reader.hpp"

#include <algorithm>
#include <new>
#include <system_error>

namespace silica::task::detail {

SILICA_INLINE WorkAhead::WorkAhead(std::size_t count, ReadAhead ahead, std::function<void(std::size_t)> work)
    : count_(count), work_(std::move(work)), done_(count) {
    constexpr std::size_t most = 256;
    auto threads = ahead.threads != 0 ? ahead.threads : std::size_t{std::thread::hardware_concurrency()};
    threads = std::min({std::max<std::size_t>(threads, 1), most, count});
    window_ = ahead.files != 0 ? ahead.files : 2 * std::max<std::size_t>(threads, 1);
    threads = std::min(threads, window_);
    threads_.reserve(threads);
    try {
        while (threads_.size() < threads) threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {  // no more are to be had
    } catch (const std::bad_alloc&) {
    }
}

SILICA_INLINE WorkAhead::~WorkAhead() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

SILICA_INLINE void WorkAhead::serve() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stop_ || begun_ == count_ || begun_ - taken_ < window_; });
        if (stop_ || begun_ == count_) return;
        const auto i = begun_++;
        lock.unlock();
        work_(i);
        lock.lock();
        done_[i] = true;
        changed_.notify_all();
    }
}

SILICA_INLINE bool WorkAhead::take() {
    if (taken_ == count_) return false;
    if (threads_.empty()) {
        work_(taken_++);
        return true;
    }
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return done_[taken_]; });
        ++taken_;
    }
    changed_.notify_all();
    return true;
}

}  // namespace silica::task::detail
