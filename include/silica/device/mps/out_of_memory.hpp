#pragma once
/// How MPS says that its memory is out: a plain c10::Error, known by its text.

#include <c10/util/Exception.h>

#include <string_view>

namespace silica::device::mps {

inline bool is_out_of_memory(const c10::Error& error) {
    const std::string_view text = error.what_without_backtrace();
    return text.find("MPS backend out of memory") != std::string_view::npos ||
           text.find("Invalid buffer size") != std::string_view::npos;
}

}  // namespace silica::device::mps
