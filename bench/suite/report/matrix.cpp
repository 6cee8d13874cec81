#include "suite/report/matrix.hpp"

#include <algorithm>
#include <unordered_map>

namespace silica::bench::suite::report {
namespace {

/// Names in the order of `known`, then the others as they come.
class Names {
public:
    explicit Names(const std::vector<Known::Name>& known) {
        for (const auto& k : known) static_cast<void>(place(k.name));
    }
    std::size_t place(const std::string& name) {
        const auto [at, fresh] = places_.emplace(name, names_.size());
        if (fresh) names_.push_back(name);
        return at->second;
    }
    [[nodiscard]] const std::vector<std::string>& all() const { return names_; }

private:
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::size_t> places_;
};

bool compiled(const std::vector<Known::Name>& known, const std::string& name) {
    const auto found = std::ranges::find(known, name, &Known::Name::name);
    return found == known.end() || found->compiled;
}

bool not_compiled(const Entry& e) {
    return e.state == State::unavailable && e.reason.find("compiled") != std::string::npos;
}

Support support_of(const MatrixCell& cell, bool left, bool unavailable, bool without) {
    if (cell.measured > 0) return left ? Support::with_fallbacks : Support::native;
    if (cell.failed > 0) return Support::failed;
    if (unavailable) return Support::not_available;
    return without ? Support::not_compiled : Support::not_run;
}

}  // namespace

std::string_view name_of(Support support) {
    switch (support) {
        case Support::native:
            return "native";
        case Support::with_fallbacks:
            return "with fallbacks";
        case Support::failed:
            return "failed";
        case Support::not_available:
            return "not available";
        case Support::not_compiled:
            return "not compiled";
        case Support::not_run:
            break;
    }
    return "not run";
}

std::string MatrixCell::text() const {
    std::string out = (simulated ? "simulated, " : "") + std::string(name_of(support));
    if (measured > 0 && failed > 0)
        out += " (" + std::to_string(failed) + " of " + std::to_string(rows) + " rows failed)";
    return out;
}

bool Matrix::has_rows(std::size_t device) const {
    for (std::size_t f = 0; f < families.size(); ++f)
        for (std::size_t p = 0; p < precisions.size(); ++p)
            if (at(f, device, p).rows > 0) return true;
    return false;
}

Matrix matrix_of(const Data& data) {
    Names families(data.known.families), hardware(data.known.hardware), precisions(data.known.precisions);
    for (const auto i : data.reported) {
        const auto& e = data.entries[i];
        static_cast<void>(families.place(e.family));
        static_cast<void>(hardware.place(e.asked_hardware));
        static_cast<void>(precisions.place(e.precision));
    }
    Matrix m{families.all(), hardware.all(), precisions.all(), {}};
    struct Seen {
        bool left = false, unavailable = false, without = false;
    };
    m.cells.resize(m.families.size() * m.hardware.size() * m.precisions.size());
    std::vector<Seen> seen(m.cells.size());
    const auto place = [&](std::size_t f, std::size_t d, std::size_t p) {
        return (f * m.hardware.size() + d) * m.precisions.size() + p;
    };
    for (const auto i : data.reported) {
        const auto& e = data.entries[i];
        const auto at =
            place(families.place(e.family), hardware.place(e.asked_hardware), precisions.place(e.precision));
        auto& cell = m.cells[at];
        ++cell.rows;
        cell.simulated = cell.simulated || e.marks.simulated;
        if (e.measured() && e.hardware == e.asked_hardware) {
            ++cell.measured;
            cell.marks = cell.marks | e.marks;
            seen[at].left = seen[at].left || std::ranges::any_of(e.fallbacks, &FallbackOf::left);
        } else if (not_compiled(e)) {
            seen[at].without = true;
        } else if (e.state == State::unavailable) {
            seen[at].unavailable = true;
        } else if (e.state != State::pending && e.state != State::running && e.state != State::stopped) {
            ++cell.failed;
        }
    }
    for (std::size_t f = 0; f < m.families.size(); ++f)
        for (std::size_t d = 0; d < m.hardware.size(); ++d)
            for (std::size_t p = 0; p < m.precisions.size(); ++p) {
                auto& cell = m.cells[place(f, d, p)];
                const auto& s = seen[place(f, d, p)];
                const bool without =
                    s.without || (cell.rows == 0 && !(compiled(data.known.families, m.families[f]) &&
                                                      compiled(data.known.hardware, m.hardware[d]) &&
                                                      compiled(data.known.precisions, m.precisions[p])));
                cell.support = support_of(cell, s.left, s.unavailable, without);
            }
    return m;
}

}  // namespace silica::bench::suite::report
