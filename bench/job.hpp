#pragma once
/// Jobs and what was measured as JSON: between the program and the processes of its rows, and in the store.

#include <deque>

#include <nlohmann/json.hpp>

#include "measure.hpp"

namespace silica::bench {

/// What the command line says beside a job, and its process has to know too.
struct Codes {
    Flag group, activations, threads;
    bool no_budget = false;
};

/// All that is needed to do a job in another process, or another day. `hardware` is a device's name without
/// "(simulated)".
[[nodiscard]] nlohmann::ordered_json job_json(const Job& job, const Codes& codes);

/// Jobs out of JSON; holds the subjects that they point to. Jobs of one model point to one subject.
class Jobs {
public:
    /// InputError for what this program has not: a family, a device, a task.
    [[nodiscard]] Job of(const nlohmann::ordered_json& json);

private:
    std::deque<Subject> subjects_;
};

[[nodiscard]] nlohmann::ordered_json measured_json(const Measured& m);
/// Throws what nlohmann throws for JSON of another form.
[[nodiscard]] Measured measured_from(const nlohmann::ordered_json& json);

/// The process of a row: does the job that is written on standard input, and says what came of it as suite/runner.hpp
/// has it.
int row_process();
/// What the program is called with for that.
inline constexpr std::string_view row_process_argument = "--measure-row";

/// Called by the process of a row before it begins, where it is set: the tests' program makes rows fail with it.
inline void (*before_row)(const nlohmann::ordered_json& job) = nullptr;

}  // namespace silica::bench
