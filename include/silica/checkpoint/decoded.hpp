#pragma once
/// The one door to quantised checkpoints: a source whose matrices look plain, over one that has them packed.

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/packed.hpp"
#include "silica/checkpoint/scheme.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// What `source` has, with a float32 tensor "x.weight" in the place of the codes, scales and zeros of each packed
/// matrix. It is made in float32 and rounded once, a few rows at a time: the peak beside it is the matrix as it lies
/// and as codes, and 16 MiB. Sources without packed matrices are passed through.
class Decoded final : public TensorSource {
public:
    /// `source` reads what `files` holds, and both outlive it. ConfigError for forms that are not read, CheckpointError
    /// where the parts of a matrix contradict each other.
    Decoded(TensorSource& source, const Checkpoint& files);

    [[nodiscard]] const std::vector<TensorEntry>& entries() const override { return entries_; }
    [[nodiscard]] Tensor read(const TensorEntry& entry, at::ScalarType dtype, c10::Device device) override;
    [[nodiscard]] std::string where() const override { return source_.where(); }
    [[nodiscard]] bool invents() const override { return source_.invents(); }
    [[nodiscard]] bool reads_rows() const override { return source_.reads_rows(); }
    [[nodiscard]] std::vector<std::string> notes() const override;

    [[nodiscard]] std::optional<Quantised> codes(const TensorEntry& entry) override;
    [[nodiscard]] bool holds_codes() const override { return holds_codes_; }

    /// The form of the codes that `codes` most likely gives, without tensors, from what the files say of themselves.
    [[nodiscard]] std::optional<Quantised> form_of(const TensorEntry& entry) const;

private:
    TensorSource& source_;
    std::vector<TensorEntry> entries_;
    std::map<std::string, PackedMatrix, std::less<>> packed_;  // by the name of the plain tensor
    bool holds_codes_ = false;
    std::int64_t group_ = 32;
    std::vector<std::string> notes_;
    std::map<std::string, std::uint64_t> decoded_;  // forms, with how many matrices were made plain
};

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/decoded.ipp"
#endif
