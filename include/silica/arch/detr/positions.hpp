#pragma once
/// Positions of the cells of a map: sines, or vectors of their own. Carion et al. 2020, section A.4.

#include "silica/arch/detr/config.hpp"
#include "silica/core/host_math.hpp"
#include "silica/nn/place.hpp"
#include "silica/op/sine_positions.hpp"
#include "silica/run.hpp"

#include <optional>

namespace silica::arch {

/// For cells (batch, h, w), true = image -> (batch or 1, h w, d_model).
template <class E>
class DetrPositions {
public:
    using Ops = OpList<op::SinePositions>;

    DetrPositions(const DetrConfig& c, const Weights& w) {  // model.position_embedding
        const auto half = c.d_model / 2;
        if (c.sine()) {
            divisors_ = divisors(half).to(w.home());
            return;
        }
        rows_ = nn::take_home<E>(w, "row_embeddings.weight", {detr_learned_positions, half});
        columns_ = nn::take_home<E>(w, "column_embeddings.weight", {detr_learned_positions, half});
    }

    /// `cells` absent: the image fills all h x w.
    Tensor operator()(const std::optional<Tensor>& cells, std::int64_t h, std::int64_t w) const {
        if (!divisors_.defined()) return learned(h, w);
        const Tensor all = cells ? *cells : at::ones({1, h, w}, divisors_.options().dtype(c10::ScalarType::Bool));
        return run<op::SinePositions, E>(all, divisors_).to(E::precision::compute);
    }

private:
    /// 10000^(2 floor(i / 2) / n), in float32 on the host as transformers computes it.
    static Tensor divisors(std::int64_t n) {
        const auto floats = at::TensorOptions().dtype(c10::ScalarType::Float);
        const Tensor pairs = at::arange(n / 2, floats).unsqueeze(1).expand({n / 2, 2}).reshape({n});
        return host::power(10000, 2 * pairs / static_cast<double>(n));
    }

    /// The vector of the column, then that of the row.
    [[nodiscard]] Tensor learned(std::int64_t h, std::int64_t w) const {
        const Tensor x = columns_.narrow(0, 0, w).unsqueeze(0), y = rows_.narrow(0, 0, h).unsqueeze(1);
        const auto half = columns_.size(1);
        return at::cat({x.expand({h, w, half}), y.expand({h, w, half})}, 2).view({1, h * w, 2 * half});
    }

    Tensor divisors_, rows_, columns_;
};

}  // namespace silica::arch
