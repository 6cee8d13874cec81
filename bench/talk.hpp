#pragma once
/// Talking with a model from a terminal, and what its answers print.

#include <functional>
#include <string>

#include "silica/generate/generated.hpp"

namespace silica::bench {

/// Text on standard output as it comes, until the user interrupts (in `talk`).
bool print_piece(const generate::Token& token);

/// How fast it was, on stderr.
void print_speed(const generate::Generated& out);

/// Turn by turn: lines from standard input, each to `answer`; those that begin with / to `command` first, which says
/// whether they are one. An error of either is printed and ends nothing. Control-C ends an answer, and the program
/// where there is none; /exit and the end of the input end the talk. Returns Exit::done.
int talk(const std::string& greeting, const std::function<bool(const std::string&)>& command,
         const std::function<void(const std::string&)>& answer);

}  // namespace silica::bench
