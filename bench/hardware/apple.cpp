#include "hardware/machine.hpp"
#include "hardware/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>

namespace silica::bench::hardware {
namespace {

/// "Apple M2 Pro" as 2 and "Pro"; of a plain "Apple M2" the tier is "base". Other names have neither.
void chip_kind(std::string_view chip, Apple& apple) {
    constexpr std::string_view maker = "Apple M";
    if (!chip.starts_with(maker)) return;
    const auto rest = chip.substr(maker.size());
    const auto generation = number(rest);
    if (!generation || *generation < 1 || *generation > 99) return;
    apple.generation = static_cast<int>(*generation);
    apple.tier = "base";
    for (const auto word : words_of(rest)) {
        if (word == "Pro" || word == "Max" || word == "Ultra") apple.tier = word;
    }
}

/// The GPU family of a chip, as Apple's table of feature sets has it.
std::string_view family_of(int generation) {
    constexpr std::string_view families[] = {"", "Apple7", "Apple8", "Apple9", "Apple9", "Apple10"};
    return generation > 0 && generation < static_cast<int>(std::size(families)) ? families[generation] : "";
}

/// "2048.00M" of vm.swapusage, in bytes.
std::uint64_t megabytes(std::string_view text, std::string_view key) {
    const auto at = text.find(key);
    if (at == std::string_view::npos) return 0;
    const auto equals = text.find('=', at);
    if (equals == std::string_view::npos) return 0;
    const double value = std::strtod(std::string(text.substr(equals + 1)).c_str(), nullptr);
    return value > 0 && value < 1e12 ? static_cast<std::uint64_t>(std::llround(value * (1 << 20))) : 0;
}

}  // namespace

Machine apple_machine(std::string_view sysctl, std::string_view graphics) {
    const auto value = [&](std::string_view key) { return value_of(sysctl, key); };
    const auto count = [&](std::string_view key) { return static_cast<int>(number(value(key)).value_or(0)); };
    const auto bytes = [&](std::string_view key) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(number(value(key)).value_or(0), 0));
    };
    Machine m;
    m.os = "macOS";
    m.apple.emplace();
    auto& apple = *m.apple;
    auto& cpu = m.cpu;

    cpu.chip = value("machdep.cpu.brand_string");
    cpu.threads = cpu.allowed = count("hw.logicalcpu") > 0 ? count("hw.logicalcpu") : count("hw.ncpu");
    cpu.cores = count("hw.physicalcpu");
    cpu.packages = count("hw.packages");
    cpu.virtual_machine = count("kern.hv_vmm_present") == 1;
    for (int level = 0; level < 8; ++level) {
        const std::string key = "hw.perflevel" + std::to_string(level) + ".";
        const int cores = count(key + "physicalcpu");
        if (cores <= 0) break;
        std::string name = value(key + "name");  // not there before macOS 13
        if (name.empty()) name = level == 0 ? "Performance" : "Efficiency";
        cpu.levels.push_back({name, cores});
    }
    if (cpu.levels.size() == 1) cpu.levels.clear();  // an Intel processor, a virtual machine

    apple.translated = count("sysctl.proc_translated") == 1;
    apple.arm = count("hw.optional.arm64") == 1 || apple.translated;
    const auto feature = [&](const char* key, const char* name) {
        if (count(key) == 1) cpu.instructions.emplace_back(name);
    };
    if (apple.arm && !apple.translated) {
        cpu.instructions.emplace_back("neon");  // every arm64 has it
        if (count("hw.optional.arm.FEAT_FP16") == 1 || count("hw.optional.neon_fp16") == 1)
            cpu.instructions.emplace_back("fp16");
        feature("hw.optional.arm.FEAT_DotProd", "dotprod");
        feature("hw.optional.arm.FEAT_I8MM", "i8mm");
        feature("hw.optional.arm.FEAT_BF16", "bf16");
        feature("hw.optional.arm.FEAT_SME", "sme");
        feature("hw.optional.arm.FEAT_SME2", "sme2");
    } else {
        feature("hw.optional.avx2_0", "avx2");
        feature("hw.optional.avx512f", "avx512f");
    }

    m.memory.total = bytes("hw.memsize");
    m.memory.available = m.memory.total / 100 * std::min<std::uint64_t>(bytes("kern.memorystatus_level"), 100);
    m.memory.swap_total = megabytes(value("vm.swapusage"), "total");
    m.memory.swap_used = megabytes(value("vm.swapusage"), "used");

    apple.macos = value("kern.osproductversion");
    chip_kind(cpu.chip, apple);
    if (!cpu.virtual_machine) apple.metal_family = family_of(apple.generation);  // a virtual GPU is of another
    apple.wired_limit = bytes("iogpu.wired_limit_mb") << 20;
    for (const std::string_view key : {"\"gpu-core-count\"", "Total Number of Cores"}) {
        if (apple.gpu_cores == 0) apple.gpu_cores = static_cast<int>(number(value_of(graphics, key)).value_or(0));
    }
    apple.metal = value_of(graphics, "Metal Support");
    if (apple.metal.empty()) apple.metal = value_of(graphics, "Metal Family");  // until macOS 12
    return m;
}

}  // namespace silica::bench::hardware
