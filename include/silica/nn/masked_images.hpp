#pragma once
/// Images out of what an encoder made of their patches, some of which were masked. Xie et al. 2021,
/// https://arxiv.org/abs/2111.09886, section 3.2.

#include "silica/nn/conv.hpp"
#include "silica/nn/vision_transformer.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <cmath>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace silica::nn {

struct ReconstructedImages {
    Tensor reconstruction;  ///< (batch, channels, s grid, s grid), s being encoder_stride
};

/// Each patch to s x s pixels: W y + b, laid out. The patches lie in a square, whatever the image was, as in
/// transformers.
template <class E>
class MaskedImageModel {
public:
    using Ops = union_of<typename VisionTransformer<E>::Ops, typename Conv<E>::Ops>;

    MaskedImageModel(const VisionTransformerConfig& c, const Weights& base, const Weights& head,
                     std::initializer_list<std::string_view> special)
        : body(c, base, special),
          stride(c.encoder_stride),
          before(static_cast<std::int64_t>(special.size())),
          decoder(head / "0", {c.hidden_size, stride * stride * c.num_channels, {1, 1}}) {}

    ReconstructedImages operator()(const VisionTransformerInputs& in) const {
        const Tensor y = body(in);
        const auto batch = y.size(0), n = y.size(1) - before;
        const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(n))));
        const Tensor grid = y.narrow(1, before, n).transpose(1, 2).reshape({batch, -1, side, side});
        return {decoder(grid)
                    .view({batch, -1, stride, stride, side, side})
                    .permute({0, 1, 4, 2, 5, 3})
                    .reshape({batch, -1, side * stride, side * stride})};
    }

private:
    VisionTransformer<E> body;
    std::int64_t stride, before;
    Conv<E> decoder;
};

/// What these heads share, over the family `F`.
template <class F>
struct MaskedImageFamily : F {
    using Outputs = ReconstructedImages;

    static void check(const VisionTransformerConfig& c, const std::string& file) {
        F::check(c, file);
        check_encoder_stride(c, file);
    }
    static VisionTransformerInputs prepare(const VisionTransformerConfig& c, VisionTransformerInputs in) {
        return checked_for_reconstruction(c, F::prepare(c, std::move(in)));
    }
};

}  // namespace silica::nn

BOOST_HANA_ADAPT_STRUCT(silica::nn::ReconstructedImages, reconstruction);
