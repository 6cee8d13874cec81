#pragma once
/// The arithmetic of memory: what a model needs to be loaded and to run, before anything of it is read. No LibTorch.

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica {

/// A tensor that a network keeps of its weights.
struct KeptWeight {
    std::size_t tensor = 0;  ///< equal numbers stand for one tensor, which several layers share
    std::int64_t elements = 0;
    std::int64_t rows = 0, columns = 0;  ///< of the matrix of a product; 0 of anything else
    std::uint64_t bytes = 0;             ///< as it is kept
    int bits = 0;                        ///< of its codes; 0: it is plain
    bool host = false;                   ///< lies on the host whatever the device: its op has no kernel there
    bool as_read = false;                ///< as a loader gives it, neither joined nor computed
};

/// In what numbers weights are kept: `item` bytes each, the matrices of products in codes of `bits` (0: like the rest)
/// by groups of `group` columns, whose scale and bias take `scale` bytes each.
struct WeightForm {
    std::uint64_t item = 4;
    int bits = 0;
    std::int64_t group = 64;
    std::uint64_t scale = 4;
};

/// Bytes of codes with their scales and biases: rows * (words * 4 + groups * 2 * scale), a word holding 32 / bits
/// codes.
[[nodiscard]] std::uint64_t code_bytes(std::int64_t rows, std::int64_t columns, const WeightForm& form);

/// What weights take where they stay.
struct WeightBytes {
    std::uint64_t device = 0, host = 0;  ///< on the model's device, and apart from that on the host
    std::uint64_t largest = 0;           ///< of one tensor
    std::uint64_t largest_matrix = 0;    ///< of one that products use
    std::uint64_t in_place = 0;          ///< of `device`, what could be the pages of a mapped file: not what is packed
    std::int64_t largest_elements = 0;
};

/// Of weights as they are kept; shared ones count once.
[[nodiscard]] WeightBytes weight_bytes(std::span<const KeptWeight> kept);
/// Of the same weights in other numbers. A matrix in codes whose tensor something else keeps plain (words tied to the
/// projection) is there twice.
[[nodiscard]] WeightBytes weight_bytes(std::span<const KeptWeight> kept, const WeightForm& form);
/// Parameters: elements of tensors, shared ones once.
[[nodiscard]] std::uint64_t parameters_of(std::span<const KeptWeight> kept);

/// What a loader reads; all zero where there are no files and weights are made up.
struct WeightFiles {
    std::uint64_t bytes = 0, largest = 0;  ///< of all tensors, of one
    std::uint64_t item = 0;                ///< bytes of a number, as most of them are
};

/// How memory is used at the peak of a load, the weights that stay included.
struct LoadingBytes {
    std::uint64_t device = 0, host = 0;  ///< for a model on the host all of it is in `host`
    std::uint64_t mapped = 0;            ///< beside `host`: pages of files, which the system takes back when it must
    std::uint64_t in_place = 0;          ///< of those, what the weights are: they are read again when they are used
};

/// Of the loader "mapped", "streamed" or "cpu-first", or "random" where weights are made up. `on_host`: the model is on
/// the host. Beside the weights that stay it counts
/// - the largest tensor as the file has it (mapped: in pages of the file; streamed: 16 MiB of it), and the largest once
///   more while a kernel packs it; where matrices become codes 32 MiB of one, its codes, and those joined from parts;
/// - cpu-first: all files, or what stays where that is more, since it drops what was used; as streamed for codes;
/// - random: the largest in float32.
[[nodiscard]] LoadingBytes loading_bytes(std::string_view loader, const WeightBytes& weights, const WeightFiles& files,
                                         const WeightForm& form, bool on_host);

/// What is free; nobody tells where the total is 0, and then everything fits.
struct Room {
    std::string device = {};  ///< "cuda"
    std::uint64_t free = 0, total = 0;
};

/// A model in one precision by one loader, for inputs of some size.
struct Needs {
    LoadingBytes loading = {};
    std::uint64_t weights = 0, host_weights = 0;  ///< on the device, and apart from that on the host
    std::uint64_t caches = 0, activations = 0;    ///< on the device: keys and values; the most that one call needs

    /// The most that is needed at once of the device, or of the host where the model is on it.
    [[nodiscard]] std::uint64_t peak(bool on_host) const noexcept;
};

/// Whether it fits: on the host alone, or on a device beside it.
[[nodiscard]] bool fits(const Needs& needs, bool on_host, const Room& device, const Room& host);

/// Another way to open a model, for who has to choose.
struct Choice {
    std::string precision = {}, loader = {};  ///< what would have to change; empty: stays
    std::int64_t tokens = 0, batch = 0;       ///< the same; 0: stays
    Needs needs = {};

    /// "int4 with the loader streamed", "a batch of 3".
    [[nodiscard]] std::string text() const;
};

/// Everything about a model from which its needs in any form follow.
struct Budget {
    std::string model = {};  ///< what errors call it
    std::vector<KeptWeight> kept = {};
    std::set<std::string> in_codes = {};  ///< the matrices that are codes, as the files spell them
    WeightFiles files = {};
    WeightForm form = {};                ///< in which `kept` was counted
    bool codes = false;                  ///< the files hold codes: they are kept as they are, and become nothing else
    bool on_host = true;                 ///< the model is on the host
    std::int64_t batch = 1, tokens = 0;  ///< what caches and activations are for; tokens 0: there are none
    std::uint64_t caches = 0, activations = 0;  ///< in `form`

    /// In its own form, by this loader.
    [[nodiscard]] Needs needs(std::string_view loader) const;
    /// In another form, for a part of the batch or of the tokens.
    [[nodiscard]] Needs needs(std::string_view loader, const WeightForm& other) const;
};

/// A precision that could be chosen.
struct NamedForm {
    std::string_view name;
    WeightForm form = {};
};

/// What would fit: first other precisions of those given, from the most exact on, each by the first of `loaders` that
/// fits; then the present one with the longest context and the largest batch that fit. Empty where nothing does.
[[nodiscard]] std::vector<Choice> choices(const Budget& budget, std::string_view precision, std::string_view loader,
                                          std::span<const NamedForm> precisions,
                                          std::span<const std::string_view> loaders, const Room& device,
                                          const Room& host);

/// Throws DeviceError, with the numbers and `remedy`.
[[noreturn]] void refuse_for_room(const Budget& budget, std::string_view precision, std::string_view loader,
                                  const Room& device, const Room& host, const std::string& remedy);

/// Returns where `budget` fits in this precision by this loader, else throws DeviceError: one sentence with the
/// numbers, and the choices that would fit.
void require_room(const Budget& budget, std::string_view precision, std::string_view loader,
                  std::span<const NamedForm> precisions, std::span<const std::string_view> loaders, const Room& device,
                  const Room& host);

/// "13.2 GiB", "870 MiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/budget.ipp"
#endif
