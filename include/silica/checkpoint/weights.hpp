#pragma once
/// Weights: a place in a checkpoint. `w / "encoder" / "layer" / 3` is a place below it.

#include "silica/checkpoint/account.hpp"
#include "silica/checkpoint/companions.hpp"
#include "silica/checkpoint/names.hpp"
#include "silica/checkpoint/nearest.hpp"
#include "silica/checkpoint/source.hpp"
#include "silica/checkpoint/text.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace silica {

/// A place in a checkpoint, from which layers take their tensors. Copies are cheap and share the record of what was
/// taken.
class Weights {
public:
    /// The root. `source` outlives every copy; `home` is the device of the model.
    Weights(checkpoint::TensorSource& source, const checkpoint::NameRules& rules, c10::Device home)
        : tree_(std::make_shared<Tree>(source, rules, home)) {}

    /// A place below this one: a name, several joined by dots, or a number.
    [[nodiscard]] Weights operator/(std::string_view part) const {
        Weights below = *this;
        if (!below.path_.empty()) below.path_ += '.';
        below.path_ += part;
        return below;
    }
    [[nodiscard]] Weights operator/(std::int64_t number) const {
        return *this / std::string_view(std::to_string(number));
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] c10::Device home() const noexcept { return tree_->home; }

    /// Whether the checkpoint has this tensor. Random weights have all but those that are tied to another.
    [[nodiscard]] bool has(std::string_view name) const {
        const auto whole = full(name);
        if (tree_->source.invents()) return std::ranges::find(tree_->canonical.tied, whole) == tree_->canonical.tied.end();
        return tree_->canonical.names.contains(whole);
    }

    /// Throws what `get` would throw for this tensor, and reads nothing: for checks before memory is taken.
    void require(std::string_view name, const std::vector<std::int64_t>& shape) const {
        static_cast<void>(checked(full(name), shape));
    }

    /// The tensor `name` below this place, in this type on this device.
    /// Throws CheckpointError when it is missing, has another shape, or a type that holds no weights.
    [[nodiscard]] Tensor get(std::string_view name, const std::vector<std::int64_t>& shape, at::ScalarType dtype,
                             c10::Device device) const {
        const auto whole = full(name);
        Tensor tensor = tree_->source.read(checked(whole, shape), dtype, device);
        if (tree_->taken.insert(whole).second) {
            tree_->parameters += static_cast<std::uint64_t>(tensor.numel());
            tree_->bytes += static_cast<std::uint64_t>(tensor.nbytes());
        }
        return tensor;
    }

    /// Whether the `weight` here and the one at another place are the same bytes of the same file: tied in the checkpoint
    /// itself.
    [[nodiscard]] bool same_bytes(const Weights& other) const {
        const auto& names = tree_->canonical.names;
        const auto a = names.find(full("weight")), b = names.find(other.full("weight"));
        return a != names.end() && b != names.end() && a->second->same_storage(*b->second);
    }

    /// What was taken so far, and what was left. CheckpointError where something that was left belongs to something
    /// that was taken, which means nothing without it: the scale of quantised weights, an adapter.
    [[nodiscard]] LoadingAccount account() const {
        LoadingAccount account;
        account.tensors = tree_->taken.size();
        account.parameters = tree_->parameters;
        account.bytes = tree_->bytes;
        for (const auto& [name, entry] : tree_->canonical.names) {
            if (tree_->taken.contains(name)) continue;
            const bool repeats = std::ranges::find(tree_->canonical.tied, name) != tree_->canonical.tied.end();
            if (!repeats) refuse_companion(name, entry->name);
            (repeats ? account.ignored : account.unexpected).push_back(entry->name);
        }
        for (const auto* entry : tree_->canonical.ignored) account.ignored.push_back(entry->name);
        return account;
    }

private:
    struct Tree {
        Tree(checkpoint::TensorSource& s, const checkpoint::NameRules& rules, c10::Device h)
            : source(s), home(h), canonical(checkpoint::canonical_names(s.entries(), rules)) {}
        checkpoint::TensorSource& source;
        c10::Device home;
        checkpoint::CanonicalNames canonical;
        std::set<std::string, std::less<>> taken;
        std::uint64_t parameters = 0, bytes = 0;
    };

    [[nodiscard]] std::string full(std::string_view name) const {
        return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
    }

    [[nodiscard]] checkpoint::TensorEntry checked(const std::string& whole,
                                                  const std::vector<std::int64_t>& shape) const {
        auto entry = find(whole, shape);
        if (entry.shape != shape) {
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

    [[nodiscard]] checkpoint::TensorEntry find(const std::string& whole, const std::vector<std::int64_t>& shape) const {
        if (tree_->source.invents()) {
            return {.name = whole,
                    .dtype = at::kFloat,
                    .shape = shape,
                    .strides = checkpoint::row_major(shape),
                    .dtype_name = "float32"};
        }
        const auto& names = tree_->canonical.names;
        if (const auto found = names.find(whole); found != names.end()) return *found->second;
        const std::string missing = tree_->source.where() + " has no tensor " + checkpoint::quote(whole) +
                                    " of shape " + checkpoint::tuple_text(shape);
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

    /// Throws where the tensor `name`, which nobody took, is of no use but with one that was taken: its name extends
    /// that one's ("q.weight_scale", "q.weight.absmax"), it is a companion beside it ("q.scales"), or an adapter.
    void refuse_companion(const std::string& name, const std::string& spelled) const {
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

    static constexpr const char* unquantised =
        "use a checkpoint in float32, float16 or bfloat16, without adapters: dequantise or merge this one and save it "
        "again.";

    std::shared_ptr<Tree> tree_;
    std::string path_;
};

}  // namespace silica
