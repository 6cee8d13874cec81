#pragma once
/// From what a user names as a model to a family, a configuration and weights.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "registry.hpp"

namespace silica::bench {

/// A model to run.
struct Subject {
    const Family* family = nullptr;
    Origin origin;
};

/// What `--model` names: "all", or with commas: families, published models ("bert-base-uncased"), repositories of the
/// hub cache, directories. `small` takes a family's small model. `checkpoint` gives the weights of the one model named
/// (of its own family when none is named). InputError, ConfigError or CheckpointError for anything wrong.
[[nodiscard]] std::vector<Subject> subjects_named(const Flag& models, bool small, const Flag& checkpoint);

/// The model in `directory`: its family as config.json says, or else as `family` says, or else as its tensors tell.
[[nodiscard]] Subject subject_in(const std::filesystem::path& directory, const Flag& family = {});

/// The head for a task; where none is given the family's first that opens the model_type of the subject's config.json.
/// InputError with the tasks there are.
[[nodiscard]] const Head& head_for_task(const Subject& subject, const Flag& task);

/// The head that `architectures` in config.json names; when the key is absent, as head_for_task. ConfigError.
[[nodiscard]] const Head& head_for_checkpoint(const Subject& subject);

/// The head of this architecture. ConfigError where the family has none, or this program.
[[nodiscard]] const Head& head_named(const Subject& subject, std::string_view architecture);

/// Throws ConfigError: the head that config.json names is one "which <does not do what is wanted>".
[[noreturn]] void refuse_head(const Subject& subject, const Head& head, const std::string& why,
                              const std::string& remedy);

}  // namespace silica::bench
