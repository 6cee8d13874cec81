#if defined(__linux__)
#include <ATen/core/Tensor.h>

#include "support/sim_mps/host_view.hpp"
#include "support/sim_mps/kernels.hpp"
#include "support/sim_mps/state.hpp"

namespace silica::test::sim_mps::detail {
namespace {

/// Copy.mm: into the device the host converts, out of it the device does, so a float64 target is refused there.
at::Tensor& copy(at::Tensor& to, const at::Tensor& from, bool non_blocking) {
    const bool up = to.is_mps() && from.is_cpu(), down = to.is_cpu() && from.is_mps();
    if (from.numel() == 0 || to.is_same(from)) return to;
    TORCH_CHECK(up || down || (to.is_mps() && from.is_mps()), "mps_copy_ is implemented only for *->MPS; MPS->*");
    const OnDevice device("aten::copy_");
    if (to.is_mps()) check_kernel_dtype(to.scalar_type());
    if (from.is_mps()) check_kernel_dtype(from.scalar_type());
    if (down && to.scalar_type() != from.scalar_type()) check_kernel_dtype(to.scalar_type());
    {
        HostView view;
        view.to_host(to).copy_(view.to_host(from));
        view.write_back();
    }
    const std::size_t bytes = static_cast<std::size_t>(to.numel()) * to.itemsize();
    if (up) count_h2d(bytes);
    if (down) count_d2h(bytes);
    if ((up || down) && non_blocking) {
        const std::lock_guard lock(state().mutex);
        ++state().counters.non_blocking_copies;
    } else if (up || down) {
        count_implicit_sync();
    }
    return to;
}

at::Tensor copy_from(const at::Tensor& self, const at::Tensor& to, bool non_blocking) {
    at::Tensor target = to;
    return copy(target, self, non_blocking);
}

at::Tensor copy_from_and_resize(const at::Tensor& self, const at::Tensor& to) {
    at::Tensor target = to;
    target.resize_(self.sizes());
    return copy(target, self, false);
}

at::Scalar local_scalar(const at::Tensor& self) {
    const OnDevice device("aten::_local_scalar_dense");
    check_kernel_dtype(self.scalar_type());
    count_d2h(self.itemsize());
    count_implicit_sync();
    HostView view;
    return view.to_host(self).item();
}

}  // namespace

std::set<std::string> add_copies(torch::Library& aten) {
    aten.impl("copy_", &copy);
    aten.impl("_copy_from", &copy_from);
    aten.impl("_copy_from_and_resize", &copy_from_and_resize);
    aten.impl("_local_scalar_dense", &local_scalar);
    return {"copy_", "_copy_from", "_copy_from_and_resize", "_local_scalar_dense"};
}

}  // namespace silica::test::sim_mps::detail
#endif
