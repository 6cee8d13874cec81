#pragma once
/// A loader's view of a checkpoint: what tensors there are, and the one way to get one.

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/quantised.hpp"
#include "silica/core/tensor.hpp"

#include <optional>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// Where a model under construction gets its tensors from. Each loader has one; see loader/concept.hpp.
class TensorSource {
public:
    TensorSource() = default;
    TensorSource(const TensorSource&) = delete;
    TensorSource& operator=(const TensorSource&) = delete;
    virtual ~TensorSource() = default;

    /// Every tensor there is; empty for a source that makes tensors up.
    [[nodiscard]] virtual const std::vector<TensorEntry>& entries() const = 0;

    /// The tensor in this type on this device. It must not be written to: it may be the file's own bytes.
    [[nodiscard]] virtual Tensor read(const TensorEntry& entry, at::ScalarType dtype, c10::Device device) = 0;

    /// The same matrix as codes, on the host, without loss; nothing for one that is plain or that no codes stand for.
    [[nodiscard]] virtual std::optional<Quantised> codes(const TensorEntry& /*entry*/) { return std::nullopt; }

    /// Whether some matrices here are codes already: then those that are not stay plain, as whoever made them decided.
    [[nodiscard]] virtual bool holds_codes() const { return false; }

    /// Where the tensors come from, for errors: a file or a directory.
    [[nodiscard]] virtual std::string where() const = 0;

    /// True for a source that has a tensor of every name and shape: random weights.
    [[nodiscard]] virtual bool invents() const { return false; }

    /// Whether `read` takes an entry that stands for some rows of a tensor: its place moved on, its shape shorter.
    [[nodiscard]] virtual bool reads_rows() const { return false; }

    /// What it has to say for the account: weights that lie in another form than they are used in.
    [[nodiscard]] virtual std::vector<std::string> notes() const { return {}; }
};

}  // namespace silica::checkpoint
