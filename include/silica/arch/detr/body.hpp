#pragma once
/// DETR's network without a head: a convolutional backbone, an encoder over the cells of its last map, a decoder of
/// object queries. Carion et al. 2020, figure 2 and section A.3.

#include "silica/arch/detr/family.hpp"
#include "silica/arch/detr/positions.hpp"
#include "silica/nn/layers.hpp"
#include "silica/nn/transformer_layer.hpp"
#include "silica/op/resize.hpp"

#include <optional>
#include <vector>

namespace silica::arch {

inline constexpr double detr_norm_eps = 1e-5;

inline nn::AttentionPlaces detr_attention(const Weights& w) {
    return {w / "q_proj", w / "k_proj", w / "v_proj", w / "out_proj"};
}

/// h = Norm(x + SelfAttention(x, p)), y = Norm(h + FFN(h)).
template <class E>
nn::TransformerLayer<E> detr_encoder_layer(const DetrConfig& c, const Weights& w) {  // model.encoder.layers.N
    return {{.attention = nn::AttentionShape::of(c.d_model, c.encoder_attention_heads),
             .inner = c.encoder_ffn_dim,
             .eps = detr_norm_eps,
             .act = c.activation_function,
             .joined = nn::JoinedProducts::query_key},
            {.attention = detr_attention(w / "self_attn"),
             .attention_norm = w / "self_attn_layer_norm",
             .up = w / "fc1",
             .down = w / "fc2",
             .output_norm = w / "final_layer_norm"}};
}

/// What the queries look at: the encoder's output, where its cells stand, and which of them count.
struct DetrMemory {
    Tensor cells, positions;  ///< (batch, cells, d), (batch or 1, cells, d)
    op::Attends attends;
};

/// g = Norm(x + SelfAttention(x, q)), h = Norm(g + CrossAttention(g + q, m + p, m)), y = Norm(h + FFN(h)).
template <class E>
class DetrDecoderLayer {
public:
    using Ops = union_of<typename nn::Attention<E>::Ops, typename nn::LayerNorm<E>::Ops>;

    DetrDecoderLayer(const DetrConfig& c, const Weights& w)  // model.decoder.layers.N
        : self_attention(shape(c), detr_attention(w / "self_attn"), nn::JoinedProducts::query_key),
          self_norm(w / "self_attn_layer_norm", c.d_model, detr_norm_eps),
          cross_attention(shape(c), detr_attention(w / "encoder_attn"), nn::JoinedProducts::none),
          cross_norm(w / "encoder_attn_layer_norm", c.d_model, detr_norm_eps),
          up(w / "fc1", c.d_model, c.decoder_ffn_dim),
          down(w / "fc2", c.decoder_ffn_dim, c.d_model),
          norm(w / "final_layer_norm", c.d_model, detr_norm_eps),
          act(c.activation_function) {}

    /// x (batch, queries, d), `positions` of the queries (1, queries, d).
    Tensor operator()(const Tensor& x, const Tensor& positions, const DetrMemory& m) const {
        const Tensor g = self_norm(self_attention.output.add(self_attention(x, positions, {}), x));
        const auto seen = cross_attention.keys_values(m.cells, m.positions);
        const Tensor h =
            cross_norm(cross_attention.output.add(cross_attention.cross(g + positions, seen, m.attends), g));
        return norm(down.add(up(h, act), h));
    }

private:
    static nn::AttentionShape shape(const DetrConfig& c) {
        return nn::AttentionShape::of(c.d_model, c.decoder_attention_heads);
    }

    nn::Attention<E> self_attention;
    nn::LayerNorm<E> self_norm;
    nn::Attention<E> cross_attention;
    nn::LayerNorm<E> cross_norm;
    nn::Linear<E> up, down;
    nn::LayerNorm<E> norm;
    Activation act;
};

template <class E>
class DetrBody {
public:
    using Ops = union_of<typename nn::ResNet<E>::Ops, typename DetrPositions<E>::Ops,
                         typename nn::TransformerLayer<E>::Ops, typename DetrDecoderLayer<E>::Ops, OpList<op::Resize>>;

    /// What is known of the images.
    struct Hidden {
        std::vector<Tensor> maps;                     ///< of the backbone, each (batch, width, rows, columns)
        Tensor projected;                             ///< the last of them, (batch, d, h, w)
        std::optional<Tensor> cells;                  ///< (batch, h, w) bool, true = image; absent: all
        Tensor memory;                                ///< the encoder's output, (batch, h w, d)
        Tensor decoded;                               ///< (batch, queries, d)
        std::optional<Tensor> decoded_by_layer = {};  ///< (layers, batch, queries, d), with `auxiliary_loss`
    };

    DetrBody(const DetrConfig& c, const Weights& w)  // model
        : DetrBody(c, w, detr_backbone(c, "the configuration")) {}

    Hidden operator()(const DetrInputs& in) const {
        Hidden out;
        out.maps = backbone(in.pixel_values.to(E::precision::compute));
        out.projected = input_projection(out.maps.back());
        const auto batch = out.projected.size(0), h = out.projected.size(2), w = out.projected.size(3);
        DetrMemory seen{.cells = out.projected.flatten(2).transpose(1, 2), .positions = {}, .attends = {}};
        if (in.pixel_mask) {
            out.cells = cells_of(*in.pixel_mask, h, w);
            seen.attends.mask = out.cells->reshape({batch, 1, 1, h * w});
        }
        seen.positions = position_embedding(out.cells, h, w);
        for (const auto& layer : encoder) seen.cells = layer(seen.cells, seen.positions, seen.attends);
        out.memory = seen.cells;
        decode(seen, batch, out);
        return out;
    }

private:
    DetrBody(const DetrConfig& c, const Weights& w, const nn::ResNetShape& resnet)
        : backbone(resnet, w / "backbone.conv_encoder.model"),
          input_projection(w / "input_projection", {resnet.width(resnet.maps.back()), c.d_model, {1, 1}}),
          position_embedding(c, w / "position_embedding"),
          query_positions(
              nn::take_home<E>(w / "query_position_embeddings", "weight", {c.num_queries, c.d_model}).unsqueeze(0)),
          encoder(
              nn::layers(c.encoder_layers, [&](auto n) { return detr_encoder_layer<E>(c, w / "encoder.layers" / n); })),
          decoder(
              nn::layers(c.decoder_layers, [&](auto n) { return DetrDecoderLayer<E>(c, w / "decoder.layers" / n); })),
          norm(w / "decoder.layernorm", c.d_model, detr_norm_eps),
          norm_each(c.auxiliary_loss) {}

    /// Which cells are of the image: the mask at the pixel that nearest interpolation takes.
    static Tensor cells_of(const Tensor& pixel_mask, std::int64_t h, std::int64_t w) {
        const Tensor pixels = pixel_mask.to(c10::ScalarType::Float).unsqueeze(0);
        return run<op::Resize, E>(pixels, h, w, Resampling::nearest, false).squeeze(0) > 0;
    }

    void decode(const DetrMemory& seen, std::int64_t batch, Hidden& out) const {
        Tensor x = at::zeros({batch, query_positions.size(1), query_positions.size(2)}, query_positions.options());
        std::vector<Tensor> all;
        for (const auto& layer : decoder) {
            x = layer(x, query_positions, seen);
            if (!norm_each) continue;
            x = norm(x);
            all.push_back(x.unsqueeze(0));
        }
        out.decoded = norm(x);
        if (!all.empty()) out.decoded_by_layer = at::cat(all);
    }

    nn::ResNet<E> backbone;
    nn::Conv<E> input_projection;
    DetrPositions<E> position_embedding;
    Tensor query_positions;  // (1, queries, d)
    std::vector<nn::TransformerLayer<E>> encoder;
    std::vector<DetrDecoderLayer<E>> decoder;
    nn::LayerNorm<E> norm;
    bool norm_each;
};

}  // namespace silica::arch
