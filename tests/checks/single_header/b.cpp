#include <silica/input.hpp>
#include <silica/silica.hpp>
#include <silica/task.hpp>

const void* from_b() { return &silica::Chain<silica::device::Cpu>::size; }
