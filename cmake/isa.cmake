# tern_isa_source(<file> <flags…>): compiles one instruction set's kernel file with its own flags. No exceptions or
# RTTI, and internal linkage inside: the object defines its kernel table and nothing else (tests/device/isa_symbols).
function(tern_isa_source file)
  # g++ 12 needs ten minutes for one of these files at -O3 under UndefinedBehaviorSanitizer, one at -O1.
  set(level -O3)
  if(TERN_SANITIZE)
    set(level -O1)
  endif()
  set(options ${level} -fno-exceptions -fno-rtti -fno-asynchronous-unwind-tables ${ARGN})
  if(TERN_SANITIZE MATCHES undefined)
    # With the null checks on, g++ takes no function's address for a constant, and static_assert(complete(table)) needs it.
    # AddressSanitizer sees a null access all the same.
    list(APPEND options -fno-sanitize=null,nonnull-attribute,returns-nonnull-attribute)
  endif()
  set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${options}")
endfunction()
