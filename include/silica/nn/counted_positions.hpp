#pragma once
/// Positions of tokens among padding: those that nobody attends to have none.

#include "silica/core/tensor.hpp"

#include <algorithm>
#include <cstdint>

namespace silica::nn {

struct CountedPositions {
    Tensor of_tokens;      ///< (batch, tokens) int64 on the device
    std::int64_t longest;  ///< tokens attended to in the longest row so far
};

/// Each token's position: how many tokens before it are attended to; 0 for one that is not. `attend` (batch, tokens)
/// bool, looked at on the host. `next` (batch) int64 on the device is the position of each row's next token, before and
/// after.
inline CountedPositions counted_positions(const Tensor& attend, Tensor& next) {
    const c10::Device host(c10::DeviceType::CPU);
    const Tensor seen = attend.to(host).contiguous(), ends = next.to(host).clone();
    const Tensor positions = at::zeros(attend.sizes(), ends.options());
    const auto batch = attend.size(0), tokens = attend.size(1);
    auto *p = positions.mutable_data_ptr<std::int64_t>(), *n = ends.mutable_data_ptr<std::int64_t>();
    std::int64_t longest = 0;
    for (std::int64_t row = 0; row < batch; ++row) {
        for (std::int64_t i = 0; i < tokens; ++i) {
            if (seen.const_data_ptr<bool>()[row * tokens + i]) p[row * tokens + i] = n[row]++;
        }
        longest = std::max(longest, n[row]);
    }
    next.copy_(ends);
    return {positions.to(next.device()), longest};
}

}  // namespace silica::nn
