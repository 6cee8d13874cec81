#pragma once
/// An opened model as the tasks on pictures want one.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arguments.hpp"
#include "load.hpp"
#include "silica/core/error.hpp"
#include "silica/core/tensor.hpp"

namespace silica::bench {

/// The part of a command line that says where a model runs.
struct PlaceFlags {
    Flag precision, group, threads;
    std::string hardware = "cpu", loader = "mapped";

    /// Adds them to a command.
    void add_to(Command& command);
    /// The one device they name, and LibTorch's threads set; null where it is not available, which is said on stderr.
    /// InputError for anything wrong.
    [[nodiscard]] const Device* device() const;
    /// A head of the model in a directory, with its weights.
    [[nodiscard]] std::shared_ptr<Opened> open(const Subject& subject, const Head& head, const Device& device) const;
};

/// A model that looks at pictures; what it gives lies on the host. One caller at a time.
class ImageModel {
public:
    struct Inputs {
        Tensor pixel_values;
    };
    struct Outputs {
        Tensor logits;
    };

    explicit ImageModel(std::shared_ptr<Opened> model) : model_(std::move(model)) {}

    /// The output `name` for these inputs, on the host; ConfigError where the architecture has none.
    [[nodiscard]] Tensor output(const Named& inputs, const std::string& name) const;
    Outputs operator()(const Inputs& in) const { return {output({{"pixel_values", in.pixel_values}}, "logits")}; }

    /// The model is behind its own door.
    template <class F>
    auto on_device(F&& f) const {
        return f();
    }

private:
    std::shared_ptr<Opened> model_;
};

}  // namespace silica::bench
