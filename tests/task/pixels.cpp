// Pixels as tensors: no copy, the right types, batches joined and padded.
#include "silica/task/pixels.hpp"

#include <numeric>

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "silica/core/error.hpp"
#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;
using image::Pixels;

namespace {

/// Counted values of a type, from `first` on.
template <class T>
Pixels counted(std::vector<std::int64_t> shape, int first = 0, bool masked = false) {
    std::size_t n = 1;
    for (const auto d : shape) n *= static_cast<std::size_t>(d);
    std::vector<T> values(n);
    std::iota(values.begin(), values.end(), static_cast<T>(first));
    Pixels made{.shape = shape, .values = std::move(values), .mask = {}};
    if (masked) made.mask.emplace(static_cast<std::size_t>(shape[0] * shape[2] * shape[3]), 1);
    return made;
}

}  // namespace

TEST_CASE("pixels become tensors without a copy", "[task]") {
    auto floats = counted<float>({2, 3, 4, 5}, 0, true);
    const auto* where = std::get<0>(floats.values).data();
    const auto made = task::tensors_of(std::move(floats));
    CHECK(made.pixel_values.const_data_ptr<float>() == where);
    CHECK(made.pixel_values.sizes() == c10::IntArrayRef{2, 3, 4, 5});
    CHECK(made.pixel_values[1][2][3][4].item<float>() == 119);
    REQUIRE(made.pixel_mask);
    CHECK(made.pixel_mask->scalar_type() == at::kLong);
    CHECK(made.pixel_mask->sizes() == c10::IntArrayRef{2, 4, 5});

    const auto bytes = task::tensors_of(counted<std::uint8_t>({1, 2, 3, 2, 2}));
    CHECK(bytes.pixel_values.scalar_type() == at::kByte);
    CHECK(bytes.pixel_values.sizes() == c10::IntArrayRef{1, 2, 3, 2, 2});
    CHECK_FALSE(bytes.pixel_mask);
}

TEST_CASE("values that do not fit their shape are refused", "[task]") {
    const auto refuses = [](Pixels pixels, const char* what) {
        test::refuses<InputError>([&] { static_cast<void>(task::tensors_of(std::move(pixels))); }, {what});
    };
    refuses({{1, 3, 2, 2}, std::vector<float>(11), {}}, "pixel_values has 11");
    for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{}, {1}, {1, 1}}) {
        refuses({shape, std::vector<float>(1), {}}, "3 dimensions");
        refuses({shape, std::vector<float>(1), std::vector<std::int64_t>(1)}, "3 dimensions");
    }
    refuses({{1, 3, -2, -2}, std::vector<float>(12), {}}, "pixel_values");
    refuses({{1, 3, 1LL << 40, 1LL << 40}, std::vector<float>(12), {}}, "pixel_values");
    refuses({{1, 3, 2, 2}, std::vector<float>(12), std::vector<std::int64_t>(5)}, "pixel_mask has 5");
}

TEST_CASE("batches that were processed apart are joined, padded where there is a mask", "[task]") {
    const std::vector<Pixels> equal = {counted<float>({1, 3, 2, 2}), counted<float>({2, 3, 2, 2}, 100)};
    const auto both = task::tensors_of(task::joined(equal)).pixel_values;
    CHECK(both.sizes() == c10::IntArrayRef{3, 3, 2, 2});
    CHECK(both[0][2][1][1].item<float>() == 11);
    CHECK(both[1][0][0][0].item<float>() == 100);
    CHECK(both[2][2][1][1].item<float>() == 123);

    const std::vector<Pixels> unlike = {counted<float>({1, 1, 1, 3}, 1, true), counted<float>({1, 1, 2, 2}, 1, true)};
    const auto padded = task::tensors_of(task::joined(unlike));
    CHECK(at::equal(padded.pixel_values,
                    at::tensor({1, 2, 3, 0, 0, 0, 1, 2, 0, 3, 4, 0}, at::kFloat).view({2, 1, 2, 3})));
    CHECK(at::equal(*padded.pixel_mask, at::tensor({1, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 0}, at::kLong).view({2, 2, 3})));

    const auto refuses = [](std::vector<Pixels> parts, const char* what) {
        test::refuses<InputError>([&] { static_cast<void>(task::joined(parts)); }, {what});
    };
    refuses({}, "no pixels");
    refuses(std::vector<Pixels>(1, Pixels{{}, std::vector<float>(1), {}}), "3 dimensions");
    refuses({counted<float>({1, 3, 2, 2}), {{1, 3, 2, 2}, std::vector<float>(11), {}}}, "has 11");
    refuses({counted<float>({1, 3, 2, 2}), counted<float>({1, 3, 2, 3})}, "(1, 3, 2, 3)");
    refuses({counted<float>({1, 3, 2, 2}), counted<std::uint8_t>({1, 3, 2, 2})}, "one batch");
    refuses({counted<float>({1, 3, 2, 2}, 0, true), counted<float>({1, 3, 2, 2})}, "one batch");
    refuses({counted<float>({1, 3, 2, 2}, 0, true), counted<float>({1, 1, 2, 2}, 0, true)}, "one batch");
}
