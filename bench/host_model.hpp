#pragma once
/// An opened checkpoint as the tasks want a model: called with tensors by name, and what it gives lies on the host.

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "load.hpp"
#include "silica/core/error.hpp"
#include "silica/core/tensor.hpp"

namespace silica::bench {

/// The part of a command line that names a checkpoint, and where it runs.
struct PlaceFlags {
    std::string directory;
    Flag precision, group, activations, threads;
    std::string hardware = "cpu", loader = "mapped";
    bool memory_efficient = false, alternative_loading = false, no_budget = false;

    /// Adds the directory to a command, its first argument.
    void add_directory_to(Command& command);
    /// Adds what says where it runs.
    void add_to(Command& command);
    /// The one device they name, and LibTorch's threads set; null where it is not available, which is said on stderr.
    /// InputError for anything wrong.
    [[nodiscard]] const Device* device() const;
    /// The model in the directory. InputError, ConfigError or CheckpointError where there is none.
    [[nodiscard]] Subject subject() const;
    /// A head of that model, with its weights.
    [[nodiscard]] std::shared_ptr<Opened> open(const Subject& subject, const Head& head, const Device& device) const;
};

/// The model behind what a task calls. One caller at a time.
class HostModel {
public:
    explicit HostModel(std::shared_ptr<Opened> model) : model_(std::move(model)) {}

    /// The outputs of these names for these inputs, on the host; undefined where the architecture has none.
    [[nodiscard]] std::vector<Tensor> outputs(const Named& inputs, std::initializer_list<std::string_view> names) const;
    /// The output `name` alone, in float32. ConfigError where the architecture has none.
    [[nodiscard]] Tensor output(const Named& inputs, std::string_view name) const;

    /// The model is behind its own door, and what comes out of it lies on the host.
    template <class F>
    auto on_device(F&& f) const {
        return f();
    }

private:
    std::shared_ptr<Opened> model_;
};

}  // namespace silica::bench
