#ifndef QUANTRY_CLIENT_CLI_COMMAND_LINE_H_
#define QUANTRY_CLIENT_CLI_COMMAND_LINE_H_

namespace quantry::client {

// Runs the program on its arguments and returns its exit code. Writes to the standard streams.
int RunCommandLine(int argc, char** argv);

}  // namespace quantry::client

#endif  // QUANTRY_CLIENT_CLI_COMMAND_LINE_H_
