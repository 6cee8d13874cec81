#pragma once
/// How the tests of families show what happens when things go wrong: which ops run, what wrong inputs, configurations
/// and checkpoints are refused with, calls from several threads, and what a call on MPS may not do.

#include <atomic>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "silica/model.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/refuses.hpp"
#include "support/traced.hpp"

namespace silica::test {

/// "" where outputs are those of a reference file of the case, within `tolerance`; else the first difference.
template <class Outputs>
std::string wrong(const std::filesystem::path& directory, const Outputs& out, double tolerance,
                  const std::string& name = "reference") {
    std::string text;
    reference_of(directory, name).compare(out, [&](std::string_view, const Tensor& got, const Tensor& want) {
        if (text.empty()) text = differs(got, want, tolerance);
    });
    return text;
}

/// Calls `f(model)` on the traced device: `ops` must run, and none that `Arch` does not list.
template <class Arch, bool Fused, class F>
void check_traced(const std::filesystem::path& directory, std::initializer_list<std::string_view> ops, F f) {
    traced.clear();
    f(Model<Arch, Traced<Fused>>::open(directory.string()));
    for (const auto op : ops) {
        CAPTURE(std::string(op));
        CHECK(traced.contains(std::string(op)));
    }
    CHECK(unlisted<Arch, Fused>() == "");
}

/// The same for reference files of a case, whose outputs must be right within `tolerance`.
template <class Arch, bool Fused>
void check_ops(const std::filesystem::path& directory, double tolerance, std::initializer_list<std::string_view> ops,
               const std::vector<std::string>& names = {"reference"}) {
    check_traced<Arch, Fused>(directory, ops, [&](const auto& model) {
        for (const auto& name : names)
            CHECK(wrong(directory, model(inputs_of<Arch>(directory, name)), tolerance, name) == "");
    });
}

/// How often `right()` is false in four threads that call it `times` times each, all at once.
inline int wrong_at_once(const std::function<bool()>& right, int times = 5) {
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < times; ++k) failures += right() ? 0 : 1;
        });
    }
    for (auto& thread : threads) thread.join();
    return failures;
}

/// `refused(change, words)`: calls with `good`, changed so, must fail with these words. So must prompts where the model
/// writes text, and their state stays empty.
template <class M>
auto refused_inputs_of(const M& model, const typename M::Inputs& good) {
    using Inputs = typename M::Inputs;
    return [&](const std::function<void(Inputs&)>& change, std::initializer_list<std::string_view> words) {
        auto bad = good;
        change(bad);
        refuses<InputError>([&] { static_cast<void>(model(bad)); }, words);
        if constexpr (Generative<typename M::Network, Inputs>) {
            std::int64_t rows = 0;
            if constexpr (requires { good.input_ids; })
                rows = good.input_ids.size(0);
            else
                rows = good.decoder_input_ids->size(0);
            auto state = model.make_state(rows, 20);
            refuses<InputError>([&] { static_cast<void>(model.prefill(bad, state)); }, words);
            CHECK(state.length() == 0);
        }
    };
}

/// What a config.json of this text means.
template <class Arch>
typename Arch::Config config_of(const std::string& json) {
    const Directory directory;
    write_file(directory / "config.json", json);
    return checkpoint::read_config<Arch>(directory.path());
}

/// Reading a config.json of this text must fail, with these words and the name of the file.
template <class Arch>
void refused_config(const std::string& json, std::initializer_list<std::string_view> words) {
    CAPTURE(json);
    const auto read = [&] { static_cast<void>(config_of<Arch>(json)); };
    refuses<ConfigError>(read, words);
    refuses<ConfigError>(read, {"config.json"});
}

/// A copy of a case, to be changed and opened.
class ChangedCase {
public:
    explicit ChangedCase(const std::filesystem::path& golden)
        : config(read_file(golden / "config.json")), tensors(tensors_of(golden)) {}

    std::string config;
    std::map<std::string, Tensor> tensors;

    /// The directory of the copy.
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return directory_.path(); }

    /// That directory, after the copy was written to it as it is now.
    const std::filesystem::path& written() const {
        write_checkpoint(path(), config, tensors);
        return path();
    }

    /// Opening it as `Arch` as it is now must fail with these words.
    template <class Arch, class Exception = CheckpointError>
    void refused(std::initializer_list<std::string_view> words) const {
        const auto place = written().string();
        refuses<Exception>([&] { static_cast<void>(Model<Arch, device::Cpu>::open(place)); }, words);
    }

private:
    Directory directory_;
};

#ifdef SILICA_HAS_SIM_MPS

/// Since sim::reset() `copied` tensors were copied to MPS and none from it; nothing was waited for.
inline sim::Counters check_quiet(std::size_t copied) {
    const auto after = sim::counters();
    CHECK(after.h2d_copies == copied);
    CHECK(after.d2h_copies == 0);
    CHECK(after.syncs == 0);
    CHECK(after.implicit_syncs <= copied);
    CHECK(after.not_implemented == 0);
    CHECK(after.early_host_aliases == 0);
    CHECK(after.non_blocking_copies == 0);
    CHECK(after.concurrent_uses == 0);
    return after;
}

/// A call does just that, and nothing falls back.
template <class M>
sim::Counters check_quiet_call(const M& model, const typename M::Inputs& in, std::size_t copied) {
    const FallbackScope fallbacks;
    sim::reset();
    static_cast<void>(model(in));
    CHECK(fallbacks.report().empty());
    return check_quiet(copied);
}

#endif

}  // namespace silica::test
