// What hinders a machine: every finding from made-up facts, and none on a machine in order.
#include "hardware/doctor.hpp"

#include "recorded.hpp"

using namespace silica::bench::hardware;
using silica::test::ContainsSubstring;

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

/// A machine with Linux in which nothing is wrong.
Facts sound() {
    Facts f;
    f.machine.os = "Linux";
    f.machine.cpu = {.chip = "A",
                     .threads = 8,
                     .cores = 8,
                     .packages = 1,
                     .allowed = 8,
                     .levels = {},
                     .instructions = {"avx", "avx2", "avx512f"},
                     .governor = "performance",
                     .governor_driver = "intel_pstate",
                     .energy_preference = "performance",
                     .virtual_machine = false};
    f.machine.memory = {64 * gib, 48 * gib, 8 * gib, 0};
    f.program = {.build_type = "Release",
                 .libtorch = "2.13.0",
                 .libtorch_build = "cpu",
                 .cpu_capability = "AVX512",
                 .threads = 8,
                 .devices = {{"cpu", true, "", false}, {"cuda", false, "this LibTorch is built without CUDA", false}},
                 .libraries = {"/venv/torch/lib/libgomp.so.1", "/venv/torch/lib/libtorch_cpu.so"}};
    f.hub.directory = "/home/u/.cache/huggingface/hub";
    f.hub.exists = f.hub.readable = true;
    f.hub.models = 3;
    f.disks = {{"the hub cache", "/home/u/.cache", 100 * gib}};
    f.environment = {{"PATH", "/usr/bin"}, {"HOME", "/home/u"}};
    return f;
}

/// The same with an NVIDIA GPU that works.
Facts with_cuda() {
    auto f = sound();
    f.machine.nvidia = {true, "580.65.06", {"NVIDIA H100 80GB HBM3"}};
    f.cuda = {"13.0", {{"NVIDIA H100 80GB HBM3", 80 * gib, 9, 0}}};
    f.program.libtorch_build = "cuda 13.0";
    f.program.devices[1] = {"cuda", true, "", false};
    return f;
}

/// A Mac in which nothing is wrong.
Facts mac(const std::string& name = "apple-m4-pro") {
    auto f = sound();
    f.machine = recorded_apple(name);
    f.program.libtorch_build = "metal";
    f.program.threads = 8;
    f.program.devices = {{"cpu", true, "", false}, {"mps", true, "", false}};
    f.program.libraries = {"/venv/torch/lib/libomp.dylib"};
    return f;
}

/// The one finding that there is: its severity, and words of it.
void finds(const Facts& facts, Severity severity, const std::string& what, const std::string& remedy) {
    const auto found = examine(facts);
    std::string all;
    for (const auto& f : found) all += f.what + "\n";
    INFO(all);
    REQUIRE(found.size() == 1);
    CHECK(found[0].severity == severity);
    CHECK_THAT(found[0].what, ContainsSubstring(what));
    CHECK_THAT(found[0].remedy, ContainsSubstring(remedy));
    CHECK(found[0].what.ends_with('.'));
    CHECK_FALSE(found[0].check.empty());
    CHECK(hinders(found) == (severity != Severity::note));
}

constexpr auto stops = Severity::stops, slows = Severity::slows, note = Severity::note;

}  // namespace

TEST_CASE("A machine in order has no finding") {
    CHECK(examine(sound()).empty());
    CHECK(examine(with_cuda()).empty());
    CHECK(examine(mac()).empty());
    CHECK(examine(mac("apple-m1-pro")).empty());
    CHECK_FALSE(hinders({}));
}

TEST_CASE("Macs: Rosetta, Intel, an old macOS, a GPU that is out of reach") {
    finds(mac("apple-rosetta"), stops, "Rosetta", "arm64");
    auto f = mac("apple-intel");
    f.machine.apple->macos = "14.0";
    f.machine.memory.available = 0;
    f.program.threads = 6;
    finds(f, stops, "Intel processor", "Apple silicon");
    f = mac();
    f.machine.apple->macos = "13.7.2";
    finds(f, stops, "macOS 13.7.2 is older than 14.0", "Update macOS");
    f = mac();
    f.program.libtorch_build = "cpu";
    finds(f, stops, "built without Metal", "arm64 build of torch");
    f = mac();
    f.program.devices.pop_back();
    finds(f, stops, "without the device mps", "SILICA_DEVICES");
    f = mac();
    f.program.devices[1] = {"mps", false, "no Metal device", false};
    finds(f, stops, "cannot be used: no Metal device.", "sandbox");
    f.machine.cpu.virtual_machine = true;
    finds(f, stops, "cannot be used", "virtual one");
    f = mac();
    f.machine.apple->wired_limit = 23 * gib;
    finds(f, slows, "iogpu.wired_limit_mb gives the GPU 23 GiB of 24 GiB", "wired_limit_mb=0");
    f.machine.apple->wired_limit = 4 * gib;
    finds(f, slows, "less than the system's default", "wired_limit_mb=0");
    f = sound();
    f.program.devices.push_back({"mps", true, "", true});
    finds(f, note, "mps of this program is simulated", "silica-sim-mps");
}

TEST_CASE("NVIDIA GPUs: no driver, a LibTorch without CUDA, an old driver, hidden, not compiled, failing, old") {
    auto f = with_cuda();
    f.machine.nvidia.driver.clear();
    f.cuda = {};
    finds(f, stops, "An NVIDIA GPU (NVIDIA H100 80GB HBM3) is there, and no driver", "nvidia-smi");
    f = with_cuda();
    f.program.libtorch_build = "cpu";
    finds(f, stops, "built for the CPU alone", "./run");
    f = with_cuda();
    f.cuda = {};
    finds(f, stops, "libcuda.so.1 cannot be loaded", "--gpus all");
    f = with_cuda();
    f.cuda.version = "12.8";
    finds(f, stops, "runs CUDA 12.8 at most, and this LibTorch is built for cuda 13.0", "newer driver");
    f.program.libtorch_build = "cuda 12.9";  // the same major version: minor ones fit
    CHECK(examine(f).empty());
    f = with_cuda();
    f.environment["CUDA_VISIBLE_DEVICES"] = "";
    f.program.devices[1] = {"cuda", false, "no NVIDIA GPU", false};
    finds(f, stops, "hides every GPU", "unset CUDA_VISIBLE_DEVICES");
    f = with_cuda();
    f.program.devices.pop_back();
    finds(f, stops, "without the device cuda", "SILICA_DEVICES");
    f = with_cuda();
    f.program.devices[1] = {"cuda", false, "the CUDA driver failed: unknown error", false};
    finds(f, stops, "the CUDA driver failed: unknown error.", "started again");
    f = with_cuda();
    f.cuda.devices[0] = {"Tesla T4", 16 * gib, 7, 5};
    finds(f, slows, "no bfloat16", "float16");
    f = sound();
    f.machine.amd_gpu = true;
    finds(f, note, "AMD GPU", "--hardware cpu");
}

TEST_CASE("The processor: instructions, governors, NUMA nodes") {
    auto f = sound();
    f.machine.cpu.instructions = {"avx"};
    finds(f, slows, "no AVX2", "-cpu host");
    f = sound();
    f.machine.cpu.instructions = {"neon"};
    CHECK(examine(f).empty());
    f = sound();
    f.machine.cpu.governor = "powersave";
    CHECK(examine(f).empty());  // of intel_pstate: the firmware chooses the clock
    f.machine.cpu.energy_preference = "balance_power";
    finds(f, slows, "governor is powersave, with the preference balance_power", "cpupower");
    f.machine.cpu.governor_driver = "acpi-cpufreq";
    f.machine.cpu.energy_preference.clear();
    finds(f, slows, "governor is powersave", "cpupower");
    f = sound();
    f.machine.numa = {{0, 4, 32 * gib}, {1, 4, 32 * gib}};
    finds(f, note, "2 NUMA nodes", "numactl");
}

TEST_CASE("Threads: variables, limits, hyper-threads, affinity, several runtimes of OpenMP") {
    auto f = sound();
    f.environment["OMP_NUM_THREADS"] = "64";
    f.program.threads = 64;
    finds(f, slows, "OMP_NUM_THREADS is '64', more than the 8 processors", "OMP_NUM_THREADS=8");
    f.environment["OMP_NUM_THREADS"] = "1";
    f.program.threads = 1;
    finds(f, slows, "one thread of 8 cores", "unset OMP_NUM_THREADS");
    f.environment["OMP_NUM_THREADS"] = "all";
    finds(f, slows, "no number of threads", "unset");
    f = sound();
    f.environment["MKL_NUM_THREADS"] = "0";
    finds(f, slows, "MKL_NUM_THREADS is '0'", "unset MKL_NUM_THREADS");
    f = sound();
    f.machine.limits = {"cgroup v2", std::nullopt, 2.5};
    finds(f, slows, "control group (cgroup v2) gives this process the time of 3 processors", "OMP_NUM_THREADS=3");
    f = sound();
    f.machine.cpu.threads = f.machine.cpu.allowed = 16;
    f.program.threads = 16;
    finds(f, slows, "16 threads on 8 cores (hyper-threads)", "OMP_NUM_THREADS=8");
    f = sound();
    f.machine.cpu.allowed = 4;
    f.program.threads = 4;
    finds(f, note, "4 of 8 processors", "taskset");
    f = sound();
    f.program.libraries.push_back("/opt/intel/lib/libiomp5.so");
    finds(f, slows, "Several OpenMP runtimes", "LD_LIBRARY_PATH");
    f = sound();
    f.environment["KMP_DUPLICATE_LIB_OK"] = "TRUE";
    finds(f, slows, "wrong results", "unset KMP_DUPLICATE_LIB_OK");
}

TEST_CASE("Memory: limits, little of it, none left, swap") {
    auto f = sound();
    f.machine.limits = {"cgroup v2", 16 * gib, std::nullopt};
    finds(f, note, "gives this process 16 GiB of the machine's 64 GiB", "killed");
    f.machine.limits.memory = 2 * gib;
    finds(f, slows, "2.0 GiB", "more memory");
    f = sound();
    f.machine.memory = {3 * gib, 2 * gib, 0, 0};
    finds(f, slows, "small models only", "int4");
    f = sound();
    f.machine.memory.available = gib;
    finds(f, slows, "1.0 GiB are free", "other programs");
    f = sound();
    f.machine.memory.swap_used = 3 * gib;
    CHECK(examine(f).empty());
    f.machine.memory.swap_used = 4 * gib;
    finds(f, slows, "4.0 GiB of memory are swapped out", "restart");
    f = mac();
    f.machine.memory.swap_used = 4 * gib;
    CHECK(examine(f).empty());
}

TEST_CASE("The hub cache: missing, unreadable, empty, broken; tokens are judged by shape and never printed") {
    auto f = sound();
    f.hub.exists = f.hub.readable = false;
    f.hub.models = 0;
    finds(f, note, "There is no hub cache at /home/u", "hf download");
    f = sound();
    f.hub.readable = false;
    finds(f, stops, "cannot be listed", "HF_HUB_CACHE");
    f = sound();
    f.hub.models = 0;
    finds(f, note, "holds no model", "google-bert/bert-base-uncased");
    f = sound();
    f.hub.no_snapshot = {"org/a", "org/b"};
    finds(f, stops, "A ref of org/a, org/b names a snapshot", "hf download org/a, and so");
    f = sound();
    f.hub.broken_links = {"org/a"};
    finds(f, stops, "links to blobs that are not there", "hf download org/a.");
    f = sound();
    f.hub.incomplete = {"a", "b", "c", "d", "e", "f"};
    finds(f, note, "a, b, c, d and 2 more was cut short", "hf download a");
    f = sound();
    f.environment["HF_HUB_OFFLINE"] = "1";
    finds(f, note, "HF_HUB_OFFLINE is on", "unset");
    f = sound();
    f.environment["HF_TOKEN"] = "\"hf_abc\"";
    finds(f, note, "HF_TOKEN does not look like a token", "quotes");
    CHECK(examine(f)[0].what.find("abc") == std::string::npos);
    f.environment["HF_TOKEN"] = "hf_abcdef";
    CHECK(examine(f).empty());
}

TEST_CASE("Variables of LibTorch that slow it, or change results") {
    struct Case {
        const char *name, *value;
        Severity severity;
        const char* what;
    };
    const Case cases[] = {
        {"PYTORCH_ENABLE_MPS_FALLBACK", "1", slows, "no fallback report"},
        {"PYTORCH_MPS_HIGH_WATERMARK_RATIO", "0.0", slows, "all memory"},
        {"PYTORCH_MPS_HIGH_WATERMARK_RATIO", "0.7", stops, "1.4 where it is not set"},
        {"PYTORCH_MPS_HIGH_WATERMARK_RATIO", "2.5", stops, "2.5"},
        {"PYTORCH_MPS_FAST_MATH", "1", stops, "infinities"},
        {"PYTORCH_DEBUG_MPS_ALLOCATOR", "1", slows, "logged"},
        {"PYTORCH_NO_CUDA_MEMORY_CACHING", "1", slows, "waits"},
        {"CUDA_LAUNCH_BLOCKING", "1", slows, "waits"},
        {"PYTORCH_CUDA_ALLOC_CONF", "backend:cudaMallocAsync", note, "allocator"},
        {"NVIDIA_TF32_OVERRIDE", "1", note, "10 bits"},
        {"SILICA_CPU_ISA", "avx2", slows, "better instructions"},
        {"ATEN_CPU_CAPABILITY", "default", slows, "better instructions"},
        {"LD_PRELOAD", "/usr/lib/libjemalloc.so", note, "inside every measurement"},
        {"PYTORCH_JIT", "0", note, "PYTORCH_JIT is '0'"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.name, c.value);
        auto f = sound();
        f.environment[c.name] = c.value;
        finds(f, c.severity, c.what, "unset");
        f.environment[c.name] = "";
        CHECK(examine(f).empty());
    }
    auto f = sound();
    f.environment["PYTORCH_MPS_HIGH_WATERMARK_RATIO"] = "0.7";
    f.environment["PYTORCH_MPS_LOW_WATERMARK_RATIO"] = "0.5";
    CHECK(examine(f).empty());
    f.environment["PYTORCH_ENABLE_MPS_FALLBACK"] = "0";
    CHECK(examine(f).empty());
}

TEST_CASE("The program and the disk; the gravest finding comes first") {
    auto f = sound();
    f.program.build_type = "Debug";
    finds(f, slows, "debug build", "./run");
    f.program.build_type.clear();
    finds(f, slows, "CMAKE_BUILD_TYPE", "./run");
    f = sound();
    f.program.cpu_capability = "DEFAULT";
    finds(f, slows, "DEFAULT kernels", "pip install torch");
    f = sound();
    f.disks[0].free = gib;
    finds(f, slows, "holds the hub cache (/home/u/.cache) 1.0 GiB are free", "hf cache");
    f.environment["LD_PRELOAD"] = "x";
    f.hub.broken_links = {"org/a"};
    const auto json = findings_json(examine(f));
    REQUIRE(json.size() == 3);
    CHECK(json[0]["severity"] == "stops");
    CHECK(json[1]["severity"] == "slows");
    CHECK(json[2]["severity"] == "note");
    CHECK(json[0]["check"] == "hub");
    for (const char* key : {"what", "remedy"}) CHECK(json[0].contains(key));
}

TEST_CASE("A cache on disk: refs, links, downloads cut short") {
    namespace fs = std::filesystem;
    const silica::test::Directory cache;
    const auto model = [&](const std::string& name) {
        const auto path = cache.path() / ("models--" + name);
        for (const char* part : {"refs", "blobs", "snapshots/c1"}) fs::create_directories(path / part);
        silica::test::write_file(path / "refs/main", "c1\n");
        silica::test::write_file(path / "blobs/b1", "{}");
        fs::create_symlink("../../blobs/b1", path / "snapshots/c1/config.json");
        return path;
    };
    model("org--good");
    CHECK_FALSE(hub_facts(cache.path() / "none").exists);
    auto facts = hub_facts(cache.path());
    CHECK(facts.exists);
    CHECK(facts.readable);
    CHECK(facts.models == 1);
    CHECK(facts.no_snapshot.empty());
    CHECK(facts.broken_links.empty());
    silica::test::write_file(model("org--ref") / "refs/main", "gone");
    silica::test::write_file(model("org--out") / "refs/main", "../../..");
    fs::remove(model("plain") / "blobs/b1");
    silica::test::write_file(model("org--part") / "blobs/b2.incomplete", "x");
    fs::create_directories(cache.path() / "datasets--org--data");
    facts = hub_facts(cache.path());
    CHECK(facts.models == 5);
    CHECK(facts.no_snapshot == std::vector<std::string>{"org/out", "org/ref"});
    CHECK(facts.broken_links == std::vector<std::string>{"plain"});
    CHECK(facts.incomplete == std::vector<std::string>{"org/part"});
    silica::test::write_file(cache.path() / "file", "");
    CHECK_FALSE(hub_facts(cache.path() / "file").readable);
}
