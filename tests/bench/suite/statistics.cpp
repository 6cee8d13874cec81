// Against scipy 1.17: binom and mannwhitneyu, and the interval as R's wilcox.test has it, of logarithms.
#include "suite/statistics.hpp"

#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "silica/core/error.hpp"
#include "support/catch.hpp"

namespace {

using silica::InputError;
using silica::bench::suite::compared;
using silica::bench::suite::median_interval;
using silica::test::Approx;
using Values = std::vector<double>;

/// n, n - 1, ..., 1: the order of samples means nothing.
Values falling(int n) {
    Values x(static_cast<std::size_t>(n));
    std::iota(x.rbegin(), x.rend(), 1.0);
    return x;
}

const Values nine{3.812, 2.476, 2.736, 2.949, 2.322, 2.719, 2.718, 1.914, 3.332};
const Values twelve{3.744, 2.93, 3.208, 3.673, 3.151, 3.163, 2.483, 3.71, 3.403, 3.507, 2.447, 4.619};

/// start + ((i step) mod modulus) / divisor, n of them.
Values spread(double start, int n, int step, int modulus, double divisor) {
    Values x;
    for (int i = 0; i < n; ++i) x.push_back(start + (i * step % modulus) / divisor);
    return x;
}

}  // namespace

TEST_CASE("The interval of a median is of the order statistics that cover it with the confidence") {
    struct Known {
        int n;
        double low, median, high;
    };
    for (const auto& k :
         {Known{5, 1, 3, 5}, Known{6, 1, 3.5, 6}, Known{10, 2, 5.5, 9}, Known{11, 2, 6, 10}, Known{20, 6, 10.5, 15},
          Known{25, 8, 13, 18}, Known{100, 40, 50.5, 61}, Known{1000, 469, 500.5, 532}}) {
        const auto interval = median_interval(falling(k.n));
        CAPTURE(k.n);
        CHECK(interval.low == k.low);
        CHECK(interval.median == k.median);
        CHECK(interval.high == k.high);
    }
    CHECK(median_interval(falling(20), 0.99).low == 4);
    const auto one = median_interval(Values{7});
    CHECK((one.low == 7 && one.median == 7 && one.high == 7 && one.relative_width() == 0));
    CHECK(median_interval(falling(6)).relative_width() == Approx(5 / 3.5));
    // so many that the chance of none below the median is no number of double's
    const auto many = median_interval(falling(20000));
    CHECK(many.low == Approx(10000 - 1.96 * 70.71).margin(2));
    CHECK(many.high == Approx(10000 + 1.96 * 70.71).margin(2));
}

TEST_CASE("The interval covers the median as often as it says") {
    std::mt19937 random(5);
    std::lognormal_distribution<double> times(0, 0.5);  // its median is 1
    int covered = 0;
    for (int trial = 0; trial < 2000; ++trial) {
        Values x;
        for (int i = 0; i < 15; ++i) x.push_back(times(random));
        const auto interval = median_interval(x);
        covered += interval.low <= 1 && 1 <= interval.high ? 1 : 0;
    }
    CHECK(covered > 0.95 * 2000);  // 96.5 % by the binomial distribution
    CHECK(covered < 0.98 * 2000);
}

TEST_CASE("Two samples are compared as Mann and Whitney, Hodges and Lehmann do") {
    const auto small = compared(nine, twelve);
    CHECK(small.p == Approx(0.0584833123532814));
    CHECK(small.ratio == Approx(1.2157043030525931));
    CHECK(small.low == Approx(0.9935571380128858));
    CHECK(small.high == Approx(1.3815676141257538));

    const auto ties = compared(Values{1, 2, 2, 3, 3, 3, 4, 5}, Values{2, 3, 3, 4, 4, 5, 6, 6, 7});
    CHECK(ties.p == Approx(0.062484795672341206));
    CHECK(ties.low == Approx(1.0));
    CHECK(ties.high == Approx(2.5));

    const auto large = compared(spread(10, 60, 37, 101, 10), spread(10.5, 45, 53, 97, 9));
    CHECK(large.p == Approx(0.3680855378557759));
    CHECK(large.ratio == Approx(1.0442214790040878));
    CHECK(large.low == Approx(0.9530261969286359));
    CHECK(large.high == Approx(1.125));

    const auto two = compared(Values{1, 2}, Values{3, 4});
    CHECK(two.p == Approx(1.0 / 3));
    CHECK(two.low == Approx(1.5));
    CHECK(two.high == Approx(4.0));
}

TEST_CASE("A comparison is the same the other way round") {
    const auto there = compared(nine, twelve), back = compared(twelve, nine);
    CHECK(back.p == Approx(there.p));
    CHECK(back.ratio == Approx(1 / there.ratio));
    CHECK(back.low == Approx(1 / there.high));
    CHECK(back.high == Approx(1 / there.low));
}

TEST_CASE("Equal samples do not differ, and far ones do") {
    const auto same = compared(nine, nine);
    CHECK(same.ratio == 1);
    CHECK(same.p > 0.9);
    CHECK((same.low < 1 && same.high > 1));
    const auto constant = compared(Values(30, 2.0), Values(30, 2.0));
    CHECK(constant.p == 1);
    CHECK(constant.low == Approx(1));
    CHECK(constant.high == Approx(1));
    Values slower = nine;
    for (double& x : slower) x *= 10;
    const auto far = compared(nine, slower);
    CHECK(far.p == Approx(2.0 / 48620));  // of C(18, 9) arrangements the two extreme ones
    CHECK(far.low > 5);
}

TEST_CASE("What is no sample is refused") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(median_interval(Values{}), InputError);
    CHECK_THROWS_AS(median_interval(Values{1, nan}), InputError);
    CHECK_THROWS_AS(median_interval(nine, 1.0), InputError);
    CHECK_THROWS_AS(median_interval(nine, nan), InputError);
    CHECK_THROWS_AS(compared(nine, Values{}), InputError);
    CHECK_THROWS_AS(compared(Values{1, 0}, nine), InputError);
    CHECK_THROWS_AS(compared(nine, Values{-1}), InputError);
    CHECK_THROWS_AS(compared(nine, twelve, 0), InputError);
}
