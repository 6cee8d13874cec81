// parallel_for: every piece once, on several threads, nested calls on one.
#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <ATen/Parallel.h>

#include "silica/core/parallel.hpp"
#include "silica/core/thread_pool.hpp"
#include "support/catch.hpp"

using namespace silica;

namespace {

/// Waits until `there` reaches `wanted`, or for ten seconds.
void wait_for(const std::atomic<int>& there, int wanted) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (there.load() < wanted && std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

/// Two threads for the length of a test, whatever the machine has.
struct Threads {
    explicit Threads(int n) { at::set_num_threads(n); }
    ~Threads() { at::set_num_threads(before); }
    int before = at::get_num_threads();
};

}  // namespace

TEST_CASE("parallel_for covers its range once, in no more pieces than the grain allows") {
    const Threads threads(3);
    for (const std::int64_t begin : {0, 5}) {
        for (const std::int64_t count : {0, 1, 2, 3, 4, 7, 64, 1001}) {
            for (const std::int64_t grain : {0, 1, 2, 5, 1000}) {
                CAPTURE(begin, count, grain);
                std::vector<std::atomic<int>> seen(static_cast<std::size_t>(begin + count));
                std::atomic<std::int64_t> pieces{0};
                parallel_for(begin, begin + count, grain, [&](std::int64_t first, std::int64_t last) {
                    ++pieces;
                    for (std::int64_t i = first; i < last; ++i) ++seen[static_cast<std::size_t>(i)];
                });
                bool once = true;
                for (std::int64_t i = 0; i < begin + count; ++i)
                    once = once && seen[static_cast<std::size_t>(i)] == (i < begin ? 0 : 1);
                CHECK(once);
                CHECK(pieces <= std::min<std::int64_t>(3, grain == 0 ? count : (count + grain - 1) / grain));
            }
        }
    }
    bool called = false;
    parallel_for(5, 3, 1, [&](std::int64_t, std::int64_t) { called = true; });
    CHECK_FALSE(called);
}

TEST_CASE("parallel_for really runs on more than one thread at a time") {
    for (const int n : {2, 4}) {
        const Threads threads(n);
        std::atomic<int> there{0};
        std::mutex mutex;
        std::set<std::thread::id> ids;
        parallel_for(0, n, 1, [&](std::int64_t, std::int64_t) {
            {
                const std::lock_guard guard(mutex);
                ids.insert(std::this_thread::get_id());
            }
            ++there;
            wait_for(there, n);  // one thread alone would wait here in vain
        });
        CHECK(there == n);
        CHECK(ids.size() == static_cast<std::size_t>(n));
    }
}

TEST_CASE("A short range, one thread, and a call inside a parallel region stay on their thread") {
    const Threads threads(2);
    const auto self = std::this_thread::get_id();
    int calls = 0;
    parallel_for(0, 10, 10, [&](std::int64_t first, std::int64_t last) {
        CHECK(std::this_thread::get_id() == self);
        CHECK((first == 0 && last == 10));
        ++calls;
    });
    CHECK(calls == 1);
    std::atomic<int> strays{0}, inner{0};
    parallel_for(0, 2, 1, [&](std::int64_t, std::int64_t) {
        const auto here = std::this_thread::get_id();
        parallel_for(0, 100, 1, [&](std::int64_t first, std::int64_t last) {
            if (std::this_thread::get_id() != here || first != 0 || last != 100) ++strays;
            ++inner;
        });
    });
    CHECK(inner == 2);
    CHECK(strays == 0);
    {
        const Threads one(1);
        parallel_for(0, 100, 1, [&](std::int64_t first, std::int64_t last) {
            CHECK(std::this_thread::get_id() == self);
            CHECK((first == 0 && last == 100));
        });
    }
#ifdef _OPENMP
    inner = 0;
#pragma omp parallel num_threads(2)
    {
        const auto here = std::this_thread::get_id();
        parallel_for(0, 100, 1, [&](std::int64_t first, std::int64_t last) {
            if (std::this_thread::get_id() != here || first != 0 || last != 100) ++strays;
            ++inner;
        });
    }
    CHECK(inner == 2);
    CHECK(strays == 0);
#endif
}

TEST_CASE("An exception in a piece reaches the caller, and the next call works") {
    const Threads threads(2);
    for (int i = 0; i < 20; ++i) {
        CHECK_THROWS_AS(parallel_for(0, 2, 1,
                                     [&](std::int64_t first, std::int64_t) {
                                         if (first == i % 2) throw std::runtime_error("piece");
                                     }),
                        std::runtime_error);
        std::atomic<std::int64_t> sum{0};
        parallel_for(0, 100, 1, [&](std::int64_t first, std::int64_t last) { sum += last - first; });
        CHECK(sum == 100);
    }
}

TEST_CASE("The pool that serves without OpenMP: every task once, on several threads, for several callers at once") {
    detail::ThreadPool pool;
    for (const int threads : {1, 2, 4, 2}) {
        for (const std::int64_t count : {1, 2, 5, 100}) {
            CAPTURE(threads, count);
            std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
            pool.run(count, threads, [&](std::int64_t i) { ++seen[static_cast<std::size_t>(i)]; });
            CHECK(std::accumulate(seen.begin(), seen.end(), 0) == count);
            for (const auto& s : seen) CHECK(s == 1);
        }
    }
    std::atomic<int> there{0}, outside{0};
    pool.run(3, 3, [&](std::int64_t) {
        if (!detail::ThreadPool::inside()) ++outside;
        ++there;
        wait_for(there, 3);
    });
    CHECK(there == 3);
    CHECK(outside == 0);
    CHECK_FALSE(detail::ThreadPool::inside());
    CHECK_THROWS_AS(pool.run(3, 3,
                             [](std::int64_t i) {
                                 if (i == 2) throw std::runtime_error("task");
                             }),
                    std::runtime_error);
    std::atomic<std::int64_t> sum{0};
    const auto call = [&] {
        for (int i = 0; i < 200; ++i) pool.run(4, 2, [&](std::int64_t t) { sum += t + 1; });
    };
    std::thread a(call), b(call);
    a.join(), b.join();
    CHECK(sum == 2 * 200 * 10);
}
