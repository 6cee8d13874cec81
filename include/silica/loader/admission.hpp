#pragma once
/// Who may load: asked before a loader begins.

#include "silica/core/compiled.hpp"

#include <functional>
#include <string_view>
#include <utility>

namespace silica::loader {

/// While one lives, loaders of this thread are admitted by `f(name)`, which throws DeviceError for one whose peak does
/// not fit in memory. FirstOf then tries the next.
class Admission {
public:
    using Asks = std::function<void(std::string_view)>;

    explicit Admission(Asks f) : asks_(std::move(f)), before_(std::exchange(current_, &asks_)) {}
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    ~Admission() { current_ = before_; }

    /// Asks the admission of this thread, if there is one.
    static void ask(std::string_view loader) {
        if (current_ != nullptr && *current_) (*current_)(loader);
    }

private:
    SILICA_API static inline thread_local const Asks* current_ = nullptr;
    Asks asks_;
    const Asks* before_;
};

}  // namespace silica::loader
