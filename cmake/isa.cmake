# tern_isa_source(<file> <flags…>): compiles one instruction set's kernel file with its own flags. No exceptions or
# RTTI, and internal linkage inside: the object defines its kernel table and nothing else (tests/device/isa_symbols).
function(tern_isa_source file)
  set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "-O3;-fno-exceptions;-fno-rtti;-fno-asynchronous-unwind-tables;${ARGN}")
endfunction()
