#pragma once
/// What a report is about: runs of one or several machines, and the rows in them.

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "suite/report/entry.hpp"
#include "suite/report/verdict.hpp"

namespace silica::bench::suite::report {

/// A run with its rows, and where it was read from.
struct Source {
    Run run;
    std::vector<StoredRow> rows;
    std::string place;  ///< the store or the JSON file
};

/// What the program that writes the report knows of, and which of that it has compiled in.
struct Known {
    struct Name {
        std::string name;
        bool compiled = false;
    };
    std::vector<Name> families, hardware, precisions;
};

/// One kind of machine: runs whose facts are equal share it.
struct Machine {
    std::string id;     ///< "M1"
    std::string label;  ///< "Apple M2 Pro, 10 cores, 16 GiB"
    nlohmann::ordered_json facts;
};

/// A run without its rows.
struct RunFacts {
    Run run;
    std::string place;
    std::string label;  ///< "run 3", "nightly (run 3)"; with its file where there are several
    std::size_t machine = 0;
    bool reported = true;                 ///< otherwise it is only there for the history
    std::array<std::size_t, 9> counts{};  ///< of rows, by State
};

/// Everything that a report says follows from this.
struct Data {
    std::vector<RunFacts> runs;  ///< oldest first
    std::vector<Machine> machines;
    std::vector<Entry> entries;         ///< of all runs, in their order
    std::vector<std::string> keys;      ///< of the entries: the machine and Entry::key()
    std::vector<std::size_t> reported;  ///< entries of the reported runs
    /// The newest measured one of each key among those; what comparisons of hardware, precisions and loaders are made
    /// of.
    std::vector<std::size_t> current;
    std::vector<Change> changes;  ///< of current ones against an earlier run
    std::string against;          ///< the label of the run that was named for that; empty: the newest earlier one
    double bound = usual_bound;
    Known known;
    bool several_threads = false;  ///< whether reported rows differ in their threads

    [[nodiscard]] bool several_machines() const { return machines.size() > 1; }
    [[nodiscard]] bool several_runs() const;
};

struct Question {
    std::vector<Source> reported;
    std::vector<Source> earlier = {};    ///< other runs, for the history
    std::optional<Source> against = {};  ///< what to test changes against; none: the newest earlier row of each key
    double bound = usual_bound;
    Known known = {};
};

/// Reads all rows and finds what belongs together.
[[nodiscard]] Data gathered(Question question);

/// A machine in a few words.
[[nodiscard]] std::string machine_label(const nlohmann::ordered_json& facts);

/// Entries of one order: by family, model, task, hardware, precision, loader, batch and sizes.
void sort_entries(const Data& data, std::vector<std::size_t>& which);

}  // namespace silica::bench::suite::report
