#pragma once
/// The one door to LibTorch: its tensor, and the plain tensor code that every device runs.
///
/// Networks are held to what this header includes: shapes, views, indexing, `+ - * /`, comparisons, `cat`, `where`,
/// `arange`, `zeros`, `ones`, `full`, `empty`, `index_select`, `index_copy_`, `fill_`, `to` and `copy_`. Everything
/// else is an op (`op/`), so that a device that lacks it can send it elsewhere.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

namespace silica {

using at::Tensor;

}  // namespace silica
