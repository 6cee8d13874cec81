/// What is free, from files as Linux has them.

#include "silica/core/free_memory.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include "support/catch.hpp"

using silica::free_memory;

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30U;

/// A directory in the place of "/".
class Root {
public:
    Root() : path_(fs::temp_directory_path() / ("silica-root-" + std::to_string(::getpid()))) {
        fs::remove_all(path_);
        put("proc/meminfo",
            "MemTotal:       33554432 kB\nMemFree:         1048576 kB\nMemAvailable:   20971520 kB\nBuffers: 1 kB\n");
    }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;
    ~Root() { fs::remove_all(path_); }
    void put(const fs::path& file, const std::string& text) const {
        fs::create_directories((path_ / file).parent_path());
        std::ofstream(path_ / file) << text;
    }
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

}  // namespace

#if !defined(__APPLE__)

TEST_CASE("Without limits it is what the system calls available") {
    const Root root;
    const auto m = free_memory(root.path());
    CHECK(m.free == 20 * gibibyte);
    CHECK(m.total == 32 * gibibyte);
    CHECK_FALSE(m.limited);
}

TEST_CASE("A control group of version 2 limits it, and so do those above") {
    const Root root;
    root.put("proc/self/cgroup", "0::/user.slice/job\n");
    root.put("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
    root.put("sys/fs/cgroup/user.slice/job/memory.current", "123\n");
    root.put("sys/fs/cgroup/user.slice/memory.max", std::to_string(8 * gibibyte) + "\n");
    root.put("sys/fs/cgroup/user.slice/memory.current", std::to_string(5 * gibibyte) + "\n");
    root.put("sys/fs/cgroup/user.slice/memory.stat",
             "anon 3221225472\nfile 2147483648\ninactive_file " + std::to_string(1 * gibibyte) + "\n");
    const auto m = free_memory(root.path());
    CHECK(m.limited);
    CHECK(m.total == 8 * gibibyte);
    CHECK(m.free == 4 * gibibyte);  // 8 - (5 - 1)
}

TEST_CASE("A control group of version 1 limits it, and its huge number is no limit") {
    const Root root;
    root.put("proc/self/cgroup", "11:cpu,cpuacct:/x\n7:memory:/docker/abc\n0::/docker/abc\n");
    root.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    root.put("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n");
    CHECK_FALSE(free_memory(root.path()).limited);
    root.put("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", std::to_string(2 * gibibyte));
    root.put("sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", std::to_string(3 * gibibyte / 2));
    root.put("sys/fs/cgroup/memory/docker/abc/memory.stat",
             "inactive_file 7\ntotal_inactive_file " + std::to_string(gibibyte / 2) + "\n");
    const auto m = free_memory(root.path());
    CHECK(m.limited);
    CHECK(m.total == 2 * gibibyte);
    CHECK(m.free == 1 * gibibyte);
}

TEST_CASE("A group that is full leaves nothing, and what cannot be read limits nothing") {
    const Root root;
    root.put("proc/self/cgroup", "0::/job\nnonsense\n");
    root.put("sys/fs/cgroup/job/memory.max", std::to_string(gibibyte));
    root.put("sys/fs/cgroup/job/memory.current", std::to_string(2 * gibibyte));
    CHECK(free_memory(root.path()).free == 0);
    root.put("sys/fs/cgroup/job/memory.max", "what?");
    CHECK(free_memory(root.path()).free == 20 * gibibyte);
    CHECK(free_memory(root.path() / "nowhere").total == 0);
}

#endif

TEST_CASE("This machine has memory, of which some is free") {
    const auto m = free_memory();
    CHECK(m.total > 0);
    CHECK(m.free > 0);
    CHECK(m.free <= m.total);
}
