# acceptq_bpf_object(TARGET x.bpf.c): compiles a BPF program and makes TARGET, an interface library
# with its skeleton header x.skel.h.

find_program(BPF_CLANG NAMES clang-19 clang REQUIRED)
find_program(BPF_STRIP NAMES llvm-strip-19 llvm-strip REQUIRED)
find_program(BPFTOOL NAMES bpftool HINTS /usr/sbin /sbin REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(BPF_ARCH x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
  set(BPF_ARCH arm64)
else()
  set(BPF_ARCH ${CMAKE_SYSTEM_PROCESSOR})
endif()

function(acceptq_bpf_object target source)
  get_filename_component(stem ${source} NAME_WE)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${stem}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${stem}.skel.h)
  # Paths are made relative, for the object carries them into every binary.
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${BPF_CLANG} -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_${BPF_ARCH} -D__bpf__
            -Wall -Wextra -Werror -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
            -ffile-prefix-map=${CMAKE_BINARY_DIR}= -I${CMAKE_CURRENT_SOURCE_DIR}
            -MMD -MT ${skeleton} -MF ${object}.d
            -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
    COMMAND ${BPF_STRIP} -g ${object}
    COMMAND echo "// NOLINTBEGIN: generated" > ${skeleton}
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${stem} >> ${skeleton}
    COMMAND echo "// NOLINTEND" >> ${skeleton}
    DEPENDS ${source}
    DEPFILE ${object}.d
    COMMENT "BPF ${source}"
    VERBATIM)
  add_custom_target(${target}_generate DEPENDS ${skeleton})
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
  add_dependencies(${target} ${target}_generate)
endfunction()
