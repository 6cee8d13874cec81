#include "suite/process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

#include "silica/core/error.hpp"

extern char** environ;

namespace silica::bench::suite {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int tick_ms = 200;
constexpr double grace_s = 5;  ///< to end after the answer

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

[[noreturn]] void cannot(const std::string& what, int error) {
    throw InputError("A process for a row could not be started: " + what + ": " + std::strerror(error) + ".",
                     "see `ulimit -u` and `ulimit -n`.");
}

/// A descriptor that ends with its scope.
class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() { close(); }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

struct Pipe {
    Descriptor read, write;
};

/// Both ends are closed in children, and are none of the descriptors that a child is given.
Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) cannot("pipe", errno);
    const Descriptor low_read(ends[0]), low_write(ends[1]);
    Pipe pipe{Descriptor(::fcntl(ends[0], F_DUPFD_CLOEXEC, 10)), Descriptor(::fcntl(ends[1], F_DUPFD_CLOEXEC, 10))};
    if (pipe.read.get() < 0 || pipe.write.get() < 0) cannot("pipe", errno);
    return pipe;
}

/// Nobody reads what we write: an error here, not a signal.
class NoPipeSignal {
public:
    NoPipeSignal() : had_(std::signal(SIGPIPE, SIG_IGN)) {}
    ~NoPipeSignal() {
        if (had_ != SIG_ERR) std::signal(SIGPIPE, had_);
    }
    NoPipeSignal(const NoPipeSignal&) = delete;
    NoPipeSignal& operator=(const NoPipeSignal&) = delete;

private:
    void (*had_)(int);
};

pid_t spawn(const Child& child, const Pipe& in, const Pipe& out) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
    if (::fcntl(2, F_GETFD) >= 0) posix_spawn_file_actions_adddup2(&actions, 2, 1);
    posix_spawn_file_actions_adddup2(&actions, out.write.get(), answer_descriptor);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults, none;
    sigemptyset(&defaults);
    sigemptyset(&none);
    for (const int s : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) sigaddset(&defaults, s);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);  // a group of its own: Ctrl-C is for us, and we end it
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

    std::string program = child.program.string(), name = "silica";
    auto arguments = child.arguments;
    std::vector<char*> call = {name.data()};
    for (auto& argument : arguments) call.push_back(argument.data());
    call.push_back(nullptr);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, call.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) cannot(program, error);
    return pid;
}

void write_line(int fd, const std::string& line) {
    const std::string text = line + "\n";
    for (std::size_t done = 0; done < text.size();) {
        const auto n = ::write(fd, text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;  // it ended already; how is seen below
        done += static_cast<std::size_t>(n);
    }
}

/// How often this system has killed a process for want of memory, as far as it tells.
std::uint64_t kills_for_memory() {
    std::uint64_t kills = 0;
    for (const char* path : {"/proc/vmstat", "/sys/fs/cgroup/memory.events"}) {
        std::ifstream file(path);
        std::string key;
        for (std::uint64_t n = 0; file >> key >> n;) kills += key == "oom_kill" ? n : 0;
    }
    return kills;
}

/// Ends a child with everything it started.
void kill_group(pid_t pid) {
    ::kill(-pid, SIGKILL);
    ::kill(pid, SIGKILL);
}

}  // namespace

Ended run_child(const Child& child, const std::function<bool(std::string_view)>& heard,
                const std::function<bool()>& stop) {
    const NoPipeSignal no_signal;
    Pipe in = make_pipe(), out = make_pipe();
    const auto kills = kills_for_memory();
    const auto start = Clock::now();
    const pid_t pid = spawn(child, in, out);
    in.read.close();
    out.write.close();
    write_line(in.write.get(), child.line);

    Ended ended;
    bool answered = false, open = true, over = false, forced = false;
    double limit = child.limit_s;
    std::string text;
    int status = 0;
    const auto end = [&](Ended::How how) {
        if (!forced && !answered) ended.how = how;
        forced = true;
        kill_group(pid);
    };
    while (!over) {
        if (!forced && seconds_since(start) >= limit) end(Ended::How::timed_out);
        if (!forced && stop()) end(Ended::How::stopped);
        if (open) {
            pollfd wait{out.read.get(), POLLIN, 0};
            if (::poll(&wait, 1, tick_ms) <= 0) continue;
            std::array<char, 65536> bytes;
            const auto n = ::read(out.read.get(), bytes.data(), bytes.size());
            if (n < 0 && errno == EINTR) continue;
            open = n > 0;
            text.append(bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
            for (std::size_t line = text.find('\n'); line != std::string::npos; line = text.find('\n')) {
                if (!answered && heard(std::string_view(text).substr(0, line))) {
                    answered = true;
                    limit = seconds_since(start) + grace_s;
                }
                text.erase(0, line + 1);
            }
            continue;
        }
        const pid_t gone = ::waitpid(pid, &status, WNOHANG);
        over = gone == pid || (gone < 0 && errno != EINTR);
        if (!over) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ended.seconds = seconds_since(start);
    if (answered) {
        ended.how = Ended::How::answered;
    } else if (!forced) {
        const bool by_signal = WIFSIGNALED(status);
        ended.how = by_signal ? Ended::How::killed : Ended::How::exited;
        ended.code = by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
        ended.out_of_memory = by_signal && ended.code == SIGKILL && kills_for_memory() > kills;
    }
    return ended;
}

std::filesystem::path own_program() {
#if defined(__APPLE__)
    std::uint32_t size = 0;
    _NSGetExecutablePath(nullptr, &size);
    std::string path(size, '\0');
    if (_NSGetExecutablePath(path.data(), &size) == 0) return path.c_str();
    throw InputError("The system does not tell where this program is.", "call it by its whole path.");
#else
    return "/proc/self/exe";
#endif
}

void end_with_parent() {
    std::thread([] {
        std::array<char, 64> bytes;
        for (;;) {
            const auto n = ::read(0, bytes.data(), bytes.size());
            if (n == 0 || (n < 0 && errno != EINTR)) ::_exit(1);
        }
    }).detach();
}

std::string signal_name(int signal) {
    switch (signal) {
        case SIGSEGV:
            return "SIGSEGV, invalid memory reference";
        case SIGBUS:
            return "SIGBUS, memory that is not there";
        case SIGILL:
            return "SIGILL, an instruction that this processor does not have";
        case SIGFPE:
            return "SIGFPE, arithmetic";
        case SIGABRT:
            return "SIGABRT, it gave up";
        case SIGKILL:
            return "SIGKILL";
        case SIGTERM:
            return "SIGTERM";
        case SIGTRAP:
            return "SIGTRAP";
        case SIGSYS:
            return "SIGSYS, a call that is forbidden here";
        case SIGXCPU:
            return "SIGXCPU, the limit on processor time";
        case SIGXFSZ:
            return "SIGXFSZ, the limit on file sizes";
        default:
            return "signal " + std::to_string(signal);
    }
}

}  // namespace silica::bench::suite
