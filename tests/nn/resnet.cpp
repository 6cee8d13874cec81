// nn::ResNet against timm's networks: strides, and dilations in their place (golden/detr/resnet).
#include "silica/nn/resnet.hpp"

#include "silica/loader/in_memory.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

namespace resnet_tests {

using namespace silica;

namespace {

/// The networks of golden/make_detr.py, timm's cut small: what `output_stride` makes of strides and dilations.
nn::ResNetShape shape(bool bottleneck, std::vector<std::array<std::int64_t, 3>> steps) {
    nn::ResNetShape s{.channels = 1,
                      .stem = 64,
                      .stages = {},
                      .maps = {0, 1, 2, 3, 4},
                      .bottleneck = bottleneck,
                      .stem_pooled = false};
    constexpr std::array<std::int64_t, 4> inner = {2, 3, 4, 5}, depths = {1, 2, 1, 2};
    for (std::size_t i = 0; i < 4; ++i) {
        const auto [stride, dilation, before] = steps[i];
        s.stages.push_back({inner[i] * (bottleneck ? 4 : 1), inner[i], depths[i], stride, dilation, before});
    }
    return s;
}

void check(const std::string& file, const nn::ResNetShape& s) {
    CAPTURE(file);
    using E = Exec<device::Cpu, precision::Fp32>;
    auto tensors = test::tensors_of(test::golden("detr", "resnet") / file);
    loader::InMemory source(tensors);
    const Weights root(source, {}, c10::Device("cpu"));
    const auto run = [&](const nn::ResNetShape& wanted) { return nn::ResNet<E>(wanted, root)(tensors.at("pixels")); };
    const auto maps = run(s);
    REQUIRE(maps.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
        CAPTURE(i);
        const Tensor want = tensors.at("map." + std::to_string(i));
        CHECK(maps[i].size(1) == s.width(i));
        CHECK(test::differs(maps[i].narrow(1, 0, want.size(1)), want, 2e-5, 2e-5) == "");
    }
    CHECK(maps[4].size(2) == s.side(45));
    CHECK(maps[4].size(3) == s.side(37));
    auto some = s;  // and only those that are wanted
    some.maps = {1, 3};
    const auto two = run(some);
    REQUIRE(two.size() == 2);
    CHECK(two[0].equal(maps[1]));
    CHECK(two[1].equal(maps[3]));
    some.maps = {0};
    CHECK(run(some).at(0).equal(maps[0]));
}

}  // namespace

TEST_CASE("A ResNet gives the maps that timm's gives, with strides and with dilations in their place") {
    check("bottleneck-32.safetensors", shape(true, {{1, 1, 1}, {2, 1, 1}, {2, 1, 1}, {2, 1, 1}}));
    check("bottleneck-16.safetensors", shape(true, {{1, 1, 1}, {2, 1, 1}, {2, 1, 1}, {1, 2, 1}}));
    check("basic-8.safetensors", shape(false, {{1, 1, 1}, {2, 1, 1}, {1, 2, 1}, {1, 4, 2}}));
}

}  // namespace resnet_tests
