#include "support/sim_mps/generator.hpp"

#if defined(__linux__)
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GeneratorImpl.h>

namespace silica::test::sim_mps::detail {
namespace {

class Generator final : public c10::GeneratorImpl {
public:
    explicit Generator(at::Generator host)
        : GeneratorImpl({c10::DeviceType::MPS, 0}, c10::DispatchKeySet(c10::DispatchKey::MPS)),
          host_(std::move(host)) {}

    void set_current_seed(uint64_t seed) override { host_.set_current_seed(seed); }
    void set_offset(uint64_t offset) override { host_.set_offset(offset); }
    uint64_t get_offset() const override { return host_.get_offset(); }
    uint64_t current_seed() const override { return host_.current_seed(); }
    uint64_t seed() override { return host_.seed(); }
    void set_state(const c10::TensorImpl& state) override { host_.unsafeGetGeneratorImpl()->set_state(state); }
    c10::intrusive_ptr<c10::TensorImpl> get_state() const override {
        return host_.unsafeGetGeneratorImpl()->get_state();
    }
    const at::Generator& host() const { return host_; }

private:
    Generator* clone_impl() const override { return new Generator(host_.clone()); }

    at::Generator host_;
};

}  // namespace

const at::Generator& default_generator() {
    static const auto& generator = *new at::Generator(new_generator());
    return generator;
}

at::Generator new_generator() { return at::make_generator<Generator>(at::detail::createCPUGenerator()); }

at::Generator host_generator(const at::Generator& generator) {
    TORCH_CHECK(generator.device().is_mps(), "Expected a 'mps' device type for generator but found '",
                generator.device().type(), "'");
    return static_cast<const Generator*>(generator.unsafeGetGeneratorImpl())->host();
}

}  // namespace silica::test::sim_mps::detail
#endif
