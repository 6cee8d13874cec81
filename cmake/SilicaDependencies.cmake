# Finds what Silica's headers need and makes the targets silica::torch, silica::unicode, silica::pictures, silica::ffmpeg,
# silica::sounds and silica::zlib of it. Read by CMakeLists.txt and by the installed silicaConfig.cmake, so that both agree.
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
# Not on a Mac: LibTorch brings a libomp of its own, and a second one, Homebrew's, would stop the program.
set(_silica_openmp ON)
if(APPLE)
    set(_silica_openmp OFF)
endif()
option(SILICA_OPENMP "Use OpenMP where the compiler has it" ${_silica_openmp})
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

# silica_optional(<target> (<header> <library>)...): an imported target of libraries that are all there, or none.
function(silica_optional target)
    set(includes "")
    set(libraries "")
    set(found TRUE)
    set(rest ${ARGN})
    while(rest)
        list(POP_FRONT rest header library)
        string(TOUPPER "SILICA_${library}" name)
        string(MAKE_C_IDENTIFIER "${name}" name)
        find_path(${name}_INCLUDE ${header})
        find_library(${name}_LIBRARY ${library})
        mark_as_advanced(${name}_INCLUDE ${name}_LIBRARY)
        if(NOT ${name}_INCLUDE OR NOT ${name}_LIBRARY)
            set(found FALSE)
        endif()
        list(APPEND includes "${${name}_INCLUDE}")
        list(APPEND libraries "${${name}_LIBRARY}")
    endwhile()
    if(found AND NOT TARGET ${target})
        list(REMOVE_DUPLICATES includes)
        add_library(${target} INTERFACE IMPORTED GLOBAL)
        target_include_directories(${target} SYSTEM INTERFACE ${includes})
        target_link_libraries(${target} INTERFACE ${libraries})
    endif()
endfunction()

# What input/ needs; optional, because models alone need none of it. Unicode and regular expressions for silica::text:
silica_optional(silica::unicode utf8proc.h utf8proc pcre2.h pcre2-8)
# JPEG, PNG and WebP for silica::image:
silica_optional(silica::pictures jpeglib.h jpeg png.h png webp/decode.h webp)
# FFmpeg for silica::video, and for what libsndfile does not read:
silica_optional(silica::ffmpeg libavformat/avformat.h avformat libavcodec/avcodec.h avcodec libswscale/swscale.h swscale
                libavutil/avutil.h avutil)
# WAV, FLAC, Ogg; MP3; resampling for silica::audio:
silica_optional(silica::sounds sndfile.h sndfile mpg123.h mpg123 soxr.h soxr)
# How repetitive a transcript is:
silica_optional(silica::zlib zlib.h z)

# Once for a project, whichever way it takes Silica.
get_property(_silica_warned GLOBAL PROPERTY silica_warned_of_build_type)
if(NOT _silica_warned AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND NOT CMAKE_CXX_FLAGS MATCHES "-O[0-9sfg]")
    set_property(GLOBAL PROPERTY silica_warned_of_build_type TRUE)
    message(WARNING "There is no CMAKE_BUILD_TYPE, so what links silica::silica alone compiles its kernels for the CPU without "
                    "optimisation: many times slower. Remedy: -DCMAKE_BUILD_TYPE=Release, or link silica::compiled, whose "
                    "kernels are always optimised.")
endif()
