#pragma once
/// How a kernel is made and proves itself.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/device/mps/metal/own.hpp"
#include "silica/device/mps/out_of_memory.hpp"

#include <c10/util/Exception.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

namespace silica::device::mps::metal {
namespace own_detail {

/// What the process knows.
struct Known {
    std::recursive_mutex mutex;
    std::map<std::pair<Family, std::uint64_t>, std::unique_ptr<Own>> kernels;
    std::optional<Verdicts> kept;
};

inline Known& known() {
    static auto& instance = *new Known;  // functions outlive LibTorch's own statics rather than the reverse
    return instance;
}

inline const Verdicts& kept() {
    auto& k = known();
    if (!k.kept) k.kept = read_verdicts(verdicts_file(), Machine::here());
    return *k.kept;
}

/// Why a kernel cannot be used, or empty. Memory that is out says nothing of it and passes through.
template <class Try>
std::string failure(Try&& attempt) {
    try {
        return attempt();
    } catch (const c10::Error& e) {
        if (mps::is_out_of_memory(e)) throw;
        return e.what_without_backtrace();
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& e) {
        return e.what();
    }
}

inline std::unique_ptr<Own> made(const Described& d) {
    auto own = std::make_unique<Own>();
    auto& v = own->verdict;
    v.kernel = d.name;
    v.text = hash_of(d.source.whole());
    bool known_good = false;
    for (const Verdict& old : kept().kernels) {
        if (old.kernel != v.kernel || old.text != v.text) continue;
        if (!old.proven) {
            own->verdict = old;
            return own;
        }
        known_good = true;
        own->verdict = old;
    }
    const auto start = std::chrono::steady_clock::now();
    v.reason = failure([&]() -> std::string {
        own->functions = compiler()->compile(d.source);
        for (const auto& f : own->functions) {
            if (f->lanes() != 32) return "a simdgroup has " + std::to_string(f->lanes()) + " lanes here, not 32";
            if (f->most_threads() < 32) return "a threadgroup has fewer than 32 threads here";
        }
        if (known_good) return {};
        v.error = d.proof(own->functions);
        if (v.error <= 1) return {};
        return "differs from LibTorch's ops, by " + std::to_string(v.error) + " times what is allowed";
    });
    v.proven = v.reason.empty();
    if (!v.proven) own->functions.clear();
    if (known_good && v.proven) return own;
    v.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    keep_verdicts(verdicts_file(), Machine::here(), {{v}, {}});
    return own;
}

}  // namespace own_detail

SILICA_INLINE bool has_own() {
    static const bool allowed = [] {
        const char* value = std::getenv("SILICA_METAL");  // NOLINT(concurrency-mt-unsafe)
        const std::string_view set = value == nullptr ? "" : value;
        return set != "0" && set != "off";
    }();
    return allowed && own_kernels.load(std::memory_order_relaxed) && compiler() != nullptr;
}

SILICA_INLINE const Own* find_own(Family family, std::uint64_t key) {
    auto& k = own_detail::known();
    const std::lock_guard guard(k.mutex);
    const auto found = k.kernels.find({family, key});
    return found == k.kernels.end() ? nullptr : found->second.get();
}

SILICA_INLINE const Own& make_own(Family family, std::uint64_t key, const Described& described) {
    auto& k = own_detail::known();
    const std::lock_guard guard(k.mutex);
    auto& at = k.kernels[{family, key}];
    if (!at) at = own_detail::made(described);
    return *at;
}

SILICA_INLINE std::vector<Verdict> verdicts() {
    auto& k = own_detail::known();
    const std::lock_guard guard(k.mutex);
    auto all = own_detail::kept().kernels;
    for (const auto& [key, made] : k.kernels) {
        if (!made) continue;  // its check ran out of memory
        std::erase_if(all, [&](const Verdict& old) { return old.kernel == made->verdict.kernel; });
        all.push_back(made->verdict);
    }
    return all;
}

SILICA_INLINE void forget_own() {
    auto& k = own_detail::known();
    const std::lock_guard guard(k.mutex);
    k.kernels.clear();
    k.kept.reset();
}

SILICA_INLINE double difference(const Tensor& got, const Tensor& want, double absolute, double relative) {
    const Tensor a = got.cpu().to(at::kDouble).contiguous().view({-1}),
                 b = want.cpu().to(at::kDouble).contiguous().view({-1});
    if (got.sizes() != want.sizes()) return std::numeric_limits<double>::infinity();
    double most = 0;
    const auto *x = a.const_data_ptr<double>(), *y = b.const_data_ptr<double>();
    for (std::int64_t i = 0; i < a.numel(); ++i) {
        if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
        const double by = std::fabs(x[i] - y[i]) / (absolute + relative * std::fabs(y[i]));
        if (!(by <= most)) most = std::isnan(by) ? std::numeric_limits<double>::infinity() : by;
    }
    return most;
}

SILICA_INLINE Tensor noise(at::IntArrayRef shape, int seed, at::ScalarType type, c10::Device device) {
    const Tensor x = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
    auto* v = x.mutable_data_ptr<float>();
    std::uint32_t state = static_cast<std::uint32_t>(seed) * 2654435761U + 12345U;
    for (std::int64_t i = 0; i < x.numel(); ++i) {
        state = state * 1664525U + 1013904223U;
        v[i] = static_cast<float>(state >> 8U) * 0x1p-23F - 1;
    }
    return x.to(device, type);
}

}  // namespace silica::device::mps::metal
