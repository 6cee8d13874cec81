// Apple's machines from recorded texts: chips of every generation, virtual machines, Rosetta, Intel.
#include "recorded.hpp"

using namespace silica::bench::hardware;

namespace {

struct Want {
    const char* name;
    int generation;
    std::string tier, levels;
    int cores, gpu_cores;
    std::string family;
    std::uint64_t gib;
    std::string macos;
};

std::string levels_of(const Machine& m) {
    std::string text;
    for (const auto& level : m.cpu.levels) text += std::to_string(level.cores) + " " + level.name + " ";
    return text;
}

}  // namespace

TEST_CASE("Chips of Apple are told apart by generation and tier, with their cores, GPU and memory") {
    const Want wanted[] = {
        {"apple-m1", 1, "base", "4 Performance 4 Efficiency ", 8, 8, "Apple7", 16, "12.6"},
        {"apple-m1-pro", 1, "Pro", "8 Performance 2 Efficiency ", 10, 16, "Apple7", 16, "14.2.1"},
        {"apple-m2-ultra", 2, "Ultra", "16 Performance 8 Efficiency ", 24, 76, "Apple8", 192, "15.1"},
        {"apple-m3-max", 3, "Max", "12 Performance 4 Efficiency ", 16, 40, "Apple9", 128, "26.1"},
        {"apple-m4-pro", 4, "Pro", "8 Performance 4 Efficiency ", 12, 16, "Apple9", 24, "15.4"},
        {"apple-m5-pro", 5, "Pro", "5 Super 10 Performance ", 15, 16, "Apple10", 48, "26.4"},
        {"apple-m6", 6, "base", "2 Super 4 Performance 6 Efficiency ", 12, 0, "", 32, "27.0.1"},
    };
    for (const auto& want : wanted) {
        CAPTURE(want.name);
        const auto m = recorded_apple(want.name);
        REQUIRE(m.apple);
        CHECK(m.os == "macOS");
        CHECK(m.apple->arm);
        CHECK_FALSE(m.apple->translated);
        CHECK(m.apple->generation == want.generation);
        CHECK(m.apple->tier == want.tier);
        CHECK(levels_of(m) == want.levels);
        CHECK(m.cpu.cores == want.cores);
        CHECK(m.cpu.threads == want.cores);
        CHECK(m.apple->gpu_cores == want.gpu_cores);
        CHECK(m.apple->metal_family == want.family);
        CHECK(m.memory.total == want.gib << 30);
        CHECK(m.apple->macos == want.macos);
        CHECK(m.cpu.has("neon"));
        CHECK(m.cpu.has("dotprod"));
        CHECK(m.cpu.has("bf16") == (want.generation >= 2 && want.generation <= 5));
        CHECK(m.cpu.has("sme2") == (want.generation == 4 || want.generation == 5));
    }
}

TEST_CASE("What of unified memory the GPU may use is the limit that was set, LibTorch's number, or an estimate") {
    constexpr std::uint64_t gib = std::uint64_t{1} << 30;
    const auto set = gpu_memory(recorded_apple("apple-m1-pro"), 11 * gib);
    CHECK(set.bytes == 12 * gib);
    CHECK(set.from == "iogpu.wired_limit_mb");
    const auto told = gpu_memory(recorded_apple("apple-m4-pro"), 17 * gib);
    CHECK(told.bytes == 17 * gib);
    CHECK(told.from == "recommendedMaxWorkingSetSize");
    const auto small = gpu_memory(recorded_apple("apple-m4-pro"), 0),
               large = gpu_memory(recorded_apple("apple-m2-ultra"), 0);
    CHECK(small.bytes == 16 * gib);
    CHECK(large.bytes == 144 * gib);
    CHECK(small.from == "estimate");
    CHECK(gpu_memory(Machine{}, 5).bytes == 0);
}

TEST_CASE("Swap, free memory and what Metal supports are read") {
    const auto m1 = recorded_apple("apple-m1");
    CHECK(m1.memory.swap_total == std::uint64_t{2048} << 20);
    CHECK(m1.memory.swap_used == (std::uint64_t{3073} << 20) / 2);
    CHECK(m1.memory.available == m1.memory.total / 100 * 61);
    CHECK(recorded_apple("apple-m3-max").apple->metal == "Metal 4");
    CHECK(recorded_apple("apple-m1-pro").apple->metal == "Metal 3");
}

TEST_CASE("A virtual machine, a process under Rosetta and an Intel processor are known as such") {
    const auto virtual_one = recorded_apple("apple-virtual");
    CHECK(virtual_one.cpu.virtual_machine);
    CHECK(virtual_one.apple->generation == 1);
    CHECK(virtual_one.apple->gpu_cores == 0);
    CHECK(virtual_one.apple->metal_family.empty());
    CHECK(virtual_one.cpu.levels.empty());
    const auto translated = recorded_apple("apple-rosetta");
    CHECK(translated.apple->translated);
    CHECK(translated.apple->arm);
    CHECK(translated.apple->generation == 0);
    CHECK_FALSE(translated.cpu.has("neon"));
    const auto intel = recorded_apple("apple-intel");
    CHECK_FALSE(intel.apple->arm);
    CHECK(intel.cpu.has("avx2"));
    CHECK(intel.cpu.cores == 6);
    CHECK(intel.cpu.threads == 12);
    CHECK(intel.cpu.levels.empty());
    CHECK(intel.apple->gpu_cores == 0);
}

TEST_CASE("A Mac's report has its chip, and nothing that others have") {
    const auto json = machine_json(recorded_apple("apple-m4-pro"));
    CHECK(json["chip_generation"] == 4);
    CHECK(json["chip_tier"] == "Pro");
    CHECK(json["gpu_cores"] == 16);
    CHECK(json["metal_family"] == "Apple9");
    CHECK(json["core_levels"].dump() == R"([{"name":"Performance","cores":8},{"name":"Efficiency","cores":4}])");
    for (const char* key : {"nvidia_driver", "numa_nodes", "memory_limit_mb", "governor", "rosetta"})
        CHECK_FALSE(json.contains(key));
    std::string lines;
    for (const auto& line : machine_lines(recorded_apple("apple-m5-pro")))
        lines += line.label + ": " + line.text + "\n";
    CHECK(lines ==
          "cores: 15 physical (5 Super and 10 Performance), 15 logical\n"
          "has: neon fp16 dotprod i8mm bf16 sme sme2\n"
          "Apple GPU: 16 cores, family Apple10\n");
}

TEST_CASE("Texts that are empty, cut short or wild leave facts out and do no harm") {
    for (const std::string text :
         {"", "hw.memsize", "hw.memsize: -5\nhw.physicalcpu: 99999999999999999999\n",
          "machdep.cpu.brand_string: Apple M", "machdep.cpu.brand_string: Apple M0\n",
          "machdep.cpu.brand_string: Apple Mx Pro", "vm.swapusage: total = abc used", "hw.perflevel0.physicalcpu: 4"}) {
        CAPTURE(text);
        const auto m = apple_machine(text, text);
        CHECK(m.apple->generation == 0);
        CHECK(m.memory.total == 0);
        CHECK(m.memory.swap_used == 0);
        CHECK(m.usable_threads() == 1);
    }
}
