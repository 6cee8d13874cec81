#pragma once
/// DETR: objects of an image as a set, by a transformer over a convolutional backbone. Carion et al. 2020,
/// https://arxiv.org/abs/2005.12872. Followed: transformers, models/detr/modeling_detr.py.

#include "silica/arch/concept.hpp"
#include "silica/arch/detr/body.hpp"
#include "silica/arch/detr/masks.hpp"

namespace silica::arch {

struct DetrOutputs {
    Tensor last_hidden_state;          ///< (batch, queries, d_model)
    Tensor encoder_last_hidden_state;  ///< (batch, cells, d_model)
    /// (decoder layers, batch, queries, d_model); absent unless the configuration has `auxiliary_loss`
    std::optional<Tensor> intermediate_hidden_states = {};
};

/// DETR without a head; opens a checkpoint of any head.
struct Detr : DetrFamily {
    static constexpr std::string_view name = "DetrModel";
    using Outputs = DetrOutputs;

    template <class E>
    class Network {
    public:
        using Ops = typename DetrBody<E>::Ops;

        Network(const Config& c, const Weights& w) : body(c, w / "model") {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            return {h.decoded, h.memory, h.decoded_by_layer};
        }

    private:
        DetrBody<E> body;
    };
};

/// A class and a box for each query: classes (batch, queries, labels + 1), the last being "no object", and boxes by
/// three layers, sigmoid at the end. Section 3.2.
template <class E>
class DetrPredictions {
public:
    using Ops = typename nn::Linear<E>::Ops;

    DetrPredictions(const DetrConfig& c, const Weights& w)
        : classes(w / "class_labels_classifier", c.d_model, c.labels() + 1),
          first(w / "bbox_predictor.layers.0", c.d_model, c.d_model),
          second(w / "bbox_predictor.layers.1", c.d_model, c.d_model),
          third(w / "bbox_predictor.layers.2", c.d_model, 4) {}

    [[nodiscard]] Tensor logits(const Tensor& decoded) const { return classes(decoded); }
    [[nodiscard]] Tensor boxes(const Tensor& decoded) const {
        return third(second(first(decoded, Activation::relu), Activation::relu), Activation::sigmoid);
    }

private:
    nn::Linear<E> classes, first, second, third;
};

struct DetrObjectDetectionOutputs {
    Tensor logits;                     ///< (batch, queries, labels + 1); the last is "no object"
    Tensor pred_boxes;                 ///< (batch, queries, 4): centre x, centre y, width, height, of the image's size
    Tensor last_hidden_state;          ///< (batch, queries, d_model)
    Tensor encoder_last_hidden_state;  ///< (batch, cells, d_model)
};

/// Objects: a class and a box for each query.
struct DetrForObjectDetection : DetrFamily {
    static constexpr std::string_view name = "DetrForObjectDetection";
    using Outputs = DetrObjectDetectionOutputs;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename DetrBody<E>::Ops, typename DetrPredictions<E>::Ops>;

        Network(const Config& c, const Weights& w) : body(c, w / "model"), predictions(c, w) {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            return {predictions.logits(h.decoded), predictions.boxes(h.decoded), h.decoded, h.memory};
        }

    private:
        DetrBody<E> body;
        DetrPredictions<E> predictions;
    };
};

struct DetrSegmentationOutputs {
    Tensor logits, pred_boxes;         ///< as for detection
    Tensor pred_masks;                 ///< (batch, queries, rows, columns of the first map): logits of belonging to it
    Tensor last_hidden_state;          ///< (batch, queries, d_model)
    Tensor encoder_last_hidden_state;  ///< (batch, cells, d_model)
};

/// Objects with their pixels: a mask for each query. Section 4.4.
struct DetrForSegmentation : DetrFamily {
    static constexpr std::string_view name = "DetrForSegmentation";
    using Outputs = DetrSegmentationOutputs;

    static void check(const Config& c, const std::string& file) {
        DetrFamily::check(c, file);
        check_detr_masks(c, file);
    }

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename DetrBody<E>::Ops, typename DetrPredictions<E>::Ops,
                             typename DetrAttentionMap<E>::Ops, typename DetrMaskHead<E>::Ops>;

        Network(const Config& c, const Weights& w)
            : body(c, w / "model"),
              predictions(c, w),
              bbox_attention(c, w / "bbox_attention"),
              mask_head(c, w / "mask_head") {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            const Tensor looked = bbox_attention(h.decoded, h.memory, h.cells);
            return {predictions.logits(h.decoded), predictions.boxes(h.decoded), mask_head(h.projected, looked, h.maps),
                    h.decoded, h.memory};
        }

    private:
        DetrBody<E> body;
        DetrPredictions<E> predictions;
        DetrAttentionMap<E> bbox_attention;
        DetrMaskHead<E> mask_head;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::DetrOutputs, last_hidden_state, encoder_last_hidden_state,
                        intermediate_hidden_states);
BOOST_HANA_ADAPT_STRUCT(silica::arch::DetrObjectDetectionOutputs, logits, pred_boxes, last_hidden_state,
                        encoder_last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::DetrSegmentationOutputs, logits, pred_boxes, pred_masks, last_hidden_state,
                        encoder_last_hidden_state);

namespace silica {

static_assert(Architecture<arch::Detr> && Architecture<arch::DetrForObjectDetection> &&
              Architecture<arch::DetrForSegmentation>);

}  // namespace silica
