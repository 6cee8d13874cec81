#pragma once
/// Golden cases: a checkpoint directory with `reference*.safetensors`, whose format is that of `silica verify`. And how
/// a test makes other spellings of one checkpoint.

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "silica/checkpoint/read.hpp"
#include "silica/checkpoint/write_safetensors.hpp"
#include "silica/core/fields.hpp"
#include "support/coverage.hpp"
#include "support/devices.hpp"
#include "support/directory.hpp"

namespace silica::test {

inline std::filesystem::path golden(const std::string& family, const std::string& name) {
    return std::filesystem::path(SILICA_TESTS_DIR) / "golden" / family / name;
}

/// All tensors of a file or directory, as they are stored.
inline std::map<std::string, Tensor> tensors_of(const std::filesystem::path& path) {
    std::map<std::string, Tensor> tensors;
    const auto file = checkpoint::Checkpoint::open(path);
    for (const auto& entry : file.entries())
        tensors.emplace(entry.name, checkpoint::read_tensor(file.file_of(entry), entry));
    return tensors;
}

/// What a model is called with and what it must give.
struct Reference {
    explicit Reference(const std::filesystem::path& path)
        : name(path.stem().string()),
          metadata(checkpoint::Checkpoint::open(path).metadata()),
          tensors(tensors_of(path)) {
        REQUIRE(metadata.at("format") == "silica-reference-1");
        REQUIRE(metadata.at("task") == "forward");
    }

    std::string name;
    std::map<std::string, std::string> metadata;
    std::map<std::string, Tensor> tensors;

    [[nodiscard]] double number(const std::string& key) const { return std::stod(metadata.at(key)); }

    template <Reflected Inputs>
    [[nodiscard]] Inputs inputs() const {
        Inputs in;
        std::size_t used = 0;
        for_each_member(in, [&](std::string_view field, auto& member) {
            const auto found = tensors.find("inputs." + std::string(field));
            if (found == tensors.end()) return;
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, bool>)
                member = found->second.template item<bool>();
            else
                member = found->second;
            ++used;
        });
        std::size_t there = 0;
        for (const auto& [key, t] : tensors) there += key.starts_with("inputs.");
        REQUIRE(used == there);
        return in;
    }

    /// Calls `f(field, got, want)` for every output there is or should be, "text.logits" for a field of a struct; a
    /// missing one is an undefined tensor.
    template <Reflected Outputs, class F>
    void compare(const Outputs& out, F&& f) const {
        std::set<std::string> seen;
        for (const auto& [field, got] : named(out)) {
            const auto found = tensors.find("outputs." + field);
            f(std::string_view(field), got, found == tensors.end() ? Tensor() : found->second);
            seen.insert("outputs." + field);
        }
        for (const auto& [key, want] : tensors) {
            if (key.starts_with("outputs.") && !seen.contains(key)) f(std::string_view(key).substr(8), Tensor(), want);
        }
    }
};

/// A reference file of a case.
inline Reference reference_of(const std::filesystem::path& directory, const std::string& name = "reference") {
    return Reference(directory / (name + ".safetensors"));
}

/// What it calls `Arch` with.
template <class Arch>
typename Arch::Inputs inputs_of(const std::filesystem::path& directory, const std::string& name = "reference") {
    return reference_of(directory, name).inputs<typename Arch::Inputs>();
}

/// The reference files of a case, `reference.safetensors` first.
inline std::vector<std::filesystem::path> references(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> found;
    for (const auto& file : std::filesystem::directory_iterator(directory)) {
        const auto name = file.path().filename().string();
        if (name.starts_with("reference") && name.ends_with(".safetensors")) found.push_back(file.path());
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.stem() < b.stem(); });
    return found;
}

/// `path` with `from` replaced by `to` everywhere; `from` must be there.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
    REQUIRE(text.find(from) != std::string::npos);
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
    return text;
}

/// Writes a checkpoint: config.json (as `config` says) and model.safetensors.
inline void write_checkpoint(const std::filesystem::path& directory, const std::string& config,
                             const std::map<std::string, Tensor>& tensors) {
    std::filesystem::create_directories(directory);
    write_file(directory / "config.json", config);
    checkpoint::write_safetensors(directory / "model.safetensors", {tensors.begin(), tensors.end()},
                                  {{"format", "pt"}});
}

/// Writes the same tensors as `shards` files with their index.
inline void write_sharded(const std::filesystem::path& directory, const std::string& config,
                          const std::map<std::string, Tensor>& tensors, std::size_t shards) {
    std::filesystem::create_directories(directory);
    write_file(directory / "config.json", config);
    std::vector<checkpoint::NamedTensors> parts(shards);
    std::string map;
    std::size_t next = 0;
    const auto file_name = [&](std::size_t k) {
        return "model-0000" + std::to_string(k + 1) + "-of-0000" + std::to_string(shards) + ".safetensors";
    };
    for (const auto& [name, t] : tensors) {
        const auto k = next++ % shards;
        parts[k].emplace_back(name, t);
        map += (map.empty() ? "" : ", ") + ("\"" + name + "\": \"" + file_name(k) + "\"");
    }
    for (std::size_t k = 0; k < shards; ++k) checkpoint::write_safetensors(directory / file_name(k), parts[k]);
    write_file(directory / "model.safetensors.index.json", "{\"metadata\": {}, \"weight_map\": {" + map + "}}");
}

/// ||got - want|| / ||want|| that `silica verify` allows in a half precision.
template <class P>
inline constexpr double verified = std::is_same_v<P, precision::Fp16> ? 5e-3 : 4e-2;

/// Judges outputs as `silica verify` does, against values in float32.
///
/// The values were computed on a CPU. CUDA sums in another order: transformers itself is up to 1.4e-5 off there, beside
/// 1e-5 (H100, LibTorch 2.11, TF32 off: one of the 4800 logits of bert/masked_lm_untied), so CUDA has twice as much.
///
/// Returns the worst ||got - want|| / ||want|| of the outputs.
template <class P, class Outputs>
double check(const Reference& reference, const Outputs& out, c10::Device home) {
    const double slack = home.is_cuda() ? 2 : 1;
    double worst = 0;
    reference.compare(out, [&](std::string_view field, const Tensor& got, const Tensor& want) {
        CAPTURE(field);
        REQUIRE(got.defined() == want.defined());
        if (!got.defined()) return;
        CHECK(got.device() == home);
        CHECK(got.scalar_type() == P::compute);
        if constexpr (std::is_same_v<P, precision::Fp32>) {
            CHECK(differs(got, want, slack * reference.number("atol"), slack * reference.number("rtol")) == "");
        } else {
            REQUIRE(got.sizes() == want.sizes());
        }
        const double error = relative_error(got, want);
        if constexpr (!std::is_same_v<P, precision::Fp32>) CHECK(error <= verified<P>);
        worst = std::max(worst, error);  // where both are infinite or 0 the norm says nothing, and NaN is passed over
    });
    return worst;
}

/// A point of devices, precisions and loaders, as the page of what is covered has it.
template <class Arch, class D, class P, class L>
Point point_of(std::string_view family) {
    return {family, Arch::name, std::string(D::name) + (device::is_simulated(D::type) ? " (simulated)" : ""), P::name,
            L::name};
}

/// Whether a case has the outputs of transformers in half precisions beside those in float32. The list of cases says
/// it, so that a file that is missing, or has another name, is not passed over.
enum class Halves { none, given };

/// In a half precision: as far from float32 as transformers is in that precision, or closer; twice, since that is one
/// sample of a few roundings.
template <class P, class Outputs>
void check_beside_transformers(const Reference& exact, const std::filesystem::path& directory, Halves halves,
                               const Outputs& out) {
    if constexpr (!std::is_same_v<P, precision::Fp32>) {
        const auto file = directory / ("reference-" + std::string(P::name) + ".safetensors");
        CAPTURE(file);
        REQUIRE(std::filesystem::exists(file) == (halves == Halves::given));
        if (halves == Halves::none) return;
        const Reference theirs(file);
        exact.compare(out, [&](std::string_view field, const Tensor& got, const Tensor& want) {
            if (!got.defined()) return;
            CAPTURE(field);
            const Tensor their = theirs.tensors.at("outputs." + std::string(field));
            CHECK(their.scalar_type() == P::compute);
            CHECK(relative_error(got, want) <= 2 * relative_error(their, want));
        });
    }
}

}  // namespace silica::test
