#pragma once
/// A program that is run for one row, apart from this one: whatever becomes of it, this one goes on.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::bench::suite {

/// Where a child writes its lines; its standard output is this program's standard error.
inline constexpr int answer_descriptor = 3;

/// What to run.
struct Child {
    std::filesystem::path program;
    std::vector<std::string> arguments;
    std::string line;      ///< that it is given on standard input, which then stays open for as long as we live
    double limit_s = 600;  ///< then it is killed
};

/// How a child ended.
struct Ended {
    enum class How {
        answered,   ///< it gave its answer; whatever came after it
        exited,     ///< without one, with exit code `code`
        killed,     ///< without one, by signal `code`
        timed_out,  ///< after `limit_s`
        stopped,    ///< because we were told to
    };
    How how = How::exited;
    int code = 0;
    double seconds = 0;          ///< from start to end
    bool out_of_memory = false;  ///< it was killed, and the system says that it kills for want of memory
};

/// Runs a child until it ends, with everything it started. `heard` is given each line it writes to answer_descriptor
/// and says whether that is the answer; `stop` is asked several times a second whether to end it. InputError where it
/// cannot be started.
[[nodiscard]] Ended run_child(const Child& child, const std::function<bool(std::string_view line)>& heard,
                              const std::function<bool()>& stop);

/// This program's own file, to run it again: also where it was replaced meanwhile.
[[nodiscard]] std::filesystem::path own_program();

/// In a child: ends the process when standard input ends, which is when whoever started it is gone.
void end_with_parent();

/// "SIGSEGV, invalid memory reference".
[[nodiscard]] std::string signal_name(int signal);

}  // namespace silica::bench::suite
