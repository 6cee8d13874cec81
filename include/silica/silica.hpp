#pragma once
/// Everything but input/ and task/: the families, the devices, the precisions, the loaders.

#include "silica/arch/bert.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/cuda.hpp"
#include "silica/device/mps.hpp"
#include "silica/loader/cpu_first.hpp"
#include "silica/loader/first_of.hpp"
#include "silica/loader/in_memory.hpp"
#include "silica/loader/mapped.hpp"
#include "silica/loader/streamed.hpp"
#include "silica/model.hpp"
#include "silica/precision/bf16.hpp"
#include "silica/precision/fp16.hpp"
#include "silica/precision/fp32.hpp"
