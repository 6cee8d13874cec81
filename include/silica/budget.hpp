#pragma once
/// What a Model will take of memory, from its configuration and the heads of its files: nothing is read or allocated.

#include "silica/arch/concept.hpp"
#include "silica/checkpoint/decoded.hpp"
#include "silica/checkpoint/open_options.hpp"
#include "silica/checkpoint/shapes.hpp"
#include "silica/core/budget.hpp"
#include "silica/core/free_memory.hpp"
#include "silica/core/inventory.hpp"
#include "silica/exec.hpp"
#include "silica/loader/admission.hpp"
#include "silica/loader/streamed.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace silica {

/// In what numbers a precision keeps weights.
template <class Precision>
WeightForm weight_form(const OpenOptions& options) {
    WeightForm form{.item = c10::elementSize(Precision::plain::compute)};
    const auto q = checkpoint::quantising<Precision>(options);
    if (q.reads) form.bits = q.bits, form.group = q.group;
    return form;
}

/// What the files of a checkpoint are for a loader.
[[nodiscard]] WeightFiles weight_files(const checkpoint::Checkpoint& files);

/// InputError for a state without rows, or of fewer than no tokens.
void check_state(const OpenOptions& options);

/// The needs of `Arch` on `Exec`, of weights of these shapes: what its network keeps, and the caches of a state of
/// `options.state_rows` x `options.state_tokens`. Without files weights are made up. Throws what opening the model
/// throws for weights that do not fit the configuration, and c10::Error for a network that computes with them by itself
/// (not through recipes of nn/).
template <class Arch, class Exec>
Budget budget_of(const typename Arch::Config& config, checkpoint::Shapes& shapes, const WeightFiles& files,
                 const OpenOptions& options, std::string model) {
    using Network = typename Arch::template Network<Exec>;
    using Precision = typename Exec::precision;
    check_state(options);
    Budget b{.model = std::move(model),
             .files = files,
             .form = weight_form<Precision>(options),
             .codes = shapes.holds_codes(),
             .on_host = Exec::home::type == c10::DeviceType::CPU};
    const at::NoGradGuard no_grad;
    Inventory inventory;
    const Weights weights(shapes, Arch::names(), c10::Device(c10::DeviceType::Meta),
                          checkpoint::quantising<Precision>(options));
    const Network network(config, weights);
    b.kept = inventory.kept(), b.in_codes = inventory.in_codes();
    if constexpr (requires { network.make_state(1, 1).bytes(); }) {
        if (options.state_tokens > 0) {
            b.batch = options.state_rows, b.tokens = options.state_tokens;
            b.caches = network.make_state(b.batch, b.tokens).bytes();
        }
    }
    return b;
}

/// The same of files on disk.
template <class Arch, class Exec>
Budget budget_of(const typename Arch::Config& config, const checkpoint::Checkpoint& files, const OpenOptions& options) {
    return loader::Streamed::load(files, [&](checkpoint::TensorSource& source) {
        checkpoint::Decoded decoded(source, files);
        checkpoint::Shapes shapes(decoded);
        return budget_of<Arch, Exec>(config, shapes, weight_files(files), options, files.directory().string());
    });
}

/// What is free on a device; nothing is told of one that this process cannot ask.
template <class Device>
Room room_on(c10::Device home) {
    Room room{.device = std::string(Device::name)};
    const auto host = free_memory();
    if (home.is_cpu()) return {.device = room.device, .free = host.free, .total = host.total};
    if (home.is_cuda()) {
        try {
            static_cast<void>(at::empty({1}, at::TensorOptions().device(home)));  // it tells once it was used
        } catch (const c10::Error&) {  // not even that: who loads will say why
        }
    }
    const auto memory = Device::memory(home.index());
    room.free = memory.free, room.total = memory.total;
    if (home.is_mps() && host.total > 0 && room.free > host.free) room.free = host.free;  // it is the same memory
    return room;
}

/// The host's.
[[nodiscard]] Room room_on_host();

/// What errors propose: the precisions that every device has, from the most exact on, with the numbers of codes that
/// `plain` keeps beside them in `item` bytes.
[[nodiscard]] std::array<NamedForm, 4> forms_to_propose(std::uint64_t item, std::int64_t group);
/// The loaders that errors propose.
[[nodiscard]] std::span<const std::string_view> loaders_to_propose();

namespace detail {

/// Asks `Device` for room for what `make()`, a Budget, says of `Precision`, before a loader begins.
template <class Device, class Precision, class Make>
loader::Admission::Asks admission(const OpenOptions& options, c10::Device home, Make&& make) {
    if (!options.budget) return {};
    Budget budget;
    try {
        budget = make();
    } catch (const c10::Error&) {
        return {};  // a network that no inventory can be taken of
    }
    return [budget = std::move(budget), home, group = options.group](std::string_view loader) {
        if (loader == "auto") return;  // it asks for each that it tries
        require_room(budget, Precision::name, loader, forms_to_propose(budget.form.item, group), loaders_to_propose(),
                     room_on<Device>(home), room_on_host());
    };
}

}  // namespace detail
}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/budget.ipp"
#endif
