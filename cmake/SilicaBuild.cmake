# How Silica itself is built (tests, program, examples); projects that use Silica see none of this.

# ccache where it is found. It asks for these sloppiness values to serve precompiled headers, and in depend mode it does
# not preprocess each file before it compiles it.
find_program(SILICA_CCACHE ccache)
mark_as_advanced(SILICA_CCACHE)
if(SILICA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1
        CCACHE_SLOPPINESS=pch_defines,time_macros ${SILICA_CCACHE})
endif()

# As the library that is installed has to be, so that it shares the precompiled header with all else.
add_compile_options(-fPIC)
if(NOT APPLE)  # it has no such thing, and its compiler says so for every file
    add_compile_options(-fno-semantic-interposition)
endif()

# silica_together(<target> <names...>): sources that read the same headers, or use the same networks, as one translation
# unit, which compiles those once.
option(SILICA_TOGETHER "Compile sources that have much in common together" ON)
function(silica_together target)
    if(NOT SILICA_TOGETHER)
        return()
    endif()
    list(GET ARGN 0 group)
    get_target_property(sources ${target} SOURCES)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
    foreach(source IN LISTS sources)
        get_filename_component(name ${source} NAME_WE)
        if(name IN_LIST ARGN)
            set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
        endif()
    endforeach()
endfunction()

# One target carries warnings and sanitizers; the headers of other libraries are SYSTEM and stay silent.
add_library(silica_own_code INTERFACE)
target_compile_options(silica_own_code INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                                 $<$<BOOL:${SILICA_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # False for std::optional at -O1, inside the headers of LibTorch.
    target_compile_options(silica_own_code INTERFACE -Wno-maybe-uninitialized)
    if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13 AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
        # False for functions that take a temporary and return a reference to something else.
        target_compile_options(silica_own_code INTERFACE -Wno-dangling-reference)
    endif()
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # A time stamp in the precompiled header would make ccache miss.
    target_compile_options(silica_own_code INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
    if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 18 AND NOT APPLE)
        # libstdc++ 12 calls in std::stable_sort what it has deprecated itself, and clang says so from 18 on.
        target_compile_options(silica_own_code INTERFACE -Wno-deprecated-declarations)
    endif()
endif()
if(SILICA_SANITIZE)
    add_compile_options(-fsanitize=${SILICA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${SILICA_SANITIZE})
endif()
