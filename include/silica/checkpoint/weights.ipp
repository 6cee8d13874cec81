#pragma once
/// Definitions of weights.hpp.

#include "silica/checkpoint/companions.hpp"
#include "silica/checkpoint/nearest.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/checkpoint/weights.hpp"
#include "silica/core/allocate.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/inventory.hpp"

#include <algorithm>
#include <iterator>

namespace silica {
namespace weights_detail {

/// Whether a kernel of convolution (out, in, height, width) lies as MLX has it, (out, height, width, in).
SILICA_INLINE bool channels_last(std::vector<std::int64_t> there, const std::vector<std::int64_t>& shape) {
    if (shape.size() < 3 || there.size() != shape.size()) return false;
    std::rotate(there.begin() + 1, there.end() - 1, there.end());
    return there == shape;
}

}  // namespace weights_detail

SILICA_INLINE Weights Weights::operator/(std::string_view part) const {
    Weights below = *this;
    if (!below.path_.empty()) below.path_ += '.';
    below.path_ += part;
    return below;
}

SILICA_INLINE bool Weights::has(std::string_view name) const {
    const auto whole = full(name);
    if (tree_->source.invents()) return std::ranges::find(tree_->canonical.tied, whole) == tree_->canonical.tied.end();
    return tree_->canonical.names.contains(whole);
}

SILICA_INLINE Weights::Tree::Tree(checkpoint::TensorSource& s, const checkpoint::NameRules& rules, c10::Device h,
                                  checkpoint::Quantising q)
    : source(s), home(h), canonical(checkpoint::canonical_names(s.entries(), rules)), quantising(q) {}

SILICA_INLINE void Weights::count(const std::string& whole, std::int64_t parameters, std::uint64_t bytes) const {
    if (!tree_->taken.insert(whole).second) return;
    tree_->parameters += static_cast<std::uint64_t>(parameters);
    tree_->bytes += bytes;
}

SILICA_INLINE void Weights::count(const std::string& whole, const checkpoint::Quantised& q) const {
    count(whole, q.rows * q.columns, q.codes.nbytes() + q.scales.nbytes() + q.biases.nbytes());
}

SILICA_INLINE void Weights::require(std::string_view name, const std::vector<std::int64_t>& shape) const {
    static_cast<void>(checked(full(name), shape));
}

SILICA_INLINE Tensor Weights::get(std::string_view name, const std::vector<std::int64_t>& shape, at::ScalarType dtype,
                                  c10::Device device) const {
    const auto whole = full(name);
    const auto entry = checked(whole, shape);
    Tensor tensor;
    if (counts()) {
        if (entry.shape == shape)
            tensor = tree_->source.read(entry, dtype, device);
        else
            tensor = at::empty(shape, at::TensorOptions().dtype(dtype).device(home()));
        if (tensor.is_meta() && Inventory::current() != nullptr) Inventory::current()->read(tensor, whole);
        return tensor;
    }
    if (entry.shape == shape)
        tensor = tree_->source.read(entry, dtype, device);
    else  // channels last
        tensor =
            tree_->source.read(entry, dtype, c10::Device(c10::DeviceType::CPU)).movedim(-1, 1).contiguous().to(device);
    count(whole, tensor.numel(), tensor.nbytes());
    return tensor;
}

SILICA_INLINE checkpoint::Quantised Weights::quantised(const checkpoint::TensorEntry& entry) const {
    const auto& source = tree_->source;
    const std::string where = source.where() + ": " + checkpoint::quote(entry.name);
    const auto some = [&](const checkpoint::TensorEntry& rows) {
        const Tensor plain = tree_->source.read(rows, rows.dtype, c10::Device(c10::DeviceType::CPU));
        return checkpoint::quantise(plain, tree_->quantising.bits, tree_->quantising.group, where);
    };
    constexpr std::int64_t at_once = std::int64_t{1} << 24;  // bytes
    const auto item = static_cast<std::int64_t>(c10::elementSize(entry.dtype));
    const std::int64_t rows = entry.shape[0], row = entry.shape[1] * item;
    if (!source.reads_rows() || !entry.contiguous() || rows * row <= 2 * at_once) return some(entry);
    const std::int64_t step = std::max<std::int64_t>(1, at_once / row);
    checkpoint::Quantised all;
    for (std::int64_t first = 0; first < rows; first += step) {
        checkpoint::TensorEntry part = entry;
        part.shape[0] = std::min(step, rows - first);
        part.offset += static_cast<std::uint64_t>(first * row);
        part.nbytes = static_cast<std::uint64_t>(part.shape[0] * row);
        const auto q = some(part);
        if (first == 0) {
            all = {.bits = q.bits, .rows = rows, .columns = q.columns, .group = q.group};
            const c10::Device host(c10::DeviceType::CPU);
            all.codes = allocate({rows, q.codes.size(1)}, q.codes.scalar_type(), host);
            all.scales = allocate({rows, q.scales.size(1)}, q.scales.scalar_type(), host);
            all.biases = allocate({rows, q.biases.size(1)}, q.biases.scalar_type(), host);
        }
        all.codes.narrow(0, first, q.rows).copy_(q.codes);
        all.scales.narrow(0, first, q.rows).copy_(q.scales);
        all.biases.narrow(0, first, q.rows).copy_(q.biases);
    }
    return all;
}

SILICA_INLINE std::optional<checkpoint::Quantised> Weights::codes(std::int64_t rows, std::int64_t columns) const {
    const auto whole = full("weight");
    if (counts()) return counted_codes(whole, rows, columns);
    const auto entry = checked(whole, {rows, columns});
    auto q = tree_->source.codes(entry);
    if (q) {
        checkpoint::check(*q, tree_->source.where() + ": " + checkpoint::quote(entry.name));
    } else {
        if (tree_->source.holds_codes()) return std::nullopt;
        q = quantised(entry);
    }
    count(whole, *q);
    return q;
}

SILICA_INLINE std::optional<checkpoint::Quantised> Weights::counted_codes(const std::string& whole, std::int64_t rows,
                                                                          std::int64_t columns) const {
    const auto entry = checked(whole, {rows, columns});
    auto q = tree_->source.codes(entry);
    auto scale = c10::ScalarType::Float;
    if (!q) {
        if (tree_->source.holds_codes()) return std::nullopt;
        q = checkpoint::Quantised{.bits = tree_->quantising.bits,
                                  .rows = rows,
                                  .columns = columns,
                                  .group = checkpoint::Quantised::group_of(tree_->quantising.group, columns)};
        if (entry.dtype == c10::ScalarType::BFloat16) scale = entry.dtype;  // scales are rounded to it
    }
    const auto options = at::TensorOptions().dtype(scale).device(home());
    q->codes = at::empty({rows, q->words()}, options.dtype(c10::ScalarType::Int));
    q->scales = at::empty({rows, q->groups()}, options);
    q->biases = at::empty({rows, q->groups()}, options);
    if (Inventory::current() != nullptr) Inventory::current()->read_codes(q->codes, whole, entry.name);
    return q;
}

SILICA_INLINE bool Weights::same_bytes(const Weights& other) const {
    const auto& names = tree_->canonical.names;
    const auto a = names.find(full("weight")), b = names.find(other.full("weight"));
    return a != names.end() && b != names.end() && a->second->same_storage(*b->second);
}

SILICA_INLINE LoadingAccount Weights::account() const {
    LoadingAccount account;
    account.tensors = tree_->taken.size();
    account.parameters = tree_->parameters;
    account.bytes = tree_->bytes;
    account.notes = tree_->source.notes();
    for (const auto& [name, entry] : tree_->canonical.names) {
        if (tree_->taken.contains(name)) continue;
        const bool known = std::ranges::find(tree_->canonical.tied, name) != tree_->canonical.tied.end() ||
                           std::ranges::any_of(tree_->left, [&](const auto& begin) { return name.starts_with(begin); });
        if (!known) refuse_companion(name, entry->name);
        (known ? account.ignored : account.unexpected).push_back(entry->name);
    }
    for (const auto* entry : tree_->canonical.ignored) account.ignored.push_back(entry->name);
    return account;
}

SILICA_INLINE checkpoint::TensorEntry Weights::checked(const std::string& whole,
                                                       const std::vector<std::int64_t>& shape) const {
    auto entry = find(whole, shape);
    if (entry.shape != shape && !(entry.mlx && weights_detail::channels_last(entry.shape, shape))) {
        throw CheckpointError(tree_->source.where() + ": " + checkpoint::quote(entry.name) + " has shape " +
                                  checkpoint::tuple_text(entry.shape) + ", the configuration makes it " +
                                  checkpoint::tuple_text(shape) + ".",
                              "config.json and the weights belong to different models: download both again.");
    }
    constexpr at::ScalarType known[] = {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble};
    if (std::ranges::find(known, entry.dtype) == std::end(known)) {
        throw CheckpointError(tree_->source.where() + ": " + checkpoint::quote(entry.name) + " is of type " +
                                  entry.dtype_name + ", which is no type of weights here.",
                              unquantised);
    }
    return entry;
}

SILICA_INLINE checkpoint::TensorEntry Weights::find(const std::string& whole,
                                                    const std::vector<std::int64_t>& shape) const {
    if (tree_->source.invents()) {
        return {.name = whole,
                .dtype = at::kFloat,
                .shape = shape,
                .strides = checkpoint::row_major(shape),
                .dtype_name = "float32"};
    }
    const auto& names = tree_->canonical.names;
    if (const auto found = names.find(whole); found != names.end()) return *found->second;
    const std::string missing = tree_->source.where() + " has no tensor " + checkpoint::quote(whole) + " of shape " +
                                checkpoint::tuple_text(shape);
    const auto module = whole.substr(0, whole.rfind('.') + 1);
    for (auto at = names.lower_bound(module); at != names.end() && at->first.starts_with(module); ++at)
        if (checkpoint::is_companion(std::string_view(at->first).substr(module.size())))
            throw CheckpointError(missing + ", but " + checkpoint::quote(at->second->name) + ".", unquantised);
    std::vector<std::string_view> known;
    for (const auto& [name, entry] : names) known.push_back(name);
    const auto near = checkpoint::nearest(whole, known);
    throw CheckpointError(missing + (near.empty() ? "." : "; the nearest is " + checkpoint::quote(near) + "."),
                          "use the architecture that config.json names, or download the weights again.");
}

SILICA_INLINE void Weights::refuse_companion(const std::string& name, const std::string& spelled) const {
    for (auto end = name.find_last_of("._"); end != std::string::npos; end = name.find_last_of("._", end - 1)) {
        if (end == 0) return;
        auto of = tree_->taken.find(std::string_view(name).substr(0, end));
        const auto rest = std::string_view(name).substr(end + 1);
        if (of == tree_->taken.end() && name[end] == '.' && checkpoint::is_companion(rest)) {
            const auto module = std::string_view(name).substr(0, end + 1);
            of = tree_->taken.lower_bound(module);
            while (of != tree_->taken.end() && of->starts_with(module) && of->rfind('.') != end) ++of;
            if (of != tree_->taken.end() && !of->starts_with(module)) of = tree_->taken.end();
        }
        if (of == tree_->taken.end() && !rest.starts_with("lora_")) continue;
        throw CheckpointError(tree_->source.where() + ": " + checkpoint::quote(spelled) + " belongs to " +
                                  (of == tree_->taken.end() ? "an adapter" : checkpoint::quote(*of)) +
                                  ", changes what the weights mean, and is not read.",
                              unquantised);
    }
}

}  // namespace silica
