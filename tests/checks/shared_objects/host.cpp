// What a process has once is one for each plug-in, and for the program if it uses Silica (SILICA_TEST_HOST), though all
// are built with -fvisibility=hidden and plug-ins are loaded with RTLD_LOCAL.
//
//     host PLUGIN PLUGIN
#include <cstdio>

#include <dlfcn.h>

#include "shared_objects.hpp"

#ifdef SILICA_TEST_HOST
#include "silica/fallback.hpp"

Globals globals_of_host();
#endif

int main(int, char** argv) {
    int failures = 0;
    const auto check = [&](bool fine, const char* what) {
        if (fine) return;
        std::printf("failed: %s\n", what);
        ++failures;
    };
#ifdef SILICA_TEST_HOST
    Globals here = globals_of_host();
#else
    Globals here{};
#endif
    for (int i = 1; i <= 2; ++i) {
        void* const plugin = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        if (plugin == nullptr) return std::printf("%s\n", dlerror()), 1;
        auto* const entry = reinterpret_cast<void (*)(Globals*, bool (**)())>(dlsym(plugin, "silica_plugin"));
        if (entry == nullptr) return std::printf("%s\n", dlerror()), 1;
        Globals there{};
        bool (*fall_back)() = nullptr;
        entry(&there, &fall_back);
        if (here == Globals{}) here = there;
        check(there.mps_mutex == here.mps_mutex, "the mutex of Mps::lock()");
        check(there.thread_pool == here.thread_pool, "the pool of threads");
        check(there.announce_fallbacks == here.announce_fallbacks, "announce_fallbacks");
        check(there.degradation_note == here.degradation_note, "degradation_note()");
        check(there.own_kernels == here.own_kernels, "cuda::own_kernels");
        check(!fall_back(), "no scope is open");
#ifdef SILICA_TEST_HOST
        const silica::FallbackScope scope;
        check(fall_back(), "the plug-in sees the program's scope");
        check(scope.report().size() == 1 && scope.report()[0].bytes == 2, "the scope sees the plug-in's fallback");
#endif
        dlclose(plugin);
    }
    if (failures == 0) std::printf("shared objects: one of each\n");
    return failures == 0 ? 0 : 1;
}
