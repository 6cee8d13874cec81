# Finds LibTorch: its include directories and its libraries, nothing else.
#
# LibTorch's own TorchConfig.cmake asks for the whole CUDA toolkit when the build of torch has CUDA. Silica includes no
# header that needs the toolkit, so this module serves the CPU build, the CUDA build without the toolkit, and macOS.
#
# Looks, in this order, in
#   SilicaTorch_ROOT, Torch_ROOT, Torch_DIR      one exact place, as a variable or in the environment
#   CMAKE_PREFIX_PATH                            likewise
#   VIRTUAL_ENV, <source>/.venv, <source>/libtorch, and for an installed Silica the project that uses it
#   the system's prefixes
# A place may be an unpacked LibTorch, site-packages/torch, .../torch/share/cmake/Torch, site-packages, or a virtual
# environment (or any other prefix with lib/python3*/site-packages/torch).
#
# Gives the target silica::torch, and SilicaTorch_FOUND, _VERSION, _PREFIX, _CUDA (whether it is a CUDA build).

set(_torch_named ${SilicaTorch_ROOT} ${Torch_ROOT} ${Torch_DIR} $ENV{SilicaTorch_ROOT} $ENV{Torch_ROOT} $ENV{Torch_DIR}
    ${CMAKE_PREFIX_PATH})
set(_torch_env "$ENV{CMAKE_PREFIX_PATH}")
if(NOT WIN32)
    string(REPLACE ":" ";" _torch_env "${_torch_env}")
endif()
set(_torch_places ${_torch_named} ${_torch_env} $ENV{VIRTUAL_ENV} "${CMAKE_CURRENT_LIST_DIR}/../.venv"
    "${CMAKE_SOURCE_DIR}/.venv" "${CMAKE_SOURCE_DIR}/libtorch" ${CMAKE_SYSTEM_PREFIX_PATH})

# From a place to the directory that holds include/ and lib/.
function(_silica_torch_prefix place out)
    set(${out} "" PARENT_SCOPE)
    file(GLOB in_python "${place}/lib/python3*/site-packages/torch" "${place}/lib/python3*/dist-packages/torch")
    foreach(prefix IN ITEMS "${place}" "${place}/torch" "${place}/../../.." "${place}/../.." LISTS in_python)
        get_filename_component(prefix "${prefix}" ABSOLUTE)
        if(EXISTS "${prefix}/include/ATen/core/Tensor.h")
            set(${out} "${prefix}" PARENT_SCOPE)
            return()
        endif()
    endforeach()
endfunction()

# The version stands in up to three places; the first two carry the +cpu / +cu130 of the build.
function(_silica_torch_version prefix out)
    set(found "")
    foreach(source "version.py:__version__ = '([^']+)'" "build-version:^([0-9][^\n]*)"
                   "include/torch/csrc/api/include/torch/version.h:TORCH_VERSION +\\\\?[ \n]*\"([^\"]+)\""
                   "include/torch/headeronly/version.h:TORCH_VERSION +\\\\?[ \n]*\"([^\"]+)\"")
        string(REGEX MATCH "^([^:]+):(.*)$" _ "${source}")
        set(file "${prefix}/${CMAKE_MATCH_1}")
        set(pattern "${CMAKE_MATCH_2}")
        if(NOT found AND EXISTS "${file}")
            file(READ "${file}" text)
            if(text MATCHES "${pattern}")
                set(found "${CMAKE_MATCH_1}")
            endif()
        endif()
    endforeach()
    set(${out} "${found}" PARENT_SCOPE)
endfunction()

set(SilicaTorch_PREFIX "")
set(SilicaTorch_VERSION "")
set(_torch_refused "")
foreach(_place IN LISTS _torch_places)
    _silica_torch_prefix("${_place}" _prefix)
    if(_prefix AND NOT SilicaTorch_PREFIX)
        _silica_torch_version("${_prefix}" _version)
        if(NOT _version)
            string(APPEND _torch_refused "\n  ${_prefix}: no version found in it")
        elseif(SilicaTorch_FIND_VERSION AND _version VERSION_LESS SilicaTorch_FIND_VERSION)
            string(APPEND _torch_refused "\n  ${_prefix}: version ${_version}, too old")
        elseif(NOT EXISTS "${_prefix}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}torch_cpu${CMAKE_SHARED_LIBRARY_SUFFIX}")
            string(APPEND _torch_refused "\n  ${_prefix}: no shared library torch_cpu in its lib directory")
        else()
            set(SilicaTorch_PREFIX "${_prefix}")
            set(SilicaTorch_VERSION "${_version}")
        endif()
    endif()
endforeach()
list(REMOVE_DUPLICATES _torch_refused)
if(SilicaTorch_PREFIX AND _torch_refused)
    message(STATUS "Passed over on the way to LibTorch ${SilicaTorch_VERSION}:${_torch_refused}")
endif()

set(_torch_lib "${SilicaTorch_PREFIX}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}")
set(SilicaTorch_CUDA FALSE)
if(SilicaTorch_PREFIX AND EXISTS "${_torch_lib}torch_cuda${CMAKE_SHARED_LIBRARY_SUFFIX}")
    set(SilicaTorch_CUDA TRUE)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SilicaTorch
    REQUIRED_VARS SilicaTorch_PREFIX
    VERSION_VAR SilicaTorch_VERSION
    REASON_FAILURE_MESSAGE "
  LibTorch ${SilicaTorch_FIND_VERSION} or newer was not found.${_torch_refused}
  Remedy: `pip install torch` into a virtual environment .venv beside CMakeLists.txt, or unpack a LibTorch archive, and
  name it with -DCMAKE_PREFIX_PATH=<the environment, site-packages/torch, or the unpacked libtorch>.
")

if(SilicaTorch_FOUND AND NOT TARGET silica::torch)
    add_library(silica::torch INTERFACE IMPORTED)
    target_include_directories(silica::torch SYSTEM INTERFACE "${SilicaTorch_PREFIX}/include"
                               "${SilicaTorch_PREFIX}/include/torch/csrc/api/include")  # <torch/version.h>
    target_compile_definitions(silica::torch INTERFACE AT_PER_OPERATOR_HEADERS)
    # libtorch_cpu.so exports an old std::filesystem that does not fit newer libstdc++: seen with g++ 13, remove_all
    # crashes. So libstdc++'s own comes first.
    if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT CMAKE_CXX_FLAGS MATCHES "-stdlib=libc\\+\\+")
        target_link_libraries(silica::torch INTERFACE stdc++)
    endif()
    if(APPLE)
        # Not by path: CMake would add the path below once more, and Apple's linkers warn of one that is there twice.
        target_link_directories(silica::torch INTERFACE "${SilicaTorch_PREFIX}/lib")
        target_link_libraries(silica::torch INTERFACE -ltorch_cpu -lc10)
    else()
        target_link_libraries(silica::torch INTERFACE
            "${_torch_lib}torch_cpu${CMAKE_SHARED_LIBRARY_SUFFIX}" "${_torch_lib}c10${CMAKE_SHARED_LIBRARY_SUFFIX}")
    endif()
    # For an installed program too, which loses the rpath that CMake gives to programs in the build tree.
    target_link_options(silica::torch INTERFACE "LINKER:-rpath,${SilicaTorch_PREFIX}/lib")

    if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
        # libstdc++ has two string ABIs; the library says which one it was built with.
        file(STRINGS "${_torch_lib}c10.so" _torch_cxx11 REGEX "_ZN?K?3c10.*__cxx11" LIMIT_COUNT 1)
        if(_torch_cxx11)
            target_compile_definitions(silica::torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
        else()
            target_compile_definitions(silica::torch INTERFACE _GLIBCXX_USE_CXX11_ABI=0)
        endif()
    endif()

    # LibTorch 2.11 has a condition among the template parameters of const_data_ptr. Clang 18 and newer spell it in the name of
    # the function, the compilers that LibTorch was built with do not: with the names of clang 17 it links.
    if((CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 18)
       OR (CMAKE_CXX_COMPILER_ID STREQUAL "AppleClang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 17))
        file(STRINGS "${SilicaTorch_PREFIX}/include/ATen/core/TensorBase.h" _torch_condition
             REGEX "enable_if_t<!std::is_const_v<T>, int> = 0>" LIMIT_COUNT 1)
        if(_torch_condition)
            target_compile_options(silica::torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fclang-abi-compat=17>)
        endif()
    endif()

    if(SilicaTorch_CUDA)
        # Nothing in our code refers to these libraries, so the linker would drop them; their kernels register themselves
        # when they are loaded. One item, so that CMake keeps the flags and the files together.
        target_link_libraries(silica::torch INTERFACE
            "-Wl,--push-state,--no-as-needed \"${_torch_lib}torch_cuda.so\" \"${_torch_lib}c10_cuda.so\" -Wl,--pop-state")
        # The wheel finds NVIDIA's libraries (sibling wheels) at run time by itself; the linker wants to be told.
        file(GLOB _torch_nvidia "${SilicaTorch_PREFIX}/../nvidia/*/lib" "${SilicaTorch_PREFIX}/../cusparselt/lib")
        foreach(_dir IN LISTS _torch_nvidia)
            get_filename_component(_dir "${_dir}" ABSOLUTE)
            target_link_options(silica::torch INTERFACE "LINKER:-rpath-link,${_dir}" "LINKER:-rpath,${_dir}")
        endforeach()
    endif()
endif()
