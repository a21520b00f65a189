# acceptq_syscall_table(FILE): writes a line {__NR_read, "read"}, for each system call of the
# compiler's <asm/unistd.h>, whatever architecture it compiles for.

function(acceptq_syscall_table file)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/syscall_numbers.c)
  file(WRITE ${source} "#include <asm/unistd.h>\n")
  execute_process(
    COMMAND ${CMAKE_CXX_COMPILER} -x c -E -dM ${source}
    OUTPUT_VARIABLE macros
    COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "#define __NR_[a-z0-9_]+ " defined "${macros}")
  # Not calls: how many there are, and where an architecture's own begin.
  list(FILTER defined EXCLUDE REGEX "__NR_(syscalls|arch_specific_syscall) ")
  list(SORT defined)
  set(table "")
  foreach(definition IN LISTS defined)
    string(REGEX REPLACE "#define __NR_([a-z0-9_]+) " "{__NR_\\1, \"\\1\"},\n" entry "${definition}")
    string(APPEND table "${entry}")
  endforeach()
  file(CONFIGURE OUTPUT ${file} CONTENT "${table}" @ONLY)
endfunction()
