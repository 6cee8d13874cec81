#include "suite/rows_progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <sys/ioctl.h>
#include <unistd.h>

namespace silica::bench::suite {

std::string duration_text(double seconds) {
    const auto s = static_cast<long long>(std::ceil(std::max(0.0, seconds)));
    if (s < 90) return std::to_string(s) + " s";
    const auto minutes = (s + 59) / 60;
    if (minutes < 60) return std::to_string(minutes) + " min";
    return std::to_string(minutes / 60) + " h" + (minutes % 60 > 0 ? " " + std::to_string(minutes % 60) + " min" : "");
}

RowsProgress::RowsProgress(std::size_t all, std::size_t done) : all_(all), done_(done), terminal_(::isatty(2) == 1) {}

RowsProgress::~RowsProgress() { clear(); }

void RowsProgress::clear() {
    if (terminal_) std::fputs("\r\033[K", stderr);
}

std::string RowsProgress::place() const {
    std::string text = std::to_string(done_ + 1) + "/" + std::to_string(all_);
    if (measured_ > 0)
        text += ", about " +
                duration_text(seconds_ / static_cast<double>(measured_) * static_cast<double>(all_ - done_)) + " left";
    return text;
}

void RowsProgress::begin(const std::string& title) {
    title_ = title;
    doing_.clear();
    began_ = Clock::now();
    if (terminal_)
        draw();
    else
        std::fprintf(stderr, "[%s] %s\n", place().c_str(), title_.c_str());
}

void RowsProgress::doing(const std::string& what) {
    doing_ = what;
    if (terminal_) draw();
}

void RowsProgress::tick() {
    if (terminal_ && Clock::now() - drawn_ >= std::chrono::seconds(1)) draw();
}

void RowsProgress::draw() {
    drawn_ = Clock::now();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(drawn_ - began_).count();
    std::string line = "[" + place() + "] " + title_ + (doing_.empty() ? "" : ": " + doing_);
    if (seconds > 0) line += " " + std::to_string(seconds) + " s";
    winsize size{};
    if (::ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && line.size() >= size.ws_col)
        line.resize(size.ws_col - 1U);  // a line that wraps could not be wiped
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
}

void RowsProgress::end() {
    seconds_ += std::chrono::duration<double>(Clock::now() - began_).count();
    ++measured_;
    ++done_;
}

}  // namespace silica::bench::suite
