#pragma once
/// InMemory: tensors that the caller holds, and weights made up for measuring.

#include "silica/core/allocate.hpp"
#include "silica/core/error.hpp"
#include "silica/loader/source.hpp"

#include <ATen/ops/randn.h>

#include <algorithm>
#include <map>
#include <string>

namespace silica::loader {

/// Tensors by their names in a checkpoint: `Model::from(config, loader::InMemory({{"bert.embeddings...", t}, ...}))`. A
/// tensor that is already on the device in the right type is used as it is, not copied.
class InMemory final : public checkpoint::TensorSource {
public:
    static constexpr std::string_view name = "in-memory";

    explicit InMemory(std::map<std::string, Tensor> tensors) : tensors_(std::move(tensors)) {
        for (const auto& [key, t] : tensors_) {
            if (!t.defined()) throw InputError("Tensor '" + key + "' is not defined.", "give it a value.");
            entries_.push_back({.name = key,
                                .dtype = t.scalar_type(),
                                .shape = t.sizes().vec(),
                                .strides = t.strides().vec(),
                                .offset = reinterpret_cast<std::uintptr_t>(t.unsafeGetTensorImpl()),
                                .nbytes = static_cast<std::uint64_t>(t.nbytes()),
                                .dtype_name = c10::toString(t.scalar_type())});
        }
    }

    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const override { return entries_; }
    [[nodiscard]] std::string where() const override { return "the tensors given"; }
    Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
        return placed(tensors_.at(e.name), dtype, device);
    }

private:
    std::map<std::string, Tensor> tensors_;
    std::vector<checkpoint::TensorEntry> entries_;
};

/// A tensor of every name and shape: normal with deviation 0.02, scales of norms and variances 1. For measuring without
/// a checkpoint.
class Random final : public checkpoint::TensorSource {
public:
    static constexpr std::string_view name = "random";

    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const override { return none_; }
    [[nodiscard]] std::string where() const override { return "random weights"; }
    [[nodiscard]] bool invents() const override { return true; }
    [[nodiscard]] bool reads_rows() const override { return true; }
    Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
        if (e.shape.size() == 1 && (e.name.ends_with("weight") || e.name.ends_with("running_var")))
            return placed(at::ones(e.shape, at::kFloat), dtype, device);
        if (!block_.defined()) block_ = at::randn({block}, at::kFloat) * 0.02;
        const Tensor t = allocate(e.shape, at::kFloat, at::kCPU);
        const Tensor flat = t.view({-1});
        for (std::int64_t at = 0; at < flat.numel(); at += block) {  // the same block again: values do not matter
            const auto n = std::min(block, flat.numel() - at);
            flat.slice(0, at, at + n).copy_(block_.slice(0, 0, n));
        }
        return placed(t, dtype, device);
    }

private:
    static constexpr std::int64_t block = std::int64_t{1} << 20;
    Tensor block_;
    std::vector<checkpoint::TensorEntry> none_;
};

}  // namespace silica::loader
