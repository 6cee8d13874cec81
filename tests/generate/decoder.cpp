// A Model as a Decoder: prefill whole or in pieces, steps, the most likely token, reordered rows.
#include "silica/generate/decoder.hpp"

#include "generate/toy.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"

namespace decoder_tests {

using namespace silica;
using test::ToyConfig;

TEMPLATE_LIST_TEST_CASE("a decoder takes a prompt whole or in pieces, then tokens", "[generate]", test::Devices) {
    if (!test::present<TestType>()) return;
    const auto model = test::toy<TestType>({.eos_token_id = 2});
    generate::ModelDecoder decoder(model);
    generate::Decoder& d = decoder;
    CHECK(d.facts().architecture == "ToyForCausalLM");
    CHECK_FALSE(d.facts().encoder_decoder);
    CHECK(d.facts().context == 64);
    CHECK(d.facts().vocab_size == 24);
    CHECK(d.facts().eos_token_id == std::vector<std::int64_t>{2});
    CHECK(d.device() == test::place<TestType>());
    CHECK(d.length() == 0);
    const Tensor ids = test::random_ids({2, 7}, 24, 3);

    d.start(2, 9);
    CHECK(d.capacity() == 9);
    CHECK(d.state_bytes() > 0);
    const Tensor whole = d.prefill({.input_ids = ids});
    CHECK(whole.sizes() == c10::IntArrayRef({2, 24}));
    const Tensor next = d.most_likely(whole);
    CHECK(next.device() == d.device());
    CHECK(next.to(at::kCPU).equal(whole.to(at::kCPU).argmax(1)));
    const Tensor after = d.step(next);
    CHECK(d.length() == 8);

    d.start(2, 9);
    static_cast<void>(d.prefill({.input_ids = ids.slice(1, 0, 3)}));
    CHECK(d.prefill({.input_ids = ids.slice(1, 3)}).to(at::kCPU).equal(whole.to(at::kCPU)));
    CHECK(d.greedy_step(next).to(at::kCPU).equal(after.to(at::kCPU).argmax(1)));

    d.start(2, 9);
    static_cast<void>(d.prefill({.input_ids = ids}));
    d.reorder(at::arange(1, -1, -1, at::kLong));
    CHECK(d.step(next.flip(0)).to(at::kCPU).equal(after.to(at::kCPU).flip(0)));
    static_cast<void>(d.step(next));
    CHECK_THROWS_AS(d.step(next), InputError);  // nine tokens
}

TEST_CASE("a decoder that was not started says so", "[generate]") {
    const auto model = test::toy<device::Cpu>();
    generate::ModelDecoder decoder(model);
    CHECK_THROWS_WITH(decoder.step(at::zeros({1}, at::kLong)), test::ContainsSubstring("was not started"));
}

}  // namespace decoder_tests
