// expect: the fourth argument of Model is not a loader
// expect: silica/loader/concept.hpp
#include "silica/arch/bert.hpp"
#include "silica/model.hpp"

/// Builds, and gives nothing back.
struct Careless {
    static constexpr std::string_view name = "careless";
    template <class Build>
#ifdef SILICA_CONTROL
    static auto load(const silica::checkpoint::Checkpoint& c, Build&& build) {
        return silica::loader::Mapped::load(c, build);
    }
#else
    static void load(const silica::checkpoint::Checkpoint& c, Build&& build) {
        static_cast<void>(silica::loader::Mapped::load(c, build));
    }
#endif
};

using Bert = silica::Model<silica::arch::Bert, silica::device::Cpu, silica::precision::Fp32, Careless>;
Bert open() { return Bert::open("bert"); }
