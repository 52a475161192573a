#include <signal.h>

#include "client/cli/command_line.h"

int main(int argc, char** argv) {
  // A reader that goes away (quantry logs | head) ends the program as any other: quietly.
  signal(SIGPIPE, SIG_DFL);
  return quantry::client::RunCommandLine(argc, argv);
}
