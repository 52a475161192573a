#include "worker/agent/hostname.h"

#include <unistd.h>

namespace quantry::agent {

std::string Hostname() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') return "unknown";
  return name;
}

}  // namespace quantry::agent
