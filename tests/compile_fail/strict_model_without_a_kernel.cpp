// expect: this op has no kernel on any device of this chain in this precision
// expect: op::Embedding
// expect: Chain<
// expect: Npu
#include "silica/arch/bert.hpp"
#include "silica/model.hpp"

/// A device without a kernel of its own.
struct Npu : silica::device::Cpu {
    static constexpr std::string_view name = "npu";
    using chain = silica::Chain<Npu, silica::device::Cpu>;
};

#ifdef SILICA_CONTROL
using Where = Npu;
#else
using Where = silica::Chain<Npu>;
#endif

using Bert = silica::Model<silica::arch::Bert, Where, silica::precision::Fp32>;
Bert open() { return Bert::open("bert"); }
