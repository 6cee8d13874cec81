#undef _FORTIFY_SOURCE  // its longjmp refuses to go from one stack to another
#include "support/metal/threadgroup.hpp"

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define SILICA_FIBERS_WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SILICA_FIBERS_WITH_ASAN 1
#endif
#endif
#ifdef SILICA_FIBERS_WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

// Where the linker puts `threadgroup` variables (stdlib.hpp).
extern "C" {
extern char __start_silica_threadgroup[] __attribute__((weak));
extern char __stop_silica_threadgroup[] __attribute__((weak));
}

namespace silica::test::metal {
namespace {

constexpr std::size_t stack_size = 64 * 1024;

enum class State { ready, at_barrier, at_exchange, done };

/// A place to go back to. After the first time without a call of the system, which swapcontext makes for signals.
struct Place {
    ucontext_t context = {};
    jmp_buf jump = {};
    bool jumps = false;
};

/// Leaves `from` for `to`, and returns when someone goes to `from`.
void go(Place& from, Place& to) {
#ifdef SILICA_FIBERS_WITH_ASAN
    swapcontext(&from.context, &to.context);
#else
    from.jumps = true;
    if (_setjmp(from.jump) != 0) return;
    if (to.jumps) _longjmp(to.jump, 1);
    setcontext(&to.context);
#endif
}

struct Fiber {
    Place place;
    std::unique_ptr<char[]> stack;
    State state = State::ready;
    int line = 0;       // where it waits
    unsigned turn = 0;  // of its exchanges
    std::uint64_t given[2] = {};
};

struct Group {
    std::vector<Fiber> fibers;
    std::vector<std::uint64_t> taken;
    const std::function<void()>* thread = nullptr;
    Place scheduler;
    unsigned self = 0;
    std::string failed;  // an exception of a thread
    const void* scheduler_stack = nullptr;
    std::size_t scheduler_size = 0;
};

Group* current = nullptr;

void to_scheduler([[maybe_unused]] bool last) {
    Fiber& f = current->fibers[current->self];
#ifdef SILICA_FIBERS_WITH_ASAN
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(last ? nullptr : &fake, current->scheduler_stack, current->scheduler_size);
#endif
    go(f.place, current->scheduler);
#ifdef SILICA_FIBERS_WITH_ASAN
    __sanitizer_finish_switch_fiber(fake, &current->scheduler_stack, &current->scheduler_size);
#endif
}

void to_fiber(unsigned i) {
    current->self = i;
    Fiber& f = current->fibers[i];
#ifdef SILICA_FIBERS_WITH_ASAN
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, f.stack.get(), stack_size);
#endif
    go(current->scheduler, f.place);
#ifdef SILICA_FIBERS_WITH_ASAN
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

void entry() {
#ifdef SILICA_FIBERS_WITH_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &current->scheduler_stack, &current->scheduler_size);
#endif
    try {
        (*current->thread)();
    } catch (const std::exception& e) {
        current->failed = e.what();
    }
    current->fibers[current->self].state = State::done;
    to_scheduler(true);
}

void wait(State state, int line) {
    Fiber& f = current->fibers[current->self];
    f.state = state;
    f.line = line;
    to_scheduler(false);
}

/// Lets a simdgroup go on whose lanes all wait at one exchange; false when they do not all wait.
bool release(unsigned first, unsigned end) {
    unsigned waiting = 0;
    int line = 0;
    for (unsigned i = first; i < end; ++i) {
        const Fiber& f = current->fibers[i];
        if (f.state != State::at_exchange) continue;
        if (waiting++ == 0) line = f.line;
        if (f.line != line)
            throw Divergence("lanes of simdgroup " + std::to_string(first / lanes) +
                             " are at different simd operations: lines " + std::to_string(line) + " and " +
                             std::to_string(f.line));
    }
    if (waiting == 0) return false;
    if (waiting != end - first)
        throw Divergence("a simd operation in a branch that not all lanes of simdgroup " +
                         std::to_string(first / lanes) + " take: line " + std::to_string(line));
    for (unsigned i = first; i < end; ++i) current->fibers[i].state = State::ready;
    return true;
}

}  // namespace

unsigned self() { return current->self; }

void barrier(int line) { wait(State::at_barrier, line); }

const std::uint64_t* exchange(std::uint64_t value, int line) {
    const unsigned me = current->self, first = me / lanes * lanes;
    Fiber& f = current->fibers[me];
    const unsigned turn = f.turn++ % 2;  // a lane that is ahead writes beside what others still read
    f.given[turn] = value;
    wait(State::at_exchange, line);
    current->taken.assign(lanes, 0);
    for (unsigned i = 0; i < lanes && first + i < current->fibers.size(); ++i)
        current->taken[i] = current->fibers[first + i].given[turn];
    return current->taken.data();
}

void run_group(unsigned count, const std::function<void()>& thread) {
    if (__start_silica_threadgroup != nullptr)
        std::memset(__start_silica_threadgroup, 0xff,
                    static_cast<std::size_t>(__stop_silica_threadgroup - __start_silica_threadgroup));
    Group group;
    group.fibers.resize(count);
    group.thread = &thread;
    Group* const outer = current;
    current = &group;
    struct Restore {
        Group* outer;
        ~Restore() { current = outer; }
    } restore{outer};
    for (Fiber& f : group.fibers) {
        f.stack = std::make_unique_for_overwrite<char[]>(stack_size);
        ucontext_t& context = f.place.context;
        getcontext(&context);
        context.uc_stack.ss_sp = f.stack.get();
        context.uc_stack.ss_size = stack_size;
        context.uc_link = nullptr;
        makecontext(&context, entry, 0);
    }
    for (;;) {
        // A simdgroup goes as far as it can before the next starts: what it reads too early shows.
        const unsigned simdgroups = (count + lanes - 1) / lanes;
        for (unsigned n = 0; n < simdgroups; ++n) {
            const unsigned first = (ascending ? n : simdgroups - 1 - n) * lanes, end = std::min(first + lanes, count);
            do {
                for (unsigned i = end; i-- > first;) {
                    if (group.fibers[i].state == State::ready) to_fiber(i);
                    if (!group.failed.empty()) throw std::runtime_error(group.failed);
                }
            } while (release(first, end));
        }
        unsigned waiting = 0, done = 0;
        int line = 0;
        for (const Fiber& f : group.fibers) {
            done += f.state == State::done;
            if (f.state != State::at_barrier) continue;
            if (waiting++ == 0) line = f.line;
            if (f.line != line)
                throw Divergence("threads are at different barriers: lines " + std::to_string(line) + " and " +
                                 std::to_string(f.line));
        }
        if (done == count) return;
        if (waiting != count)
            throw Divergence("a barrier that " + std::to_string(waiting) + " of " + std::to_string(count) +
                             " threads reach, " + std::to_string(done) + " have ended: line " + std::to_string(line));
        for (Fiber& f : group.fibers) f.state = State::ready;
    }
}

}  // namespace silica::test::metal
