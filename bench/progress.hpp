#pragma once
/// What happens now, on stderr: a bar on a terminal, a line per step elsewhere.

#include <cstddef>
#include <string>

namespace silica::bench {

/// One step of work. The bar is wiped when the step ends.
class Progress {
public:
    /// `what` in a few words; `steps` until it is done.
    Progress(const std::string& what, std::size_t steps);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// `done` steps are behind us; `doing` says what comes ("loading", "warming up", "measuring").
    void at(std::size_t done, const std::string& doing);

private:
    std::string what_, doing_;
    std::size_t steps_, shown_ = 0;
    bool terminal_;
};

/// A line on stderr for the user.
void note(const std::string& text);

}  // namespace silica::bench
