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

/// A network that writes text token by token. Its `State` (caches, positions) is made once, has tensors of fixed shape,
/// and belongs to one caller; the network itself stays const.
/// - `make_state(batch, capacity)`: empty, for `batch` rows of up to `capacity` tokens of the decoder;
/// - `prefill(inputs, state)`: takes a prompt, or the next piece of one -> logits of the next token (batch,
/// vocabulary);
/// - `step(ids, state)`: takes one token per row, ids (batch) int64 on the device -> the same. Reads nothing on the
/// host;
/// - `State::length()`: tokens taken so far, padding included; `State::capacity()`; `State::reorder(rows)`: row i
///   becomes what row `rows[i]` was, rows (batch) int64 on the device.
template <class N, class Inputs>
concept Generative = requires(const N& network, typename N::State& state, const Inputs& inputs, const Tensor& t) {
    { network.make_state(std::int64_t{}, std::int64_t{}) } -> std::same_as<typename N::State>;
    { network.prefill(inputs, state) } -> std::same_as<Tensor>;
    { network.step(t, state) } -> std::same_as<Tensor>;
    { state.length() } -> std::convertible_to<std::int64_t>;
    { state.capacity() } -> std::convertible_to<std::int64_t>;
    state.reorder(t);
};

}  // namespace silica
