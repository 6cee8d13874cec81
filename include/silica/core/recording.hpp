#pragma once
/// Whether this thread records a graph of what a device does.

namespace silica {

/// True while it does: nothing may then wait for the device, try again or go to another one, since what is recorded is
/// not done yet.
inline thread_local bool recording = false;

}  // namespace silica
