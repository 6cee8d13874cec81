#pragma once
/// Puts a model on a device.

#include <memory>
#include <string>
#include <vector>

#include "models.hpp"
#include "silica/core/budget.hpp"

namespace silica::bench {

/// A model on a device, and what its loader had to say ("mapped failed (...); ").
struct Loaded {
    std::unique_ptr<Opened> model;
    std::vector<std::string> notes;
};

/// How weights are quantised from now on: by groups of how many columns (absent: 64), and whether products with them
/// take their inputs in 8 bits ("int8") or as they are ("exact"; absent). InputError for anything but these, and groups
/// of 32, 64, 128 and 0, the whole row, which goes with 8 bits.
void use_codes(const Flag& group, const Flag& activations);

/// The precision of a command line: what it names, else that of the checkpoint where its weights are codes, else the
/// device's own.
[[nodiscard]] std::string precision_for(const Flag& named, const Subject& subject, const Device& device);

/// The point of the grid of these names. InputError when the device does not run the precision.
[[nodiscard]] const Cell& cell_of(const Head& head, const Device& device, const std::string& precision,
                                  const std::string& loader);

/// Whether memory is looked at before anything is loaded, from now on: `--no-budget` turns it off.
void use_budget(bool looks);

/// What a model needs of memory in this point of the grid, of weights as they will be quantised, for inputs of these
/// sizes, or of what is usual. Throws what opening its files throws.
[[nodiscard]] Budget budget_of(const Head& head, const Cell& cell, const Origin& origin, const Sizes* sizes = nullptr);

/// The numbers of each precision compiled, as a device keeps them.
[[nodiscard]] std::vector<NamedForm> forms_on(const Device& device);

/// The model with the weights of its checkpoint, or random ones, for inputs of these sizes, or of what is usual. Throws
/// what opening a model throws, and DeviceError, with the choices that would fit, where it needs more memory than is
/// free.
[[nodiscard]] Loaded load(const Cell& cell, const Origin& origin, const Sizes* sizes = nullptr);

}  // namespace silica::bench
