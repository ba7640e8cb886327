# tern_isa_sources(<target> <isa> <flags…>): adds isa/<isa>.cpp and its _coded, _ternary, _probe and _array_….cpp, those that exist, compiled with the
# instruction set's own flags. No exceptions or RTTI, and internal linkage inside: each object defines its kernel table and
# nothing else, which tests/isa_symbols.py checks for all of the global property TERN_ISA_SOURCES.
function(tern_isa_sources target isa)
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
  foreach(file isa/${isa}.cpp isa/${isa}_coded.cpp isa/${isa}_ternary.cpp isa/${isa}_probe.cpp
          isa/${isa}_array_pointwise.cpp isa/${isa}_array_matmul.cpp isa/${isa}_array_random.cpp
          isa/${isa}_array_reduce.cpp isa/${isa}_array_sort.cpp isa/${isa}_array_packed.cpp)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      set(own_options ${options})
      if(file MATCHES _array_)
        # Loops that compilers vectorize: no result changes, but a square root need not set errno, and an element that is
        # not chosen may be computed. clang does not know the pragma that says that y may be x.
        list(APPEND own_options -fno-math-errno -fno-trapping-math -Wno-unknown-pragmas)
      endif()
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${own_options}")
      target_sources(${target} PRIVATE ${file})
      set_property(GLOBAL APPEND PROPERTY TERN_ISA_SOURCES ${file})
    endif()
  endforeach()
endfunction()
