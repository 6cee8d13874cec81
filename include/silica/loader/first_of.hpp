#pragma once
/// FirstOf: tries loaders in turn. Graceful degradation.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/loader/admission.hpp"
#include "silica/loader/concept.hpp"

#include <c10/util/Exception.h>

#include <new>
#include <string>

namespace silica::loader {

/// What the loaders before the one that worked said; read by Model for the account of the load.
SILICA_API inline std::string& degradation_note() {
    thread_local std::string note;
    return note;
}

/// Tries `First`; when it would not fit in memory, runs out of it or the device refuses, the next. Damaged files and
/// wrong configurations are no reason to try again.
template <LoaderPolicy First, LoaderPolicy... Rest>
struct FirstOf {
    static constexpr std::string_view name = "auto";

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        if constexpr (sizeof...(Rest) == 0) {
            Admission::ask(First::name);
            auto built = First::load(c, build);
            if (!degradation_note().empty()) degradation_note() += std::string(First::name) + " was used";
            return built;
        } else {
            std::string reason;
            try {
                return FirstOf<First>::load(c, build);
            } catch (const DeviceError& e) {
                reason = e.problem();
            } catch (const c10::Error& e) {
                reason = e.what_without_backtrace();
            } catch (const std::bad_alloc&) {
                reason = "the host is out of memory";
            }
            degradation_note() += std::string(First::name) + " failed (" + reason.substr(0, reason.find('\n')) + "); ";
            return FirstOf<Rest...>::load(c, build);
        }
    }
};

}  // namespace silica::loader
