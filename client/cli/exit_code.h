#ifndef QUANTRY_CLIENT_CLI_EXIT_CODE_H_
#define QUANTRY_CLIENT_CLI_EXIT_CODE_H_

namespace quantry::client {

// What the program's exit code tells scripts; docs/cli.md promises these numbers.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       // the call failed, or the job ended FAILED
  kExitUsage = 2,        // wrong arguments, found here or by the server; no job was made
  kExitCancelled = 3,    // the job ended CANCELLED
  kExitUnreachable = 4,  // no server answers
  kExitDetached = 130,   // Ctrl-C; the job goes on (128 + SIGINT, as shells do)
};

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_EXIT_CODE_H_
