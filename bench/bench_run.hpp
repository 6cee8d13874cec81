#pragma once
/// A run of `silica bench`: its rows measured, stored and printed.

#include <string>
#include <vector>

#include "job.hpp"
#include "report.hpp"
#include "suite/runner.hpp"

namespace silica::bench {

/// How the rows of a run are measured, kept and printed.
struct RunOptions {
    Flag store, name;
    bool no_store = false;
    suite::Shard shard = {};
    double limit_s = 600;
    Output output = Output::table;
};

/// Measures these jobs as a new run, and gives the exit code. InputError where --store names what is no store; where
/// the store that nobody named cannot be used, that is said, and nothing is kept.
int new_run(const std::vector<Job>& jobs, const Codes& codes, const RunOptions& options);

/// Goes on with a run that was not finished: `which` as Store::find, or empty for the last. InputError where there is
/// none, or it was begun on another machine.
int resume_run(const std::string& which, const RunOptions& options);

}  // namespace silica::bench
