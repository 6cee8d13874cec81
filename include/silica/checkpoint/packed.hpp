#pragma once
/// Matrices that lie in a checkpoint in another form than rows of numbers: what is common to all forms. A reader for
/// each (awq.hpp, gptq.hpp, ...) finds its matrices among the tensors and says how their rows are made.

#include "silica/checkpoint/quantised.hpp"
#include "silica/checkpoint/source.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// The rows of a matrix, made from what was read of it.
class Rows {
public:
    Rows() = default;
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;
    virtual ~Rows() = default;

    /// Writes the rows [first, last) to `out`, (last - first, columns). Several threads may call it.
    virtual void decode(std::int64_t first, std::int64_t last, float* out) const = 0;

    /// The same numbers as codes, where w = code * scale + bias says them; nothing where it does not.
    [[nodiscard]] virtual std::optional<Quantised> quantised() const { return std::nullopt; }
};

/// w = (code - zero) * scale, or code * scale + bias where there are no zeros; group by group of a row.
struct Affine {
    Quantised q = {};      ///< the biases may be undefined where there are zeros
    Tensor zeros = {};     ///< (rows, groups) float32, whole numbers; undefined: none
    Tensor group_of = {};  ///< (columns) int32, the group of each column; undefined: one after another
};

/// The rows of `a`, whose members fit each other.
[[nodiscard]] std::unique_ptr<Rows> rows_of(Affine a);

/// A matrix of a checkpoint that is not plain. Its parts have been checked against each other.
struct PackedMatrix {
    TensorEntry plain = {};  ///< as the architecture asks for it: "q_proj.weight", float32, (rows, columns)
    std::string form = {};   ///< for the account: "GPTQ, 4 bits"
    /// Reads its parts from a source and checks what only they can tell.
    std::function<std::unique_ptr<Rows>(TensorSource&)> open = {};
};

/// The tensors of a checkpoint by module: "model.layers.0.mlp.up_proj" has "qweight", "scales", ... What a reader takes
/// is no tensor of its own any more.
class Modules {
public:
    using Parts = std::map<std::string, const TensorEntry*, std::less<>>;

    /// Those of `source`, which outlives it.
    explicit Modules(TensorSource& source);

    [[nodiscard]] const std::map<std::string, Parts, std::less<>>& all() const noexcept { return all_; }
    /// For parts that say how others are read: a shape, a state.
    [[nodiscard]] TensorSource& source() const noexcept { return source_; }
    [[nodiscard]] const std::string& where() const noexcept { return where_; }

    void take(const TensorEntry& entry) { taken_.insert(&entry); }
    [[nodiscard]] bool taken(const TensorEntry& entry) const { return taken_.contains(&entry); }

    /// The part `name`; null where there is none.
    [[nodiscard]] static const TensorEntry* find(const Parts& parts, std::string_view name);
    /// The part `name` of that type and shape, taken. CheckpointError where it is missing or another.
    const TensorEntry& need(const std::string& module, const Parts& parts, std::string_view name, at::ScalarType dtype,
                            const std::vector<std::int64_t>& shape);
    /// The same for a part of a type of weights.
    const TensorEntry& need_real(const std::string& module, const Parts& parts, std::string_view name,
                                 const std::vector<std::int64_t>& shape);

    /// The columns of each of `groups` groups that make `columns`: `asked` where it makes so many, the last one perhaps
    /// shorter, else (absent, -1) the even size. CheckpointError in the name of `scales` where no size does.
    [[nodiscard]] std::int64_t need_group(const TensorEntry& scales, std::int64_t groups, std::int64_t columns,
                                          std::optional<std::int64_t> asked = {}) const;

    /// See fail_part.
    [[noreturn]] void fail(const std::string& name, const std::string& problem) const;

private:
    TensorSource& source_;
    std::map<std::string, Parts, std::less<>> all_;
    std::set<const TensorEntry*> taken_;
    std::string where_;
};

/// Throws the CheckpointError that tensor `name` of `where` has a `problem`: "is empty".
[[noreturn]] void fail_part(const std::string& where, const std::string& name, const std::string& problem);

/// The entry that a matrix has as plain numbers: named `module`.weight, at the place of its codes.
[[nodiscard]] TensorEntry plain_entry(const std::string& module, const TensorEntry& codes, std::int64_t rows,
                                      std::int64_t columns);

/// `entry` on the host, contiguous, in its own type or in `dtype`.
[[nodiscard]] Tensor on_host(TensorSource& source, const TensorEntry& entry);
[[nodiscard]] Tensor on_host(TensorSource& source, const TensorEntry& entry, at::ScalarType dtype);

/// int8 (rows, columns) as words of codes of 8 bits, 128 added to each.
[[nodiscard]] Tensor words_of_int8(const Tensor& bytes);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/packed.ipp"
#endif
