#pragma once
/// Writes a checkpoint again with quantised weights, in MLX's form, which Silica and MLX read.

#include "silica/checkpoint/checkpoint.hpp"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

namespace silica::loader {

/// What was written.
struct QuantisedCheckpoint {
    std::int64_t quantised = 0, kept = 0;       ///< matrices in codes, other tensors
    std::uint64_t bytes_before = 0, bytes = 0;  ///< of all tensors
};

/// Throws ConfigError for weights that are codes already.
void require_plain(const checkpoint::Checkpoint& files);

/// Writes `files` to the directory `to`, which must not exist, whole or not at all: the matrices named (see
/// Budget::in_codes), whose columns are whole groups, in `bits` by groups of `group`; other tensors and files
/// as they are; config.json with what MLX puts there. With `budget` it looks first whether there is memory for the
/// largest tensor and its codes, and room on the disk for all of it. Throws InputError for arguments that are wrong,
/// DeviceError where memory is not enough, CheckpointError where the disk is not and where reading or writing fails.
QuantisedCheckpoint quantise_checkpoint(const checkpoint::Checkpoint& files, const std::set<std::string>& matrices,
                                        int bits, std::int64_t group, const std::filesystem::path& to,
                                        bool budget = true);

}  // namespace silica::loader

#ifndef SILICA_COMPILED
#include "silica/loader/quantise_checkpoint.ipp"
#endif
