#pragma once
/// Model<Arch, Device, Precision, Loader>: a network with its weights, ready to be called. Start reading here.

#include "silica/arch/concept.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/core/transfer.hpp"
#include "silica/device/cpu.hpp"
#include "silica/exec.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/placement.hpp"

#include <ATen/core/grad_mode.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace silica {

/// Which of several devices of a kind.
struct OpenOptions {
    c10::DeviceIndex index = 0;
};

/// - `Arch`: a family with a head, `arch::Bert`;
/// - `DeviceOrChain`: where it runs, `device::Mps`, or `Chain<device::Mps>` for "there or not at all";
/// - `Precision`: in what numbers, by default what the device is best at;
/// - `Loader`: how the bytes of a checkpoint get there.
///
/// Copies share the weights. Calls of one Model from several threads run at once on the CPU and CUDA; on MPS they take
/// turns.
template <class Arch, class DeviceOrChain, class Precision = precision::Default<DeviceOrChain>,
          class Loader = loader::Mapped>
class Model {
    static_assert(
        Architecture<Arch>,
        "the first argument of Model is not an architecture. Remedy: the order is Model<Arch, Device, Precision, "
        "Loader>; see silica/arch/concept.hpp.");
    static_assert(LoaderPolicy<Loader> || std::derived_from<Loader, checkpoint::TensorSource>,
                  "the fourth argument of Model is not a loader. Remedy: the order is Model<Arch, Device, Precision, "
                  "Loader>; see silica/loader/concept.hpp.");

public:
    using Exec = silica::Exec<DeviceOrChain, Precision>;
    using Device = typename Exec::home;
    using Config = typename Arch::Config;
    using Inputs = typename Arch::Inputs;
    using Outputs = typename Arch::Outputs;
    using Network = typename Arch::template Network<Exec>;

    /// Opens a directory, a file of weights with its config.json beside it, or "org/name" in the hub cache.
    /// Throws DeviceError (no such device, no memory), ConfigError (config.json), CheckpointError (the weights).
    [[nodiscard]] static Model open(std::string_view directory_or_repo, OpenOptions options = {}) {
        const auto home = require_device(options);
        const auto place = checkpoint::resolve(directory_or_repo);
        const bool is_file = std::filesystem::is_regular_file(place);
        const auto config = checkpoint::read_config<Arch>(is_file ? place.parent_path() : place);
        const auto files = checkpoint::Checkpoint::open(place);
        loader::degradation_note().clear();
        const auto start = std::chrono::steady_clock::now();
        Model model =
            Loader::load(files, [&](checkpoint::TensorSource& source) { return Model(config, source, home); });
        model.account_.loader = Loader::name;
        if (auto& note = loader::degradation_note(); !note.empty())
            model.account_.notes.push_back(std::exchange(note, {}));
        model.account_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return model;
    }

    /// From a configuration and tensors that the caller holds (`loader::InMemory`), or random ones (`loader::Random`).
    template <class Source>
        requires std::derived_from<std::remove_cvref_t<Source>, checkpoint::TensorSource>
    [[nodiscard]] static Model from(const Config& config, Source&& source, OpenOptions options = {}) {
        Arch::check(config, "the configuration");
        Model model(config, source, require_device(options));
        model.account_.loader = std::remove_cvref_t<Source>::name;
        return model;
    }

    /// Runs the network. Inputs may lie on any device; outputs stay on the model's.
    /// Throws InputError for wrong inputs, before anything reaches the device.
    [[nodiscard]] Outputs operator()(const Inputs& inputs) const {
        return on_device([&](Inputs prepared) { return network_(prepared); }, Arch::prepare(config_, inputs));
    }

    /// Empty caches for generating `batch` rows of up to `capacity` tokens. The state belongs to one caller at a time.
    [[nodiscard]] auto make_state(std::int64_t batch, std::int64_t capacity) const
        requires Generative<Network, Inputs>
    {
        if (batch < 1 || capacity < 1) {
            throw InputError("A state for " + std::to_string(batch) + " rows of " + std::to_string(capacity) +
                                 " tokens cannot be made.",
                             "1 or more of both is needed.");
        }
        return on_device([&] { return network_.make_state(batch, capacity); });
    }

    /// Takes a prompt, or its next piece: logits of the token that follows, (batch, vocabulary), on the device.
    /// Throws InputError for wrong inputs, and where the state has no room.
    [[nodiscard]] Tensor prefill(const Inputs& inputs, auto& state) const
        requires Generative<Network, Inputs>
    {
        return on_device([&](Inputs prepared) { return network_.prefill(prepared, state); },
                         Arch::prepare(config_, inputs));
    }

    /// Takes one token per row, ids (batch) int64 on the device, which are not checked: logits of the next.
    /// Throws InputError where the state has no room.
    [[nodiscard]] Tensor step(const Tensor& ids, auto& state) const
        requires Generative<Network, Inputs>
    {
        if (state.length() >= state.capacity()) {
            throw InputError("The state holds " + std::to_string(state.length()) + " tokens and has no room for more.",
                             "make a state of a larger capacity.");
        }
        return on_device([&] { return network_.step(ids, state); });
    }

    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] const LoadingAccount& account() const noexcept { return account_; }
    [[nodiscard]] c10::Device device() const noexcept { return home_; }
    [[nodiscard]] const Network& network() const noexcept { return network_; }

private:
    Model(const Config& config, checkpoint::TensorSource& source, c10::Device home)
        : Model(config, Weights(source, Arch::names(), home), home) {}

    Model(const Config& config, const Weights& weights, c10::Device home)
        : config_(config), home_(home), network_(build(config, weights)), account_(weights.account()) {}

    static Network build(const Config& config, const Weights& weights) {
        [[maybe_unused]] const auto turn = Device::lock();
        const at::NoGradGuard no_grad;
        return within_memory("for the weights", "use a smaller precision or model, or the loader Streamed.", [&] {
            Network network(config, weights);
            Device::synchronize(weights.home().index());
            return network;
        });
    }

    /// What `f` returns with its arguments moved to the device, without gradients, in this thread's turn.
    template <class F, class... Args>
    auto on_device(F&& f, Args... args) const {
        [[maybe_unused]] const auto turn = Device::lock();
        const at::NoGradGuard no_grad;
        const c10::OptionalDeviceGuard on(home_.is_cpu() ? std::nullopt : std::optional(home_));
        return within_memory("for this call", "use a smaller batch, shorter inputs or a smaller precision.", [&] {
            [[maybe_unused]] std::uint64_t bytes = 0;
            return f(moved_to(std::move(args), home_, bytes)...);
        });
    }

    /// What `f` returns. Where LibTorch throws that memory is out, and no op recovered from it, a DeviceError.
    template <class F>
    static auto within_memory(const char* what, const char* remedy, F&& f) {
        try {
            return f();
        } catch (const c10::Error& e) {
            if (!Device::is_out_of_memory(e) && !device::Cpu::is_out_of_memory(e)) throw;
            throw DeviceError(std::string(Device::name) + " has not enough memory " + what + ": " +
                                  first_line(e.what_without_backtrace()),
                              remedy);
        }
    }

    static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

    static c10::Device require_device(OpenOptions options) {
        if (const auto can = Device::available(); !can) {
            throw DeviceError(std::string(Device::name) + " cannot be used here: " + can.reason + ".",
                              "choose another device policy, such as device::Cpu.");
        }
        if (Device::type == c10::DeviceType::CPU) return c10::Device(Device::type);
        const auto count = c10::impl::VirtualGuardImpl(Device::type).deviceCount();
        if (options.index < 0 || options.index >= count) {
            throw DeviceError("There is no " + std::string(Device::name) + " device " + std::to_string(options.index) +
                                  ", only " + std::to_string(count) + ".",
                              "choose an index from 0 to " + std::to_string(count - 1) + ".");
        }
        return {Device::type, options.index};
    }

    Config config_;
    c10::Device home_;
    Network network_;
    LoadingAccount account_;
};

}  // namespace silica
