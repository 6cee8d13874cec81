# Finds what Silica's headers need and makes the targets silica::torch and silica::unicode of it. Read by CMakeLists.txt
# and by the installed silicaConfig.cmake, so that both agree.
list(PREPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
if(POLICY CMP0167)
    cmake_policy(SET CMP0167 NEW)  # Boost's own BoostConfig.cmake instead of CMake's FindBoost
endif()

find_package(SilicaTorch 2.11 REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(range-v3 REQUIRED)
find_package(nlohmann_json 3.9 REQUIRED)

# at::parallel_for is serial in a file compiled without OpenMP; Silica then uses threads of its own.
option(SILICA_OPENMP "Use OpenMP where the compiler has it" ON)
if(SILICA_OPENMP)
    find_package(OpenMP COMPONENTS CXX QUIET)
endif()
if(SILICA_OPENMP AND OpenMP_CXX_FOUND AND NOT TARGET silica::openmp)
    add_library(silica::openmp INTERFACE IMPORTED)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # By flag and not by the path of libgomp, so that the copy that LibTorch brings is the only one loaded.
        target_compile_options(silica::openmp INTERFACE ${OpenMP_CXX_FLAGS})
        target_link_options(silica::openmp INTERFACE ${OpenMP_CXX_FLAGS})
    else()
        target_link_libraries(silica::openmp INTERFACE OpenMP::OpenMP_CXX)
    endif()
endif()

# Unicode and regular expressions for silica::text; optional, because models alone need neither.
find_path(SILICA_UTF8PROC_INCLUDE utf8proc.h)
find_library(SILICA_UTF8PROC_LIBRARY utf8proc)
find_path(SILICA_PCRE2_INCLUDE pcre2.h)
find_library(SILICA_PCRE2_LIBRARY pcre2-8)
mark_as_advanced(SILICA_UTF8PROC_INCLUDE SILICA_UTF8PROC_LIBRARY SILICA_PCRE2_INCLUDE SILICA_PCRE2_LIBRARY)
if(SILICA_UTF8PROC_INCLUDE AND SILICA_UTF8PROC_LIBRARY AND SILICA_PCRE2_INCLUDE AND SILICA_PCRE2_LIBRARY
   AND NOT TARGET silica::unicode)
    add_library(silica::unicode INTERFACE IMPORTED)
    target_include_directories(silica::unicode SYSTEM INTERFACE ${SILICA_UTF8PROC_INCLUDE} ${SILICA_PCRE2_INCLUDE})
    target_link_libraries(silica::unicode INTERFACE ${SILICA_UTF8PROC_LIBRARY} ${SILICA_PCRE2_LIBRARY})
endif()

# Once for a project, whichever way it takes Silica.
get_property(_silica_warned GLOBAL PROPERTY silica_warned_of_build_type)
if(NOT _silica_warned AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND NOT CMAKE_CXX_FLAGS MATCHES "-O[0-9sfg]")
    set_property(GLOBAL PROPERTY silica_warned_of_build_type TRUE)
    message(WARNING "There is no CMAKE_BUILD_TYPE, so what links silica::silica alone compiles its kernels for the CPU without "
                    "optimisation: many times slower. Remedy: -DCMAKE_BUILD_TYPE=Release, or link silica::compiled, whose "
                    "kernels are always optimised.")
endif()
