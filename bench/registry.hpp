#pragma once
/// What the program can run, with the types forgotten: families, their heads, and for each head the grid of devices,
/// precisions and loaders that was compiled. Start reading here; `grid.hpp` makes it from types.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "silica/checkpoint/account.hpp"
#include "silica/core/budget.hpp"
#include "silica/device/concept.hpp"
#include "sizes.hpp"

// Most of the program names tensors without looking into them; ATen would double its time to compile.
namespace at {
class Tensor;
}
namespace silica::checkpoint {
class Checkpoint;
class TensorSource;
}  // namespace silica::checkpoint
namespace silica::generate {
class Decoder;
class SpeechModel;
}  // namespace silica::generate

namespace silica::bench {

/// Tensors by field name: "input_ids", and "hidden_states.0" for the items of a list.
using Named = std::vector<std::pair<std::string, at::Tensor>>;

/// Where a model comes from.
struct Origin {
    std::string name;                      ///< what outputs call it
    std::filesystem::path directory = {};  ///< that holds config.json, and the weights if there are any; may be empty
    std::string_view config = {};          ///< the text of config.json where there is no directory
    bool weights = false;                  ///< false: random weights
    std::string target_lang = {};          ///< whose adapter is opened; empty: what the weights hold
    std::int64_t group = 64;               ///< columns that share a scale, where weights are quantised
    int bits = 0;                          ///< and of how many bits their codes are
    bool int8_activations = false;         ///< whether products with codes take inputs of 8 bits
};

/// A network with its weights on a device.
class Opened {
public:
    Opened() = default;
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    virtual ~Opened() = default;

    [[nodiscard]] virtual const LoadingAccount& account() const = 0;
    /// Takes the inputs of the calls that follow. InputError for a field that the architecture does not have.
    virtual void feed(const Named& inputs) = 0;
    /// One forward pass. Its outputs stay on the device until the next.
    virtual void call() = 0;
    /// The outputs of the last call.
    [[nodiscard]] virtual Named outputs() const = 0;
    /// Waits until the device has done all it was given.
    virtual void synchronize() = 0;
    /// How it writes text: prefill, steps, caches (silica/generate/decoder.hpp). Null for a model that does not.
    [[nodiscard]] virtual generate::Decoder* decoder() = 0;
    /// How it hears (silica/generate/speech/speech_model.hpp). Null for a model that does not.
    [[nodiscard]] virtual generate::SpeechModel* speech() = 0;
};

/// Builds a network from tensors.
using Build = std::function<std::unique_ptr<Opened>(checkpoint::TensorSource&)>;

/// Where one op of a network runs: silica::Placed, without its headers.
struct OpPlace {
    std::string_view op, device;
    bool native, may_decline;
};

/// One way to load: its name, and what builds a network from a checkpoint with it.
struct LoaderWay {
    std::string_view name;
    std::unique_ptr<Opened> (*load)(const checkpoint::Checkpoint&, const Build&);
};

/// One point of the grid: a network on a device in a precision, and a way to load it.
struct Cell {
    std::string_view device, precision, loader;
    std::unique_ptr<Opened> (*open)(const Origin&, checkpoint::TensorSource&);
    std::unique_ptr<Opened> (*load)(const checkpoint::Checkpoint&, const Build&);
    std::vector<OpPlace> (*placement)();                    ///< where each op runs
    void (*speak)(const Origin&, checkpoint::Checkpoint&);  ///< puts the adapter of target_lang in its place
    int bits = 0;                                           ///< of the codes of quantised weights; 0: they are plain
    /// What it needs of memory, for inputs and a state of that many rows and tokens (0: none); no files: random
    /// weights.
    Budget (*budget)(const Origin&, const checkpoint::Checkpoint* files, const Named& inputs, std::int64_t rows,
                     std::int64_t tokens) = nullptr;
};

/// A family's body with one head: what `--task` and `architectures` choose.
struct Head {
    std::string_view task, architecture;
    /// In what its inputs are measured, and what is usual for this configuration.
    NamedSizes (*usual_sizes)(const Origin&);
    /// Inputs for measuring, checked against the configuration. Pseudo-random: their values do not change the time.
    Named (*inputs)(const Origin&, const Sizes&);
    std::vector<Cell> cells;
    /// Whether it opens configurations of this model_type: a head of a part does those of the part and of the whole.
    bool (*opens)(std::string_view model_type);
    /// How many tokens are usual to generate; 0 for a task that is one forward pass.
    std::int64_t usual_new_tokens = 0;
    /// Parameters that one step of generation reads; null where `usual_new_tokens` is 0.
    std::uint64_t (*step_parameters)(const Origin&) = nullptr;

    /// The point of the grid of these names; null when it was not compiled.
    [[nodiscard]] const Cell* cell(std::string_view device, std::string_view precision, std::string_view loader) const;
};

/// A published model: its name on the hub and its configuration, so that it can be measured without its files.
struct Published {
    std::string_view name, repo, config;
    std::uint64_t item = 4;  ///< bytes of a number in its files
};

/// One model_type.
struct Family {
    std::string_view name;
    std::vector<Published> models;  ///< the first is what `--model <family>` means, the last what --small-model means
    std::vector<Head> heads;        ///< the first is the default
    /// Whether a checkpoint whose config.json has no model_type is of this family.
    bool (*recognises)(const checkpoint::Checkpoint&) = nullptr;
};

/// A device compiled into the program.
struct Device {
    std::string_view name, default_precision;
    c10::DeviceType type;
    Availability (*available)();
    DeviceMemory (*memory)();
    const char* (*simulated)();  ///< what simulates it; null when it is real
    Room (*room)();              ///< what is free on it

    /// "cuda", "mps (simulated)": the name that every output prints.
    [[nodiscard]] std::string label() const;
};

/// Families, devices and precisions of this program, in the order of its configuration.
[[nodiscard]] const std::vector<Family>& families();
[[nodiscard]] const std::vector<Device>& devices_compiled();
[[nodiscard]] const std::vector<std::string_view>& precisions_compiled();
[[nodiscard]] const std::vector<std::string_view>& loaders_compiled();
[[nodiscard]] const std::vector<LoaderWay>& loader_ways();

/// The families whose source this version has, compiled or not.
[[nodiscard]] const std::vector<std::string_view>& families_written();

/// The version of Silica, CMake's build type, and the compiler with its version.
struct BuildFacts {
    std::string_view version, build_type, compiler;
};
[[nodiscard]] BuildFacts build_facts();

/// The device of that name; null when it was not compiled.
[[nodiscard]] const Device* find_device(std::string_view name);
/// The family of that name; null when it was not compiled.
[[nodiscard]] const Family* find_family(std::string_view name);

}  // namespace silica::bench
