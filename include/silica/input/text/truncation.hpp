#pragma once
/// Truncation and padding of encodings, as "truncation" and "padding" of tokenizer.json ask.

#include <silica/core/compiled.hpp>
#include <silica/input/text/encoding.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// Which end of a text is cut or filled.
enum class Side { left, right };

class JsonPlace;

/// Cuts encodings to a length.
struct Truncation {
    enum class Strategy { longest_first, only_first, only_second };

    std::size_t max_length = 512, stride = 0;
    Strategy strategy = Strategy::longest_first;
    Side direction = Side::right;

    [[nodiscard]] static Truncation read(const JsonPlace& place);

    /// Cuts both so that they and `added` special tokens fit.
    void operator()(Encoding& first, std::optional<Encoding>& second, std::size_t added) const;

private:
    /// Keeps `length` tokens; the rest goes to `overflowing` in stretches of that length which overlap by `stride`.
    void cut(Encoding& encoding, std::size_t length) const;
};

/// Fills encodings up to a length.
struct Padding {
    std::optional<std::size_t> fixed = {};  ///< a length; else that of the longest in the batch
    std::size_t multiple = 0;               ///< rounded up to a multiple of this, where not 0
    Side direction = Side::right;
    std::int64_t id = 0, type_id = 0;
    std::string token = "[PAD]";

    [[nodiscard]] static Padding read(const JsonPlace& place);

    /// Pads the encodings of a batch. InputError for a length or a multiple that no model takes.
    void operator()(std::vector<Encoding>& batch) const;
    /// Pads one encoding.
    void operator()(Encoding& encoding) const;

private:
    [[nodiscard]] std::size_t rounded(std::size_t length) const;
    void pad(std::vector<Encoding>& batch, std::size_t length) const;
    void pad(Encoding& encoding, std::size_t length) const;
};

}  // namespace silica::text

#ifndef SILICA_COMPILED
#include "silica/input/text/truncation.ipp"
#endif
