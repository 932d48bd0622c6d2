# Slicer makes a package of what is installed; the tests look at the installed files themselves.
if(NOT EXISTS "${CMAKE_BINARY_DIR}/description.txt")
  message(FATAL_ERROR "Slicer_EXTENSION_GENERATE_CONFIG must be included before Slicer_EXTENSION_CPACK")
endif()
