// Threads where programs are unkind to them: fork(), callers with different numbers of threads, exit() in a piece, one
// file with OpenMP beside one without. Prints what failed.
#include <ATen/Parallel.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/ones.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

int threads_at_work_with_openmp(int threads);
int threads_at_work_without_openmp(int threads);
std::int64_t sum_with_openmp(std::int64_t n);
std::int64_t sum_without_openmp(std::int64_t n);
void exit_inside_without_openmp();

namespace {

int failures = 0;

void check(bool fine, const char* what) {
    if (fine) return;
    std::printf("failed: %s\n", what);
    ++failures;
}

/// Runs f in a child of fork(); whether it came to its end within ten seconds and returned true.
template <class F>
bool in_child(const F& f) {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) std::_Exit(f() ? 0 : 1);
    for (int i = 0; i < 1000; ++i) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    std::printf("a child hangs\n");
    return false;
}

bool sums() { return sum_with_openmp(1000) == 499500 && sum_without_openmp(1000) == 499500; }

/// LibTorch's own ops, large enough for several threads.
bool torch_works() { return at::gelu(at::ones({1 << 20})).size(0) == 1 << 20; }

void test_fork() {
    check(sums() && torch_works(), "sums before fork");
    check(in_child([] { return sums() && torch_works(); }), "a child of fork");
    check(in_child([] {
              at::set_num_threads(3);
              return sums() && threads_at_work_with_openmp(3) == 3 && threads_at_work_without_openmp(3) == 3;
          }),
          "a child of fork with three threads");
    check(in_child([] { return sums() && in_child([] { return sums() && torch_works(); }); }), "a child of a child");
    // A child that is made while another thread is at work.
    std::atomic<bool> stop{false};
    std::thread busy([&] {
        at::set_num_threads(3);
        while (!stop) sum_without_openmp(1000);
    });
    for (int i = 0; i < 20; ++i) check(in_child([] { return sums(); }), "a child beside a busy thread");
    stop = true;
    busy.join();
    check(sums() && threads_at_work_without_openmp(4) == 4, "the parent goes on");
}

std::size_t threads_of_process() {
    std::size_t n = 0;
    std::error_code none;
    for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task", none)) ++n;
    return n;
}

void test_callers() {
    threads_at_work_without_openmp(4);
    const std::size_t before = threads_of_process();
    for (int i = 0; i < 50; ++i) {
        at::set_num_threads(i % 2 == 0 ? 2 : 4);
        check(sum_without_openmp(1000) == 499500, "callers of 2 and 4 threads in turn");
    }
    check(threads_of_process() == before, "threads stay from call to call");
    at::set_num_threads(4);
    std::atomic<int> good{0};
    const auto call = [&] {
        at::set_num_threads(2);
        for (int i = 0; i < 500; ++i) good += sums() ? 1 : 0;
    };
    std::thread a(call), b(call);
    a.join(), b.join();
    check(good == 1000, "two callers at once");
}

}  // namespace

int main() {
    at::set_num_threads(4);
    check(threads_at_work_with_openmp(4) == 4, "four threads with OpenMP");
    check(threads_at_work_without_openmp(4) == 4, "four threads without OpenMP");
    check(in_child([]() -> bool {
              at::set_num_threads(2);
              exit_inside_without_openmp();
              return false;
          }),
          "exit in a piece");
    test_callers();
    test_fork();
    if (failures == 0) std::printf("threads: all is well\n");
    return failures == 0 ? 0 : 1;
}
