#include "suite/report/sections.hpp"

#include "suite/report/cells.hpp"

namespace silica::bench::suite::report {

Document document_of(const Data& data) {
    std::string machines, runs;
    bool simulated = false;
    for (const auto& m : data.machines) {
        for (const auto& run : data.runs) {
            if (!run.reported || data.machines[run.machine].id != m.id) continue;
            machines += (machines.empty() ? "" : "; ") + m.label;
            break;
        }
    }
    std::size_t reported = 0;
    for (const auto& run : data.runs) {
        if (!run.reported) continue;
        if (++reported <= 4) runs += (runs.empty() ? "" : ", ") + run.label;
    }
    if (reported > 4) runs += " and " + std::to_string(reported - 4) + " more";
    for (const auto i : data.reported) simulated = simulated || data.entries[i].marks.simulated;
    Document document{.title = "Silica benchmark report",
                      .lead = (runs.empty() ? "No runs" : runs) + (machines.empty() ? "" : " on " + machines) + "."};
    if (simulated)
        document.lead +=
            " Some rows are of simulated devices, which compute on the CPU: they are marked S wherever they stand, and "
            "say nothing about a real device.";
    document.sections = {summary_section(data),  speed_section(data),     speedup_section(data),
                         memory_section(data),   precision_section(data), loader_section(data),
                         fallback_section(data), support_section(data),   history_section(data)};
    return document;
}

}  // namespace silica::bench::suite::report
