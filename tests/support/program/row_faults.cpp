// Only in the tests' program: rows that fail as SILICA_TEST_ROW says, "<fault>" or "<fault>:<least batch>" with the
// faults crash, hang, memory, killed, exit; and "slow:<n>", which takes n seconds more.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <thread>

#include <unistd.h>

#include "job.hpp"

namespace {

void fail(const nlohmann::ordered_json& job) {
    const char* text = std::getenv("SILICA_TEST_ROW");
    if (text == nullptr) return;
    const std::string whole = text, fault = whole.substr(0, whole.find(':'));
    const double number = whole.size() > fault.size() ? std::atof(whole.c_str() + fault.size() + 1) : 1;
    if (fault == "slow") return std::this_thread::sleep_for(std::chrono::duration<double>(number));
    if (job.value("batch", 1) < number) return;
    if (fault == "crash") {
        std::signal(SIGSEGV, SIG_DFL);  // a sanitizer would report it, and exit
        std::raise(SIGSEGV);
    }
    if (fault == "hang") ::pause();
    if (fault == "memory") throw std::bad_alloc();
    if (fault == "killed") std::raise(SIGKILL);
    if (fault == "exit") ::_exit(7);
}

[[maybe_unused]] const bool set = (silica::bench::before_row = fail, true);

}  // namespace
