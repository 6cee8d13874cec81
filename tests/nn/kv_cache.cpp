// Which slot holds which token, who may attend to whom, and at which angles positions turn.
#include "silica/nn/decoder_slots.hpp"

#include <ATen/ops/tensor.h>
#include <cmath>

#include "silica/nn/kv_cache.hpp"
#include "silica/nn/rope.hpp"
#include "silica/op/attends.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"

namespace kv_cache_tests {

using namespace silica;

namespace {

Tensor longs(std::initializer_list<std::int64_t> values) { return at::tensor(std::vector(values), at::kLong); }
bool same(const Tensor& got, const Tensor& want) { return got.to(at::kCPU).equal(want); }

}  // namespace

TEMPLATE_LIST_TEST_CASE("A cache smaller than the text is a ring of its last tokens", "", test::Devices) {
    if (!test::present<TestType>()) return;
    nn::KvSlots slots(2, 4, test::place<TestType>());
    CHECK(same(slots.of_new(0, 3), longs({0, 1, 2})));
    CHECK(same(slots.of_new(3, 3), longs({3, 0, 1})));
    slots.stored(0, 3, std::nullopt);
    CHECK(same(slots.next(), longs({3})));
    CHECK(same(slots.filled(), longs({3})));
    CHECK_FALSE(slots.attend().has_value());
    for (const std::int64_t next : {0, 1, 2}) {  // tokens 3, 4 and 5
        slots.begin_step();
        CHECK(same(slots.filled(), longs({4})));
        slots.end_step();
        CHECK(same(slots.next(), longs({next})));
    }
    const Tensor held = longs({4, 5, 2, 3}).to(test::place<TestType>());
    CHECK(same(slots.in_order(held, 0, 6), longs({2, 3, 4, 5})));
}

TEMPLATE_LIST_TEST_CASE("Slots forget their last tokens and move into larger ones, until a ring goes round", "",
                        test::Devices) {
    if (!test::present<TestType>()) return;
    const auto options = at::TensorOptions().dtype(at::kFloat).device(test::place<TestType>());
    nn::DecoderSlots small(1, 6, 1, 2, {4, std::nullopt}, options), large(1, 9, 1, 2, {4, std::nullopt}, options);
    REQUIRE(small.sliding.has_value());
    const auto store = [&](std::int64_t tokens) {
        small.for_each_kind([&](nn::KvSlots& slots) { slots.stored(small.length(), tokens, std::nullopt); });
        small.advance(tokens);
    };
    for (auto& cache : small.caches) cache.keys.fill_(2), cache.values.fill_(3);
    store(4);
    CHECK(small.in_place());
    small.shorten(3);
    CHECK(small.length() == 3);
    for (nn::KvSlots* slots : {&small.full, &*small.sliding}) {
        CHECK(same(slots->next(), longs({3})));
        CHECK(same(slots->filled(), longs({3})));
    }
    large.resume(small);
    CHECK(large.length() == 3);
    CHECK(same(large.full.filled(), longs({3})));
    for (std::size_t n = 0; n < 2; ++n) {
        CHECK(large.caches[n].keys.select(2, 2).to(at::kCPU).eq(2).all().item<bool>());
        CHECK(large.caches[n].values.select(2, 2).to(at::kCPU).eq(3).all().item<bool>());
        CHECK(large.caches[n].keys.select(2, 3).to(at::kCPU).eq(0).all().item<bool>());
    }
    store(2);
    CHECK_FALSE(small.in_place());
}

TEMPLATE_LIST_TEST_CASE("Padding is not attended to until a new token takes its slot", "", test::Devices) {
    if (!test::present<TestType>()) return;
    nn::KvSlots slots(2, 3, test::place<TestType>());
    const Tensor mask = at::tensor({0, 1, 1, 1}, at::kInt).view({2, 2}).to(at::kBool).to(test::place<TestType>());
    slots.stored(0, 2, mask);
    const auto attend = [&] { return slots.attend()->to(at::kCPU).view({2, 3}).to(at::kLong); };
    CHECK(attend().narrow(1, 0, 2).equal(longs({0, 1, 1, 1}).view({2, 2})));
    CHECK(same(slots.attend_in_order(2).to(at::kLong), longs({0, 1, 1, 1}).view({2, 2})));
    for (int step = 0; step < 2; ++step) slots.begin_step(), slots.end_step();  // slot 2, then slot 0 again
    CHECK(attend().equal(at::ones({2, 3}, at::kLong)));
    CHECK(same(slots.filled(), longs({3})));
}

TEST_CASE("A query attends to itself, to what is before it, within the window, where it may") {
    const c10::Device cpu("cpu");
    CHECK_FALSE(op::Attends{}.shown(3, 5, cpu).has_value());
    CHECK_FALSE(op::Attends::causal(4).shown(1, 5, cpu).has_value());  // the last token sees all
    CHECK_FALSE(op::Attends::causal(4, 5).shown(1, 5, cpu).has_value());
    const Tensor attend = at::tensor({0, 1, 1, 1, 1}, at::kInt).view({1, 1, 1, 5}).to(at::kBool);
    auto attends = op::Attends::causal(2, 2);
    attends.mask = attend;
    const auto found = attends.shown(3, 5, cpu);
    REQUIRE(found->sizes() == c10::IntArrayRef({1, 1, 3, 5}));
    for (std::int64_t q = 0; q < 3; ++q) {
        for (std::int64_t k = 0; k < 5; ++k) {
            CAPTURE(q, k);
            const bool want = k <= q + 2 && k > q + 2 - 2 && k != 0;
            CHECK((*found)[0][0][q][k].item<bool>() == want);
        }
    }
    CHECK(attends.shown(3, 5, cpu)->is_same(*found));  // made once
    auto other = attends;
    other.mask.reset();
    CHECK((*other.shown(3, 5, cpu))[0][0][0][1].item<bool>());  // a copy that says something else makes its own
    other.offset = 0;
    CHECK_FALSE((*other.shown(3, 5, cpu))[0][0][0][1].item<bool>());
    CHECK(attends.shown(3, 5, cpu)->is_same(*found));
}

TEST_CASE("Position p turns pair i by p theta^(-2i/d); dynamic and longrope follow the length of the text") {
    nn::RopeParameters p;
    p.rope_theta = 100.0;
    const auto table = nn::Rope(p, 8, 16).table(5, 5);
    for (std::int64_t at = 0; at < 5; ++at) {
        for (std::int64_t i = 0; i < 4; ++i) {
            const double angle = static_cast<double>(at) * std::pow(100.0, -2.0 * static_cast<double>(i) / 8);
            CHECK(table.cos[at][i].item<double>() == test::Approx(std::cos(angle)).margin(1e-6));
            CHECK(table.sin[at][i].item<double>() == test::Approx(std::sin(angle)).margin(1e-6));
        }
    }
    p.factor = 2.0;
    p.rope_type = nn::RopeType::linear;
    CHECK(nn::Rope(p, 8, 16).table(5, 5).sin[4].allclose(table.sin[2], 1e-6, 1e-6));
    p.rope_type = nn::RopeType::dynamic;
    const nn::Rope dynamic(p, 8, 16);
    CHECK_FALSE(dynamic.fixed());
    CHECK(dynamic.key(3) == dynamic.key(16));
    CHECK(dynamic.key(17) != dynamic.key(16));
    CHECK(dynamic.table(5, 16).cos.allclose(table.cos, 1e-6, 1e-6));
    CHECK_FALSE(dynamic.table(5, 40).cos.allclose(table.cos, 1e-3, 1e-3));
}

}  // namespace kv_cache_tests
