#pragma once
/// Memory that results leave behind, kept for those of the next call.

#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace silica {

/// Lets the process keep up to 512 MB that are free, instead of giving them back to the system after every call and
/// having them zeroed anew, page by page: a sixth of the time of Wav2Vec2 on a CPU. For the start of `main`: it is a
/// setting of the whole process, so only a program can decide it. glibc alone needs it; elsewhere nothing is done.
inline void keep_memory() {
#if defined(__GLIBC__)
    mallopt(M_MMAP_MAX, 0);  // what was mapped by itself is unmapped when it is freed, whatever its size
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}

}  // namespace silica
