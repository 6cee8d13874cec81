#pragma once
/// Writes a checkpoint again with quantised weights, in MLX's form, which Silica and MLX read.

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/source.hpp"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

namespace silica::loader {

/// A source that notes whose codes a network asks for: the matrices of its products.
class MatricesAsked final : public checkpoint::TensorSource {
public:
    static constexpr std::string_view name = "matrices-asked";
    explicit MatricesAsked(checkpoint::TensorSource& source) : source_(source) {}
    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const override { return source_.entries(); }
    [[nodiscard]] Tensor read(const checkpoint::TensorEntry& entry, at::ScalarType dtype, c10::Device device) override {
        return source_.read(entry, dtype, device);
    }
    /// Codes of no weights: whoever asks only wants to know what a network is made of.
    [[nodiscard]] std::optional<checkpoint::Quantised> codes(const checkpoint::TensorEntry& entry) override;
    [[nodiscard]] std::string where() const override { return source_.where(); }

    /// Names as the files spell them.
    [[nodiscard]] const std::set<std::string>& names() const noexcept { return names_; }

private:
    checkpoint::TensorSource& source_;
    std::set<std::string> names_;
};

/// What was written.
struct QuantisedCheckpoint {
    std::int64_t quantised = 0, kept = 0;       ///< matrices in codes, other tensors
    std::uint64_t bytes_before = 0, bytes = 0;  ///< of all tensors
};

/// Throws ConfigError for weights that are codes already.
void require_plain(const checkpoint::Checkpoint& files);

/// Writes `files` to the directory `to`, which must not exist, whole or not at all: the matrices named, whose columns
/// are whole groups, in `bits` by groups of `group`; other tensors and files as they are; config.json with what MLX
/// puts there. Throws InputError for arguments that are wrong, CheckpointError where reading or writing fails.
QuantisedCheckpoint quantise_checkpoint(const checkpoint::Checkpoint& files, const std::set<std::string>& matrices,
                                        int bits, std::int64_t group, const std::filesystem::path& to);

}  // namespace silica::loader

#ifndef SILICA_COMPILED
#include "silica/loader/quantise_checkpoint.ipp"
#endif
