#pragma once
/// Helpers of the tests of the simulated MPS device.

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>

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

/// Whether LibTorch can say which accelerator it has. A build with CUDA cannot where there is MPS too, as on no Mac.
inline bool has_accelerator() {
    try {
        static_cast<void>(at::getAccelerator());
        return true;
    } catch (const c10::Error& e) {
        skip("what asks LibTorch for its one accelerator: " + std::string(e.what_without_backtrace()));
        return false;
    }
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace silica::test::sim_mps
