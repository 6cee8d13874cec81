#pragma once
/// The stages of CLAP's audio model, a Swin transformer over spectrograms: HTS-AT. Chen et al. 2022,
/// https://arxiv.org/abs/2202.00874; Liu et al. 2021, section 3.

#include "silica/arch/clap/config.hpp"
#include "silica/arch/clap/windows.hpp"
#include "silica/nn/layers.hpp"
#include "silica/nn/linear.hpp"
#include "silica/nn/transformer_layer.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace silica::arch {

/// How layer `n` of a stage cuts the grid: every second one moves the windows by half, where there are several.
inline ClapWindows clap_windows(const ClapAudioConfig& c, std::size_t stage, std::int64_t n) {
    const auto grid = c.grid(stage);
    const bool whole = std::min(grid.height, grid.width) <= c.window_size;
    return {grid.height, grid.width, c.window_size, whole || n % 2 == 0 ? 0 : c.window_size / 2};
}

/// One layer: h = x + W-MSA(LayerNorm(x)), y = h + FFN(LayerNorm(h)).
template <class E>
class ClapAudioLayer {
public:
    using Ops = typename nn::TransformerLayer<E>::Ops;

    ClapAudioLayer(const ClapAudioConfig& c, std::size_t stage, std::int64_t n, const Weights& w)  // blocks.N
        : windows(clap_windows(c, stage, n)),
          bias(windows, c.num_attention_heads[stage], w / "attention.self"),
          layer({.attention = shape(c, stage),
                 .inner = c.inner(stage),
                 .eps = c.layer_norm_eps,
                 .act = c.hidden_act,
                 .norms = nn::NormPlace::before},
                {.attention = {w / "attention.self.query", w / "attention.self.key", w / "attention.self.value",
                               w / "attention.output.dense"},
                 .attention_norm = w / "layernorm_before",
                 .up = w / "intermediate.dense",
                 .down = w / "output.dense",
                 .output_norm = w / "layernorm_after"}) {}

    /// x (batch, patches, width)
    Tensor operator()(const Tensor& x) const {
        return layer.arranged(
            x, [&](const Tensor& t) { return windows.cut(t); }, [&](const Tensor& t) { return windows.joined(t); },
            bias(x.size(0)));
    }

private:
    static nn::AttentionShape shape(const ClapAudioConfig& c, std::size_t stage) {
        auto s = nn::AttentionShape::of(c.width(stage), c.num_attention_heads[stage]);
        s.input_bias = c.qkv_bias;
        return s;
    }

    ClapWindows windows;
    ClapWindowBias<E> bias;
    nn::TransformerLayer<E> layer;
};

/// Four patches beside each other become one of twice the width: W LayerNorm([x_00; x_10; x_01; x_11]).
template <class E>
class ClapPatchMerging {
public:
    using Ops = union_of<typename nn::LayerNorm<E>::Ops, typename nn::Linear<E>::Ops>;

    ClapPatchMerging(const nn::ImageSize& grid, std::int64_t width, const Weights& w)  // layers.N.downsample
        : norm(w / "norm", 4 * width, 1e-5),
          reduction({{w / "reduction", 2 * width, false}}, 4 * width),
          height(grid.height / 2),
          columns(grid.width / 2) {}

    /// x (batch, patches, width) -> (batch, patches / 4, 2 width).
    Tensor operator()(const Tensor& x) const {
        const auto batch = x.size(0), d = x.size(2);
        const Tensor four = x.view({batch, height, 2, columns, 2, d})
                                .permute({0, 1, 3, 4, 2, 5})
                                .reshape({batch, height * columns, 4 * d});
        return reduction(norm(four));
    }

private:
    nn::LayerNorm<E> norm;
    nn::Linear<E> reduction;
    std::int64_t height, columns;
};

/// The layers of one width, and what makes the next stage's patches of theirs; the last stage lacks that.
template <class E>
class ClapAudioStage {
public:
    using Ops = union_of<typename ClapAudioLayer<E>::Ops, typename ClapPatchMerging<E>::Ops>;

    ClapAudioStage(const ClapAudioConfig& c, std::size_t stage, const Weights& w)  // audio_encoder.layers.N
        : blocks(
              nn::layers(c.depths[stage], [&](auto n) { return ClapAudioLayer<E>(c, stage, n, w / "blocks" / n); })) {
        if (stage + 1 < c.depths.size()) downsample.emplace(c.grid(stage), c.width(stage), w / "downsample");
    }

    Tensor operator()(const Tensor& x) const {
        const Tensor y = nn::through(blocks, x);
        return downsample ? (*downsample)(y) : y;
    }

private:
    std::vector<ClapAudioLayer<E>> blocks;
    std::optional<ClapPatchMerging<E>> downsample;
};

}  // namespace silica::arch
