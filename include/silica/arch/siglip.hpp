#pragma once
/// SigLIP's vision model: a ViT without a class token, whose pooler attends to the patches with a query that it
/// learned. Zhai et al. 2023, https://arxiv.org/abs/2303.15343. Followed: transformers,
/// models/siglip/modeling_siglip.py.

#include "silica/arch/clip/vision.hpp"
#include "silica/arch/concept.hpp"
#include "silica/arch/siglip/config.hpp"
#include "silica/checkpoint/names.hpp"

#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::arch {

struct SiglipVisionOutputs {
    Tensor last_hidden_state;                  ///< (batch, patches, hidden)
    std::optional<Tensor> pooler_output = {};  ///< (batch, hidden): the vector of the whole; absent without a pooler
};

/// h = MultiHead(probe, y, y), pooled = h + FFN(LayerNorm(h)), `probe` being one vector for all images. Lee et al.
/// 2019, https://arxiv.org/abs/1810.00825, section 3.2.
template <class E>
class SiglipPooler {
public:
    using Ops = union_of<typename nn::Linear<E>::Ops, typename nn::LayerNorm<E>::Ops, OpList<op::Attention>>;

    SiglipPooler(const SiglipVisionConfig& c, const Weights& w)  // vision_model.head
        : SiglipPooler(c, w, joined(c, w / "attention")) {}

    /// y (batch, patches, hidden) -> (batch, hidden)
    Tensor operator()(const Tensor& y) const {
        const Tensor q = query(probe), kv = keys_values(y);
        const auto heads_here = [&](const Tensor& x, std::int64_t first) { return nn::heads_of(x, first, heads, d); };
        const Tensor seen =
            run<op::Attention, E>(heads_here(q.expand({y.size(0), 1, heads * d}).contiguous(), 0), heads_here(kv, 0),
                                  heads_here(kv, heads), op::Attends(), 1.0 / std::sqrt(static_cast<double>(d)));
        const Tensor h = output(nn::joined_heads(seen));
        return down.add(up(layernorm(h), act), h).select(1, 0);
    }

private:
    /// W_Q, W_K and W_V, joined by rows in the checkpoint.
    static op::Plain joined(const SiglipVisionConfig& c, const Weights& w) {
        return {nn::take<op::Linear, E>(w, "in_proj_weight", {3 * c.hidden_size, c.hidden_size}),
                nn::take<op::Linear, E>(w, "in_proj_bias", {3 * c.hidden_size})};
    }
    /// n of the three, from the first on.
    static nn::Linear<E> part(const op::Plain& qkv, std::int64_t first, std::int64_t n) {
        const auto rows = qkv.weight.size(1);
        const auto of = [&](const Tensor& all) { return all.narrow(0, first * rows, n * rows).clone(); };
        return nn::Linear<E>::own(op::Plain{of(qkv.weight), of(*qkv.bias)});
    }

    SiglipPooler(const SiglipVisionConfig& c, const Weights& w, const op::Plain& qkv)
        : heads(c.num_attention_heads),
          d(c.hidden_size / heads),
          probe(nn::take_home<E>(w, "probe", {1, 1, c.hidden_size})),
          query(part(qkv, 0, 1)),
          keys_values(part(qkv, 1, 2)),
          output(w / "attention.out_proj", c.hidden_size, c.hidden_size),
          layernorm(w / "layernorm", c.hidden_size, c.layer_norm_eps),
          up(w / "mlp.fc1", c.hidden_size, c.intermediate_size),
          down(w / "mlp.fc2", c.intermediate_size, c.hidden_size),
          act(c.hidden_act) {}

    std::int64_t heads, d;
    Tensor probe;  // (1, 1, hidden)
    nn::Linear<E> query, keys_values, output;
    nn::LayerNorm<E> layernorm;
    nn::Linear<E> up, down;
    Activation act;
};

/// The vision model; opens checkpoints of both models.
struct SiglipVisionModel {
    static constexpr std::string_view family = "siglip_vision_model", name = "SiglipVisionModel";
    static constexpr std::array<std::string_view, 1> part_of = {"siglip"};
    using Config = SiglipConfig;
    using Inputs = ClipVisionInputs;
    using Outputs = SiglipVisionOutputs;

    static void check(const Config& c, const std::string& file) {
        require_finite(c.vision_config, file);
        check_siglip_vision(c.vision_config, file);
    }
    static Inputs prepare(const Config& c, Inputs in) {
        in.pixel_values =
            nn::checked_pixels("pixel_values", in.pixel_values, c.vision_config.patches(), in.interpolate_pos_encoding);
        return in;
    }
    static checkpoint::NameRules names() {
        return {.base_prefix = "vision_model.",
                .head_prefixes = {"text_model", "logit_scale", "logit_bias", "classifier"},
                .ignored = {"embeddings.position_ids$", "^text_model", "^logit_scale", "^logit_bias", "^classifier"}};
    }

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename ClipVisionEncoder<E>::Ops, typename SiglipPooler<E>::Ops>;

        Network(const Config& config, const Weights& root) : Network(config.vision_config, root / "vision_model", 0) {}

        Outputs operator()(const Inputs& in) const {
            Outputs out{post_layernorm(encoder(in))};
            if (head) out.pooler_output = (*head)(out.last_hidden_state);
            return out;
        }

    private:
        Network(const SiglipVisionConfig& c, const Weights& w, int)
            : encoder(c, w, c.num_hidden_layers),
              post_layernorm(w / "post_layernorm", c.hidden_size, c.layer_norm_eps) {
            if (c.vision_use_head)
                head.emplace(c, w / "head");
            else
                (w / "head").leave();
        }

        ClipVisionEncoder<E> encoder;
        nn::LayerNorm<E> post_layernorm;
        std::optional<SiglipPooler<E>> head;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::SiglipVisionOutputs, last_hidden_state, pooler_output);

namespace silica {

static_assert(Architecture<arch::SiglipVisionModel>);

}  // namespace silica
