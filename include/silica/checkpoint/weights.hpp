#pragma once
/// Weights: a place in a checkpoint. `w / "encoder" / "layer" / 3` is a place below it.

#include "silica/checkpoint/account.hpp"
#include "silica/checkpoint/names.hpp"
#include "silica/checkpoint/quantised.hpp"
#include "silica/checkpoint/source.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace silica {

/// A place in a checkpoint, from which layers take their tensors. Copies are cheap and share the record of what was
/// taken.
class Weights {
public:
    /// The root. `source` outlives every copy; `home` is the device of the model; `quantising` says whether codes are
    /// read and made.
    Weights(checkpoint::TensorSource& source, const checkpoint::NameRules& rules, c10::Device home,
            checkpoint::Quantising quantising = {})
        : tree_(std::make_shared<Tree>(source, rules, home, quantising)) {}

    /// A place below this one: a name, several joined by dots, or a number.
    [[nodiscard]] Weights operator/(std::string_view part) const;
    [[nodiscard]] Weights operator/(std::int64_t number) const {
        return *this / std::string_view(std::to_string(number));
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const checkpoint::Quantising& quantising() const noexcept { return tree_->quantising; }
    [[nodiscard]] c10::Device home() const noexcept { return tree_->home; }
    /// Whether only an inventory is taken: tensors are shapes on the meta device (core/inventory.hpp).
    [[nodiscard]] bool counts() const noexcept { return tree_->home.is_meta(); }

    /// Whether the checkpoint has this tensor. Random weights have all but those that are tied to another.
    [[nodiscard]] bool has(std::string_view name) const;

    /// Throws what `get` would throw for this tensor, and reads nothing: for checks before memory is taken.
    void require(std::string_view name, const std::vector<std::int64_t>& shape) const;

    /// The tensor `name` below this place, in this type on this device; dequantised where it is codes that are read.
    /// A kernel of convolution may lie channels last in a file of MLX: it comes as it is asked for.
    /// Throws CheckpointError when it is missing, has another shape, or a type that holds no weights.
    [[nodiscard]] Tensor get(std::string_view name, const std::vector<std::int64_t>& shape, at::ScalarType dtype,
                             c10::Device device) const;

    /// Notes that tensors below this place are known, and read by no one: they are not unexpected.
    void leave() const { tree_->left.push_back(path_ + '.'); }
    /// The matrix `weight` (rows, columns) at this place as codes, on the host: as the checkpoint has them, else
    /// quantised, this one tensor in memory. Nothing where a checkpoint of codes keeps this matrix plain.
    /// Throws CheckpointError as `get`.
    [[nodiscard]] std::optional<checkpoint::Quantised> codes(std::int64_t rows, std::int64_t columns) const;

    /// Whether the `weight` here and the one at another place are the same bytes of the same file: tied in the
    /// checkpoint itself.
    [[nodiscard]] bool same_bytes(const Weights& other) const;

    /// What was taken so far, and what was left. CheckpointError where something that was left belongs to something
    /// that was taken, which means nothing without it: the scale of quantised weights, an adapter.
    [[nodiscard]] LoadingAccount account() const;

private:
    struct Tree {
        Tree(checkpoint::TensorSource& s, const checkpoint::NameRules& rules, c10::Device h, checkpoint::Quantising q);
        checkpoint::TensorSource& source;
        c10::Device home;
        checkpoint::CanonicalNames canonical;
        checkpoint::Quantising quantising;
        std::set<std::string, std::less<>> taken;
        std::vector<std::string> left;  ///< beginnings of names
        std::uint64_t parameters = 0, bytes = 0;
    };

    [[nodiscard]] std::string full(std::string_view name) const {
        return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
    }

    /// Counts a tensor of the canonical name `whole` as taken.
    void count(const std::string& whole, std::int64_t parameters, std::uint64_t bytes) const;
    /// The matrix `entry`, plain, in codes: by rows, as many as are 16 MiB, where it is larger and its source reads
    /// such.
    [[nodiscard]] checkpoint::Quantised quantised(const checkpoint::TensorEntry& entry) const;

    /// Codes of a matrix that has no values: in what form they are.
    [[nodiscard]] std::optional<checkpoint::Quantised> counted_codes(const std::string& whole, std::int64_t rows,
                                                                     std::int64_t columns) const;
    /// The same for codes, with their scales and biases.
    void count(const std::string& whole, const checkpoint::Quantised& q) const;

    [[nodiscard]] checkpoint::TensorEntry checked(const std::string& whole,
                                                  const std::vector<std::int64_t>& shape) const;

    [[nodiscard]] checkpoint::TensorEntry find(const std::string& whole, const std::vector<std::int64_t>& shape) const;

    /// Throws where the tensor `name`, which nobody took, is of no use but with one that was taken: its name extends
    /// that one's ("q.weight_scale", "q.weight.absmax"), it is a companion beside it ("q.scales"), or an adapter.
    void refuse_companion(const std::string& name, const std::string& spelled) const;

    static constexpr const char* unquantised =
        "use a checkpoint in float32, float16 or bfloat16, without adapters: dequantise or merge this one and save it "
        "again.";

    std::shared_ptr<Tree> tree_;
    std::string path_;
};

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/checkpoint/weights.ipp"
#endif
