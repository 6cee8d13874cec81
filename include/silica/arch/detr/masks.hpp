#pragma once
/// A mask for each object query: where it looks, refined with the maps of the backbone. Carion et al. 2020, section 4.4
/// and figure 8.

#include "silica/arch/detr/family.hpp"
#include "silica/core/limits.hpp"
#include "silica/nn/activate.hpp"
#include "silica/nn/conv.hpp"
#include "silica/nn/group_norm.hpp"
#include "silica/nn/heads.hpp"
#include "silica/nn/linear.hpp"
#include "silica/op/resize.hpp"
#include "silica/op/scores.hpp"
#include "silica/op/softmax.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

namespace silica::arch {

/// softmax of the scores of all heads and cells together: (batch, queries, heads, cells).
template <class E>
class DetrAttentionMap {
public:
    using Ops = union_of<typename nn::Linear<E>::Ops, OpList<op::Scores, op::Softmax>>;

    DetrAttentionMap(const DetrConfig& c, const Weights& w)  // bbox_attention
        : query(w / "q_linear", c.d_model, c.d_model),
          key(w / "k_linear", c.d_model, c.d_model),
          heads(c.encoder_attention_heads),
          d(c.d_model / heads) {}

    /// queries (batch, queries, d), memory (batch, cells, d), cells (batch, h, w) true = image, or absent for all.
    Tensor operator()(const Tensor& queries, const Tensor& memory, const std::optional<Tensor>& cells) const {
        const double scale = 1 / std::sqrt(static_cast<double>(d));
        Tensor scores = run<op::Scores, E>(nn::heads_of(query(queries), 0, heads, d),
                                           nn::heads_of(key(memory), 0, heads, d), scale);
        if (cells) {
            const Tensor least = at::full({}, least_of(scores.scalar_type()), scores.options());
            scores = at::where(cells->reshape({cells->size(0), 1, 1, -1}), scores, least);
        }
        const Tensor by_query = scores.transpose(1, 2);
        return run<op::Softmax, E>(by_query.flatten(2)).view(by_query.sizes());
    }

private:
    nn::Linear<E> query, key;
    std::int64_t heads, d;
};

/// y = act(GroupNorm(W * x + b)), the kernel 3 x 3.
template <class E>
class DetrMaskBlock {
public:
    using Ops = union_of<typename nn::Conv<E>::Ops, typename nn::GroupNorm<E>::Ops, nn::ActivationOps>;

    DetrMaskBlock(const DetrConfig& c, const Weights& w, int n, std::int64_t in)  // mask_head, layN and gnN
        : conv(w / ("lay" + std::to_string(n)), size(in, width(c, n))),
          norm(norm_of(c, w, n)),
          act(c.activation_function) {}

    Tensor operator()(const Tensor& x) const { return nn::activate<E>(norm(conv(x)), act); }

    static nn::ConvSize size(std::int64_t in, std::int64_t out) { return {in, out, {3, 3}, {}, {1, 1}, {}, 1, true}; }
    static std::int64_t width(const DetrConfig& c, int n) {
        return detr_mask_widths(c).at(static_cast<std::size_t>(n - 1));
    }
    static nn::GroupNorm<E> norm_of(const DetrConfig& c, const Weights& w, int n) {
        const auto channels = width(c, n);
        return {w / ("gn" + std::to_string(n)), detr_mask_groups(channels), channels, 1e-5};
    }

private:
    nn::Conv<E> conv;
    nn::GroupNorm<E> norm;
    Activation act;
};

/// The mask head. Its first convolution reads the projected map, which is the same for all queries, beside the
/// attention of one: W * [f, a] = W_f * f + W_a * a, of which the first is computed once for an image. So are the maps
/// of the backbone, brought to the widths of the head.
template <class E>
class DetrMaskHead {
public:
    using Ops = union_of<typename DetrMaskBlock<E>::Ops, OpList<op::Resize>>;

    DetrMaskHead(const DetrConfig& c, const Weights& w) : DetrMaskHead(c, w, detr_mask_widths(c)) {}

    /// projected (batch, d, h, w), attention (batch, queries, heads, h w), maps of the backbone
    /// -> (batch, queries, rows and columns of the first map).
    Tensor operator()(const Tensor& projected, const Tensor& attention, const std::vector<Tensor>& maps) const {
        const Tensor shared = of_features(projected);
        std::vector<Tensor> fine;  // from coarse to fine
        for (std::size_t i = 0; i < adapters.size(); ++i) fine.push_back(adapters[i](maps[adapters.size() - 1 - i]));
        std::vector<Tensor> all;
        const auto queries = attention.size(1), at_once = queries_at_once(shared, fine, queries);
        for (std::int64_t image = 0; image < projected.size(0); ++image) {
            const auto of_image = [&](const Tensor& t) { return t.narrow(0, image, 1); };
            for (std::int64_t first = 0; first < queries; first += at_once) {
                const auto n = std::min(at_once, queries - first);
                const Tensor looked = attention[image]
                                          .narrow(0, first, n)
                                          .reshape({n, attention.size(2), projected.size(2), projected.size(3)});
                Tensor x = second(nn::activate<E>(norm(of_attention(looked) + of_image(shared)), act));
                for (std::size_t i = 0; i < fine.size(); ++i) {
                    const auto h = fine[i].size(2), w = fine[i].size(3);
                    x = refine[i](run<op::Resize, E>(x, h, w, Resampling::nearest, false) + of_image(fine[i]));
                }
                all.push_back(output(x).squeeze(1));
            }
        }
        const Tensor masks = at::cat(all);
        return masks.view({projected.size(0), queries, masks.size(1), masks.size(2)});
    }

private:
    using Block = DetrMaskBlock<E>;

    DetrMaskHead(const DetrConfig& c, const Weights& w, const std::array<std::int64_t, 5>& widths)  // mask_head
        : DetrMaskHead(c, w, widths, nn::take<op::Conv, E>(w / "lay1", "weight", {widths[0], widths[0], 3, 3})) {}

    DetrMaskHead(const DetrConfig& c, const Weights& w, const std::array<std::int64_t, 5>& widths, const Tensor& first)
        : of_features({first.narrow(1, 0, c.d_model).contiguous(),
                       nn::take<op::Conv, E>(w / "lay1", "bias", {widths[0]}),
                       Block::size(c.d_model, widths[0]).steps()}),
          of_attention({first.narrow(1, c.d_model, c.encoder_attention_heads).contiguous(), std::nullopt,
                        Block::size(c.encoder_attention_heads, widths[0]).steps()}),
          norm(Block::norm_of(c, w, 1)),
          second(c, w, 2, widths[0]),
          output(w / "out_lay", Block::size(widths[4], 1)),
          act(c.activation_function) {
        const auto resnet = detr_backbone(c, "the configuration");
        for (int i = 0; i < 3; ++i) {
            const auto at = static_cast<std::size_t>(i);
            const Weights adapter = w / ("adapter" + std::to_string(i + 1));
            adapters.emplace_back(adapter, nn::ConvSize{resnet.width(resnet.maps[2 - at]), widths[at + 1], {1, 1}});
            refine.emplace_back(c, w, i + 3, widths[at + 1]);
        }
    }

    /// As many as keep the largest of their tensors within 2^24 values.
    static std::int64_t queries_at_once(const Tensor& shared, const std::vector<Tensor>& fine, std::int64_t queries) {
        std::int64_t largest = shared[0].numel();
        for (const auto& map : fine) largest = std::max(largest, map[0].numel());
        return std::clamp<std::int64_t>((std::int64_t{1} << 24) / largest, 1, queries);
    }

    nn::Conv<E> of_features, of_attention;  // the two parts of lay1
    nn::GroupNorm<E> norm;
    Block second;
    std::vector<nn::Conv<E>> adapters;
    std::vector<Block> refine;
    nn::Conv<E> output;
    Activation act;
};

}  // namespace silica::arch
