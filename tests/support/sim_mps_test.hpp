#pragma once
/// Helpers of the tests of the simulated MPS device.

#include <ATen/ATen.h>

#include <string>
#include <typeinfo>

#include "support/catch.hpp"
#include "support/sim_mps.hpp"

namespace silica::test::sim_mps {

inline const c10::Device mps{c10::DeviceType::MPS, 0};
inline const at::TensorOptions on_mps = at::TensorOptions().device(mps);

/// The words of the exception that `f` must throw.
template <class Exception, class F>
std::string thrown(F f) {
    try {
        f();
    } catch (const c10::Error& e) {
        INFO(e.what_without_backtrace());
        CHECK(typeid(e) == typeid(Exception));
        return e.what_without_backtrace();
    }
    return "nothing was thrown";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace silica::test::sim_mps
