#pragma once
/// A sort that no comparison can harm: values of templates may have no consistent order.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace silica::text::jinja::detail {

/// A stable merge sort; safe with any comparison, which may throw.
template <class T, class Before>
void stable_sort(std::vector<T>& items, const Before& before) {
    if (items.size() < 2) return;
    const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    std::vector<T> left(items.begin(), middle), right(middle, items.end());
    stable_sort(left, before);
    stable_sort(right, before);
    std::merge(left.begin(), left.end(), right.begin(), right.end(), items.begin(), before);
}

}  // namespace silica::text::jinja::detail
