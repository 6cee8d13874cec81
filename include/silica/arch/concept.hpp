#pragma once
/// What an architecture states. Smallest example: arch::Bert in arch/bert.hpp.

#include "silica/checkpoint/names.hpp"
#include "silica/checkpoint/weights.hpp"
#include "silica/core/reflect.hpp"
#include "silica/op/concept.hpp"

#include <concepts>
#include <string>
#include <string_view>

namespace silica {

/// An architecture: a family's body with one head.
/// - `family`: the `model_type` of config.json; `name`: the class that `architectures` names.
/// - `Config`, `Inputs`, `Outputs`: structs that Hana reflects, with the field names of Hugging Face.
/// - `check(config, file)`: throws ConfigError for values that contradict each other or are not supported.
/// - `prepare(config, inputs)`: throws InputError for wrong inputs; returns what the network is called with.
/// - `names`: the spellings of its checkpoints.
/// - `Network<Exec>`: built from (config, weights), called with inputs; `Network<Exec>::Ops` lists all ops it may call.
template <class A>
concept Architecture =
    Reflected<typename A::Config> && Reflected<typename A::Inputs> && Reflected<typename A::Outputs> &&
    requires(const typename A::Config& config, const typename A::Inputs& inputs, const std::string& file) {
        { A::family } -> std::convertible_to<std::string_view>;
        { A::name } -> std::convertible_to<std::string_view>;
        A::check(config, file);
        { A::prepare(config, inputs) } -> std::same_as<typename A::Inputs>;
        { A::names() } -> std::convertible_to<checkpoint::NameRules>;
    };

}  // namespace silica
