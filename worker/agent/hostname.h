#ifndef QUANTRY_WORKER_AGENT_HOSTNAME_H_
#define QUANTRY_WORKER_AGENT_HOSTNAME_H_

#include <string>

namespace quantry::agent {

// This machine's name; "unknown" if it has none.
std::string Hostname();

}  // namespace quantry::agent

#endif  // QUANTRY_WORKER_AGENT_HOSTNAME_H_
