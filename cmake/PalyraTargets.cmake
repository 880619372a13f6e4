# Compiler settings shared by every C++ target, and the two functions that make targets.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# Paths below the top count as relative ones, so that what one clone has compiled serves the others.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
    CCACHE_NOHASHDIR=1 "${CCACHE_PROGRAM}")
endif()

add_library(palyra_compile_options INTERFACE)
target_compile_options(palyra_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  -fstack-protector-strong -fno-plt)
target_compile_definitions(palyra_compile_options INTERFACE
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>
  $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
target_link_options(palyra_compile_options INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
if(PALYRA_SANITIZE)
  target_compile_options(palyra_compile_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(palyra_compile_options INTERFACE -fsanitize=address,undefined)
endif()

# clang complains of what the stable_sort of libstdc++ 12 calls.
if(PALYRA_FUZZ)
  target_compile_options(palyra_compile_options INTERFACE
    -fsanitize=fuzzer-no-link -Wno-deprecated-declarations)
endif()

# palyra_library(NAME folder SOURCES a.cc … DEPENDS targets…): the one static library of a folder.
# Headers are included as "<folder>/file.h" from the top of the tree.
function(palyra_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} PRIVATE palyra_compile_options
    ${ARG_PRIVATE_DEPENDS})
endfunction()

# palyra_static_package(TARGET name): the pkg-config package `name` with its own dependencies, linked
# into the program from their .a files. A program that is started for every tool call must not spend
# a third of its time in the dynamic linker.
function(palyra_static_package target name)
  if(TARGET ${target})
    return()
  endif()
  pkg_check_modules(${target} REQUIRED ${name})
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_STATIC_INCLUDE_DIRS})
  foreach(library IN LISTS ${target}_STATIC_LIBRARIES)
    find_library(${target}_${library} NAMES lib${library}.a REQUIRED)
    target_link_libraries(${target} INTERFACE "${${target}_${library}}")
  endforeach()
endfunction()

# palyra_binary(NAME SOURCES a.cc … DEPENDS targets… [STATIC]): a program in build/<preset>/bin. One
# that is STATIC starts without the dynamic linker, and must not need name service modules.
function(palyra_binary name)
  cmake_parse_arguments(ARG "STATIC" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE palyra_compile_options ${ARG_DEPENDS})
  if(NOT PALYRA_SANITIZE)
    # The less of it there is, and the fewer relocations, the sooner it starts.
    target_link_options(${name} PRIVATE -Wl,--gc-sections -Wl,-z,pack-relative-relocs
      $<IF:$<BOOL:${ARG_STATIC}>,-static-pie,-static-libstdc++;-static-libgcc>)
  endif()
endfunction()

# palyra_test(NAME SOURCES a_test.cc … DEPENDS targets… [LABELS l…]): a GoogleTest binary.
function(palyra_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE palyra_compile_options ${ARG_DEPENDS} GTest::gmock
    GTest::gtest_main)
  # A test's own code is run once: what it tests is optimised, and it compiles in half the time.
  target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1 -g1>)
  if(PALYRA_SANITIZE)
    target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
endfunction()
