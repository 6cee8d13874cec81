#pragma once
/// Whether this thread records a graph of what a device does.

#include "silica/core/compiled.hpp"

namespace silica {

/// True while it does: nothing may then wait for the device, try again or go to another one, since what is recorded is
/// not done yet.
SILICA_API inline thread_local bool recording = false;

}  // namespace silica
