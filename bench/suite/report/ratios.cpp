#include "suite/report/ratios.hpp"

#include <map>
#include <string>

namespace silica::bench::suite::report {
namespace {

std::string on_machine(const Entry& e) {
    return std::to_string(e.machine) + '|' + std::to_string(e.threads) + '|' + e.work();
}

std::string weights_of(const Entry& e) { return e.marks.random ? "random" : "checkpoint"; }

/// `row` against `base`. How often the base takes the time of the row is compared(row, base).
Faster faster(const Entry& base, const Entry& row) { return {&base, &row, compared(row.samples, base.samples)}; }

/// Rows whose group is the same against the one whose name is `usual`, or else the first.
template <class Group, class Name>
std::vector<Faster> against(const Data& data, Group group_of, Name name_of_row, std::string_view usual) {
    std::map<std::string, std::vector<const Entry*>> groups;
    std::vector<const std::vector<const Entry*>*> order;
    for (const auto i : data.current) {
        const auto& e = data.entries[i];
        auto& group = groups[group_of(e)];
        if (group.empty()) order.push_back(&group);
        group.push_back(&e);
    }
    std::vector<Faster> found;
    for (const auto* group : order) {
        const Entry* base = group->front();
        for (const auto* e : *group)
            if (name_of_row(*e) == usual) base = e;
        for (const auto* e : *group)
            if (e != base) found.push_back(faster(*base, *e));
    }
    return found;
}

}  // namespace

std::vector<Faster> against_cpu(const Data& data) {
    std::map<std::string, std::vector<const Entry*>> of_cpu;
    for (const auto i : data.current)
        if (data.entries[i].on_cpu()) of_cpu[on_machine(data.entries[i])].push_back(&data.entries[i]);
    std::vector<Faster> found;
    for (const auto i : data.current) {
        const auto& e = data.entries[i];
        if (e.on_cpu() || e.marks.simulated) continue;
        const Entry* base = nullptr;
        const auto rank = [&](const Entry& cpu) {
            return cpu.precision == e.precision ? 2 : cpu.precision == "float32";
        };
        for (const auto* cpu : of_cpu[on_machine(e)])
            if (base == nullptr || rank(*cpu) > rank(*base)) base = cpu;
        if (base != nullptr) found.push_back(faster(*base, e));
    }
    return found;
}

std::vector<Faster> against_float32(const Data& data) {
    return against(
        data, [](const Entry& e) { return on_machine(e) + '|' + e.hardware + '|' + e.loader + '|' + weights_of(e); },
        [](const Entry& e) { return e.precision_text(); }, "float32");
}

std::vector<Faster> against_mapped(const Data& data) {
    return against(
        data,
        [](const Entry& e) {
            return on_machine(e) + '|' + e.hardware + '|' + e.precision_text() + '|' + weights_of(e);
        },
        [](const Entry& e) { return e.loader; }, "mapped");
}

}  // namespace silica::bench::suite::report
