// expect: error: Silica's CPU kernels need infinities and NaN
// expect: link silica::compiled
#ifndef SILICA_CONTROL
#define __FAST_MATH__ 1  // as -ffast-math defines it
#endif
#include "silica/device/cpu/isa/target.hpp"
