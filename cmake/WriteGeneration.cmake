# cmake -DOBJECTS=…;… -DABI_HEADER=… -DOUTPUT=… -P WriteGeneration.cmake
# Writes a header with the generation of the kernel objects: ABI version and digest of the programs.

file(STRINGS "${ABI_HEADER}" version_line REGEX "#define PALYRA_ABI_VERSION [0-9]+")
string(REGEX MATCH "[0-9]+$" version "${version_line}")
foreach(object IN LISTS OBJECTS)
  file(SHA256 "${object}" digest)
  string(APPEND digests "${digest}")
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING "${digest}" 0 8 short_digest)
file(WRITE "${OUTPUT}" "#pragma once\n#define PALYRA_GENERATION \"v${version}-${short_digest}\"\n")
