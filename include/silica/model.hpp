#pragma once
/// Model<Arch, Device, Precision, Loader>: a network with its weights, ready to be called. Start reading here.

#include "silica/arch/concept.hpp"
#include "silica/budget.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/checkpoint/decoded.hpp"
#include "silica/checkpoint/hub.hpp"
#include "silica/checkpoint/location.hpp"
#include "silica/checkpoint/open_options.hpp"
#include "silica/core/state_inputs.hpp"
#include "silica/core/transfer.hpp"
#include "silica/device/cpu.hpp"
#include "silica/entered.hpp"
#include "silica/exec.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/model_errors.hpp"
#include "silica/placement.hpp"

#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace silica {

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
    /// What a text needs while it is written: made by make_state().
    using State = typename detail::state_of<Network>::type;

    /// What is moved from stays as it was: copies share the weights.
    Model(const Model&) = default;
    Model& operator=(const Model&) = default;

    /// Opens a directory, a file of weights with its config.json beside it, a GGUF file, or "org/name" in the hub
    /// cache, named by a path or a string. Quantised weights (`checkpoint::Decoded`) are made plain where the precision
    /// is. Throws DeviceError (no such device, no memory), ConfigError (config.json), CheckpointError (the weights).
    [[nodiscard]] static Model open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto home = require_device(options);
        const auto place = checkpoint::resolve(location.text());
        auto config = checkpoint::read_config<Arch, Precision>(checkpoint::files_beside(place));
        auto files = checkpoint::Checkpoint::open(place);
        if (!options.target_lang.empty()) {
            if constexpr (requires { Arch::speak(config, files, options.target_lang); })
                Arch::speak(config, files, options.target_lang);
            else
                detail::refuse_target_lang(Arch::name, options.target_lang);
        }
        if constexpr (checkpoint::HasCodes<Precision>) files.read_one_by_one();
        const loader::Admission admission(detail::admission<Device, Precision>(
            options, home, [&] { return budget_of<Arch, Exec>(config, files, options); }));
        loader::Admission::ask(Loader::name);
        loader::degradation_note().clear();
        const auto start = std::chrono::steady_clock::now();
        Model model = Loader::load(files, [&](checkpoint::TensorSource& source) {
            checkpoint::Decoded decoded(source, files);
            return Model(config, decoded, home, options);
        });
        model.account_.loader = Loader::name;
        if (auto& note = loader::degradation_note(); !note.empty())
            model.account_.notes.push_back(std::exchange(note, {}));
        model.account_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (options.strict) detail::refuse_unexpected(model.account_, place.string());
        return model;
    }

    /// From a configuration and tensors that the caller holds (`loader::InMemory`), or random ones (`loader::Random`).
    template <class Source>
        requires std::derived_from<std::remove_cvref_t<Source>, checkpoint::TensorSource>
    [[nodiscard]] static Model from(const Config& config, Source&& source, OpenOptions options = {}) {
        Arch::check(config, "the configuration");
        const auto home = require_device(options);
        if (source.invents()) room_for(config, source, home, options);
        Model model(config, source, home, options);
        model.account_.loader = std::remove_cvref_t<Source>::name;
        if (options.strict) detail::refuse_unexpected(model.account_, source.where());
        return model;
    }

    /// Runs the network. Inputs may lie on any device; outputs stay on the model's.
    /// Throws InputError for wrong inputs, before anything reaches the device.
    [[nodiscard]] Outputs operator()(const Inputs& inputs) const {
        return on_device([&] { return network_(prepared(inputs)); });
    }

    /// Inputs as the network takes them, where they lie. Throws InputError for wrong ones.
    [[nodiscard]] Inputs checked(const Inputs& inputs) const { return Arch::prepare(config_, inputs); }

    /// Empty caches for generating `batch` rows of up to `capacity` tokens. The state belongs to one caller at a time.
    /// Throws InputError for less than one of both, and for more than any memory holds.
    [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const
        requires Generative<Network, Inputs>
    {
        require_state_size(batch, capacity);
        return on_device([&] { return network_.make_state(batch, capacity); });
    }

    /// Takes a prompt, or its next piece: logits of the token that follows, (batch, vocabulary), on the device.
    /// Throws InputError for wrong inputs, and where the state has no room.
    Tensor prefill(const Inputs& inputs, State& state) const
        requires Generative<Network, Inputs>
    {
        return on_device([&] { return network_.prefill(prepared(inputs), state); });
    }

    /// Takes one token per row, ids (batch) int64 on the device: logits of the next, (batch, vocabulary). Their values
    /// are looked at on the CPU only: elsewhere that would wait for the device.
    /// Throws InputError for ids of another shape, type or device, and where the state has no room.
    Tensor step(const Tensor& ids, State& state) const
        requires Generative<Network, Inputs>
    {
        std::optional<std::int64_t> limit;
        if constexpr (requires { detail::text_of<Arch>(config_).vocab_size; })
            limit = detail::text_of<Arch>(config_).vocab_size;
        require_step(ids, state.batch(), state.length(), state.capacity(), home_, limit);
        return on_device([&] { return network_.step(ids, state); });
    }

    /// Row i of the state becomes what row `rows[i]` was: rows (batch) int64 on any device, looked at on the CPU only.
    /// Throws InputError for rows that there are not.
    void reorder(const Tensor& rows, State& state) const
        requires Generative<Network, Inputs>
    {
        require_rows(rows, state.batch());
        on_device([&] { state.reorder(rows.to(home_)); });
    }

    /// What is no state of this model's kind does not compile, and the compiler says what to pass.
    template <class Other>
    void prefill(const Inputs&, const Other&) const {
        static_cast<void>(detail::not_a_state_of_this_model<Other, State>());
    }
    /// See prefill.
    template <class Other>
    void step(const Tensor&, const Other&) const {
        static_cast<void>(detail::not_a_state_of_this_model<Other, State>());
    }

    /// What `f` returns, called where the device may be used: in this thread's turn, without gradients, with the
    /// model's device as the current one. May be called inside itself. Throws DeviceError where memory is out.
    template <class F>
    decltype(auto) on_device(F&& f) const {
        return enter(home_, "for this call", "use a smaller batch, shorter inputs or a smaller precision.", f);
    }

    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] const LoadingAccount& account() const noexcept { return account_; }
    [[nodiscard]] c10::Device device() const noexcept { return home_; }
    [[nodiscard]] const Network& network() const noexcept { return network_; }

private:
    Model(const Config& config, checkpoint::TensorSource& source, c10::Device home, const OpenOptions& o)
        : Model(config, Weights(source, Arch::names(), home, checkpoint::quantising<Precision>(o)), home) {}

    Model(const Config& config, const Weights& weights, c10::Device home)
        : config_(config), home_(home), network_(build(config, weights)), account_(weights.account()) {}

    static Network build(const Config& config, const Weights& weights) {
        const char* remedy = "use a smaller precision or model, or the loader Streamed.";
        return enter(weights.home(), "for the weights", remedy, [&] {
            Network network(config, weights);
            Device::synchronize(weights.home().index());
            return network;
        });
    }

    /// Inputs checked, on the device.
    [[nodiscard]] Inputs prepared(const Inputs& inputs) const {
        std::uint64_t bytes = 0;
        return moved_to(checked(inputs), home_, bytes);
    }

    /// See on_device. Memory that is out, and that no op recovered from, is a DeviceError `what` with `remedy`.
    template <class F>
    static decltype(auto) enter(c10::Device home, const char* what, const char* remedy, F&& f) {
        const detail::Entered<Device> entered(home);
        try {
            return f();
        } catch (...) {
            detail::rethrow_memory_is_out(Device::name, &Device::is_out_of_memory, what, remedy);
        }
    }

    /// Throws DeviceError where made-up weights do not fit.
    static void room_for(const Config& config, checkpoint::TensorSource& source, c10::Device home,
                         const OpenOptions& options) {
        const auto ask = detail::admission<Device, Precision>(options, home, [&] {
            checkpoint::Shapes shapes(source);
            return budget_of<Arch, Exec>(config, shapes, {}, options, std::string(Arch::name));
        });
        if (ask) ask("random");
    }

    static c10::Device require_device(OpenOptions options) {
        return detail::device_at(Device::type, Device::name, Device::available(), options.index);
    }

    Config config_;
    c10::Device home_;
    Network network_;
    LoadingAccount account_;
};

}  // namespace silica
