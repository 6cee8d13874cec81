#include "progress.hpp"

#include <algorithm>
#include <cstdio>

#include <unistd.h>

#include "errors.hpp"

namespace silica::bench {

Progress::Progress(const std::string& what, std::size_t steps)
    : what_(printable(what)), steps_(std::max<std::size_t>(steps, 1)), terminal_(isatty(STDERR_FILENO) == 1) {
    if (!terminal_) std::fprintf(stderr, "%s\n", what_.c_str());
}

Progress::~Progress() {
    if (terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::at(std::size_t done, const std::string& doing) {
    if (!terminal_) return;
    constexpr std::size_t width = 24;
    const std::size_t filled = std::min(done, steps_) * width / steps_;
    if (doing == doing_ && filled == shown_) return;
    doing_ = doing;
    shown_ = filled;
    const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
    std::fprintf(stderr, "\r\033[K%s  [%s] %s", what_.c_str(), bar.c_str(), doing.c_str());
    std::fflush(stderr);
}

void note(const std::string& text) { std::fprintf(stderr, "%s\n", printable(text).c_str()); }

}  // namespace silica::bench
