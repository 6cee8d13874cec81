#pragma once
/// How far the rows are, on stderr: one line that changes on a terminal, a line for each row elsewhere.

#include <chrono>
#include <cstddef>
#include <string>

namespace silica::bench::suite {

/// "40 s", "3 min", "1 h 20 min".
[[nodiscard]] std::string duration_text(double seconds);

class RowsProgress {
public:
    /// Of `all` rows `done` are behind us.
    RowsProgress(std::size_t all, std::size_t done);
    ~RowsProgress();
    RowsProgress(const RowsProgress&) = delete;
    RowsProgress& operator=(const RowsProgress&) = delete;

    /// A row begins.
    void begin(const std::string& title);
    /// What its process does now.
    void doing(const std::string& what);
    /// Time goes by.
    void tick();
    /// The row is done.
    void end();
    /// Makes room for a line of another kind.
    void clear();

    /// "3/14, about 40 s left": the row at work, and the time of those so far times those to come.
    [[nodiscard]] std::string place() const;

private:
    using Clock = std::chrono::steady_clock;
    void draw();

    std::size_t all_, done_, measured_ = 0;
    double seconds_ = 0;  ///< of the rows measured here
    std::string title_, doing_;
    Clock::time_point began_, drawn_;
    bool terminal_;
};

}  // namespace silica::bench::suite
