#pragma once
/// Batch normalisation of a trained network: its statistics are constants, so it scales and shifts each channel.

#include "silica/core/error.hpp"
#include "silica/nn/place.hpp"

#include <vector>

namespace silica::nn {

/// y = x * scale + shift, (channels) each, in float64 on the host.
struct BatchNormTerms {
    Tensor scale, shift;
};

/// scale = w / sqrt(var + eps), shift = b - mean * scale (Ioffe and Szegedy 2015, algorithm 2), of `weight`, `bias`,
/// `running_mean` and `running_var` (channels) at `w`.
inline BatchNormTerms batch_norm_terms(const Weights& w, std::int64_t channels, double eps) {
    const auto get = [&](std::string_view name) {
        return w.get(name, {channels}, c10::ScalarType::Double, c10::Device(c10::DeviceType::CPU));
    };
    const Tensor var = get("running_var") + eps;
    if (!(var > 0).all().item<bool>()) {
        throw CheckpointError("Tensor '" + w.path() + ".running_var' holds values that are no variances.",
                              "download the weights again.");
    }
    const Tensor scale = get("weight") / var.sqrt();
    return {scale, get("bias") - get("running_mean") * scale};
}

/// A batch norm that stands alone; after a convolution it is folded into it: nn/conv.hpp.
template <class E>
class BatchNorm {
public:
    using Ops = OpList<>;

    /// `weight`, `bias`, `running_mean` and `running_var` (channels) at `w`.
    BatchNorm(const Weights& w, std::int64_t channels, double eps) {
        const auto terms = batch_norm_terms(w, channels, eps);
        scale_ = terms.scale.to(E::precision::reduce).to(w.home());
        shift_ = terms.shift.to(E::precision::reduce).to(w.home());
    }

    /// x with its channels at `dim` -> as x, in the type of x.
    Tensor operator()(const Tensor& x, std::int64_t dim = 1) const {
        std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
        shape.at(static_cast<std::size_t>(dim)) = scale_.size(0);
        return (x.to(scale_.scalar_type()) * scale_.view(shape) + shift_.view(shape)).to(x.scalar_type());
    }

private:
    Tensor scale_, shift_;
};

}  // namespace silica::nn
