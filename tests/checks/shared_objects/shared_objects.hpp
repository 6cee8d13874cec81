#pragma once
/// Where a shared object finds what a process should have once.
struct Globals {
    const void *mps_mutex, *thread_pool, *announce_fallbacks, *degradation_note, *own_kernels;

    friend bool operator==(const Globals&, const Globals&) = default;
};
