#pragma once
/// `silica embed` for pictures.

#include <filesystem>
#include <string>
#include <vector>

#include "host_model.hpp"
#include "models.hpp"

namespace silica::bench {

/// The head that gives vectors of pictures, where the checkpoint is of a vision model; null where it is not.
[[nodiscard]] const Head* image_embedder_of(const Subject& subject);

/// Prints a line for each file: {"files": [...], "embedding": [...]}, or an error. The exit code of the program.
[[nodiscard]] int embed_images(const Subject& subject, const Head& head, const PlaceFlags& place, const Device& device,
                               const std::vector<std::string>& files, std::int64_t batch_size);

}  // namespace silica::bench
