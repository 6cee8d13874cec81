// Samples of sound, whoever owns them.
#include "silica/input/audio/samples.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;
using audio::Samples;

TEST_CASE("Sound takes samples over, and copies of it share them") {
    std::vector<float> values(8000, 0.25F);
    const auto* where = values.data();
    const Samples sound(std::move(values), 16000);
    CHECK(sound.rate() == 16000);
    CHECK(sound.seconds() == 0.5);
    CHECK(sound.mono().data() == where);
    const Samples copy = sound;
    CHECK(copy.mono().data() == where);
    CHECK(copy.mono().size() == 8000);
}

TEST_CASE("Sound wraps samples of others without a copy, and keeps their owner alive") {
    auto owner = std::make_shared<std::vector<float>>(std::vector{1.0F, -1.5F, 0.0F});
    const std::weak_ptr<void> alive = owner;
    {
        const Samples sound(*owner, 3, owner);
        const auto* where = owner->data();
        owner.reset();
        CHECK_FALSE(alive.expired());
        CHECK(sound.mono().data() == where);
        CHECK(sound.mono()[1] == -1.5F);  // beyond full scale, and left so
        CHECK(sound.seconds() == 1);
    }
    CHECK(alive.expired());
}

TEST_CASE("Sound refuses to be empty, to have no rate, and what is not finite") {
    const auto refuses = [](std::vector<float> values, std::int64_t rate, std::string_view word) {
        test::refuses<InputError>([&] { Samples(values, rate, nullptr); }, {word});
        test::refuses<InputError>([&] { Samples(std::move(values), rate); }, {word});
    };
    refuses({}, 16000, "no samples");
    refuses({0}, 0, "rate of 0");
    refuses({0}, -1, "rate of -1");
    refuses({0, 1, std::numeric_limits<float>::quiet_NaN()}, 16000, "Sample 2");
    refuses({std::numeric_limits<float>::infinity(), 0}, 16000, "Sample 0");
    refuses({0, -std::numeric_limits<float>::infinity()}, 16000, "Sample 1");
    const float most = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::denorm_min();
    CHECK(Samples({most, -most, least}, 1).mono().size() == 3);
}
