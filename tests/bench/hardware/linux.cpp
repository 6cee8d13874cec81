// Linux from recorded /proc and /sys: chips, topology, instructions, control groups, NUMA nodes, GPUs.
#include "hardware/process.hpp"
#include "hardware/text.hpp"
#include "recorded.hpp"

using namespace silica::bench::hardware;

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

std::string all(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : " ") + name;
    return text;
}

}  // namespace

TEST_CASE("A virtual machine with AMX, in groups of version 1 without limits") {
    const auto m = recorded_linux("linux-xeon-virtual");
    CHECK(m.cpu.chip == "Intel(R) Xeon(R) Processor");
    CHECK(m.cpu.virtual_machine);
    CHECK(m.cpu.threads == 2);
    CHECK(m.cpu.cores == 2);
    CHECK(m.cpu.allowed == 2);
    for (const char* name : {"avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni",
                             "amx_tile", "amx_bf16", "amx_int8"})
        CHECK(m.cpu.has(name));
    CHECK_FALSE(m.cpu.has("neon"));
    CHECK(m.cpu.levels.empty());
    CHECK_FALSE(m.limits.memory);
    CHECK_FALSE(m.limits.cpus);
    CHECK(m.numa.empty());
    CHECK(m.usable_threads() == 2);
    CHECK(m.memory.total == std::uint64_t{24731708} * 1024);
    CHECK(m.memory.available > 0);
    CHECK_FALSE(m.apple);
}

TEST_CASE("Two sockets with hyper-threads, NUMA nodes, GPUs, and the lowest limit of nested groups") {
    const auto m = recorded_linux("linux-epyc-h100");
    CHECK(m.cpu.chip == "AMD EPYC 9354 32-Core Processor");
    CHECK(m.cpu.threads == 16);
    CHECK(m.cpu.cores == 8);
    CHECK(m.cpu.packages == 2);
    CHECK(m.cpu.allowed == 8);
    CHECK(m.limits.from == "cgroup v2");
    REQUIRE(m.limits.memory);
    CHECK(*m.limits.memory == 16 * gib);
    REQUIRE(m.limits.cpus);
    CHECK(*m.limits.cpus == 2.5);
    CHECK(m.usable_threads() == 3);
    CHECK(m.usable_memory() == 16 * gib);
    REQUIRE(m.numa.size() == 4);
    CHECK(m.numa[3].node == 3);
    CHECK(m.numa[3].cpus == 4);
    CHECK(m.numa[3].memory == std::uint64_t{66000000} * 1024);
    CHECK(m.nvidia.on_bus);
    CHECK(m.nvidia.driver == "570.86.15");
    CHECK(all(m.nvidia.models) == "NVIDIA H100 80GB HBM3 NVIDIA H100 80GB HBM3");
    CHECK_FALSE(m.amd_gpu);
    const auto json = machine_json(m);
    CHECK(json["cpu_limit"] == 2.5);
    CHECK(json["memory_limit_mb"] == 16384.0);
    CHECK(json["numa_nodes"].size() == 4);
    CHECK(json["nvidia_driver"] == "570.86.15");
    std::string lines;
    for (const auto& line : machine_lines(m)) lines += line.label + ": " + line.text + "\n";
    CHECK_THAT(lines,
               silica::test::ContainsSubstring("cores: 8 physical, 16 logical, 2 sockets, 8 for this process\n"));
    CHECK_THAT(lines, silica::test::ContainsSubstring("limit: 2.5 processors, 16 GiB (cgroup v2)\nNUMA: 4 nodes\n"));
}

TEST_CASE("An arm64 server is named by the part of its cores; limits of version 1 stand at the mount of a container") {
    const auto m = recorded_linux("linux-graviton3");
    CHECK(m.cpu.chip == "Neoverse-V1");
    CHECK(m.cpu.cores == 4);
    CHECK(all(m.cpu.instructions) == "neon fp16 dotprod i8mm bf16 sve");
    CHECK(m.limits.from == "cgroup v1");
    REQUIRE(m.limits.memory);
    CHECK(*m.limits.memory == 2 * gib);
    REQUIRE(m.limits.cpus);
    CHECK(*m.limits.cpus == 1.5);
    CHECK(m.usable_threads() == 2);
}

TEST_CASE("Cores of two kinds, a governor, an AMD card, a line that only begins like the flags") {
    const auto m = recorded_linux("linux-hybrid-laptop");
    REQUIRE(m.cpu.levels.size() == 2);
    CHECK(m.cpu.levels[0].name == "Performance");
    CHECK(m.cpu.levels[0].cores == 2);
    CHECK(m.cpu.levels[1].cores == 4);
    CHECK(m.cpu.cores == 6);
    CHECK(m.cpu.threads == 8);
    CHECK_FALSE(m.cpu.has("avx512f"));
    CHECK(m.cpu.governor == "powersave");
    CHECK(m.cpu.governor_driver == "intel_pstate");
    CHECK(m.cpu.energy_preference == "balance_power");
    CHECK(m.amd_gpu);
    CHECK_FALSE(m.nvidia.on_bus);
    CHECK(m.memory.swap_used == std::uint64_t{8388604 - 4194302} * 1024);
    CHECK_FALSE(m.limits.memory);
}

TEST_CASE("A board's own name, and a sandbox without /sys") {
    const auto pi = recorded_linux("linux-raspberry-pi");
    CHECK(pi.cpu.chip == "Raspberry Pi 5 Model B Rev 1.0");
    CHECK(pi.cpu.threads == 4);
    CHECK(all(pi.cpu.instructions) == "neon fp16 dotprod");
    CHECK(pi.limits.from.empty());
    const auto old = recorded_linux("linux-no-sys");
    CHECK(old.cpu.threads == 4);
    CHECK(old.cpu.cores == 2);
    CHECK(all(old.cpu.instructions) == "avx");
}

TEST_CASE("A directory without anything is a machine of which nothing is known") {
    const silica::test::Directory nothing;
    const auto m = linux_machine(nothing.path());
    CHECK(m.cpu.chip.empty());
    CHECK(m.memory.total == 0);
    CHECK(m.usable_threads() == 1);
    CHECK(machine_json(m).empty());
    CHECK(machine_lines(m).empty());
}

TEST_CASE("This machine is read") {
    const auto& m = this_machine();
    CHECK(m.cpu.threads >= 1);
    CHECK(m.memory.total > 0);
    CHECK(&m == &this_machine());
    CHECK_FALSE(loaded_libraries().empty());
    CHECK(environment().contains("PATH"));
}

TEST_CASE("Texts are taken apart, and what is not as expected is absent") {
    CHECK(cpu_list("0-3,8\n") == std::vector<int>{0, 1, 2, 3, 8});
    for (const char* text : {"", "x", "-1", "0-99999999", "3-", "0-3,x"}) CHECK(cpu_list(text).empty());
    CHECK(number(" 12 kB") == 12);
    for (const char* text : {"", "max", "99999999999999999999"}) CHECK_FALSE(number(text));
    CHECK(version("2.14.1+cu130") == std::vector<int>{2, 14, 1});
    CHECK(version("max").empty());
    CHECK(value_of("model\t\t: 7\nmodel name\t: A B\n", "model name") == "A B");
    CHECK(value_of("a.bc: 1\na.b: 2", "a.b") == "2");
    CHECK(size_text(std::uint64_t{3} << 29) == "1.5 GiB");
    CHECK(size_text(std::uint64_t{300} << 20) == "300 MiB");
    const auto libraries = libraries_in_maps(
        "7f00-7f01 r--p 00000000 fe:00 12    /usr/lib/libgomp.so.1.0.0\n7f01-7f02 r-xp 00000000 fe:00 12    "
        "/usr/lib/libgomp.so.1.0.0\n7f03-7f04 r-xp 00000000 fe:00 13    /opt/a b/libiomp5.so\n7f05-7f06 r-xp 0 00:00 0 "
        "[vdso]\n7f07-7f08 rw-p 00000000 00:00 0\n");
    CHECK(libraries == std::vector<std::string>{"/usr/lib/libgomp.so.1.0.0", "/opt/a b/libiomp5.so"});
}
