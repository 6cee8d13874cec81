#pragma once
/// Header-only, or compiled once.
///
/// What depends on no policy is declared in a header and defined in the `.ipp` beside it. By default the header
/// includes that file, and all of Silica is in headers. A program that links `silica::compiled` takes the definitions
/// from there instead: the target defines SILICA_COMPILED for its users and for itself.

#ifdef SILICA_COMPILED
#define SILICA_INLINE
#else
#define SILICA_INLINE inline
#endif

/// Marks what a process has once, whichever of its shared objects asks: one symbol under -fvisibility=hidden too.
#if defined(_WIN32)
#define SILICA_API
#else
#define SILICA_API __attribute__((visibility("default")))
#endif
