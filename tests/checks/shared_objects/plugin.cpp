// A plug-in that uses Silica, built with -fvisibility=hidden: host.cpp loads two of them.
#include "silica/core/thread_pool.hpp"
#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/mps.hpp"
#include "silica/fallback.hpp"
#include "silica/loader/first_of.hpp"

#include "shared_objects.hpp"

namespace {

Globals globals() {
    return {silica::device::Mps::lock().mutex(), &silica::detail::ThreadPool::instance(), &silica::announce_fallbacks,
            &silica::loader::degradation_note(), &silica::device::cuda::own_kernels};
}

}  // namespace

#ifdef SILICA_TEST_HOST
Globals globals_of_host() { return globals(); }
#else
static bool fall_back() { return silica::FallbackScope::record({"op", "from", "to", {}, 1, 2, 3}); }

extern "C" __attribute__((visibility("default"))) void silica_plugin(Globals* all, bool (**record)()) {
    *all = globals();
    *record = fall_back;
}
#endif
