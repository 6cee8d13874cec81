#pragma once
/// The error of memory that is out.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/device/cpu.hpp"
#include "silica/entered.hpp"

#include <new>
#include <string>

namespace silica::detail {

[[noreturn]] SILICA_INLINE void rethrow_memory_is_out(std::string_view device,
                                                      bool (*is_out_of_memory)(const c10::Error&), const char* what,
                                                      const char* remedy) {
    try {
        throw;
    } catch (const c10::Error& e) {
        const bool here = is_out_of_memory(e);
        if (!here && !device::Cpu::is_out_of_memory(e)) throw;
        const std::string text = e.what_without_backtrace();
        throw DeviceError(std::string(here ? device : device::Cpu::name) + " has not enough memory " + what + ": " +
                              text.substr(0, text.find('\n')),
                          remedy);
    } catch (const std::bad_alloc&) {
        throw DeviceError(std::string(device::Cpu::name) + " has not enough memory " + what + ".", remedy);
    }
}

}  // namespace silica::detail
