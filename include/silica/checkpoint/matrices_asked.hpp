#pragma once
/// Whose codes networks ask for.

#include "silica/core/compiled.hpp"

#include <set>
#include <string>

namespace silica::checkpoint {

/// While one lives, networks that this thread makes of shapes (core/inventory.hpp) under a precision with codes note
/// here which matrices they ask codes of: those of their products. Nothing is read for that.
class MatricesAsked {
public:
    MatricesAsked() : before_(current_) { current_ = this; }
    MatricesAsked(const MatricesAsked&) = delete;
    MatricesAsked& operator=(const MatricesAsked&) = delete;
    ~MatricesAsked() { current_ = before_; }

    /// The one of this thread; null where nobody asks.
    [[nodiscard]] static MatricesAsked* current() noexcept { return current_; }

    void note(const std::string& name) { names_.insert(name); }
    /// Names as the files spell them.
    [[nodiscard]] const std::set<std::string>& names() const noexcept { return names_; }

private:
    SILICA_API static inline thread_local MatricesAsked* current_ = nullptr;
    MatricesAsked* before_;
    std::set<std::string> names_;
};

}  // namespace silica::checkpoint
