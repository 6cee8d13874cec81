#pragma once
/// Each known fault of MPS as a small test on the device. Numbers are issues of pytorch/pytorch.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "silica/device/mps/metal/verdicts.hpp"

namespace silica::bench {

/// What a test saw.
enum class Seen {
    absent,     ///< the results are right
    present,    ///< they are wrong, or the call was refused
    not_tried,  ///< it would end the process, or needs more than a test may take
    failed,     ///< the test itself could not run
};

/// "absent", "present", "not tried", "failed".
[[nodiscard]] std::string_view name_of(Seen seen);

/// A fault and how it is looked for.
struct FaultTest {
    std::string_view id;
    std::string_view issues;      ///< "#195910"
    std::string_view what;        ///< the symptom
    std::string_view workaround;  ///< what Silica does about it where it is present
    bool decides =
        false;  ///< whether kernels ask for the verdict (device/mps/faults.hpp); else they always go around it
    /// Throws what the device throws. The text says by how much results differ, or why it was not tried.
    std::function<Seen(std::string& detail)> test;
};

/// All of them.
[[nodiscard]] const std::vector<FaultTest>& fault_tests();

/// Runs one: what it throws is `failed`, its words the detail.
struct Outcome {
    const FaultTest* test = nullptr;
    Seen seen = Seen::failed;
    std::string detail;
    double seconds = 0;
};
[[nodiscard]] Outcome tried(const FaultTest& test);

/// What kernels are to know of outcomes.
[[nodiscard]] device::mps::metal::Verdicts verdicts_of(const std::vector<Outcome>& outcomes);

}  // namespace silica::bench
