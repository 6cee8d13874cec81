#pragma once
/// The sections of a report. docs/reports.md says what stands in each.

#include "suite/report/data.hpp"
#include "suite/report/document.hpp"

namespace silica::bench::suite::report {

[[nodiscard]] Section summary_section(const Data& data);
[[nodiscard]] Section speed_section(const Data& data);
[[nodiscard]] Section speedup_section(const Data& data);
[[nodiscard]] Section memory_section(const Data& data);
[[nodiscard]] Section precision_section(const Data& data);
[[nodiscard]] Section loader_section(const Data& data);
[[nodiscard]] Section fallback_section(const Data& data);
[[nodiscard]] Section support_section(const Data& data);
[[nodiscard]] Section history_section(const Data& data);

/// All of them, with a title and what the letters mean.
[[nodiscard]] Document document_of(const Data& data);

}  // namespace silica::bench::suite::report
