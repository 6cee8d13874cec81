#if defined(__linux__)
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>

#include "support/sim_mps/boxed.hpp"
#include "support/sim_mps/host_view.hpp"
#include "support/sim_mps/kernels.hpp"
#include "support/sim_mps/state.hpp"

namespace silica::test::sim_mps::detail {
namespace {

/// Quantized.mm: uint8 (n, k/2) with the even column in the high half of each byte, to the same bytes with the halves
/// exchanged, under the four-dimensional int32 shape that CUDA's packing has.
at::Tensor convert_weight_to_int4pack(const at::Tensor& weight, int64_t inner_k_tiles) {
    static constexpr auto name = "_convert_weight_to_int4pack_mps";
    const OnDevice device("aten::_convert_weight_to_int4pack");
    TORCH_CHECK(weight.dim() == 2, name, " : expect weight to be 2D tensor.");
    TORCH_CHECK(weight.dtype() == at::kByte, name, " : expect weight to be kByte.");
    TORCH_CHECK(inner_k_tiles == 2 || inner_k_tiles == 4 || inner_k_tiles == 8, name,
                " : innerKTiles need to be 2, 4, or 8, got ", inner_k_tiles);
    const int64_t n = weight.size(0), k = weight.size(1) * 2, k_tile = 16 * inner_k_tiles;
    TORCH_CHECK(n % 16 == 0, name, " : expect N to be dividable by 16");
    TORCH_CHECK(k % k_tile == 0, name, " : epxect K to be dividable by ", k_tile);
    HostView view;
    const at::Tensor bytes = view.to_host(weight).contiguous();
    const at::Tensor exchanged = bytes.bitwise_left_shift(4).bitwise_or(bytes.bitwise_right_shift(4));
    return view.to_device(exchanged.view(at::kInt).view({n / 8, k / k_tile, 32, inner_k_tiles / 2}));
}

/// Quantized.mm: activations (m, k) times the packed weight; element q of a group stands for (q - 8) scale + zero.
at::Tensor int4pack_mm(const at::Tensor& x, const at::Tensor& packed, int64_t group, const at::Tensor& scale_and_zero) {
    static constexpr auto name = "_weight_int4pack_mm_mps";
    const OnDevice device("aten::_weight_int4pack_mm");
    check_same_device({x, packed, scale_and_zero});
    TORCH_CHECK(x.dtype() == at::kBFloat16 || x.dtype() == at::kHalf || x.dtype() == at::kFloat, name,
                " : expect A to be either 32-bit or 16-bit float tensor.");
    TORCH_CHECK(x.is_contiguous(), name, " : expect A to be contiguous.");
    TORCH_CHECK(x.dim() == 2, name, " : expect A to be 2D tensor.");
    TORCH_CHECK(packed.dtype() == at::kInt, name, " : expect B to be int32 tensor.");
    TORCH_CHECK(packed.is_contiguous(), name, " : expect B to be contiguous.");
    TORCH_CHECK(packed.dim() == 4, name, " : expect B to 4d tensor.");
    TORCH_CHECK(group == 32 || group == 64 || group == 128 || group == 256, name,
                ": expect qGroupSize to be 32, 64, 128 or 256, got ", group);
    const int64_t n = packed.size(0) * 8, k = x.size(1);
    TORCH_CHECK(scale_and_zero.dim() == 3 && scale_and_zero.size(1) == n && scale_and_zero.size(2) == 2, name,
                ": expect qScaleAndZeros to be 3d tensor with sizes [:, ", n, ", 2]");
    HostView view;
    const at::Tensor bytes = view.to_host(packed).view(at::kByte).view({n, k / 2});
    const at::Tensor q =
        at::stack({bytes.bitwise_and(15), bytes.bitwise_right_shift(4)}, -1).view({n, k / group, group});
    const at::Tensor table = view.to_host(scale_and_zero).to(at::kFloat).transpose(0, 1);  // (n, groups, 2)
    const at::Tensor weight = (q.to(at::kFloat) - 8).mul(table.slice(2, 0, 1)).add(table.slice(2, 1, 2)).view({n, k});
    return view.to_device(at::matmul(view.to_host(x).to(at::kFloat), weight.t()).to(x.scalar_type()));
}

}  // namespace

std::set<std::string> add_quantized(torch::Library& aten) {
    aten.impl("_convert_weight_to_int4pack", &convert_weight_to_int4pack);
    aten.impl("_weight_int4pack_mm", &int4pack_mm);
    return {"_convert_weight_to_int4pack", "_weight_int4pack_mm"};
}

}  // namespace silica::test::sim_mps::detail
#endif
