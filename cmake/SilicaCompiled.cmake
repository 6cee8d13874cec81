# silica::compiled: what depends on no template parameter, compiled once. Headers declare it and the `.ipp` beside them
# defines it (include/silica/core/compiled.hpp); each directory with such files is one translation unit of the library.
# silica::text_compiled is the part of it that silica::text needs, without LibTorch; silica::compiled links it.

file(GLOB_RECURSE bodies CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/include
     ${CMAKE_CURRENT_SOURCE_DIR}/include/*.ipp)
list(SORT bodies)

# reached_from(<out> <files under include/>): these and all of ours that they include, themselves or through others.
function(reached_from out)
    set(reached ${ARGN})
    set(todo ${ARGN})
    while(todo)
        list(POP_FRONT todo file)
        file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/include/${file} includes REGEX "^ *# *include *[<\"]silica/")
        foreach(line IN LISTS includes)
            string(REGEX REPLACE "^[^<\"]*[<\"]([^>\"]*)[>\"].*" "\\1" next "${line}")
            if(NOT next IN_LIST reached AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/include/${next})
                list(APPEND reached ${next})
                list(APPEND todo ${next})
            endif()
        endforeach()
    endwhile()
    set(${out} ${reached} PARENT_SCOPE)
endfunction()

# compiled_library(<target> <exported name> <bodies...>): one translation unit for each directory.
function(compiled_library target exported)
    set(directories "")
    foreach(body IN LISTS ARGN)
        get_filename_component(directory ${body} DIRECTORY)
        list(APPEND directories ${directory})
        string(APPEND includes_of_${directory} "#include \"${body}\"\n")
    endforeach()
    list(REMOVE_DUPLICATES directories)
    if(SILICA_BUILD_COMPILED)
        add_library(${target} STATIC)
    else()
        add_library(${target} STATIC EXCLUDE_FROM_ALL)  # for who links it
    endif()
    add_library(silica::${exported} ALIAS ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${exported} POSITION_INDEPENDENT_CODE ON)
    target_compile_definitions(${target} PUBLIC SILICA_COMPILED)
    # Infinities and NaN are what they are, whatever the flags of the project.
    target_compile_options(${target} PRIVATE -fno-fast-math -fno-finite-math-only)
    foreach(directory IN LISTS directories)
        string(MAKE_C_IDENTIFIER ${directory} name)
        set(unit ${CMAKE_CURRENT_BINARY_DIR}/compiled/${target}/${name}.cpp)
        file(CONFIGURE OUTPUT ${unit} CONTENT "${includes_of_${directory}}" @ONLY)
        target_sources(${target} PRIVATE ${unit})
        if(directory MATCHES "^silica/device/cpu(/|$)")
            # Kernels are always optimised.
            set(flags -fno-semantic-interposition)
            if(NOT SILICA_SANITIZE)
                list(PREPEND flags -O3)
            endif()
            set_source_files_properties(${unit} PROPERTIES COMPILE_OPTIONS "${flags}" SKIP_PRECOMPILE_HEADERS ON)
        endif()
    endforeach()
    if(NOT directories)  # every library has a source
        file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/compiled/${target}/empty.cpp CONTENT "" @ONLY)
        target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/compiled/${target}/empty.cpp)
    endif()
    if(TARGET silica_own_code)
        target_compile_options(${target} PRIVATE $<TARGET_PROPERTY:silica_own_code,INTERFACE_COMPILE_OPTIONS>)
    endif()
endfunction()

# Of core/, silica::text_compiled holds what input/text/ uses.
file(GLOB text_files CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/include
     ${CMAKE_CURRENT_SOURCE_DIR}/include/silica/input/text/*.?pp)
reached_from(text_bodies ${text_files})
list(FILTER text_bodies INCLUDE REGEX "\\.ipp$")
list(REMOVE_ITEM bodies ${text_bodies})
if(NOT TARGET silica::unicode)
    list(FILTER text_bodies EXCLUDE REGEX "^silica/input/")
    list(FILTER bodies EXCLUDE REGEX "^silica/task/")  # they read text
endif()
compiled_library(silica_text_compiled text_compiled ${text_bodies})
target_link_libraries(silica_text_compiled PUBLIC silica_text)
compiled_library(silica_compiled compiled ${bodies})
target_link_libraries(silica_compiled PUBLIC silica silica_text_compiled)
