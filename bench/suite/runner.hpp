#pragma once
/// Measures the rows of a run one after the other, each in a process of its own, and stores each as it is done.

#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "suite/store.hpp"

namespace silica::bench::suite {

/// A child says {"doing": "loading"} as often as it likes, then once {"result": {...}}, or {"problem": "a sentence",
/// "out_of_memory": false}. `known` of a result ("bandwidth", ...) is given to the children after it.
struct Rows {
    std::filesystem::path program;  ///< that measures the job it reads from standard input
    std::vector<std::string> arguments;
    double limit_s = 600;  ///< of each attempt
    /// Fills row, samples and marks of a row that was measured, or `row` of one that was not (then `result` is null).
    std::function<void(StoredRow& row, const nlohmann::ordered_json* result)> fill;
    /// Is told of each row that is done.
    std::function<void(const StoredRow& row)> done;
    /// The signal that says to stop, or 0.
    std::function<int()> stop;
    /// Says a sentence to the user.
    std::function<void(const std::string& sentence)> say;
    nlohmann::ordered_json known = nlohmann::ordered_json::object();
};

/// Measures what is not done of `rows`, with progress on stderr. Out of memory goes down the ladder: half the batch,
/// and again, then the CPU; what came of it is in the row's marks and in row["ladder"], and its key says as what it was
/// measured. Each state is stored at once; a store that fails is said once and then done without. False when it was
/// stopped: then the row at work is `stopped`, and those after it are as they were.
[[nodiscard]] bool measure_rows(std::vector<StoredRow>& rows, std::optional<Store>& store, Rows& how);

/// Whether a row has still to be measured.
[[nodiscard]] bool is_open(State state);

/// The next rung below `job`, which came from `asked`: half the batch, or the CPU with all of it. Nothing below that.
[[nodiscard]] std::optional<nlohmann::ordered_json> rung_below(const nlohmann::ordered_json& job,
                                                               const nlohmann::ordered_json& asked);

/// "bert-tiny embed, cpu float32, random weights, batch 1, 128 tokens".
[[nodiscard]] std::string title_of(const nlohmann::ordered_json& job);

/// Every n-th row from the i-th: what `--shard i/n` measures. InputError for anything but 1 <= i <= n <= 100000.
struct Shard {
    std::size_t i = 1, n = 1;
};
[[nodiscard]] Shard shard_named(std::string_view text);

/// While it lives, SIGINT, SIGTERM and SIGHUP are noted and do no more.
class StopSignals {
public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;
    /// The first of them that came; 0 where none did.
    [[nodiscard]] static int received();

private:
    struct sigaction had_[3];
};

/// A run is measured by one process at a time: a file beside the store, locked while this lives and gone afterwards.
/// InputError where another process has it.
class RunLock {
public:
    RunLock(const std::filesystem::path& store, std::int64_t run);
    ~RunLock();
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;

private:
    [[nodiscard]] int open_file() const;

    std::filesystem::path file_;
    int descriptor_;
};

}  // namespace silica::bench::suite
