#pragma once
/// parallel_for: a range of work over the threads of this process.
///
/// LibTorch's own at::parallel_for is serial in a file that is compiled without OpenMP. There a pool of our own serves,
/// with as many threads.

#include "silica/core/compiled.hpp"

#include <algorithm>
#include <cstdint>

// Where everything is in headers, a file with OpenMP and one without have each their own; the library has one of them.
#if defined(_OPENMP) && !defined(SILICA_COMPILED)
#define SILICA_THREADS with_openmp
#else
#define SILICA_THREADS by_default
#endif

namespace silica {
namespace detail {
inline namespace SILICA_THREADS {

/// Calls piece(f, first, last) as parallel_for calls f, for a range that is longer than `grain`.
void in_pieces(std::int64_t begin, std::int64_t end, std::int64_t grain,
               void (*piece)(const void* f, std::int64_t first, std::int64_t last), const void* f);

}  // namespace SILICA_THREADS
}  // namespace detail

inline namespace SILICA_THREADS {

/// Calls f(first, last) on disjoint pieces that make up [begin, end), at most one for each of at::get_num_threads()
/// threads and for each `grain` of the range. A range no longer than `grain`, and a call from inside a parallel region
/// (this one's or OpenMP's), is one call on this thread. The first exception of `f` is thrown here.
///
/// A child of fork() may call it: it starts with one thread, and at::set_num_threads gives it more.
template <class F>
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain, const F& f) {
    if (begin >= end) return;
    const std::int64_t least = std::max<std::int64_t>(1, grain);
    if (end - begin <= least) return f(begin, end);
    detail::in_pieces(
        begin, end, least,
        [](const void* self, std::int64_t first, std::int64_t last) { (*static_cast<const F*>(self))(first, last); },
        &f);
}

}  // namespace SILICA_THREADS
}  // namespace silica

#undef SILICA_THREADS

#ifndef SILICA_COMPILED
#include "silica/core/parallel.ipp"
#endif
