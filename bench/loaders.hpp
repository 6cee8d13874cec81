#pragma once
/// The loaders axis of the grid.

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include "silica/loader/cpu_first.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/loader/streamed.hpp"

namespace silica::bench {

/// What `--loader auto` tries, in this order.
using Auto = loader::FirstOf<loader::Mapped, loader::Streamed, loader::CpuFirst>;

inline constexpr auto loaders = boost::hana::tuple_t<loader::Mapped, loader::CpuFirst, loader::Streamed, Auto>;

}  // namespace silica::bench
