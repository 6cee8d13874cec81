// Features as tensors: no copy, the right types.
#include "silica/task/features.hpp"

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "silica/core/error.hpp"
#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;
using audio::Features;

TEST_CASE("features become tensors without a copy", "[task]") {
    Features features{.name = "input_features",
                      .shape = {2, 3, 4},
                      .values = std::vector<float>(24),
                      .mask = std::vector<std::int64_t>{1, 1, 1, 0, 1, 0, 0, 0},
                      .is_longer = std::vector<std::uint8_t>{0, 1}};
    for (std::size_t i = 0; i < 24; ++i) features.values[i] = static_cast<float>(i);
    const auto* where = features.values.data();
    const auto made = task::tensors_of(std::move(features));
    CHECK(made.name == "input_features");
    CHECK(made.features.const_data_ptr<float>() == where);
    CHECK(made.features.sizes() == c10::IntArrayRef{2, 3, 4});
    CHECK(made.features[1][2][3].item<float>() == 23);
    REQUIRE(made.attention_mask);
    CHECK(at::equal(*made.attention_mask, at::tensor({1, 1, 1, 0, 1, 0, 0, 0}, at::kLong).view({2, 4})));
    REQUIRE(made.is_longer);
    CHECK(at::equal(*made.is_longer, at::tensor({0, 1}, at::kLong).to(at::kBool).view({2, 1})));
}

TEST_CASE("features without a mask", "[task]") {
    const auto made = task::tensors_of(Features{
        .name = "input_values", .shape = {1, 2}, .values = {1, 2}, .mask = std::nullopt, .is_longer = std::nullopt});
    CHECK_FALSE(made.attention_mask);
    CHECK_FALSE(made.is_longer);
    CHECK(at::equal(made.features, at::tensor({1.0F, 2.0F}).view({1, 2})));
}

TEST_CASE("features whose numbers do not fit their shape are refused", "[task]") {
    const auto features = [](std::size_t values, std::size_t mask, std::size_t longer) {
        return Features{.name = "input_values",
                        .shape = {2, 3},
                        .values = std::vector<float>(values),
                        .mask = std::vector<std::int64_t>(mask),
                        .is_longer = std::vector<std::uint8_t>(longer)};
    };
    CHECK(task::tensors_of(features(6, 6, 2)).features.numel() == 6);
    for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{}, {1}}) {
        auto flat = features(1, 1, 1);
        flat.shape = shape;
        test::refuses<InputError>([&] { (void)task::tensors_of(flat); }, {"2 dimensions"});
    }
    test::refuses<InputError>([&] { (void)task::tensors_of(features(5, 6, 2)); }, {"input_values", "5 values"});
    test::refuses<InputError>([&] { (void)task::tensors_of(features(6, 7, 2)); }, {"attention_mask", "7 values"});
    test::refuses<InputError>([&] { (void)task::tensors_of(features(6, 6, 3)); }, {"is_longer", "3 values"});
}
