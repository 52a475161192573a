# Run as a ctest: cmake -DROOT=<repository> -P check_layering.cmake
# Checks who may include whom (docs/architecture.md). A rule is FOLDER|REGEX of forbidden includes.

set(rules
  "common|[<\"](torch|ATen|c10)/|grpcpp/|quantry/v1/|\"(server|worker|client)/"
  "server|[<\"](torch|ATen|c10)/|\"(worker|client)/"
  "server/core|grpcpp/|sqlite3|libpq|\"server/(store|rpc)/"
  "server/store|grpcpp/|\"server/rpc/"
  "client|[<\"](torch|ATen|c10)/|\"(worker|server)/"
  "worker/agent|[<\"](torch|ATen|c10)/|\"(server|worker/engine|worker/trainer)/"
  "worker/engine|grpcpp/|quantry/v1/|\"(server|client|worker/agent|worker/trainer)/"
  "worker/trainer|grpcpp/|\"(server|client|worker/agent)/"
  "worker/engine/distributed|\"worker/engine/(graph|ops|import|zoo|passes|quant|data|train|evaluate|export)/"
  "worker/engine/train|torch/csrc/distributed/|distributed/(process_group|rank_watch|rendezvous)"
  "worker/engine/graph|\"worker/engine/(ops|import|zoo|passes|quant|data|train|evaluate|export)/"
  "worker/engine/quant|\"worker/engine/(ops|import|zoo|passes|data|train|evaluate|export)/"
  "worker/engine/kernels|[<\"](torch|ATen|c10)/|\"worker/engine/(graph|ops|fuse|import|zoo|passes|quant|data|train|evaluate|export)/"
  "worker/engine/fuse|\"worker/engine/(import|zoo|passes|data|train|evaluate|export)/"
  "worker/engine/ops|\"worker/engine/(import|zoo|passes|data|train|evaluate|export)/"
  "worker/engine/data|\"worker/engine/(graph|ops|import|zoo|passes|quant|train|evaluate|export)/"
  "worker/engine/passes|\"worker/engine/(import|zoo|data|train|export)/"
  "worker/engine/import|\"worker/engine/(zoo|data|train|export)/"
  "worker/engine/script|\"worker/engine/(import|zoo|data|train|export)/"
  "worker/engine/script_export|\"worker/engine/(import|script|zoo|data|train|evaluate)/"
  "worker/engine/zoo|\"worker/engine/(import|data|train|export)/"
  "worker/engine/weights|\"worker/engine/(zoo|data|train|export)/"
  "worker/engine/evaluate|\"worker/engine/(import|zoo|passes|train|export)/"
  "worker/engine/export|\"worker/engine/(zoo|data|train)/")

set(broken 0)
set(checked 0)
foreach(rule ${rules})
  string(FIND "${rule}" "|" split)
  string(SUBSTRING "${rule}" 0 ${split} folder)
  math(EXPR after "${split} + 1")
  string(SUBSTRING "${rule}" ${after} -1 forbidden)
  file(GLOB_RECURSE sources ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.cc)
  foreach(source ${sources})
    math(EXPR checked "${checked} + 1")
    file(STRINGS ${source} includes REGEX "^#include")
    foreach(line ${includes})
      if(line MATCHES "${forbidden}")
        file(RELATIVE_PATH name ${ROOT} ${source})
        message(SEND_ERROR "${name}: '${line}' is not allowed in ${folder}/ (${forbidden})")
        math(EXPR broken "${broken} + 1")
      endif()
    endforeach()
  endforeach()
endforeach()
if(checked LESS 50)
  message(FATAL_ERROR "only ${checked} files were checked: is ROOT '${ROOT}' the repository?")
endif()
message(STATUS "${checked} files checked, ${broken} forbidden includes")
