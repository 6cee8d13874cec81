#pragma once
/// A source that has shapes only: what an inventory is taken of.

#include "silica/checkpoint/decoded.hpp"
#include "silica/checkpoint/source.hpp"

#include <ATen/ops/ones.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// The tensors of another source, which it does not read: on LibTorch's meta device, or ones where they are asked for
/// on the host, as who computes with numbers of a checkpoint does. See core/inventory.hpp.
class Shapes final : public TensorSource {
public:
    static constexpr std::string_view name = "shapes";

    /// Those of `source`, which outlives it.
    explicit Shapes(TensorSource& source) : source_(source) {}
    /// The same, of files whose matrices may be packed.
    explicit Shapes(Decoded& source) : source_(source), packed_(&source) {}

    [[nodiscard]] const std::vector<TensorEntry>& entries() const override { return source_.entries(); }
    [[nodiscard]] Tensor read(const TensorEntry& entry, at::ScalarType dtype, c10::Device device) override {
        const auto options = at::TensorOptions().dtype(dtype);
        if (device.is_cpu()) return at::ones(entry.shape, options);
        return at::empty(entry.shape, options.device(c10::DeviceType::Meta));
    }
    /// Their form, without tensors.
    [[nodiscard]] std::optional<Quantised> codes(const TensorEntry& entry) override {
        return packed_ == nullptr ? std::nullopt : packed_->form_of(entry);
    }
    [[nodiscard]] bool holds_codes() const override { return source_.holds_codes(); }
    [[nodiscard]] std::string where() const override { return source_.where(); }
    [[nodiscard]] bool invents() const override { return source_.invents(); }

private:
    TensorSource& source_;
    const Decoded* packed_ = nullptr;
};

}  // namespace silica::checkpoint
