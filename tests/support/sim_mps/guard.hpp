#pragma once
/// Device guard and streams: one device, one stream, as on a Mac.

namespace silica::test::sim_mps::detail {

void install_guard();

}  // namespace silica::test::sim_mps::detail
