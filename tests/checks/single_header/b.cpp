#include <silica/task.hpp>
#include <silica/input.hpp>
#include <silica/silica.hpp>

const void* from_b() { return &silica::Chain<silica::device::Cpu>::size; }
