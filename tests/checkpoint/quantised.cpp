// Quantising by groups: codes, scales and biases as a few lines here compute them, back again without loss, joined.

#include "silica/checkpoint/quantised.hpp"
#include "silica/core/error.hpp"
#include "support/catch.hpp"
#include "support/devices.hpp"
#include "support/refuses.hpp"

#include <ATen/Functions.h>

#include <cmath>

namespace quantised_tests {

using namespace silica;
using checkpoint::Quantised, checkpoint::quantise, checkpoint::dequantised, test::refuses;

namespace {

Tensor random(std::int64_t rows, std::int64_t columns) { return test::random({rows, columns}, 7); }

/// The code of (row, column): bits of the row as one long number, the first code lowest.
std::int64_t code(const Quantised& q, std::int64_t row, std::int64_t column) {
    const std::int64_t bit = column * q.bits;
    const auto word = static_cast<std::uint32_t>(q.codes[row][bit / 32].item<std::int32_t>());
    return (word >> (bit % 32)) % (q.bits == 4 ? 16 : 256);
}

}  // namespace

TEST_CASE("Codes are those of equal steps from the end of a group that is further from zero") {
    for (const int bits : {4, 8}) {
        for (const std::int64_t group : {0, 32, 64, 24}) {
            const Tensor w = random(3, 100);
            const Quantised q = quantise(w, bits, group, "w");
            checkpoint::check(q, "w");
            const std::int64_t length = group == 0 ? 100 : group, groups = (100 + length - 1) / length;
            REQUIRE(q.groups() == groups);
            REQUIRE(q.codes.size(1) == (bits == 4 ? 13 : 25));
            for (std::int64_t r = 0; r < 3; ++r) {
                for (std::int64_t g = 0; g < groups; ++g) {
                    const Tensor part = w[r].slice(0, g * length, std::min<std::int64_t>(100, (g + 1) * length));
                    const float least = part.min().item<float>(), most = part.max().item<float>();
                    const float edge = std::abs(least) > std::abs(most) ? least : most;
                    const auto top = static_cast<float>(bits == 4 ? 15 : 255);
                    const float steps = std::rint(edge / (edge == least ? 1.0F : -1.0F) / ((most - least) / top));
                    const float scale = edge / steps;
                    CHECK(std::abs(q.scales[r][g].item<float>() - scale) <= 1e-5F * std::abs(scale));
                    CHECK(q.biases[r][g].item<float>() == edge);
                    for (std::int64_t i = 0; i < part.size(0); ++i) {
                        const float at = (part[i].item<float>() - edge) / scale;
                        const auto c = static_cast<float>(code(q, r, g * length + i));
                        CHECK(std::abs(std::clamp(at, 0.0F, top) - c) <= 0.5001F);
                    }
                }
            }
            const Tensor back = dequantised(q, at::kFloat);
            const float last =
                static_cast<float>(code(q, 1, 99)) * q.scales[1][-1].item<float>() + q.biases[1][-1].item<float>();
            CHECK(std::abs(back[1][99].item<float>() - last) <= 1e-6F);
            CHECK((back - w).abs().max().item<float>() < (bits == 4 ? 0.3F : 0.02F));
        }
    }
}

TEST_CASE("Scales are rounded to the type of the weight, weights to the type asked for") {
    const Tensor w = random(2, 64);
    for (const auto type : {at::kHalf, at::kBFloat16, at::kFloat, at::kDouble}) {
        const Quantised q = quantise(w.to(type), 4, 32, "w");
        const auto kept = type == at::kDouble ? at::kFloat : type;
        CHECK(q.scales.equal(q.scales.to(kept).to(at::kFloat)));
        CHECK(q.biases.equal(q.biases.to(kept).to(at::kFloat)));
        CHECK(dequantised(q, type).equal(dequantised(q, at::kFloat).to(type)));
    }
    const Tensor zeros = dequantised(quantise(at::zeros({2, 40}), 4, 32, "w"), at::kFloat);
    CHECK(zeros.equal(at::zeros({2, 40})));
    const Tensor same = at::full({2, 40}, 0.75);
    CHECK(dequantised(quantise(same, 8, 0, "w"), at::kFloat).equal(same));
}

TEST_CASE("Joined rows are the same weights, whatever their bits and groups") {
    const Tensor w = random(7, 100);
    std::vector<Quantised> parts;
    parts.push_back(quantise(w.narrow(0, 0, 2), 4, 64, "w"));
    parts.push_back(quantise(w.narrow(0, 2, 4), 8, 32, "w"));
    parts.push_back(quantise(w.narrow(0, 6, 1), 4, 0, "w"));
    std::vector<Tensor> each;
    for (const auto& part : parts) each.push_back(dequantised(part, at::kFloat));
    const Quantised all = checkpoint::joined_rows(parts);
    checkpoint::check(all, "w");
    CHECK(all.bits == 8);
    CHECK(all.group == 4);
    CHECK(dequantised(all, at::kFloat).equal(at::cat(each)));

    const std::vector<Quantised> alike = {parts[0], quantise(w.narrow(0, 3, 3), 4, 64, "w")};
    const Quantised two = checkpoint::joined_rows(alike);
    CHECK(two.bits == 4);
    CHECK(two.group == 64);
    CHECK(two.codes.equal(at::cat({alike[0].codes, alike[1].codes})));
}

TEST_CASE("What cannot be quantised is refused, and members that do not fit") {
    Tensor w = random(3, 40);
    w[1][7] = std::nan("");
    refuses<CheckpointError>([&] { static_cast<void>(quantise(w, 4, 32, "q.weight")); }, {"q.weight", "row 1"});
    w[1][7] = std::numeric_limits<float>::infinity();
    refuses<CheckpointError>([&] { static_cast<void>(quantise(w, 8, 0, "q.weight")); }, {"q.weight", "row 1"});
    refuses<InputError>([&] { static_cast<void>(quantise(random(3, 40), 3, 32, "w")); }, {"4 or 8"});
    refuses<InputError>([&] { static_cast<void>(quantise(at::ones({3, 4}, at::kLong), 4, 32, "w")); }, {"Long"});
    const Quantised good = quantise(random(3, 40), 4, 32, "w");
    const auto spoilt = [&](auto&& spoil, std::string_view word) {
        Quantised bad = good;
        spoil(bad);
        refuses<CheckpointError>([&] { checkpoint::check(bad, "the file"); }, {"the file", word});
    };
    spoilt([](Quantised& q) { q.bits = 3; }, "3 bits");
    spoilt([](Quantised& q) { q.group = 0; }, "groups of 0");
    spoilt([](Quantised& q) { q.codes = q.codes.narrow(1, 0, 4); }, "codes");
    spoilt([](Quantised& q) { q.scales = q.scales.to(at::kHalf); }, "scales");
    spoilt([](Quantised& q) { q.biases = Tensor(); }, "biases");
    spoilt([](Quantised& q) { q.columns = 41; }, "codes");
}

}  // namespace quantised_tests
