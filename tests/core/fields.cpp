// Structs of tensors as lists by field, and back.
#include "silica/core/fields.hpp"

#include <ATen/ops/full.h>
#include <boost/hana/adapt_struct.hpp>

#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;

namespace {

struct Inner {
    Tensor logits;
    std::optional<Tensor> mask = {};
};
struct Outer {
    Tensor input_ids;
    std::optional<Tensor> pixel_values = {};
    std::vector<Tensor> hidden_states = {};
    std::optional<Inner> text = {};
    std::int64_t count = 0;
    bool interpolate = false;
};

Tensor number(std::int64_t n) { return at::full({}, n, at::kLong); }

std::string names(const Named& list) {
    std::string text;
    for (const auto& item : list) text += item.first + "=" + std::to_string(item.second.item<std::int64_t>()) + " ";
    return text;
}

}  // namespace

BOOST_HANA_ADAPT_STRUCT(Inner, logits, mask);
BOOST_HANA_ADAPT_STRUCT(Outer, input_ids, pixel_values, hidden_states, text, count, interpolate);

TEST_CASE("the tensors of a struct have the names of its fields") {
    const Outer value{number(1), std::nullopt, {number(2), number(3)}, Inner{number(4)}, 5, true};
    const Named list = named(value);
    CHECK(names(list) == "input_ids=1 hidden_states.0=2 hidden_states.1=3 text.logits=4 interpolate=1 ");
    CHECK(names(named(from_named<Outer>(list))) == names(list));
    CHECK(names(named(Outer{})).empty());
}

TEST_CASE("an option is a tensor of one number, whatever its type") {
    CHECK(from_named<Outer>({{"interpolate", number(1)}}).interpolate);
    CHECK_FALSE(from_named<Outer>({{"interpolate", number(0)}}).interpolate);
    CHECK(from_named<Outer>({{"interpolate", at::full({1}, true, at::kBool)}}).interpolate);
    test::refuses<InputError>(
        [&] { static_cast<void>(from_named<Outer>({{"interpolate", at::full({2}, true, at::kBool)}})); },
        {"interpolate"});
}

TEST_CASE("a name that is no field is refused with those that are") {
    const auto refused = [](const char* name) {
        test::refuses<InputError>([&] { static_cast<void>(from_named<Outer>({{name, number(1)}})); },
                                  {name, "none of this architecture", "input_ids, pixel_values, hidden_states, text"});
    };
    for (const char* name :
         {"ids", "", "input_ids.0", "hidden_states.1", "hidden_states", "text", "text.ids", "count", "."})
        refused(name);
}
