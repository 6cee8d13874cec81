#pragma once
/// Who attends to whom.

#include "silica/core/tensor.hpp"
#include "silica/op/law.hpp"

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace silica::op {

/// What restricts and shifts the scores of attention, (batch, heads, queries, keys). All that is said holds at once;
/// where nothing is, every query attends to every key. What can be said without a tensor has none, so that a kernel can
/// leave out whole blocks of keys. Where a kernel knows masks only, one is made, once for all layers that are given the
/// same object; so an object serves one caller at a time.
struct Attends {
    std::optional<Tensor> mask = {};     ///< bool, true = attend; broadcasts to the scores
    std::optional<Tensor> bias = {};     ///< added to the scores; broadcasts to them
    std::optional<Tensor> lengths = {};  ///< (batch) int64: only the first lengths[i] keys of row i are there
    /// No one attends to what comes later; query i stands at position offset + i of the keys. Absent: everyone to all.
    std::optional<std::int64_t> offset = {};
    /// With `offset`: a query attends to its own position and the window - 1 before it. Absent: to all before.
    std::optional<std::int64_t> window = {};

    /// No one to what comes later, `before` keys standing before that of the first query.
    [[nodiscard]] static Attends causal(std::int64_t before = 0, std::optional<std::int64_t> window = {}) {
        return {.offset = before, .window = window};
    }

    /// Whether `offset` hides one of `keys` keys, and `window` one from the last of `queries` queries.
    [[nodiscard]] bool hides_later(std::int64_t keys) const { return offset && *offset + 1 < keys; }
    [[nodiscard]] bool hides_earlier(std::int64_t queries) const { return window && *offset + queries > *window; }

    /// All but `bias` as one mask: bool, true = attend, broadcasts to the scores; absent where nothing is hidden.
    [[nodiscard]] std::optional<Tensor> shown(std::int64_t queries, std::int64_t keys, c10::Device device) const;
    /// All of it as one tensor of the type and device of `like` that is added to the scores and broadcasts to them,
    /// -infinity where a query does not attend; absent where nothing is said.
    [[nodiscard]] std::optional<Tensor> added(std::int64_t queries, std::int64_t keys, const Tensor& like) const;
    /// `mask` and `bias` alone as such a tensor, of float32.
    [[nodiscard]] std::optional<Tensor> masked_bias() const;

    /// InputError, in the name of the op, for what does not fit scores of `shape`.
    void check(std::string_view name, c10::IntArrayRef shape) const {
        if (!mask && !bias && !lengths && !offset && !window) return;
        const auto fits = [&](const std::optional<Tensor>& t) { return !t || broadcasts(*t, shape); };
        const bool numbers =
            (!offset || (*offset >= 0 && *offset <= shape[3])) && (!window || (offset && *window >= 1));
        law(numbers && fits(mask) && fits(bias) && (!mask || mask->scalar_type() == c10::ScalarType::Bool) &&
                (!bias || computes(bias->scalar_type())) &&
                (!lengths || is_vector(*lengths, shape[0], c10::ScalarType::Long)),
            name,
            "a mask (bool) and a bias that broadcast to (batch, heads, queries, keys), lengths (batch) int64, an "
            "offset "
            "from 0 to the number of keys and with it a window of 1 or more",
            mask, bias, lengths);
    }

    /// What was made of the members so far, and of which: a copy with another mask makes its own.
    struct Made {
        std::int64_t queries, keys;
        c10::Device device;
        std::optional<Tensor> of_mask, of_bias, of_lengths;
        std::optional<std::int64_t> of_offset, of_window;
        std::optional<Tensor> shown = {}, added = {}, masked_bias = {};
    };
    mutable std::shared_ptr<Made> made = {};
};

}  // namespace silica::op

BOOST_HANA_ADAPT_STRUCT(silica::op::Attends, mask, bias, lengths);

#ifndef SILICA_COMPILED
#include "silica/op/attends.ipp"
#endif
