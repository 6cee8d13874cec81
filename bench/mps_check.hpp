#pragma once
/// `silica doctor --mps`: what is wrong with MPS on this machine, and which own kernels serve there.

#include <string>
#include <vector>

#include "arguments.hpp"

namespace silica::bench {

/// Tries every known fault of MPS, keeps what kernels ask for, and prints it (table or json); with `to` the same goes
/// to a JSON file that can be sent in. `from` are such files of others: they are printed as theirs, and decide nothing.
/// Exit::no_hardware where there is no MPS, not even a simulated one, and nothing to print.
int check_mps(const std::string& to, const std::vector<std::string>& from, Output output);

}  // namespace silica::bench
