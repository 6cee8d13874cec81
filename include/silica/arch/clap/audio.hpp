#pragma once
/// CLAP's audio model: a spectrogram folded into a square image, its patches, and a Swin transformer over them. Chen et
/// al. 2022, https://arxiv.org/abs/2202.00874.

#include "silica/arch/clap/inputs.hpp"
#include "silica/arch/clap/patches.hpp"
#include "silica/arch/clap/stages.hpp"
#include "silica/arch/clap/text.hpp"
#include "silica/nn/batch_norm.hpp"
#include "silica/op/resize.hpp"

#include <cstddef>
#include <vector>

namespace silica::arch {

/// The audio model, which stands alone or inside another family.
template <class E>
class ClapAudio {
public:
    using Ops = union_of<OpList<op::Resize>, typename ClapPatches<E>::Ops, typename ClapAudioStage<E>::Ops>;

    ClapAudio(const ClapAudioConfig& c, const Weights& w)  // audio_model.audio_encoder
        : batch_norm(w / "batch_norm", c.num_mel_bins, 1e-5),
          patch_embed(c, w / "patch_embed"),
          layers(
              nn::layers(static_cast<std::int64_t>(c.depths.size()),
                         [&](auto n) { return ClapAudioStage<E>(c, static_cast<std::size_t>(n), w / "layers" / n); })),
          norm(w / "norm", c.features(), 1e-5),
          frames(c.frames()),
          mels(c.mels()),
          bands(c.bands()),
          grid(c.grid(c.depths.size() - 1)) {}

    /// Inputs as `prepare_clap_audio` returns them.
    ClapTowerOutputs operator()(const ClapAudioInputs& in) const {
        const Tensor x = batch_norm(in.input_features, 3).to(E::precision::compute);
        const Tensor h = norm(nn::through(layers, patch_embed(folded(stretched(x)), in.longer_rows)));
        return {unfolded(h), nn::mean<E>(h)};
    }

private:
    /// (batch, channels, frames, mels) of the sizes that can be folded, by bicubic interpolation.
    [[nodiscard]] Tensor stretched(const Tensor& x) const {
        if (x.size(2) == frames && x.size(3) == mels) return x;
        return run<op::Resize, E>(x, frames, mels, Resampling::bicubic, true);
    }
    /// An image of which the first rows are the frequencies of the first piece of time: (batch, channels, bands mels,
    /// frames / bands).
    [[nodiscard]] Tensor folded(const Tensor& x) const {
        const auto batch = x.size(0), channels = x.size(1);
        return x.view({batch, channels, bands, frames / bands, mels})
            .permute({0, 1, 2, 4, 3})
            .reshape({batch, channels, bands * mels, frames / bands});
    }
    /// (batch, patches, features) -> (batch, features, rows of a band, times), the bands beside each other.
    [[nodiscard]] Tensor unfolded(const Tensor& h) const {
        const auto batch = h.size(0), rows = grid.height / bands;
        return h.transpose(1, 2)
            .reshape({batch, h.size(2), grid.height / rows, rows, grid.width})
            .permute({0, 1, 3, 2, 4})
            .reshape({batch, h.size(2), rows, -1});
    }

    nn::BatchNorm<E> batch_norm;
    ClapPatches<E> patch_embed;
    std::vector<ClapAudioStage<E>> layers;
    nn::LayerNorm<E> norm;
    std::int64_t frames, mels, bands;
    nn::ImageSize grid;  // of the last stage
};

}  // namespace silica::arch
