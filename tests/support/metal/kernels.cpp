#include "support/metal/kernels.hpp"

#include <algorithm>

namespace silica::test::metal {
namespace detail {

#define X(unit) void add_##unit(std::vector<HostKernel>& to);
#include "metal/units.inc"
#undef X

}  // namespace detail

const std::vector<HostKernel>& host_kernels() {
    static const auto all = [] {
        std::vector<HostKernel> list;
#define X(unit) detail::add_##unit(list);
#include "metal/units.inc"
#undef X
        return list;
    }();
    return all;
}

const HostKernel* host_kernel(std::string_view name, std::string_view mutation) {
    const auto& all = host_kernels();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& k) { return k.name == name && k.mutation == mutation; });
    return found == all.end() ? nullptr : &*found;
}

}  // namespace silica::test::metal
