#pragma once
/// Definitions of budget.hpp.

#include "silica/core/budget.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace silica {
namespace budget_detail {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U, staging = 16 * mebibyte;

inline std::uint64_t whole(std::int64_t n) { return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0)); }

/// Counts a tensor of `bytes`, unless it was counted.
class Sum {
public:
    void add(const KeptWeight& w, bool codes, std::uint64_t bytes) {
        if (!seen_.emplace(w.tensor, codes).second) return;
        (w.host ? sum.host : sum.device) += bytes;
        sum.largest = std::max(sum.largest, bytes);
        if (w.rows > 0) sum.largest_matrix = std::max(sum.largest_matrix, bytes);
        sum.largest_elements = std::max(sum.largest_elements, w.elements);
        const bool packed = w.rows > 0 && bytes == 4 * whole(w.elements);  // matrices of float32 are, in panels
        if (w.as_read && !codes && !packed && !w.host) sum.in_place += bytes;
    }
    WeightBytes sum;

private:
    std::set<std::pair<std::size_t, bool>> seen_;
};

/// The most of `limit` units, each `each` bytes, for which there is room; 0: none.
inline std::int64_t most(std::uint64_t room, std::uint64_t each, std::int64_t limit) {
    if (each == 0) return limit;
    return static_cast<std::int64_t>(std::min<std::uint64_t>(room / each, whole(limit)));
}

}  // namespace budget_detail

SILICA_INLINE std::uint64_t code_bytes(std::int64_t rows, std::int64_t columns, const WeightForm& form) {
    using budget_detail::whole;
    const std::int64_t group =
        form.group == 0 || form.group > columns ? std::max<std::int64_t>(columns, 1) : form.group;
    const std::int64_t words = columns / 32 * form.bits + (columns % 32 * form.bits + 31) / 32;
    const std::int64_t groups = (columns + group - 1) / group;
    return whole(rows) * (whole(words) * 4 + whole(groups) * 2 * form.scale);
}

SILICA_INLINE WeightBytes weight_bytes(std::span<const KeptWeight> kept) {
    budget_detail::Sum sum;
    for (const auto& w : kept) sum.add(w, w.bits != 0, w.bytes);
    return sum.sum;
}

SILICA_INLINE WeightBytes weight_bytes(std::span<const KeptWeight> kept, const WeightForm& form) {
    budget_detail::Sum sum;
    for (const auto& w : kept) {
        const bool codes = form.bits != 0 && w.rows > 0;
        sum.add(w, codes, codes ? code_bytes(w.rows, w.columns, form) : budget_detail::whole(w.elements) * form.item);
    }
    return sum.sum;
}

SILICA_INLINE std::uint64_t parameters_of(std::span<const KeptWeight> kept) {
    std::set<std::size_t> seen;
    std::uint64_t sum = 0;
    for (const auto& w : kept)
        if (seen.insert(w.tensor).second) sum += budget_detail::whole(w.elements);
    return sum;
}

SILICA_INLINE LoadingBytes loading_bytes(std::string_view loader, const WeightBytes& weights, const WeightFiles& files,
                                         const WeightForm& form, bool on_host) {
    using budget_detail::staging;
    const std::uint64_t elements = budget_detail::whole(weights.largest_elements);
    const bool codes = form.bits != 0, made_up = files.bytes == 0 || loader == "random";
    std::uint64_t in_file = made_up ? elements * 4 : files.largest;  // the largest as it is read
    if (codes) in_file = std::min(in_file, 2 * staging);             // by rows
    LoadingBytes peak;
    // Beside what stays: a kernel packs the largest from a copy of it; codes are made of a whole matrix and joined.
    const std::uint64_t packing = codes ? 2 * weights.largest_matrix : on_host ? weights.largest_matrix : 0;
    std::uint64_t reading = 0;
    if (made_up) {
        reading = in_file;
    } else if (loader == "mapped") {
        peak.mapped = in_file;
    } else if (codes) {
        reading = in_file;
    } else if (loader == "streamed") {
        reading = std::min(staging, in_file);
    }
    const std::uint64_t stays_on_host = weights.host + (on_host ? weights.device : 0);
    peak.host = stays_on_host + reading + (on_host || codes ? packing : 0);
    if (!made_up && loader == "cpu-first" && !codes)
        peak.host = std::max(files.bytes, stays_on_host) + (on_host ? weights.largest : in_file);
    if (on_host) {
        if (!made_up && loader == "mapped" && !codes && files.item == form.item) {  // the weights are the file's pages
            peak.in_place = weights.in_place;
            peak.mapped = std::max(peak.mapped, weights.in_place);
            peak.host -= weights.in_place;
        }
    } else {
        peak.device = weights.device + weights.largest;  // joined from parts, or packed
    }
    return peak;
}

SILICA_INLINE std::uint64_t Needs::peak(bool on_host) const noexcept {
    const std::uint64_t running = weights + caches + activations + (on_host ? host_weights : 0);
    return on_host ? std::max(loading.host, running - loading.in_place) : std::max(loading.device, running);
}

SILICA_INLINE bool fits(const Needs& needs, bool on_host, const Room& device, const Room& host) {
    const auto has = [](const Room& room, std::uint64_t bytes) { return room.total == 0 || bytes <= room.free; };
    if (on_host) return has(host, needs.peak(true));
    return has(device, needs.peak(false)) && has(host, needs.loading.host);
}

SILICA_INLINE Needs Budget::needs(std::string_view loader) const {
    const auto weights = weight_bytes(kept);
    return {.loading = loading_bytes(loader, weights, files, form, on_host),
            .weights = weights.device,
            .host_weights = weights.host,
            .caches = caches,
            .activations = activations};
}

SILICA_INLINE Needs Budget::needs(std::string_view loader, const WeightForm& other) const {
    const auto weights = weight_bytes(kept, other);
    return {.loading = loading_bytes(loader, weights, files, other, on_host),
            .weights = weights.device,
            .host_weights = weights.host,
            .caches = caches / form.item * other.item,
            .activations = activations / form.item * other.item};
}

SILICA_INLINE std::vector<Choice> choices(const Budget& budget, std::string_view precision, std::string_view loader,
                                          std::span<const NamedForm> precisions,
                                          std::span<const std::string_view> loaders, const Room& device,
                                          const Room& host) {
    using namespace budget_detail;
    std::vector<Choice> found;
    const auto add = [&](Choice choice) {
        const bool fit = fits(choice.needs, budget.on_host, device, host);
        if (fit) found.push_back(std::move(choice));
        return fit;
    };
    const bool made_up = budget.files.bytes == 0;
    for (const auto other : loaders) {  // the same numbers by another loader
        if (made_up || other == loader) continue;
        if (add({.precision = std::string(precision), .loader = std::string(other), .needs = budget.needs(other)}))
            break;
    }
    for (const auto& named : precisions) {
        if (named.name == precision || budget.codes) continue;
        for (const auto other : loaders) {
            const std::string by = made_up ? "" : std::string(other);
            if (add({.precision = std::string(named.name), .loader = by, .needs = budget.needs(other, named.form)}))
                break;
        }
    }
    // What grows with tokens and batch is linear in them, or less.
    const Needs own = budget.needs(loader);
    const std::uint64_t free = budget.on_host ? host.free : device.free, grows = own.caches + own.activations,
                        stays = own.weights + (budget.on_host ? own.host_weights - own.loading.in_place : 0);
    const auto part = [&](std::int64_t of, std::int64_t n) {
        Needs needs = own;
        needs.caches = own.caches / whole(of) * whole(n);
        needs.activations = own.activations / whole(of) * whole(n);
        return needs;
    };
    const auto largest = [&](std::int64_t of) {
        return of > 1 && free > stays ? most(free - stays, grows / whole(of) + 1, of - 1) : 0;
    };
    if (const auto n = largest(budget.tokens); n > 0) add({.tokens = n, .needs = part(budget.tokens, n)});
    if (const auto n = largest(budget.batch); n > 0) add({.batch = n, .needs = part(budget.batch, n)});
    return found;
}

SILICA_INLINE std::string Choice::text() const {
    if (tokens > 0) return "a context of " + std::to_string(tokens) + " tokens";
    if (batch > 0) return "a batch of " + std::to_string(batch);
    return loader.empty() ? precision : precision + " with the loader " + loader;
}

[[noreturn]] SILICA_INLINE void refuse_for_room(const Budget& budget, std::string_view precision,
                                                std::string_view loader, const Room& device, const Room& host,
                                                const std::string& remedy) {
    const Needs needs = budget.needs(loader);
    const bool at_host = budget.on_host || (device.total == 0 || needs.peak(false) <= device.free);
    const Room& room = at_host ? host : device;
    const std::uint64_t peak = budget.on_host ? needs.peak(true) : at_host ? needs.loading.host : needs.peak(false);
    std::string parts = bytes_text(needs.weights + (budget.on_host ? needs.host_weights : 0)) + " of weights in " +
                        std::string(precision);
    if (needs.caches > 0) parts += ", " + bytes_text(needs.caches) + " of caches";
    if (needs.activations > 0) parts += ", " + bytes_text(needs.activations) + " of activations";
    std::string sizes;
    if (budget.tokens > 0)
        sizes = " and " + std::to_string(budget.batch) + " x " + std::to_string(budget.tokens) + " tokens";
    const bool files = budget.files.bytes > 0;
    throw DeviceError(room.device + " has not enough memory for " + budget.model + sizes + ": " + parts +
                          (files ? ", by the loader " + std::string(loader) : std::string()) + " " + bytes_text(peak) +
                          " at the peak, and " + bytes_text(room.free) + " are free" +
                          (room.total > 0 ? " of " + bytes_text(room.total) : std::string()) + ".",
                      remedy);
}

SILICA_INLINE void require_room(const Budget& budget, std::string_view precision, std::string_view loader,
                                std::span<const NamedForm> precisions, std::span<const std::string_view> loaders,
                                const Room& device, const Room& host) {
    if (fits(budget.needs(loader), budget.on_host, device, host)) return;
    std::string list;
    for (const auto& choice : choices(budget, precision, loader, precisions, loaders, device, host))
        list += (list.empty() ? "" : "; ") + choice.text() + " (" + bytes_text(choice.needs.peak(budget.on_host)) + ")";
    refuse_for_room(budget, precision, loader, device, host,
                    list.empty() ? "nothing of this model fits here: use a smaller one, or free memory."
                                 : "what would fit: " + list + ".");
}

SILICA_INLINE std::string bytes_text(std::uint64_t bytes) {
    using budget_detail::mebibyte;
    if (bytes < 1024 * mebibyte) return std::to_string((bytes + mebibyte / 2) / mebibyte) + " MiB";
    const std::uint64_t tenths = (bytes * 10 + 512 * mebibyte) / (1024 * mebibyte);
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GiB";
}

}  // namespace silica
