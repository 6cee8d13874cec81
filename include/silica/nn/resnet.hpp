#pragma once
/// A residual network of convolutions, as a backbone that gives maps of features. He et al. 2016,
/// https://arxiv.org/abs/1512.03385. Batch norms are folded into the convolutions before them.

#include "silica/nn/conv.hpp"
#include "silica/nn/layers.hpp"
#include "silica/op/max_pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::nn {

/// Blocks of one width. Where `stride` became `dilation`, the first block still has the dilation of the stage before.
struct ResNetStage {
    std::int64_t width;                     ///< channels that come out
    std::int64_t inner;                     ///< channels inside of a block
    std::int64_t depth;                     ///< blocks
    std::int64_t stride = 1;                ///< of the first block
    std::int64_t dilation = 1, before = 1;  ///< of kernels of 3 x 3, and of that in the first block
};

struct ResNetShape {
    std::int64_t channels, stem;  ///< of the image, and after the first convolution
    std::vector<ResNetStage> stages;
    std::vector<std::size_t> maps;      ///< which stages' outputs are wanted, from 1 on, rising; 0: the stem's
    bool bottleneck = true;             ///< blocks of 1 x 1, 3 x 3, 1 x 1; else of 3 x 3, 3 x 3
    bool stride_in_first = false;       ///< the stride of a bottleneck is in its first kernel, not in the 3 x 3
    bool stem_pooled = true;            ///< whether map 0 comes after the max pool
    Activation act = Activation::relu;  ///< of the stem, and at the end of each block; relu inside of it
    double eps = 1e-5;                  ///< of the batch norms

    /// Channels of the map of a stage.
    [[nodiscard]] std::int64_t width(std::size_t map) const { return map == 0 ? stem : stages.at(map - 1).width; }
    /// Rows (columns) of the last map for an image of `n`.
    [[nodiscard]] std::int64_t side(std::int64_t n) const {
        const auto halved = [](std::int64_t m, std::int64_t stride) { return (m - 1) / stride + 1; };
        n = halved(n, 2);
        if (maps.back() > 0 || stem_pooled) n = halved(n, 2);
        for (std::size_t i = 0; i < maps.back(); ++i) n = halved(n, stages[i].stride);
        return n;
    }
};

/// y = act(F(x) + x), F of two or three convolutions; where width or size change, x is brought there by a fourth.
template <class E>
class ResNetBlock {
public:
    using Ops = typename Conv<E>::Ops;

    /// Names of timm: conv1, bn1, ..., downsample.0, downsample.1.
    ResNetBlock(const ResNetShape& s, const ResNetStage& stage, std::int64_t in, bool first, const Weights& w)
        : act_(s.act) {
        const auto stride = first ? stage.stride : 1, dilation = first ? stage.before : stage.dilation;
        const auto conv = [&](std::int64_t from, std::int64_t to, std::int64_t kernel, std::int64_t step,
                              std::int64_t spread) {
            const auto n = std::to_string(convs_.size() + 1);
            const ConvSize size{from, to,   {kernel, kernel}, {step, step}, padded(kernel, spread), {spread, spread},
                                1,    false};
            convs_.push_back(Conv<E>::batch_normed(w / ("conv" + n), size, w / ("bn" + n), s.eps));
        };
        if (s.bottleneck) {
            conv(in, stage.inner, 1, s.stride_in_first ? stride : 1, 1);
            conv(stage.inner, stage.inner, 3, s.stride_in_first ? 1 : stride, dilation);
            conv(stage.inner, stage.width, 1, 1, 1);
        } else {
            conv(in, stage.inner, 3, stride, dilation);
            conv(stage.inner, stage.width, 3, 1, stage.dilation);
        }
        if (stride != 1 || in != stage.width) {
            const ConvSize size{in, stage.width, {1, 1}, {stride, stride}, {}, {}, 1, false};
            downsample_ = Conv<E>::batch_normed(w / "downsample.0", size, w / "downsample.1", s.eps);
        }
    }

    /// x (batch, in, h, w) -> (batch, width, h / stride, w / stride).
    Tensor operator()(const Tensor& x) const {
        Tensor y = x;
        for (std::size_t i = 0; i + 1 < convs_.size(); ++i) y = convs_[i](y, Activation::relu);
        return convs_.back().add(y, downsample_ ? (*downsample_)(x) : x, act_);
    }

private:
    /// What keeps the size where the stride is 1.
    static std::vector<std::int64_t> padded(std::int64_t kernel, std::int64_t dilation) {
        const auto n = kernel / 2 * dilation;
        return {n, n};
    }

    std::vector<Conv<E>> convs_;
    std::optional<Conv<E>> downsample_;
    Activation act_;
};

/// The stem (7 x 7 of stride 2, max pool) and the stages, up to the last map that is wanted.
template <class E>
class ResNet {
public:
    using Ops = union_of<typename Conv<E>::Ops, OpList<op::MaxPool>>;

    /// Names of timm: conv1, bn1, layer1.0, ...
    ResNet(const ResNetShape& s, const Weights& w)
        : shape_(s),
          stem_(Conv<E>::batch_normed(w / "conv1", {s.channels, s.stem, {7, 7}, {2, 2}, {3, 3}, {}, 1, false},
                                      w / "bn1", s.eps)) {
        auto in = s.stem;
        for (std::size_t i = 0; i < s.maps.back(); ++i) {
            const Weights stage = w / ("layer" + std::to_string(i + 1));
            stages_.push_back(layers(s.stages[i].depth, [&](std::int64_t n) {
                return ResNetBlock<E>(s, s.stages[i], std::exchange(in, s.stages[i].width), n == 0, stage / n);
            }));
        }
    }

    /// x (batch, channels, h, w) -> the maps, each (batch, width, rows, columns).
    std::vector<Tensor> operator()(const Tensor& x) const {
        std::vector<Tensor> maps;
        const auto keep = [&](std::size_t map, const Tensor& y) {
            if (map == shape_.maps[maps.size()]) maps.push_back(y);
        };
        Tensor y = stem_(x, shape_.act);
        if (!shape_.stem_pooled) keep(0, y);
        if (maps.size() == shape_.maps.size()) return maps;
        y = run<op::MaxPool, E>(y, 3, 2, 1);
        if (shape_.stem_pooled) keep(0, y);
        for (std::size_t i = 0; i < stages_.size(); ++i) {
            y = through(stages_[i], y);
            keep(i + 1, y);
        }
        return maps;
    }

private:
    ResNetShape shape_;
    Conv<E> stem_;
    std::vector<std::vector<ResNetBlock<E>>> stages_;
};

}  // namespace silica::nn
