#pragma once
/// `silica doctor --mps`: what is wrong with MPS on this machine, and which own kernels serve there.

#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "arguments.hpp"

namespace silica::bench {

/// Tries every known fault of MPS, keeps what kernels ask for, and prints it (table or json); with `to` the same goes
/// to a JSON file that can be sent in. `from` are such files of others: they are printed as theirs, and decide nothing.
/// Exit::no_hardware where there is no MPS, not even a simulated one, and nothing to print.
int check_mps(const std::string& to, const std::vector<std::string>& from, Output output);

/// What is known of own Metal kernels on this machine: {kernel, proven, error, seconds, reason} of each.
[[nodiscard]] nlohmann::ordered_json own_kernels_json();

/// The same in some lines, those that are off with the reason.
void print_own_kernels(std::ostream& out);

}  // namespace silica::bench
