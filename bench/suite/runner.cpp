#include "suite/runner.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "sizes.hpp"
#include "suite/process.hpp"
#include "suite/rows_progress.hpp"

namespace silica::bench::suite {
namespace {

using nlohmann::ordered_json;

volatile std::sig_atomic_t signal_received = 0;

extern "C" void note_signal(int signal) {
    if (signal_received == 0) signal_received = signal;
}

/// What one process made of a job.
struct Attempt {
    State state = State::failed;
    std::string reason;
    ordered_json result;
};

std::string seconds_text(double seconds) {
    const std::string text = std::to_string(std::round(1000 * seconds) / 1000);
    auto end = text.find_last_not_of('0') + 1;
    if (end > 0 && text[end - 1] == '.') --end;
    return text.substr(0, end);
}

Attempt attempt(const ordered_json& job, const Rows& how, RowsProgress& progress) {
    ordered_json answer;
    const auto heard = [&](std::string_view line) {
        auto said = ordered_json::parse(line.begin(), line.end(), nullptr, false);
        if (!said.is_object()) return false;
        if (said.contains("doing") && said["doing"].is_string()) progress.doing(said["doing"].get<std::string>());
        if (!said.contains("result") && !said.contains("problem")) return false;
        answer = std::move(said);
        return true;
    };
    const auto stop = [&] {
        progress.tick();
        return how.stop() != 0;
    };
    ordered_json given = job;
    if (!how.known.empty()) given["known"] = how.known;
    const Child child{how.program, how.arguments, given.dump(-1, ' ', false, ordered_json::error_handler_t::replace),
                      how.limit_s};
    const Ended ended = run_child(child, heard, stop);
    switch (ended.how) {
        case Ended::How::answered:
            if (answer.contains("result")) return {State::measured, {}, std::move(answer["result"])};
            return {answer.value("out_of_memory", false) ? State::out_of_memory : State::failed,
                    answer.value("problem", ""),
                    {}};
        case Ended::How::exited:
            return {State::crashed,
                    "Its process ended with exit code " + std::to_string(ended.code) +
                        " and without a result. Remedy: "
                        "see what it printed above.",
                    {}};
        case Ended::How::killed:
            if (ended.code == SIGKILL) {
                return {State::out_of_memory,
                        std::string("Its process was killed, ") +
                            (ended.out_of_memory ? "because memory ran out."
                                                 : "as systems do when memory runs out (SIGKILL).") +
                            " Remedy: use --loader streamed, a smaller precision, model or batch.",
                        {}};
            }
            return {State::crashed,
                    "Its process crashed (" + signal_name(ended.code) +
                        "). Remedy: report it, with the command and the machine; the other rows are not touched by it.",
                    {}};
        case Ended::How::timed_out:
            return {State::timed_out,
                    "It was not done after " + seconds_text(how.limit_s) +
                        " s. Remedy: give it longer with --row-time-limit, or measure a smaller model.",
                    {}};
        case Ended::How::stopped:
            return {State::stopped, "It was stopped. Remedy: `silica bench --resume` goes on with it.", {}};
    }
    return {};
}

/// Measures one row, down the ladder as far as it has to.
const ordered_json* measure_row(StoredRow& row, const Rows& how, RowsProgress& progress, Attempt& last) {
    ordered_json job = row.job, ladder = ordered_json::array();
    std::string first_reason;
    for (;;) {
        last = attempt(job, how, progress);
        if (last.state != State::out_of_memory) break;
        if (first_reason.empty()) first_reason = last.reason;
        ladder.push_back({{"hardware", job["hardware"]}, {"batch", job["batch"]}, {"reason", last.reason}});
        const auto below = rung_below(job, row.job);
        if (!below) break;
        job = *below;
        progress.doing("no memory for that; trying " + title_of(job));
    }
    // What was tried further down and failed for another reason is no answer to what was asked.
    row.state = !ladder.empty() && last.state != State::measured && last.state != State::stopped ? State::out_of_memory
                                                                                                 : last.state;
    row.reason = row.state == State::out_of_memory ? first_reason : last.reason;
    const ordered_json* result = row.state == State::measured ? &last.result : nullptr;
    row.marks.clear();
    if (result != nullptr && !ladder.empty()) {
        last.result["measured_as"] = {
            {"hardware", job["hardware"]}, {"simulated", job["simulated"]}, {"batch", job["batch"]}};
        if (job["batch"] != row.job["batch"]) row.marks.emplace_back("smaller batch");
        if (job["hardware"] != row.job["hardware"]) row.marks.emplace_back("on the cpu instead");
        row.key = key_of(row.job) + "|as " + job["hardware"].get<std::string>() + " batch " + job["batch"].dump();
    }
    how.fill(row, result);
    if (!ladder.empty()) row.row["ladder"] = ladder;
    return result;
}

/// Stores something; the first failure is said, and the store is then done without.
template <class F>
void keep(std::optional<Store>& store, const Rows& how, RowsProgress& progress, F&& f) {
    if (!store) return;
    try {
        f(*store);
    } catch (const InputError& e) {
        progress.clear();
        how.say(std::string(e.what()) + " What is measured from here on is not stored.");
        store.reset();
    }
}

}  // namespace

bool is_open(State state) { return state == State::pending || state == State::running || state == State::stopped; }

std::optional<ordered_json> rung_below(const ordered_json& job, const ordered_json& asked) {
    ordered_json below = job;
    const auto batch = job.value("batch", std::int64_t{1});
    if (batch > 1) {
        below["batch"] = batch / 2;
        return below;
    }
    if (job.value("hardware", "cpu") == "cpu") return std::nullopt;
    below["hardware"] = "cpu";
    below["simulated"] = false;
    below["batch"] = asked.value("batch", std::int64_t{1});
    return below;
}

std::string title_of(const ordered_json& job) {
    const auto text = [&](const char* field) { return job.value(field, std::string()); };
    std::string title = text("model") + " " + text("task") + ", " + text("hardware") +
                        (job.value("simulated", false) ? " (simulated)" : "") + " " + text("precision") + ", " +
                        (text("weights") == "random" ? "random weights" : text("loader")) + ", batch " +
                        std::to_string(job.value("batch", std::int64_t{1}));
    const auto sizes = job.value("sizes", ordered_json::object());
    for (const auto& kind : size_kinds) {
        const auto n = sizes.value(std::string(kind.name), std::int64_t{0});
        if (n > 0) title += ", " + std::string(kind.column) + " " + std::to_string(n);
    }
    return title;
}

bool measure_rows(std::vector<StoredRow>& rows, std::optional<Store>& store, Rows& how) {
    const auto open = static_cast<std::size_t>(std::ranges::count_if(rows, is_open, &StoredRow::state));
    RowsProgress progress(rows.size(), rows.size() - open);
    for (auto& row : rows) {
        if (!is_open(row.state)) continue;
        if (how.stop() != 0) return false;
        row.state = State::running;
        keep(store, how, progress, [&](Store& s) { s.update(row); });
        progress.begin(title_of(row.job));
        Attempt last;
        const auto start = std::chrono::steady_clock::now();
        const auto* result = measure_row(row, how, progress, last);
        row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (result != nullptr && result->contains("known") && (*result)["known"].is_object())
            how.known.update((*result)["known"]);
        keep(store, how, progress, [&](Store& s) { s.update(row, result); });
        progress.clear();
        if (row.state == State::stopped) return false;
        how.done(row);
        progress.end();
    }
    return true;
}

Shard shard_named(std::string_view text) {
    Shard shard;
    const auto slash = text.find('/');
    const auto number = [&](std::string_view part, std::size_t& n) {
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), n);
        return error == std::errc{} && end == part.data() + part.size();
    };
    if (slash == std::string_view::npos || !number(text.substr(0, slash), shard.i) ||
        !number(text.substr(slash + 1), shard.n) || shard.i < 1 || shard.i > shard.n || shard.n > 100'000) {
        throw InputError("--shard is " + quote(text) + ".", "give i/n, the i-th of n parts: 1/4, 2/4, 3/4 or 4/4.");
    }
    return shard;
}

StopSignals::StopSignals() {
    signal_received = 0;
    struct sigaction action{};
    action.sa_handler = note_signal;  // without SA_RESTART: who waits wakes up
    sigemptyset(&action.sa_mask);
    int i = 0;
    for (const int s : {SIGINT, SIGTERM, SIGHUP}) {
        ::sigaction(s, nullptr, &had_[i]);
        if (had_[i].sa_handler != SIG_IGN) ::sigaction(s, &action, nullptr);  // nohup stays nohup
        ++i;
    }
}

StopSignals::~StopSignals() {
    int i = 0;
    for (const int s : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(s, &had_[i++], nullptr);
}

int StopSignals::received() { return signal_received; }

RunLock::RunLock(const std::filesystem::path& store, std::int64_t run)
    : file_(store.string() + ".run-" + std::to_string(run) + ".lock"), descriptor_(open_file()) {
    struct stat ours{}, there{};
    for (;;) {
        if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            ::close(descriptor_);
            throw InputError("Run " + std::to_string(run) + " is being measured by another process.",
                             "wait for it, or end it; then again.");
        }  // a file system without locks is done without
        const bool same = ::fstat(descriptor_, &ours) == 0 && ::stat(file_.c_str(), &there) == 0 &&
                          ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
        if (same) return;
        ::close(descriptor_);  // who had it removed the file between our two calls
        descriptor_ = open_file();
    }
}

int RunLock::open_file() const {
    const int descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        throw InputError("The file " + quote(file_.string()) + " could not be made: " + std::strerror(errno) + ".",
                         "see to the permissions of its directory, or name a file elsewhere with --store.");
    }
    return descriptor;
}

RunLock::~RunLock() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
    ::close(descriptor_);
}

}  // namespace silica::bench::suite
