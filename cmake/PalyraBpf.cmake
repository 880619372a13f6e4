# BPF programs: C compiled for the BPF target, and the typed skeleton header that embeds them.
#
# palyra_bpf_object(NAME file.bpf.c) makes the library target NAME. What links it may write
#     #include "<folder>/file.skel.h"
# and gets `struct file_bpf` with file_bpf__open(), file_bpf__load() and so on, and libbpf itself.
#
# In bpf/CMakeLists.txt:
#     palyra_bpf_object(palyra_bpf_connect connect.bpf.c)
# In engine/CMakeLists.txt:
#     palyra_library(palyra_engine SOURCES loader.cc PRIVATE_DEPENDS palyra_bpf_connect)
# In engine/loader.cc:
#     #include "bpf/connect.skel.h"
#     connect_bpf* programs = connect_bpf__open_and_load();
#
# Programs include from the top of the tree ("bpf/abi.h") and libbpf's headers
# (<bpf/bpf_helpers.h>). The header is regenerated when anything that the program includes changes.
# The skeleton is a system header: its warnings are not ours. The object is stripped of debug
# information and keeps its BTF.

palyra_static_package(palyra_libbpf libbpf)

find_program(PALYRA_BPF_CLANG clang-19 REQUIRED)
find_program(PALYRA_BPFTOOL bpftool PATHS /usr/sbin /usr/local/sbin REQUIRED)

# -mcpu=v3 is the oldest instruction set with 32-bit atomics and jumps; every kernel since 5.12 has
# it. <linux/bpf.h> needs <asm/types.h>, which lives in the directory of the host's architecture.
set(PALYRA_BPF_FLAGS
  -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/="
  -I "${PROJECT_SOURCE_DIR}" -idirafter "/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  list(APPEND PALYRA_BPF_FLAGS -D__TARGET_ARCH_arm64)
else()
  list(APPEND PALYRA_BPF_FLAGS -D__TARGET_ARCH_x86)
endif()

function(palyra_bpf_object name source)
  string(REGEX REPLACE "\\.bpf\\.c$" "" stem "${source}")
  if(stem STREQUAL source)
    message(FATAL_ERROR "palyra_bpf_object: \"${source}\" does not end in .bpf.c")
  endif()
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}"
    OUTPUT_VARIABLE folder)
  set(include_dir "${PROJECT_BINARY_DIR}/generated")
  set(output "${include_dir}/${folder}/${stem}")
  set(source_file "${CMAKE_CURRENT_SOURCE_DIR}/${source}")
  file(MAKE_DIRECTORY "${include_dir}/${folder}")

  add_custom_command(OUTPUT "${output}.debug.bpf.o"
    COMMAND "${PALYRA_BPF_CLANG}" ${PALYRA_BPF_FLAGS}
      -MMD -MF "${output}.d" -MT "${output}.debug.bpf.o"
      -c "${source_file}" -o "${output}.debug.bpf.o"
    DEPENDS "${source_file}"
    DEPFILE "${output}.d"
    COMMENT "Compiling ${folder}/${source} for BPF"
    VERBATIM)
  # Through a temporary file, so that a failing bpftool leaves no empty header behind.
  add_custom_command(OUTPUT "${output}.bpf.o" "${output}.skel.h"
    COMMAND "${PALYRA_BPFTOOL}" gen object "${output}.bpf.o" "${output}.debug.bpf.o"
    COMMAND "${PALYRA_BPFTOOL}" gen skeleton "${output}.bpf.o" name "${stem}_bpf"
      > "${output}.skel.h.new"
    COMMAND "${CMAKE_COMMAND}" -E rename "${output}.skel.h.new" "${output}.skel.h"
    DEPENDS "${output}.debug.bpf.o"
    COMMENT "Generating ${folder}/${stem}.skel.h"
    VERBATIM)

  add_library(${name} INTERFACE "${output}.skel.h")
  target_include_directories(${name} SYSTEM INTERFACE "${include_dir}")
  target_link_libraries(${name} INTERFACE palyra_libbpf)
endfunction()
