// The control API of sim_mps.hpp over the state.
#include <algorithm>

#include <c10/util/Exception.h>

#include "support/sim_mps/state.hpp"

namespace silica::test::sim_mps {

using detail::state;

namespace {

template <class F>
auto locked(F f) {
    const std::lock_guard lock(state().mutex);
    return f(state());
}

}  // namespace

std::size_t Counters::count(const std::string& op) const {
    const auto found = ops.find(op);
    return found == ops.end() ? 0 : found->second;
}

bool installed() noexcept {
    return locked([](auto& s) { return s.installed; });
}

Counters counters() {
    return locked([](auto& s) { return s.counters; });
}

void reset() {
    locked([](auto& s) {
        const Counters old = s.counters;
        s.counters = {};
        s.counters.bytes = s.counters.peak_bytes = old.bytes;
        s.counters.driver_bytes = old.driver_bytes;
    });
}

Settings::Settings() : saved_(new Saved(locked([](auto& s) { return s.settings; }))) {}

Settings::~Settings() {
    locked([this](auto& s) { s.settings = std::move(*saved_); });
    delete saved_;
}

void set_macos(unsigned major, unsigned minor) {
    locked([&](auto& s) { s.settings.macos = {major, minor}; });
}

std::pair<unsigned, unsigned> macos() {
    return locked([](auto& s) { return s.settings.macos; });
}

void fail_allocation(std::size_t n, std::size_t times) {
    TORCH_CHECK(n > 0, "fail_allocation counts from 1: 1 is the next allocation");
    locked([&](auto& s) {
        s.settings.fail_after = n - 1;
        s.settings.fail_times = times;
    });
}

void set_memory_limit(std::size_t bytes) {
    locked([&](auto& s) { s.settings.memory_limit = bytes; });
}

void set_max_buffer_length(std::size_t bytes) {
    locked([&](auto& s) { s.settings.max_buffer_length = bytes; });
}

void throw_in(std::string_view op, Fault fault, std::size_t after, std::size_t times) {
    TORCH_CHECK(op.find("::") != std::string_view::npos, "throw_in wants the name with its namespace: aten::", op);
    locked([&](auto& s) { s.settings.faults.push_back({std::string(op), fault, after, times, times == 0}); });
}

void set_kernel_time(std::chrono::microseconds time) {
    locked([&](auto& s) { s.settings.kernel_time = time; });
}

void refuse_host_aliases(bool refuses) {
    locked([&](auto& s) { s.settings.refuse_host_aliases = refuses; });
}

void throw_on_concurrent_use(bool throws) {
    locked([&](auto& s) { s.settings.throw_on_concurrent_use = throws; });
}

Recorder::Recorder() {
    locked([this](auto& s) { s.recorders.push_back(&ops_); });
}

Recorder::~Recorder() {
    locked([this](auto& s) { std::erase(s.recorders, &ops_); });
}

std::vector<std::string> Recorder::ops() const {
    return locked([this](auto&) { return ops_; });
}

bool Recorder::saw(std::string_view op) const {
    return locked([&](auto&) { return std::find(ops_.begin(), ops_.end(), op) != ops_.end(); });
}

}  // namespace silica::test::sim_mps
