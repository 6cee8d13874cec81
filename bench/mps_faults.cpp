#include "mps_faults.hpp"

#include <chrono>
#include <exception>
#include <utility>

#include <c10/util/Exception.h>

#include "mps_fault_tests.hpp"

namespace silica::bench {
namespace {

/// What is not tried, and why.
std::function<Seen(std::string&)> not_tried(std::string why) {
    return [why = std::move(why)](std::string& detail) {
        detail = why;
        return Seen::not_tried;
    };
}

}  // namespace

std::string_view name_of(Seen seen) {
    switch (seen) {
        case Seen::absent:
            return "absent";
        case Seen::present:
            return "present";
        case Seen::not_tried:
            return "not tried";
        case Seen::failed:
            return "failed";
    }
    return "";
}

const std::vector<FaultTest>& fault_tests() {
    namespace f = faults;
    static const std::vector<FaultTest> all = {
        {"causal_leaks", "#195910", "is_causal in half precision lets later tokens through", "the mask is written out",
         true, f::causal_leaks},
        {"long_decode", "#174861", "attention of one token to more than 1,024 keys is wrong now and then",
         "an own kernel where it proved itself", false, f::long_decode},
        {"permuted", "#163597, #181133", "attention to permuted q, k and v is wrong", "they are made contiguous", false,
         f::permuted},
        {"value_head_size", "#176843", "attention is wrong where v has another head size than q",
         "declined: the CPU computes it", true, f::value_head_size},
        {"mask_broadcasts", "#184180", "attention with a mask that broadcasts is wrong", "the mask is expanded", true,
         [](std::string& d) { return f::masked(d, false); }},
        {"mask_added", "#184400", "a mask that is added is scaled", "none: masks are bool where they can be", false,
         [](std::string& d) { return f::masked(d, true); }},
        {"large_scores", "#165961", "scores beyond float16 make attention no numbers", "none: use bfloat16 or float32",
         false, f::large_scores},
        {"long_bfloat16", "#190791", "softmax over some thousand keys loses precision in bfloat16",
         "none: use float16 or float32", false, f::long_bfloat16},
        {"scores_4_gib", "#149261", "a score matrix over 4 GiB ends the process", "queries are cut into chunks", false,
         not_tried("it would end the process")},
        {"linear_not_stable", "#180776",
         "linear without bias above two dimensions is not deterministic in half precision",
         "flattened to two dimensions", true, f::linear_not_stable},
        {"linear_loses_bias", "#188438", "the bias of a single row is lost", "the bias is added apart", true,
         f::linear_loses_bias},
        {"long_products", "#195163", "products over more than 32,767 columns are wrong in batches",
         "none: no family has such", false, f::long_products},
        {"strided_weight", "#161641", "linear with a strided weight is wrong", "weights are contiguous", false,
         f::strided_weight},
        {"conv_strided_weight", "#192212", "convolution with a strided weight is wrong", "weights are contiguous",
         false, f::conv_strided_weight},
        {"channels_last_slice", "#180984", "convolutions and pools of slices of channels-last images are wrong",
         "inputs are made contiguous", false, f::channels_last_slice},
        {"conv_large_kernel", "#188359", "a kernel side of 256 or more gives wrong convolutions",
         "declined: the CPU computes it", true, f::conv_large_kernel},
        {"conv_long", "#129207, #152278", "convolutions with a side above 65,536 are refused",
         "declined: the CPU computes it", true, f::conv_long},
        {"conv_3d", "#197114", "convolutions of three dimensions are wrong", "declined: the CPU computes it", true,
         f::conv_3d},
        {"freed_source", "#139550, #189690", "a copy that does not wait reads memory that was freed", "copies wait",
         false, f::freed_source},
        {"graphs_grow", "#181213", "compiled graphs of every shape stay in memory",
         "the cache is emptied when memory is out", false, f::graphs_grow},
        {"two_threads", "#197805", "two threads that compute at once end the process", "calls take turns", false,
         not_tried("it would end the process")},
        {"sorting", "#184620, #183885", "sorting gives places beyond the end, or wrong ones",
         "none: no family sorts on the device", false, f::sorting},
        {"rank_above_4", "#187105, #154890", "sort and cumsum above four dimensions end the process",
         "none: no family does", false, not_tried("it would end the process")},
        {"boolean_index", "#181867", "indexing with a mask gives another number of rows each time",
         "none: no family does on the device", false, f::boolean_index},
        {"strided_isfinite", "#183419", "isfinite of a strided slice changes its neighbours",
         "none: no family does on the device", false, f::strided_isfinite},
        {"index_beyond", "#189968", "index_copy_ writes beyond the end for a wrong index",
         "slots are checked on the host; the own kernel checks its own", false, f::index_beyond},
        {"float64", "", "there is no float64", "no precision with it compiles for MPS", false, f::float64},
    };
    return all;
}

Outcome tried(const FaultTest& test) {
    Outcome o;
    o.test = &test;
    const auto start = std::chrono::steady_clock::now();
    try {
        o.seen = test.test(o.detail);
        device::Mps::synchronize();
    } catch (const c10::Error& e) {
        o.seen = Seen::failed, o.detail = e.what_without_backtrace();
    } catch (const std::exception& e) {
        o.seen = Seen::failed, o.detail = e.what();
    }
    o.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return o;
}

device::mps::metal::Verdicts verdicts_of(const std::vector<Outcome>& outcomes) {
    device::mps::metal::Verdicts all;
    for (const Outcome& o : outcomes) {
        if (o.seen != Seen::present && o.seen != Seen::absent) continue;
        all.faults.push_back({std::string(o.test->id), o.seen == Seen::present, o.detail});
    }
    return all;
}

}  // namespace silica::bench
