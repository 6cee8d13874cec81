#pragma once
/// Which runs a command line names, in which stores and files.

#include <filesystem>
#include <string>
#include <vector>

#include "suite/report/data.hpp"

namespace silica::bench::suite::report {

/// The stores of a command line: those of --store, or the user's own.
class Sources {
public:
    /// Stores are opened when they are first looked into.
    explicit Sources(std::vector<std::filesystem::path> stores);

    /// The runs that `name` means: a file of JSON where there is one of that name; otherwise in each store the run of
    /// that number or name. InputError where no store has it.
    [[nodiscard]] std::vector<Source> named(const std::string& name);
    /// The newest run of each store, with the other shards of it. InputError where a store has no runs.
    [[nodiscard]] std::vector<Source> newest();
    /// Older runs of the opened stores on machines of the `reported` ones, newest first and without these: as many as a
    /// history shows.
    [[nodiscard]] std::vector<Source> earlier(const std::vector<Source>& reported);

private:
    std::vector<Store>& opened();
    [[nodiscard]] static Source source_of(const Store& store, Run run);

    std::vector<std::filesystem::path> files_;
    std::vector<Store> stores_;
};

}  // namespace silica::bench::suite::report
