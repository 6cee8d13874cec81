#pragma once
/// The file of verdicts.

#include "silica/core/atomic_file.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/device/mps/metal/verdicts.hpp"
#include "silica/device/mps/version.hpp"
#include "silica/device/simulated.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <system_error>

namespace silica::device::mps::metal {
namespace verdict_file {

inline constexpr int format = 1;
inline constexpr std::uintmax_t most_bytes = 4 << 20;

[[nodiscard]] inline std::filesystem::path directory_of(const char* variable) {
    const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr ? "" : value;
}

[[nodiscard]] inline nlohmann::ordered_json json_of(const Machine& m) {
    return {{"chip", m.chip}, {"system", m.system}, {"libtorch", m.libtorch}, {"simulated", m.simulated}};
}

/// Numbers that are none are no numbers of JSON.
[[nodiscard]] inline double finite(double x) { return std::isfinite(x) ? x : 1e30; }

[[nodiscard]] inline nlohmann::ordered_json json_of(const Verdicts& all) {
    nlohmann::ordered_json kernels = nlohmann::ordered_json::array(), faults = kernels;
    for (const auto& v : all.kernels)
        kernels.push_back({{"kernel", v.kernel},
                           {"text", v.text},
                           {"proven", v.proven},
                           {"error", finite(v.error)},
                           {"seconds", finite(v.seconds)},
                           {"reason", v.reason}});
    for (const auto& f : all.faults)
        faults.push_back({{"fault", f.fault}, {"present", f.present}, {"detail", f.detail}});
    return {{"kernels", kernels}, {"faults", faults}};
}

/// Throws nlohmann's exceptions for what is not such a document.
[[nodiscard]] inline Verdicts verdicts_of(const nlohmann::ordered_json& document, const Machine& machine) {
    Verdicts all;
    if (document.at("format").get<int>() != format || document.at("machine") != json_of(machine)) return all;
    const auto text = [](const nlohmann::ordered_json& of, const char* key) { return of.at(key).get<std::string>(); };
    for (const auto& v : document.at("kernels"))
        all.kernels.push_back({.kernel = text(v, "kernel"),
                               .text = text(v, "text"),
                               .proven = v.at("proven").get<bool>(),
                               .error = v.at("error").get<double>(),
                               .seconds = v.at("seconds").get<double>(),
                               .reason = text(v, "reason")});
    for (const auto& f : document.at("faults"))
        all.faults.push_back({text(f, "fault"), f.at("present").get<bool>(), text(f, "detail")});
    return all;
}

}  // namespace verdict_file

SILICA_INLINE Machine Machine::here() {
    Machine m;
#if defined(__APPLE__)
    char text[128] = {};
    std::size_t size = sizeof text - 1;
    if (sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0) == 0) m.chip = text;
#endif
    m.system = macos_version();
    m.libtorch = TORCH_VERSION;
    if (const char* by = device::simulated(c10::DeviceType::MPS)) m.simulated = by;
    return m;
}

SILICA_INLINE std::filesystem::path verdicts_file() {
    using verdict_file::directory_of;
    if (auto file = directory_of("SILICA_MPS_VERDICTS"); !file.empty()) return file;
#if !defined(__APPLE__)
    if (const auto cache = directory_of("XDG_CACHE_HOME"); !cache.empty()) return cache / "silica" / "mps.json";
#endif
    const auto home = directory_of("HOME");
    if (home.empty()) return {};
#if defined(__APPLE__)
    return home / "Library" / "Caches" / "silica" / "mps.json";
#else
    return home / ".cache" / "silica" / "mps.json";
#endif
}

SILICA_INLINE Verdicts read_verdicts(const std::filesystem::path& file, const Machine& machine) {
    try {
        std::error_code error;
        if (file.empty() || !std::filesystem::is_regular_file(file, error) ||
            std::filesystem::file_size(file, error) > verdict_file::most_bytes || error)
            return {};
        std::ifstream in(file, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        return verdict_file::verdicts_of(nlohmann::ordered_json::parse(text), machine);
    } catch (const std::exception&) {  // damaged: the kernels prove themselves again
        return {};
    }
}

SILICA_INLINE void keep_verdicts(const std::filesystem::path& file, const Machine& machine, const Verdicts& more) {
    if (file.empty()) return;
    Verdicts all = read_verdicts(file, machine);
    for (const auto& v : more.kernels) {
        std::erase_if(all.kernels, [&](const Verdict& old) { return old.kernel == v.kernel; });
        all.kernels.push_back(v);
    }
    for (const auto& f : more.faults) {
        std::erase_if(all.faults, [&](const Found& old) { return old.fault == f.fault; });
        all.faults.push_back(f);
    }
    try {
        nlohmann::ordered_json document = {{"format", verdict_file::format},
                                           {"machine", verdict_file::json_of(machine)}};
        document.update(verdict_file::json_of(all));
        const std::string text = document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
        std::error_code error;
        std::filesystem::create_directories(file.parent_path(), error);
        silica::detail::AtomicFile<DeviceError> out(file);
        out.write(text.data(), text.size());
        out.commit();
    } catch (const std::exception&) {  // a full disk, no right to write: nothing depends on it
    }
}

SILICA_INLINE std::string hash_of(std::string_view text) {
    std::uint64_t h = 0xcbf29ce484222325U;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    std::string digits;
    for (int i = 60; i >= 0; i -= 4) digits += "0123456789abcdef"[h >> static_cast<unsigned>(i) & 15U];
    return digits;
}

}  // namespace silica::device::mps::metal
