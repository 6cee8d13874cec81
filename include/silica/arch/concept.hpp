#pragma once
/// What an architecture states. Smallest example: arch::Bert in arch/bert.hpp.

#include "silica/checkpoint/names.hpp"
#include "silica/checkpoint/weights.hpp"
#include "silica/core/reflect.hpp"
#include "silica/op/concept.hpp"

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

namespace silica {

/// An architecture: a family's body with one head.
/// - `family`: the `model_type` of config.json; `name`: the class that `architectures` names.
/// - `part_of`, where it is a part of composites whose checkpoints it opens too: a list of their `model_type`s.
/// - `Config`, `Inputs`, `Outputs`: structs that Hana reflects, with the field names of Hugging Face.
/// - `check(config, file)`: throws ConfigError for values that contradict each other or are not supported.
/// - `prepare(config, inputs)`: throws InputError for wrong inputs; returns what the network is called with.
/// - `names`: the spellings of its checkpoints.
/// - `text(config)`, where the configuration of the text is a part of the whole: its vocab_size and special tokens.
/// - `speak(config, files, target_lang)`, where it has adapters of languages: puts one in the place of what the
///   checkpoint holds. Throws InputError for a language that it has not.
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

/// What a network that writes text keeps of its rows (caches, positions): made once, of fixed shape, for one caller at
/// a time. It refers to memory of the device, so it is not copied by accident: `clone()` makes another one.
/// - `batch()`, `capacity()`: rows, and tokens that a row has room for; `length()`: tokens taken so far, padding
///   included; `bytes()` of all caches;
/// - `clear()`: forgets all tokens, the tensors stay;
/// - `reorder(rows)`: row i becomes what row `rows[i]` was, rows (batch) int64 on the device; with an encoder, of the
///   same text;
/// - `replays()`: steps of one kind do the same to the same tensors, so that a graph can replay them; `step_kind()`:
///   the kind of the next one; `advance(tokens)`: what the host counts, which a replay leaves as it was.
template <class S>
concept DecodingState = std::move_constructible<S> && !std::copy_constructible<S> && !std::is_copy_assignable_v<S> &&
                        requires(S& state, const S& fixed, const Tensor& rows) {
                            { fixed.batch() } -> std::same_as<std::int64_t>;
                            { fixed.length() } -> std::same_as<std::int64_t>;
                            { fixed.capacity() } -> std::same_as<std::int64_t>;
                            { fixed.bytes() } -> std::same_as<std::uint64_t>;
                            { fixed.clone() } -> std::same_as<S>;
                            { fixed.replays() } -> std::same_as<bool>;
                            { fixed.step_kind() } -> std::same_as<std::int64_t>;
                            state.clear();
                            state.reorder(rows);
                            state.advance(std::int64_t{});
                        };

/// A network that writes text token by token. What it keeps is in its `State`; the network itself stays const.
/// - `make_state(batch, capacity)`: empty, for `batch` rows of up to `capacity` tokens of the decoder;
/// - `prefill(inputs, state)`: takes a prompt, or the next piece of one -> logits of the next token (batch,
///   vocabulary). With an encoder, its inputs have a row for each text and decoder_input_ids one for each row of the
///   state, those of a text together;
/// - `step(ids, state)`: takes one token per row, ids (batch) int64 on the device -> the same. Reads nothing on the
///   host.
template <class N, class Inputs>
concept Generative = DecodingState<typename N::State> &&
                     requires(const N& network, typename N::State& state, const Inputs& inputs, const Tensor& t) {
                         { network.make_state(std::int64_t{}, std::int64_t{}) } -> std::same_as<typename N::State>;
                         { network.prefill(inputs, state) } -> std::same_as<Tensor>;
                         { network.step(t, state) } -> std::same_as<Tensor>;
                     };

namespace detail {

/// Where the configuration of `Arch` has its vocab_size and special tokens.
template <class Arch>
decltype(auto) text_of(const typename Arch::Config& config) {
    if constexpr (requires { Arch::text(config); })
        return Arch::text(config);
    else
        return (config);
}

/// The State of a network; a network that writes no text has one that cannot be made.
template <class Network>
struct state_of {
    struct type {
        type() = delete;
    };
};
template <class Network>
    requires requires { typename Network::State; }
struct state_of<Network> {
    using type = typename Network::State;
};

}  // namespace detail
}  // namespace silica
