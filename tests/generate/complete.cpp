#include "silica/generate/complete.hpp"
#include "silica/generate/read_config.hpp"
#include "generate/toy.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
using namespace silica;
TEST_CASE("x") {
    const auto model = test::toy<device::Cpu>({.eos_token_id = 2});
    generate::ModelDecoder decoder(model);
    auto out = generate::complete(decoder, {.input_ids = test::random_ids({2, 7}, 24, 3)}, {.max_new_tokens = 9});
    CHECK(out.new_tokens > 0);
    out = generate::complete(decoder, {.input_ids = test::random_ids({2, 7}, 24, 3)}, {.max_new_tokens = 9, .num_beams = 3});
    CHECK(out.new_tokens > 0);
}
