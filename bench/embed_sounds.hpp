#pragma once
/// `silica embed` for sounds.

#include <cstdint>
#include <string>
#include <vector>

#include "host_model.hpp"
#include "models.hpp"

namespace silica::bench {

/// The head that gives vectors of sounds, where the checkpoint is of an audio model; null where it is not.
[[nodiscard]] const Head* sound_embedder_of(const Subject& subject);

/// Prints a line for each file, as of pictures. What is drawn for them is drawn from numpy.random.seed(seed), in the
/// order of the files. The exit code of the program.
[[nodiscard]] int embed_sounds(const Subject& subject, const Head& head, const PlaceFlags& place, const Device& device,
                               const std::vector<std::string>& files, std::int64_t batch_size, std::uint32_t seed);

}  // namespace silica::bench
