// keep_memory: what one call leaves behind serves the next, without new pages.
#include "silica/core/keep_memory.hpp"

#include <cstdlib>
#include <cstring>

#include "support/catch.hpp"

// Sanitizers have an allocator of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SILICA_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SILICA_SANITIZED
#endif
#endif

#if defined(__GLIBC__) && !defined(SILICA_SANITIZED)
#include <sys/resource.h>

namespace {

/// Page faults of writing to 100 MB in two blocks, which are freed again.
long faults_of_a_call() {
    const auto faults = [] {
        rusage use{};
        ::getrusage(RUSAGE_SELF, &use);
        return use.ru_minflt;
    };
    const long before = faults();
    constexpr std::size_t size = 50 << 20;
    void* const blocks[] = {std::malloc(size), std::malloc(size)};
    for (void* block : blocks) {
        REQUIRE(block != nullptr);
        std::memset(block, 1, size);
    }
    for (void* block : blocks) std::free(block);
    return faults() - before;
}

}  // namespace

TEST_CASE("kept memory serves the next call without page faults") {
    const long given_back = (faults_of_a_call(), faults_of_a_call());
    silica::keep_memory();
    const long kept = (faults_of_a_call(), faults_of_a_call());
    CHECK(given_back > 40);  // at least one for each huge page
    CHECK(kept < 10);
}

#else

TEST_CASE("keep_memory does nothing where the allocator is not glibc's") { CHECK_NOTHROW(silica::keep_memory()); }

#endif
