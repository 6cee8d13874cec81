#pragma once
/// Patches of a spectrogram, and the fusion of long sounds: of the whole, shrunk, with three parts of it. Wu et al.
/// 2023, https://arxiv.org/abs/2211.06687, section 3.3; Dai et al. 2021, https://arxiv.org/abs/2009.14082.

#include "silica/arch/clap/config.hpp"
#include "silica/nn/activate.hpp"
#include "silica/nn/conv.hpp"
#include "silica/nn/layer_norm.hpp"
#include "silica/nn/mean.hpp"
#include "silica/nn/pad.hpp"

#include <optional>

namespace silica::arch {

/// 2 w x + 2 (1 - w) r, w = sigmoid(L(x + r) + G(x + r)), L seeing each place, G the mean of all.
template <class E>
class ClapFusion {
public:
    using Ops = union_of<typename nn::Conv<E>::Ops, nn::ActivationOps, OpList<op::Pool>>;

    ClapFusion(const ClapAudioConfig& c, const Weights& w)  // patch_embed.fusion_model
        : local_in(conv(c, w / "local_att.0", w / "local_att.1", true)),
          local_out(conv(c, w / "local_att.3", w / "local_att.4", false)),
          global_in(conv(c, w / "global_att.1", w / "global_att.2", true)),
          global_out(conv(c, w / "global_att.4", w / "global_att.5", false)) {}

    /// x and r (batch, channels, height, width)
    Tensor operator()(const Tensor& x, const Tensor& r) const {
        const Tensor both = x + r;
        const Tensor mean = nn::mean<E>(both.flatten(2).transpose(1, 2).contiguous()).unsqueeze(2).unsqueeze(3);
        const Tensor sum = local_out(local_in(both, Activation::relu)) + global_out(global_in(mean, Activation::relu));
        const Tensor share = nn::activate<E>(sum, Activation::sigmoid);
        return x * share * 2 + r * (1 - share) * 2;
    }

private:
    static nn::Conv<E> conv(const ClapAudioConfig& c, const Weights& w, const Weights& norm, bool in) {
        const auto all = c.patch_embeds_hidden_size, few = all / c.aff_block_r;
        return nn::Conv<E>::batch_normed(
            w, {.in = in ? all : few, .out = in ? few : all, .kernel = {1, 1}, .bias = true}, norm, 1e-5);
    }

    nn::Conv<E> local_in, local_out, global_in, global_out;
};

/// Patches of an image, normalised; those of sounds that are longer, fused with those of their parts.
template <class E>
class ClapPatches {
public:
    using Ops = union_of<typename nn::Conv<E>::Ops, typename nn::LayerNorm<E>::Ops, typename ClapFusion<E>::Ops>;

    ClapPatches(const ClapAudioConfig& c, const Weights& w)  // audio_encoder.patch_embed
        : proj(w / "proj", size(c, 1)) {
        if (c.enable_fusion) {
            fusion_model.emplace(c, w / "fusion_model");
            mel_conv2d.emplace(w / "mel_conv2d", size(c, 3));
        }
        if (c.enable_patch_layer_norm) norm.emplace(w / "norm", c.patch_embeds_hidden_size, 1e-5);
    }

    /// x (batch, channels, spec_size, spec_size) -> (batch, patches, width); `longer` (n): rows to fuse.
    Tensor operator()(const Tensor& x, const std::optional<Tensor>& longer) const {
        Tensor y = fusion_model ? proj(x.narrow(1, 0, 1).contiguous()) : proj(x);
        if (longer) {
            const Tensor whole = y.index_select(0, *longer);
            y.index_copy_(0, *longer, (*fusion_model)(whole, parts(x.index_select(0, *longer), whole.size(3))));
        }
        const Tensor patches = y.flatten(2).transpose(1, 2).contiguous();
        return norm ? (*norm)(patches) : patches;
    }

private:
    /// A kernel over `beside` patches beside each other.
    static nn::ConvSize size(const ClapAudioConfig& c, std::int64_t beside) {
        const auto &patch = c.patch_size, &stride = c.patch_stride;
        return {.in = c.patch_embed_input_channels,
                .out = c.patch_embeds_hidden_size,
                .kernel = {patch.height, patch.width * beside},
                .stride = {stride.height, stride.width * beside},
                .padding = {(patch.height - stride.height) / 2, (patch.width - stride.width) / 2},
                .bias = true};
    }
    /// The three parts (n, 4, height, width), their patches laid beside each other: (n, width, rows, columns), zeros on
    /// the right.
    [[nodiscard]] Tensor parts(const Tensor& x, std::int64_t columns) const {
        const auto n = x.size(0);
        const Tensor y = (*mel_conv2d)(x.narrow(1, 1, 3).reshape({n * 3, 1, x.size(2), x.size(3)}));
        const Tensor beside = y.view({n, 3, y.size(1), y.size(2), y.size(3)}).permute({0, 2, 3, 1, 4}).flatten(3);
        return nn::pad(beside, 3, 0, columns - beside.size(3));
    }

    nn::Conv<E> proj;
    std::optional<ClapFusion<E>> fusion_model;
    std::optional<nn::Conv<E>> mel_conv2d;
    std::optional<nn::LayerNorm<E>> norm;
};

}  // namespace silica::arch
